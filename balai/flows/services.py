"""
Flows to services of tenants: the names that they are called by, a kiosk's allow-list, and NetworkPolicies.

A firewall sees a data centre's gateway and port 443. Which service is behind it is decided by the name: in a kiosk
by its browser; at the gateway by the networks that may begin with that name; in a cluster by what the gateway may
pass on to which tenant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any

from balai import addressing
from balai.flows.compiled import Network, begins_with, collapsed
from balai.models.flow import End, Flow

Json = dict[str, Any]
DOMAIN = "balai.internal"
APIS_PORT = 8443  # of the gateway, for tenants' services that call an API
NAMESPACE_NAME, APP_NAME = "kubernetes.io/metadata.name", "app.kubernetes.io/name"


def host_of(service: str) -> str:
    """
    Return the name by which a mall calls `tenant/service`.

    It names no cluster: a service that moves to the other data centre keeps its name. A service called `web` has its
    tenant's name.
    """
    tenant, _, name = service.partition("/")
    return f"{tenant}.{DOMAIN}" if name == "web" else f"{name}.{tenant}.{DOMAIN}"


def named(flows: Iterable[Flow]) -> list[str]:
    """Return the services that flows name, each once, in order."""
    return sorted({service for flow in flows for service in flow.services})


def callers(service: str, flows: Iterable[Flow], malls: Iterable[tuple[Collection[str], int]]) -> list[Network]:
    """
    Return the networks that may begin with a service, as few as they can be.

    `malls` are the regions and the index in the ledger of each mall that has a way to the data centre.
    """
    meant = [flow for flow in flows if service in flow.services]
    return collapsed(
        network
        for regions, index in malls
        for network in _networks(index, frozenset(e for f in meant if f.holds_in(regions) for e in f.sources))
    )


@cache
def _networks(index: int, ends: frozenset[End]) -> list[Network]:
    plan = addressing.mall(index)
    return collapsed(network for end in ends for network in begins_with(end, plan))


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


def gateway_policies(flows: Sequence[Flow], malls: Iterable[Network], edge: Iterable[Network]) -> dict[str, Json]:
    """
    Return the specs of the NetworkPolicies of a gateway's namespace, by name; the way on to a tenant is the tenant's.

    Malls come over the overlay with their own addresses, to the ports of flows that name services; which of them may
    begin with which service is said where its name is served (`callers`). Citizens come through the data centre's edge,
    never directly.
    """
    ports = sorted({int(p.removeprefix("tcp/")) for f in flows for p in f.ports if f.services and p.startswith("tcp/")})
    policies: dict[str, Json] = {
        "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "allow-dns": dns_policy(),
        "from-edge": _ingress(list(edge), [443]),
    }
    networks = narrow(malls)
    if ports and networks:
        policies["from-malls"] = _ingress(networks, ports)
    return policies


def narrow(networks: Iterable[Network]) -> list[Network]:
    """Return networks as few as they can be and none wider than a /16 (IPv6: /40), IPv4 first."""
    widest = {4: 16, 6: 40}
    return [part for n in collapsed(networks) for part in n.subnets(new_prefix=max(widest[n.version], n.prefixlen))]


def _ingress(sources: Sequence[Network], ports: list[int]) -> Json:
    blocks = [{"ipBlock": {"cidr": str(network)}} for network in sources]
    rule = {"from": blocks, "ports": [{"protocol": "TCP", "port": port} for port in ports]}
    return {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}
