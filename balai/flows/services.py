"""
Flows to services of tenants: the names that they are called by, a kiosk's allow-list, and NetworkPolicies.

A firewall sees a data centre's gateway and port 443. Which service is behind it is decided by the name:
in a kiosk by its browser, in a cluster by what the gateway may pass on to which tenant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from balai import addressing
from balai.flows.compiled import PRIVATE, Network
from balai.models.flow import End, Flow

Json = dict[str, Any]
DOMAIN = "balai.internal"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
PORTS_OF_TENANTS = {"protocol": "TCP", "port": 1024, "endPort": 65535}  # what a service of a tenant may listen on


def host_of(service: str) -> str:
    """
    Return the name by which a mall calls `tenant/service`.

    It names no cluster: a service that moves to the other data centre keeps its name. A service called `web` has its
    tenant's name.
    """
    tenant, _, name = service.partition("/")
    return f"{tenant}.{DOMAIN}" if name == "web" else f"{name}.{tenant}.{DOMAIN}"


def named(flows: Iterable[Flow], end: End | None = None) -> list[str]:
    """Return the services that flows name, of one end or of all, each once, in order."""
    return sorted({s for flow in flows if end is None or end in flow.sources for s in flow.services})


def allow_list(flows: Iterable[Flow], end: End) -> list[str]:
    """Return the origins that a browser at an end may open: the services that flows let it begin with, over TLS."""
    return sorted(
        f"https://{host_of(service)}" + ("" if port == "tcp/443" else f":{port.removeprefix('tcp/')}")
        for service, port in {
            (s, p) for f in flows if end in f.sources for s in f.services for p in f.ports if p.startswith("tcp/")
        }
    )


def dns_policy() -> Json:
    """Return the spec that lets pods ask the cluster's resolver."""
    resolver = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [resolver], "ports": ports}]}


def gateway_policies(flows: Sequence[Flow], tenant_label: str) -> dict[str, Json]:
    """
    Return the specs of the NetworkPolicies of a gateway's namespace, by name.

    Malls come over the overlay with their own addresses, to the ports of flows that name services; which zone of a mall
    may begin was decided by the mall's router. Citizens come from the internet. On to tenants, and nowhere else.
    """
    ports = sorted({int(p.removeprefix("tcp/")) for f in flows for p in f.ports if f.services and p.startswith("tcp/")})
    malls = [str(network) for network in (addressing.MALLS, addressing.MALLS_V6)]
    internet = [{"ipBlock": {"cidr": whole, "except": _private(version)}} for version, whole in _EVERYTHING.items()]
    policies: dict[str, Json] = {
        "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "allow-dns": dns_policy(),
        "from-internet": _ingress(internet, [443]),
        "to-tenants": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [
                {
                    "to": [{"namespaceSelector": {"matchExpressions": [{"key": tenant_label, "operator": "Exists"}]}}],
                    "ports": [PORTS_OF_TENANTS],
                }
            ],
        },
    }
    if ports:
        policies["from-malls"] = _ingress([{"ipBlock": {"cidr": cidr}} for cidr in malls], ports)
    return policies


_EVERYTHING = {4: "0.0.0.0/0", 6: "::/0"}


def _private(version: int) -> list[str]:
    networks: list[Network] = [network for network in PRIVATE if network.version == version]
    return [str(network) for network in networks]


def _ingress(sources: list[Json], ports: list[int]) -> Json:
    rule = {"from": sources, "ports": [{"protocol": "TCP", "port": port} for port in ports]}
    return {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}
