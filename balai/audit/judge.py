"""Judge evidence: checks over facts, rules over live objects, and what nothing looked at."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Any

from balai import kube
from balai.audit import gather, isolation
from balai.audit.results import Result, Status
from balai.errors import EnvironmentFault
from balai.estate import Estate
from balai.mall import sockets_of
from balai.mall.certificates import certificates_of
from balai.mall.screens import policies_of, profile_of
from balai.mall.usb import usb_rules_of
from balai.models import Cluster, Tenant
from balai.rules import Finding, Judge, admission, cel, load_rules
from balai.rules.catalogue import Control, FactCheck, controls, fact_checks, unproven
from balai.rules.exceptions import load_exceptions
from balai.rules.model import Rule, Titles
from balai.rules.params import parameters
from balai.sites import SiteView

Json = dict[str, Any]
PLATFORM = ["balai-gateway", "balai-system", "default", *admission.KUBERNETES]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Everything one audit found, and every control that it did not look at."""

    results: list[Result]
    unchecked: list[tuple[Control, Titles]]
    covered: list[str]
    began: float
    seconds: float
    subjects: list[str]


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
            expected: Json = {
                "site": site.site.name,
                "name": host.machine.name,
                "address": str(host.machine.address),
                "timezone": site.timezone,
                "listeners": sockets_of(host.machine, site),
                "certificates": {
                    each["path"]: each["days"]
                    for each in certificates_of(host.machine, site)
                    if "*" not in each["path"]
                },
            }
            if host.machine.kind in ("kiosk", "display"):
                expected["screen"] = {
                    "policies": policies_of(host.machine, site),
                    "idle_seconds": profile_of(host.machine, site)[1].idle_seconds or 0,
                    "usb": usb_rules_of(host.machine, site),
                }
            results += [
                judge_facts(check, host.machine.name, host.facts, expected, host.at, host.error or "no answer")
                for check in fact_checks()
                if check.target == "host" and (not check.kinds or host.machine.kind in check.kinds)
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
    tenants = {t.namespace: t for t in estate.tenants_of(name) if t.placed}
    checks = [check for check in fact_checks() if check.target != "host"]
    try:
        api = gather.reach(declared.kubeconfig_context)
        evidence = gather.cluster(api)
    except EnvironmentFault as fault:
        return [judge_facts(check, f"cluster {name}", None, {}, time.time(), str(fault)) for check in checks]
    access = _access(api, [t for t in tenants.values() if t.namespace in evidence.tenants])
    for namespace, facts in evidence.tenants.items():
        facts.update({"access": access[namespace]} if namespace in access else {})
    expected = {
        "tenants": sorted(tenants),
        "today": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "walls": admission.walls(admission.compile_rules(load_rules())),
        "params": parameters(load_rules(), declared.given, load_exceptions()),
        "platform": PLATFORM,
        "kubernetes": declared.kubernetes.rpartition(".")[0],
        "region": f"id-{declared.data_centre}",
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
    return results + _rules(declared, evidence)


def _access(api: kube.Cluster, tenants: list[Tenant]) -> Json:
    """Return what tenants may do, as far as this identity may ask."""
    try:
        return isolation.matrix(api, tenants, PLATFORM)
    except kube.ApiError:
        return {}


def _rules(declared: Cluster, evidence: gather.ClusterEvidence) -> list[Result]:
    """Judge every live object by every rule that concerns its kind, and every namespace as a whole."""
    judge = Judge("audit", declared.given)
    results = []
    for item in evidence.objects:
        namespace = evidence.namespaces.get(item["metadata"].get("namespace", ""))
        findings = list(judge.judge(item, None, namespace))
        results += _results(judge.rules_for(item["kind"]), findings, item, evidence.at)
    for name, namespace in evidence.namespaces.items():
        if name in evidence.tenants:
            findings = list(judge.judge_together(namespace, evidence.contents[name]))
            results += _results(judge.rules_for("Namespace", together=True), findings, namespace, evidence.at)
    return results


def _results(rules: list[Rule], findings: list[Finding], item: Json, at: float) -> list[Result]:
    broken = {finding.rule.id: finding for finding in findings}
    metadata = item["metadata"]
    where = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    results = []
    for rule in rules:
        finding = broken.get(rule.id)
        status = Status.PASS if not finding else Status.EXCEPTED if finding.exception else Status.FAIL
        if finding and finding.error:  # the engine's own limit, or a shape that no server would have taken
            status = Status.DNF
        results.append(
            Result(
                check=rule.id,
                title=rule.title.model_dump(),
                controls=tuple(rule.controls),
                target=f"{item['kind']} {where}{metadata['name']}",
                detail=_words(rule, finding),
                status=status,
                at=at,
                evidence={
                    "rule_version": rule.version,
                    "uid": metadata.get("uid"),
                    "generation": metadata.get("generation"),
                    **({"exception": finding.exception, "error": finding.error} if finding else {}),
                },
            )
        )
    return results


def _words(rule: Rule, finding: Finding | None) -> dict[str, str]:
    if finding is None:
        return {"id": "sesuai", "en": "as required"}
    if finding.error:
        return {"id": f"pemeriksaan gagal: {finding.error}", "en": f"the check failed: {finding.error}"}
    if finding.exception:
        return {"id": f"dikecualikan: {finding.exception}", "en": f"excepted: {finding.exception}"}
    return rule.remediation.model_dump()


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
    return unproven(control)
