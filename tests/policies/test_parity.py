"""One rule, one verdict: the real API server and Python judge the same cases the same way."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from balai.kube import APPLY, ApiError, Cluster, group_path
from balai.rules import Judge, admission, load_rules
from balai.rules.cases import Case, all_cases
from balai.rules.lens import CLUSTER_KINDS, LABEL, POD_KINDS
from balai.rules.params import parameters

pytestmark = pytest.mark.lab

RULE = re.compile(r"\[([a-z0-9_]+)\]")
ASKED = f"{LABEL}parity"
CASES = [case for case in all_cases() if "admission" in case.rule.points]
RULES = [rule for rule in load_rules() if "admission" in rule.points]
BY_ID = {rule.id: rule for rule in RULES}
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the API server said of one case: broken rules, the object as it would admit it, its pod security."""

    broken: set[str]
    admitted: Json | None
    pod_security: str


@pytest.fixture(scope="module")
def answers() -> Iterator[dict[str, Answer]]:
    """
    The verdict of the lab's API server on every case.

    The rules warn, and only about objects that carry a label of this test; its namespaces are the
    platform's to the cluster's own policies, which would deny.
    """
    api = Cluster.from_kubeconfig()
    made = [*_namespaces(), *admission.compile_for_parity(RULES, ASKED)]
    for item in made:
        _send(api, "PATCH", item)
    _wait(api)
    with ThreadPoolExecutor(4) as pool:
        yield dict(zip(map(str, CASES), pool.map(lambda case: _ask(api, case), CASES), strict=True))
    for item in reversed(made):
        _send(api, "DELETE", item)


def _namespaces() -> list[Json]:
    found = {case.surroundings["metadata"]["name"]: copy.deepcopy(case.surroundings) for case in CASES}
    for item in found.values():
        labels = item["metadata"]["labels"]
        labels["pod-security.kubernetes.io/warn"] = "restricted"
        if f"{LABEL}tenant" not in labels:  # a tenant's is governed, whatever it says
            labels[f"{LABEL}role"] = "test"
    return list(found.values())


def _send(api: Cluster, method: str, item: Json) -> None:
    entry = api.resource(item["apiVersion"], item["kind"])
    assert entry
    path = f"{group_path(item['apiVersion'])}/{entry['name']}/{item['metadata']['name']}"
    if method == "PATCH":
        api.request("PATCH", f"{path}?fieldManager=parity&force=true", item, APPLY)
    else:
        api.request("DELETE", path)


def _wait(api: Cluster) -> None:
    """Policies come into force one by one: each rule is waited for with a case that it must refuse."""
    first = {case.rule.id: case for case in reversed(CASES) if not case.good}
    deadline = time.monotonic() + 60
    while missing := [rule for rule, case in first.items() if not _in_force(api, rule, case)]:
        assert time.monotonic() < deadline, f"not in force after 60 s: {missing}"
        first = {rule: first[rule] for rule in missing}
        time.sleep(0.2)


def _in_force(api: Cluster, rule: str, case: Case) -> bool:
    return rule in _ask(api, case).broken


def _ask(api: Cluster, case: Case) -> Answer:
    manifest = copy.deepcopy(case.manifest)
    metadata, kind = manifest["metadata"], manifest["kind"]
    metadata["labels"] = {**(metadata.get("labels") or {}), ASKED: "yes"}
    entry = api.resource(manifest["apiVersion"], kind)
    if entry is None:
        raise ApiError(404, {"message": f"{kind} is not served"})
    where = "" if kind in CLUSTER_KINDS else metadata.get("namespace") or case.surroundings["metadata"]["name"]
    path = group_path(manifest["apiVersion"]) + (f"/namespaces/{where}" if where else "")
    try:
        admitted, warnings = api.request_with_warnings("POST", f"{path}/{entry['name']}?dryRun=All", manifest)
        admitted = {"apiVersion": manifest["apiVersion"], "kind": kind, **admitted}
    except ApiError as error:
        # Refused by the cluster's own policies, after these had their say; anything else is a broken case.
        assert "ValidatingAdmissionPolicy" in str(error), f"{case}: {error}"
        admitted, warnings = None, error.warnings
    ours = [text for text in warnings if "binding 'p-" in text]
    assert not any("resulted in error" in text for text in ours), ours
    assert sum(map(len, warnings)) < 3500, "the server cuts warnings off; the case breaks too many rules"
    security = next((text for text in warnings if "would violate PodSecurity" in text), "")
    return Answer({rule for text in ours for rule in RULE.findall(text)}, admitted, security)


def _python(case: Case, manifest: Json) -> set[str]:
    judge = Judge("admission", rules=RULES, exceptions=())
    return {finding.rule.id for finding in judge.judge(manifest, None, case.surroundings)}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_api_server_and_python_agree(answers: dict[str, Answer], case: Case) -> None:
    answer = answers[str(case)]
    labelled = copy.deepcopy(case.manifest)
    labelled["metadata"]["labels"] = {**(labelled["metadata"].get("labels") or {}), ASKED: "yes"}

    assert (case.rule.id in answer.broken) is not case.good
    assert answer.broken == _python(case, labelled), "the manifest as written"
    if answer.admitted:
        assert answer.broken == _python(case, answer.admitted), "the object as the server would admit it"


@pytest.mark.parametrize("case", [c for c in CASES if c.manifest["kind"] in POD_KINDS], ids=str)
def test_what_the_pod_security_standards_refuse_a_rule_refuses_too(answers: dict[str, Answer], case: Case) -> None:
    answer = answers[str(case)]
    standard = {rule for rule in answer.broken if BY_ID[rule].standard}

    assert bool(answer.pod_security) == bool(standard), answer.pod_security


def test_the_parameters_of_the_cluster_are_those_that_the_rules_were_judged_by() -> None:
    api = Cluster.from_kubeconfig()
    path = f"/api/v1/namespaces/{admission.PARAMS_NAMESPACE}/configmaps/{admission.PARAMS_NAME}"

    assert api.request("GET", path)["data"] == parameters(load_rules(), {}, ())
