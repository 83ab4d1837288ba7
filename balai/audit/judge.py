"""Judge evidence: checks over facts, rules over live objects, and what nothing looked at."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from balai import yamlfile
from balai.audit import gather
from balai.audit.results import Result, Status
from balai.errors import EnvironmentFault
from balai.estate import Estate, SiteView
from balai.models.base import Model, Text, load
from balai.models.tenant import Category
from balai.rules import Judge, admission, cel, load_rules
from balai.rules.lens import LABEL
from balai.rules.model import Titles

POLICIES = Path(__file__).resolve().parent.parent.parent / "policies"
Json = dict[str, Any]
PLATFORM = ["balai-gateway", "balai-system", "default", "kube-node-lease", "kube-public", "kube-system"]


class Unless(Model):
    """Where a check cannot run, and why."""

    when: Text
    why: Titles


class FactCheck(Model):
    """One check over gathered facts; see policies/checks/."""

    id: Text
    title: Titles
    controls: list[Text]
    target: Literal["host", "cluster", "tenant"] = "host"
    needs: Text
    unless: Unless | None = None
    expression: Text
    shows: Text


class Checks(Model):
    """One file of policies/checks/."""

    checks: list[FactCheck]


class Control(Model):
    """One control of the baseline, as far as it could be verified."""

    id: Text
    regulation: Text
    article: str | None
    title_id: Text
    title_en: Text
    text_id: str
    domain: Text
    levels: list[Category]
    enforce: list[Literal["k8s", "host", "network", "app", "organisational"]]
    reading: str
    iso27001: list[str]
    nist80053: list[str]
    cis: list[str]
    verification: Literal["read", "read-secondary", "recalled"]
    source: str
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Everything one audit found, and every control that it did not look at."""

    results: list[Result]
    unchecked: list[tuple[Control, Titles]]
    covered: list[str]
    began: float
    seconds: float
    subjects: list[str]


@cache
def controls() -> dict[str, Control]:
    """Return the catalogue of controls, by id."""
    document = yamlfile.read(POLICIES / "controls" / "spbe.yml")
    found = {}
    for n, item in enumerate(document.data):
        lines = {path[1:]: line for path, line in document.lines.items() if path[:1] == (n,)}
        control = load(Control, yamlfile.Document(document.name, item, lines))
        found[control.id] = control
    return found


@cache
def fact_checks() -> tuple[FactCheck, ...]:
    """Return every check over facts, of hosts first."""
    return tuple(
        check
        for name in ("host", "cluster")
        for check in load(Checks, yamlfile.read(POLICIES / "checks" / f"{name}.yml")).checks
    )


def audit(
    estate: Estate, site: SiteView | None = None, cluster: str | None = None, ssh_config: str | None = None
) -> Audit:
    """
    Gather and judge a site, a cluster, or both.

    An unreachable host or cluster is a result (DNF) for each of its checks, never a gap.
    """
    began = time.time()
    results: list[Result] = []
    if site:
        for host in gather.hosts(site, ssh_config):
            expected = {"site": site.site.name, "name": host.machine.name, "timezone": site.timezone}
            results += [
                judge_facts(check, host.machine.name, host.facts, expected, host.at, host.error or "no answer")
                for check in fact_checks()
                if check.target == "host"
            ]
    if cluster:
        results += _cluster(estate, cluster)
    known = controls()
    covered = sorted({c for r in results if r.status in (Status.PASS, Status.FAIL) for c in r.controls} & set(known))
    unchecked = [(control, _why_unchecked(control, results)) for name, control in known.items() if name not in covered]
    return Audit(
        results=results,
        unchecked=unchecked,
        covered=covered,
        began=began,
        seconds=time.time() - began,
        subjects=[name for name in (site.site.name if site else None, cluster) if name],
    )


def _cluster(estate: Estate, name: str) -> list[Result]:
    declared = estate.clusters[name]
    tenants = {t.namespace: t for t in estate.tenants_of(name) if t.status != "decommissioning"}
    checks = [check for check in fact_checks() if check.target != "host"]
    try:
        evidence = gather.cluster(gather.reach(declared.kubeconfig_context))
    except EnvironmentFault as fault:
        return [judge_facts(check, f"cluster {name}", None, {}, time.time(), str(fault)) for check in checks]
    compiled = admission.compile_rules(load_rules())
    expected = {
        "tenants": sorted(tenants),
        "today": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "walls": {m["metadata"]["name"]: admission.fingerprint(m) for m in compiled},
        "params": admission.params(declared.registries),
        "platform": PLATFORM,
    }
    results = [
        judge_facts(check, f"cluster {name}", evidence.facts, expected, evidence.at)
        for check in checks
        if check.target == "cluster"
    ]
    for namespace in sorted({*tenants, *evidence.tenants}):
        tenant = tenants.get(namespace)
        results += [
            judge_facts(
                check,
                namespace,
                evidence.tenants.get(namespace),
                {**expected, "group": tenant.group if tenant else "", "category": tenant.category if tenant else ""},
                evidence.at,
                "the namespace is not there",
            )
            for check in checks
            if check.target == "tenant"
        ]
    return results + _rules(declared.registries, evidence)


def _rules(registries: list[str], evidence: gather.ClusterEvidence) -> list[Result]:
    """Judge every live object by every rule that concerns its kind."""
    judge = Judge("audit", registries)
    results = []
    for item in evidence.workloads:
        namespace = item["metadata"].get("namespace") or item["metadata"]["name"]
        category = evidence.tenants[namespace]["labels"].get(f"{LABEL}category")
        broken = {finding.rule.id: finding for finding in judge.judge(item, category)}
        target = f"{item['kind']} {namespace}/{item['metadata']['name']}"
        for rule in judge.rules:
            if item["kind"] not in rule.kinds:
                continue
            finding = broken.get(rule.id)
            detail = rule.remediation.model_dump() if finding else {"id": "sesuai", "en": "as required"}
            results.append(
                Result(
                    check=rule.id,
                    title=rule.title.model_dump(),
                    controls=tuple(rule.controls),
                    target=target,
                    detail=detail,
                    status=Status.FAIL if finding else Status.PASS,
                    at=evidence.at,
                    evidence={
                        "rule_version": rule.version,
                        "uid": item["metadata"].get("uid"),
                        "generation": item["metadata"].get("generation"),
                        "error": finding.error if finding else "",
                    },
                )
            )
    return results


def judge_facts(
    check: FactCheck, target: str, facts: Json | None, expected: Json, at: float, error: str = ""
) -> Result:
    """
    Return one check's result on one object.

    Args:
        check: What is asked.
        target: Name of the object in the report.
        facts: What was gathered there; None when nothing could be.
        expected: What the estate says of it.
        at: Time of the evidence, seconds since 1970.
        error: Why there are no facts.
    """

    def result(status: Status, detail: Json, evidence: Json | None = None) -> Result:
        return Result(
            check=check.id,
            title=check.title.model_dump(),
            controls=tuple(check.controls),
            target=target,
            status=status,
            detail=detail,
            evidence=evidence or {},
            at=at,
        )

    if facts is None:
        return result(Status.DNF, {"id": f"tidak terjangkau: {error}", "en": f"unreachable: {error}"})
    if check.needs not in facts:
        return result(Status.MISS, {"id": f"tidak ada bukti: {check.needs}", "en": f"no evidence: {check.needs}"})
    scope = {"facts": facts, "expected": expected}
    if check.unless and cel.holds(check.unless.when, scope):
        return result(Status.DNF, check.unless.why.model_dump())
    try:
        passed = cel.holds(check.expression, scope)
        shown = cel.value(check.shows, scope)
    except ValueError as problem:
        return result(Status.DNF, {"id": f"pemeriksaan gagal: {problem}", "en": f"the check failed: {problem}"})
    status = Status.PASS if passed else Status.FAIL
    words = {"id": "sesuai", "en": "as required"} if passed else {"id": "tidak sesuai", "en": "not as required"}
    return result(status, words, shown)


def _why_unchecked(control: Control, results: list[Result]) -> Titles:
    if any(control.id in r.controls for r in results):
        return Titles(
            id="pemeriksaannya tidak dapat berjalan atau tanpa bukti", en="its checks could not run or had no evidence"
        )
    if control.enforce == ["organisational"]:
        return Titles(id="hanya dapat dinilai oleh orang", en="only people can judge it (organisational)")
    if control.verification == "recalled":
        return Titles(id="teks resminya belum dibaca", en="the official text has not been read yet")
    return Titles(id="belum ada pemeriksaan (direncanakan)", en="no check yet (planned)")
