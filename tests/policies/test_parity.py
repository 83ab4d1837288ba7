"""One rule, one verdict: the real API server and Python judge the same cases the same way."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from balai.kube import APPLY, ApiError, Cluster, group_path
from balai.rules import Judge, admission, load_rules
from balai.rules.model import Case, cases

pytestmark = pytest.mark.lab

NAMESPACE, LABEL = "balai-parity", "balai.internal/parity"
RULE = re.compile(r"\[([a-z0-9_]+)\]")
CASES = [case for case in cases() if case.manifest["kind"] != "ConfigMap"]
# Policies come into force one by one: each rule is waited for with a case that it must refuse.
FIRST_BAD = {case.rule: case for case in reversed(CASES) if not case.good and case.manifest["kind"] != "Namespace"}


@pytest.fixture(scope="module")
def api() -> Iterator[Cluster]:
    """The lab's cluster with the rules bound to a namespace of this test, warning instead of denying."""
    api = Cluster.from_kubeconfig()
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {LABEL: "yes"}}}
    ]
    made += admission.compile_rules(
        load_rules(), only_namespaces={"matchLabels": {LABEL: "yes"}}, action=["Warn"], prefix="p"
    )
    for item in made:
        api.request("PATCH", f"{_path(api, item)}?fieldManager=parity&force=true", item, APPLY)
    deadline = time.monotonic() + 30
    while missing := [rule for rule, case in FIRST_BAD.items() if rule not in _server(api, case)[0]]:
        assert time.monotonic() < deadline, f"not enforced after 30 s: {missing}"
        time.sleep(0.2)
    yield api
    for item in reversed(made):
        api.request("DELETE", _path(api, item))


def _path(api: Cluster, item: dict[str, Any]) -> str:
    entry = api.resource(item["apiVersion"], item["kind"])
    assert entry
    return f"{group_path(item['apiVersion'])}/{entry['name']}/{item['metadata']['name']}"


def _server(api: Cluster, case: Case) -> tuple[set[str], dict[str, Any]]:
    """Return the rules that the API server says are broken, and the object as it would admit it."""
    manifest = case.manifest
    entry = api.resource(manifest["apiVersion"], manifest["kind"])
    assert entry
    path = f"{group_path(manifest['apiVersion'])}/namespaces/{NAMESPACE}/{entry['name']}?dryRun=All"
    admitted, warnings = api.request_with_warnings("POST", path, manifest)
    ours = [text for text in warnings if "ValidatingAdmissionPolicy" in text]
    assert not any("resulted in error" in text for text in ours), ours
    assert sum(map(len, warnings)) < 3500, "the server cuts warnings off; split the rules over several requests"
    return {rule for text in ours for rule in RULE.findall(text)}, {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        **admitted,
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_api_server_and_python_agree(api: Cluster, case: Case) -> None:
    if case.manifest["kind"] == "Namespace":
        _refused_elsewhere(api, case)
        return
    said, admitted = _server(api, case)

    assert said == {f.rule.id for f in Judge("admission").judge(admitted)}, "engine"
    assert said == {f.rule.id for f in Judge("file").judge(case.manifest)}, "manifest as written"


def _refused_elsewhere(api: Cluster, case: Case) -> None:
    """A namespace with a tenant's name meets the cluster's own policy, which denies: the same verdict, seen as 422."""
    expected = {f.rule.id for f in Judge("file").judge(case.manifest)}
    try:
        api.request("POST", "/api/v1/namespaces?dryRun=All", case.manifest)
        said: set[str] = set()
    except ApiError as error:
        said = set(RULE.findall(str(error)))
    assert said == expected
