"""The space an agency gets on one cluster: a namespace it can use and cannot leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.foundation import GATEWAY, TENANT_ROLE
from balai.flows.services import APIS_PORT, APP_NAME, NAMESPACE_NAME, dns_policy
from balai.models import Tenant
from balai.models.service import Api, Web
from balai.rules.lens import LABEL

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TenantSpaceArgs:
    """
    Inputs of :class:`TenantSpace`.

    Attributes:
        tenant: Whose space it is.
        cluster: Name of the cluster it is on; the tenant must be placed there.
        reached: Pages and forms that its `reaches` name, with their ports, by the other tenant's name.
        reached_by: For each of its own, the tenants that need it.
        calls: Whether its `reaches` name an API, which is called through the gateway alone.
        callers: Own services that flows let malls begin with, and the networks that may.
        stores: Network policies of its data stores, by name, where they are on this cluster.
    """

    tenant: Tenant
    cluster: str
    reached: dict[str, dict[str, int]]
    reached_by: dict[str, list[str]]
    calls: bool
    callers: dict[str, list[str]]
    stores: dict[str, Json]

    def __post_init__(self) -> None:
        if self.cluster not in self.tenant.clusters:
            raise ValueError(
                f"tenant {self.tenant.name!r} is not on cluster {self.cluster!r} (it lists "
                f"{', '.join(self.tenant.clusters)}). Add the cluster to inventories/tenants/{self.tenant.name}.yml."
            )


class TenantSpace(pulumi.ComponentResource):
    """
    Namespace, quota, limits, role binding and network policy of one tenant.

    Attributes:
        namespace: Name of the namespace, for whatever is deployed into it.
    """

    namespace: pulumi.Output[str]

    def __init__(self, name: str, args: TenantSpaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("balai:tenancy:TenantSpace", name, None, opts)
        tenant = args.tenant
        labels = tenant_labels(tenant)
        namespace = k8s.core.v1.Namespace(
            f"{name}-namespace",
            metadata=tenant_namespace(tenant)["metadata"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.namespace = namespace.metadata.name
        self._place = {"namespace": tenant.namespace, "labels": labels}
        self._after = namespace

        quota = tenant.quota
        k8s.core.v1.ResourceQuota(
            f"{name}-quota",
            metadata=self._named("quota"),
            spec={
                "hard": {
                    "requests.cpu": quota.cpu,
                    "limits.cpu": quota.cpu,
                    "requests.memory": quota.memory,
                    "limits.memory": quota.memory,
                    "pods": str(quota.pods),
                    "requests.storage": quota.storage,
                    "services.nodeports": "0",
                    "services.loadbalancers": "0",
                }
            },
            opts=self._child(),
        )
        k8s.core.v1.LimitRange(
            f"{name}-limits",
            metadata=self._named("limits"),
            spec={"limits": [{"type": "Container", "max": {"cpu": quota.cpu, "memory": quota.memory}}]},
            opts=self._child(),
        )
        k8s.rbac.v1.RoleBinding(
            f"{name}-operators",
            metadata=self._named("operators"),
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": TENANT_ROLE},
            subjects=[{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": tenant.group}],
            opts=self._child(),
        )
        for label, spec in network_policies(args).items():
            k8s.networking.v1.NetworkPolicy(
                f"{name}-{label}", metadata=self._named(label), spec=spec, opts=self._child()
            )
        for label, (way, spec) in gateway_policies(args).items():
            k8s.networking.v1.NetworkPolicy(
                f"{name}-{label}",
                metadata={"name": f"{way}-{tenant.name}", "namespace": GATEWAY, "labels": labels},
                spec=spec,
                opts=self._child(),
            )
        self.register_outputs({"namespace": self.namespace})

    def _named(self, name: str) -> Json:
        return {"name": name, **self._place}

    def _child(self) -> pulumi.ResourceOptions:
        # Not merged with the caller's opts: aliases, import and protect are about this component.
        return pulumi.ResourceOptions(parent=self, depends_on=[self._after])


def tenant_labels(tenant: Tenant) -> dict[str, str]:
    """Return the labels that every object of a tenant carries."""
    return {
        f"{LABEL}tenant": tenant.name,
        f"{LABEL}agency": tenant.owner,
        f"{LABEL}category": tenant.category,
        f"{LABEL}data-class": tenant.data_class,
    }


def tenant_namespace(tenant: Tenant) -> Json:
    """Return a tenant's Namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": tenant.namespace,
            "labels": {
                **tenant_labels(tenant),
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
            "annotations": {
                f"{LABEL}legal-ground": f"{tenant.legal_ground.text} ({tenant.legal_ground.verification})",
                f"{LABEL}retention": tenant.retention,
                f"{LABEL}review": tenant.review,
                f"{LABEL}rpo": tenant.recovery.rpo,
                f"{LABEL}rto": tenant.recovery.rto,
            },
        },
    }


def gateway_policies(args: TenantSpaceArgs) -> dict[str, tuple[str, Json]]:
    """Return what the gateway's namespace lets through for the tenant: way and spec, by the resource's name."""
    found: dict[str, tuple[str, Json]] = {}
    if behind := _behind_gateway(args):
        rules = [{"to": [_pods(args.tenant.name, s.name)], "ports": _tcp(s.port)} for s in behind]
        found["from-gateway"] = "to", {"podSelector": {}, "policyTypes": ["Egress"], "egress": rules}
    if args.calls:
        rules = [{"from": [_tenant(args.tenant.name)], "ports": _tcp(APIS_PORT)}]
        found["to-gateway"] = "from", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": rules}
    return found


def network_policies(args: TenantSpaceArgs) -> dict[str, Json]:
    """Return the tenant's network policies by name: nothing, then only what is declared."""
    gateway = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: GATEWAY}}}
    policies: dict[str, Json] = {
        "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "allow-dns": dns_policy(),
    }
    for service in _behind_gateway(args):
        policies[f"gateway-to-{service.name}"] = _into(service, [gateway])
    if args.calls:
        egress = [{"to": [gateway], "ports": _tcp(APIS_PORT)}]
        policies["reach-apis"] = {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}
    for other, there in sorted(args.reached.items()):
        egress = [{"to": [_pods(other, name)], "ports": _tcp(port)} for name, port in sorted(there.items())]
        policies[f"reach-{other}"] = {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}
    for service in args.tenant.answering:
        if others := args.reached_by.get(service.name):
            policies[f"reached-{service.name}"] = _into(service, [_tenant(other) for other in sorted(others)])
    return policies | args.stores


def _behind_gateway(args: TenantSpaceArgs) -> list[Web | Api]:
    return [s for s in args.tenant.answering if s.public or s.name in args.callers or isinstance(s, Api)]


def _into(service: Web | Api, begin: list[Json]) -> Json:
    # To this service's pods alone: another one on the same port is another conversation.
    ingress = [{"from": begin, "ports": _tcp(service.port)}]
    return {
        "podSelector": {"matchLabels": {APP_NAME: service.name}},
        "policyTypes": ["Ingress"],
        "ingress": ingress,
    }


def _tenant(name: str) -> Json:
    return {"namespaceSelector": {"matchLabels": {f"{LABEL}tenant": name}}}


def _pods(tenant: str, service: str) -> Json:
    return {**_tenant(tenant), "podSelector": {"matchLabels": {APP_NAME: service}}}


def _tcp(port: int) -> list[Json]:
    return [{"protocol": "TCP", "port": port}]
