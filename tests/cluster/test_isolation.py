"""No tenant reaches into another: asked of the real API server, and tried with real certificates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from balai.audit import gather, isolation
from balai.audit.judge import PLATFORM
from balai.components.foundation import TENANT_RULES
from balai.estate import load_estate
from balai.kube import ApiError, Cluster
from lab import control_plane, pki, state

pytestmark = pytest.mark.lab

TENANTS = {tenant.name: tenant for tenant in load_estate().tenants_of("cikarang")}
OWN, OTHER = TENANTS["pajak"], TENANTS["kependudukan"]
LOOSE = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@pytest.fixture(scope="module")
def admin() -> Cluster:
    return gather.reach("cikarang")


def test_each_tenant_may_do_what_is_its_own_and_nothing_else(
    balai: Callable[..., CompletedProcess[str]],
) -> None:
    done = balai("isolation", "--cluster", "cikarang", "--json")

    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert said["isolated"] is True
    assert len(said["tenants"]) == len(TENANTS)
    places = 1 + len(TENANTS) - 1 + len(PLATFORM)
    assert {row["asked"] for row in said["tenants"].values()} == {places * len(isolation.INSIDE) + len(isolation.ABOVE)}


@pytest.fixture
def loosened(admin: Cluster) -> Iterator[None]:
    """One rule too many, as somebody adds it in a hurry."""
    name = "test-loosened"
    binding: dict[str, Any] = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": OWN.group}],
    }
    admin.request(
        "POST", LOOSE, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", **binding}
    )
    yield
    admin.request("DELETE", f"{LOOSE}/{name}")


def test_one_rule_too_many_is_seen_and_whose_it_is(loosened: None, balai: Callable[..., CompletedProcess[str]]) -> None:
    done = balai("isolation", "--cluster", "cikarang", "--json")

    tenants = json.loads(done.stdout)["tenants"]
    assert done.returncode == 1
    assert f"{OTHER.namespace}: list pods" in tenants[OWN.namespace]["leaks"]
    assert "*: list namespaces" in tenants[OWN.namespace]["leaks"]
    assert tenants[OTHER.namespace]["leaks"] == []
    assert "find the RoleBinding or ClusterRoleBinding" in balai("isolation", "--cluster", "cikarang").stdout


def refused(api: Cluster, method: str, path: str, body: Any = None, content_type: str = "application/json") -> bool:
    try:
        api.request(method, path, body, content_type)
    except ApiError as error:
        assert error.status == 403, error
        return True
    return False


def test_a_person_with_the_tenant_s_certificate_gets_as_far_as_the_walls(tmp_path: Path) -> None:
    """The matrix asks; this tries, over a connection of the tenant's own."""
    authority = pki.Authority(state.PKI, "cluster")
    config = pki.kubeconfig(tmp_path / "config", control_plane.SERVER, authority, "petugas-pajak", [OWN.group])
    person = Cluster.from_kubeconfig(config)
    merge = "application/merge-patch+json"
    mine, theirs = f"/api/v1/namespaces/{OWN.namespace}", f"/api/v1/namespaces/{OTHER.namespace}"
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "percobaan"}, "data": {"a": "b"}}

    assert person.request("GET", f"{mine}/pods")["items"]
    person.request("POST", f"{mine}/configmaps?dryRun=All", note)
    assert refused(person, "GET", f"{theirs}/secrets")
    assert refused(person, "GET", f"{theirs}/pods")
    assert refused(person, "POST", f"{theirs}/configmaps?dryRun=All", note)
    assert refused(person, "PATCH", mine, {"metadata": {"labels": {"balai.internal/category": "rendah"}}}, merge)
    assert refused(person, "PATCH", f"{mine}/resourcequotas/quota", {"spec": {"hard": {"pods": "999"}}}, merge)
    policies = f"/apis/networking.k8s.io/v1/namespaces/{OWN.namespace}/networkpolicies"
    assert person.request("GET", policies)["items"]
    assert refused(person, "DELETE", f"{policies}/default-deny?dryRun=All")


def test_what_the_matrix_expects_is_what_the_role_gives() -> None:
    given = {
        (group, resource, verb)
        for r in TENANT_RULES
        for group in r["apiGroups"]
        for resource in r["resources"]
        for verb in r["verbs"]
    }

    for ask in isolation.INSIDE:
        assert ((ask.group, ask.resource, ask.verb) in given) == ask.own, ask
