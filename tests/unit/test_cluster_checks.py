"""Each check of a cluster and of a tenant, seen to pass on a good one and to fail where one thing is wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from balai.audit import Status, configuration
from balai.audit.judge import fact_checks, judge_facts

CHECKS = {check.id: check for check in fact_checks() if check.target != "host"}
LABEL = "balai.internal/"
EXPECTED = {
    "walls": {"balai-podspec-deny": "a1"},
    "params": {"registries": "x"},
    "tenants": ["tenant-a"],
    "platform": ["default"],
    "kubernetes": "1.37",
    "region": "id-cikarang",
    "category": "tinggi",
    "group": "balai:tenant:a",
    "today": "2026-11-24",
}
FLAGZ = {
    "anonymous-auth": "false",
    "audit-log-path": "/var/log/audit.log",
    "audit-policy-file": "/etc/policy.yml",
    "authorization-mode": "[Node,RBAC]",
    "enable-admission-plugins": "[NodeRestriction]",
    "disable-admission-plugins": "[]",
    "encryption-provider-config": "/etc/encryption.yml",
    "etcd-cafile": "/etc/ca.crt",
    "etcd-certfile": "/etc/etcd.crt",
    "etcd-keyfile": "/etc/etcd.key",
    "profiling": "false",
    "service-account-lookup": "true",
    "tls-cipher-suites": "[TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
    "tls-min-version": "VersionTLS12",
    "token-auth-file": "",
}
KUBELET = configuration.kubelet(
    {
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "seccompDefault": True,
    }
)
PLACE = {"topology.kubernetes.io/region": "id-cikarang", "topology.kubernetes.io/zone": "a"}
GOOD: dict[str, Any] = {
    "anonymous_status": 401,
    "tls": {"old_refused": True, "version": "TLSv1.3"},
    "walls": {"balai-podspec-deny": "a1", "other": "b2"},
    "params": {"registries": "x"},
    "namespaces": ["default", "tenant-a"],
    "tenants": ["tenant-a"],
    "network_policy_probe": "blocked",
    "api_server": configuration.flags(FLAGZ),
    "kubelets": {"n1": KUBELET},
    "virtual": [],
    "version": "1.37",
    "cluster_admins": ["system:masters"],
    "nodes": {"n1": PLACE, "n2": {**PLACE, "topology.kubernetes.io/zone": "b"}},
    "labels": {f"{LABEL}category": "tinggi"},
    "annotations": {f"{LABEL}review": "2027-06-30"},
    "deployments": [{"spec": {"replicas": 2}, "status": {"readyReplicas": 2}, "metadata": {"name": "web"}}],
    "role_bindings": [
        {"roleRef": {"name": "balai-tenant-operator"}, "subjects": [{"kind": "Group", "name": "balai:tenant:a"}]}
    ],
    "cluster_role_bindings": [{"subjects": [{"kind": "Group", "name": "system:masters"}]}],
    "access": {"asked": 90, "leaks": [], "lacks": []},
}
WRONG: dict[str, list[tuple[str, Any]]] = {
    "cluster_no_anonymous_access": [("anonymous_status", 200)],
    "cluster_tls_current": [("tls > old_refused", False), ("tls > version", "TLSv1.1")],
    "cluster_rules_enforced": [("walls", {}), ("walls > balai-podspec-deny", "zz"), ("params > registries", "y")],
    "cluster_inventory_complete": [("namespaces", ["default", "tenant-a", "mine"]), ("tenants", [])],
    "cluster_network_policy_enforced": [("network_policy_probe", "let through")],
    "cluster_secrets_encrypted": [("api_server > encryption-provider-config", "")],
    "cluster_api_authorization": [
        ("api_server > authorization-mode", ["RBAC"]),
        ("api_server > authorization-mode", ["Node", "RBAC", "AlwaysAllow"]),
    ],
    "cluster_api_authentication": [
        ("api_server > anonymous-auth", "true"),
        ("api_server > token-auth-file", "/etc/tokens"),
        ("api_server > service-account-lookup", "false"),
    ],
    "cluster_api_admission": [
        ("api_server > enable-admission-plugins", []),
        ("api_server > disable-admission-plugins", ["PodSecurity"]),
    ],
    "cluster_api_audit_log": [("api_server > audit-policy-file", ""), ("api_server > audit-log-path", "")],
    "cluster_api_ciphers": [
        ("api_server > tls-min-version", "VersionTLS11"),
        ("api_server > tls-cipher-suites", ["TLS_RSA_WITH_AES_128_CBC_SHA"]),
        ("api_server > tls-cipher-suites", []),
    ],
    "cluster_store_encrypted_channel": [("api_server > etcd-cafile", ""), ("api_server > etcd-certfile", "")],
    "cluster_api_no_profiling": [("api_server > profiling", "true")],
    "cluster_kubelets_ask": [
        ("kubelets > n1 > anonymous", True),
        ("kubelets > n1 > webhook", False),
        ("kubelets > n1 > authorization", "AlwaysAllow"),
        ("kubelets > n1 > read_only_port", 10255),
    ],
    "cluster_kubelets_hardened": [
        ("kubelets > n1 > seccomp_default", False),
        ("kubelets > n1 > static_pods", "/etc/kubernetes/manifests"),
    ],
    "cluster_version_declared": [("version", "1.36")],
    "cluster_admins_known": [("cluster_admins", ["system:masters", "operator-pajak"])],
    "cluster_in_the_country": [
        ("nodes > n1", {}),
        ("nodes", {}),
        ("nodes > n1 > topology.kubernetes.io/region", "sg-1"),
    ],
    "cluster_two_zones": [("nodes", {"n1": PLACE, "n2": PLACE}), ("nodes > n1", {})],
    "tenant_category_declared": [("labels", {}), (f"labels > {LABEL}category", "rendah")],
    "tenant_replicas_ready": [("deployments", []), ("deployments > 0 > status > readyReplicas", 1)],
    "tenant_rbac_bounded": [
        ("role_bindings > 0 > roleRef > name", "admin"),
        ("role_bindings > 0 > subjects > 0 > name", "balai:tenant:b"),
        ("cluster_role_bindings > 0 > subjects > 0 > name", "balai:tenant:a"),
    ],
    "tenant_isolated": [
        ("access > leaks", ["tenant-b: get secrets"]),
        ("access > lacks", ["tenant-a: list pods"]),
        ("access > asked", 0),
    ],
    "tenant_review_current": [("annotations", {}), (f"annotations > {LABEL}review", "2026-11-23")],
}


def judged(check: str, facts: dict[str, Any]) -> Status:
    return judge_facts(CHECKS[check], "cluster x", facts, EXPECTED, 0.0).status


def wrong(where: str, value: Any) -> dict[str, Any]:
    """Return the good cluster, but for one thing."""
    facts = copy.deepcopy(GOOD)
    holder: Any = facts
    *steps, last = (int(step) if step.isdigit() else step for step in where.split(" > "))
    for step in steps:
        holder = holder[step]
    holder[last] = value
    return facts


def test_every_check_has_its_bad_clusters() -> None:
    assert set(WRONG) == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_cluster_passes(check: str) -> None:
    assert judged(check, GOOD) is Status.PASS


@pytest.mark.parametrize(("check", "where", "value"), [(c, *case) for c, cases in WRONG.items() for case in cases])
def test_a_cluster_that_is_wrong_in_one_way_fails(check: str, where: str, value: Any) -> None:
    assert judged(check, wrong(where, value)) is Status.FAIL


def test_of_the_api_server_only_what_the_checks_ask_for_is_kept() -> None:
    """The page names every file of the machine; evidence goes to other people."""
    kept = configuration.flags(FLAGZ)

    assert "etcd-keyfile" not in kept
    assert kept["authorization-mode"] == ["Node", "RBAC"]
    assert kept["disable-admission-plugins"] == []


def test_a_kubelet_that_says_nothing_is_taken_for_an_open_one() -> None:
    assert configuration.kubelet({})["anonymous"] is True
    assert configuration.kubelet({})["authorization"] == "AlwaysAllow"
