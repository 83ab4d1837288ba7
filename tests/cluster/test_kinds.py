"""Databases, routes and limits of tenants, asked of the real API server with the operators' own definitions."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from balai.kube import APPLY, ApiError, Cluster, group_path
from lab import crds

pytestmark = pytest.mark.lab

KINDS = {"Cluster", "ScheduledBackup", "HTTPRoute", "ReferenceGrant", "BackendTrafficPolicy", "SecurityPolicy"}
STRICT = "fieldManager=kinds&force=true&dryRun=All&fieldValidation=Strict"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def api() -> Cluster:
    return Cluster.from_kubeconfig()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, root: Path) -> list[Json]:
    """What tenants declare of kinds that an operator acts on."""
    out = tmp_path_factory.mktemp("rendered") / "out"
    argv = [sys.executable, "-m", "balai", "render", "--out", str(out), "--cluster", "cikarang"]
    subprocess.run(argv, check=True, cwd=root, capture_output=True)
    found = [item for path in out.rglob("tenants/*.yml") for item in yaml.safe_load_all(path.read_text())]
    return [item for item in found if item["kind"] in KINDS]


def send(api: Cluster, item: Json) -> None:
    entry = api.resource(item["apiVersion"], item["kind"])
    assert entry, f"{item['kind']} is not served"
    metadata = item["metadata"]
    where = f"{group_path(item['apiVersion'])}/namespaces/{metadata['namespace']}/{entry['name']}/{metadata['name']}"
    api.request("PATCH", f"{where}?{STRICT}", item, APPLY)


def test_everything_that_tenants_declare_keeps_to_its_operator_s_definition(api: Cluster, rendered: list[Json]) -> None:
    assert {item["kind"] for item in rendered} == KINDS
    for item in rendered:
        send(api, item)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("Cluster", "instances", 0),
        ("Cluster", "instnces", 2),
        ("ScheduledBackup", "method", "tape"),
        ("HTTPRoute", "hostnames", ["http://x"]),
        (
            "SecurityPolicy",
            "authorization",
            {"rules": [{"action": "Allow", "principal": {"clientCIDRs": ["10.64.2"]}}]},
        ),
        ("BackendTrafficPolicy", "rateLimit", {"local": {"rules": [{"limit": {"requests": 1, "unit": "Fortnight"}}]}}),
    ],
)
def test_what_an_operator_would_not_understand_is_refused(
    api: Cluster, rendered: list[Json], kind: str, field: str, value: object
) -> None:
    item = copy.deepcopy(next(item for item in rendered if item["kind"] == kind))
    item["spec"][field] = value

    with pytest.raises(ApiError) as refused:
        send(api, item)

    assert field in str(refused.value)


def test_a_second_time_applies_no_definition_anew(api: Cluster) -> None:
    def versions() -> list[str]:
        return [
            api.request("GET", f"{crds.DEFINITIONS}/{name}")["metadata"]["resourceVersion"]
            for name, _ in crds.definitions()
        ]

    before = versions()
    crds.start(api)

    assert versions() == before
