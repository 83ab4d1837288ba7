"""
Flows of data stores, as NetworkPolicies: the services that name a store, its operator, its own copies, and no more.

Ports, labels and the operator's namespace are CloudNativePG's own (its documentation of v1.29, on networking).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from balai.flows.compiled import Network
from balai.flows.services import APP_NAME, NAMESPACE_NAME
from balai.models import Tenant

Json = dict[str, Any]
CLUSTER = "cnpg.io/cluster"
OPERATOR = {
    "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "cnpg-system"}},
    "podSelector": {"matchLabels": {APP_NAME: "cloudnative-pg"}},
}
POSTGRESQL, STATUS, API_SERVER, OBJECTS = 5432, 8000, 6443, 443


def store_policies(tenant: Tenant, nodes: Network, copies: Mapping[str, Sequence[Network]]) -> dict[str, Json]:
    """
    Return the specs of the policies of a tenant's stores by name.

    Args:
        tenant: Whose stores they are.
        nodes: Network of the cluster's API servers, which an instance asks who leads.
        copies: Addresses of the object store that each store is copied to.
    """
    policies: dict[str, Json] = {}
    for store in tenant.data_stores:
        own = {"podSelector": {"matchLabels": {CLUSTER: store.name}}}
        names = sorted(service.name for service in tenant.services if store.name in service.stores)
        callers = {"podSelector": {"matchExpressions": [{"key": APP_NAME, "operator": "In", "values": names}]}}
        ingress = [{"from": [own, OPERATOR], "ports": _tcp(POSTGRESQL, STATUS)}]
        if names:
            ingress.append({"from": [callers], "ports": _tcp(POSTGRESQL)})
            egress = [{"to": [own], "ports": _tcp(POSTGRESQL)}]
            policies[f"to-store-{store.name}"] = {**callers, "policyTypes": ["Egress"], "egress": egress}
        policies[f"store-{store.name}"] = {
            **own,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": [
                {"to": [own], "ports": _tcp(POSTGRESQL, STATUS)},
                {"to": _blocks([nodes]), "ports": _tcp(API_SERVER)},
                {"to": _blocks(copies[store.name]), "ports": _tcp(OBJECTS)},
            ],
        }
    return policies


def _tcp(*ports: int) -> list[Json]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _blocks(networks: Iterable[Network]) -> list[Json]:
    return [{"ipBlock": {"cidr": str(network)}} for network in networks]
