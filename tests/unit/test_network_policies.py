"""NetworkPolicies: what is compiled lets through what flows and tenants declare, and nothing else."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balai import addressing
from balai.components.foundation import GATEWAY
from balai.components.tenant_space import gateway_policies, network_policies, tenant_labels
from balai.estate import load_estate
from balai.flows import allow_list, host_of, may, named
from balai.flows.services import APIS_PORT, APP_NAME, NAMESPACE_NAME
from balai.flows.stores import CLUSTER as STORE
from balai.models.flow import ENDS, End
from balai.sites import INVENTORIES, load_site
from stacks.layers import _front, _space_args

ESTATE = load_estate()
CLUSTER = ESTATE.clusters["cikarang"]
TENANTS = ESTATE.tenants_of("cikarang")
GATEWAYS = _front(ESTATE, CLUSTER)
HERE = addressing.data_centre(ESTATE.data_centres["cikarang"].index)
MALLS = [addressing.mall(index) for index in ESTATE.ledger.values()]
KNOWN = [HERE.gateways, HERE.gateways_v6, *(plan.whole for plan in MALLS), *(plan.v6 for plan in MALLS)]
Json = dict[str, Any]


def chosen(selector: Json, labels: dict[str, str]) -> bool:
    """Judge a label selector as Kubernetes does, for what our policies use of it."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        e["key"] in labels
        and (e["operator"] == "Exists" or (e["operator"] == "In" and labels[e["key"]] in e["values"]))
        for e in selector.get("matchExpressions", [])
    )


def passes(
    policies: dict[str, Json], way: str, peer: Any, port: int, pod: Json | None = None, beside: Json | None = None
) -> bool:
    """
    Judge one direction of a pod, TCP: with a policy about it, only what a rule names.

    A peer is an address, or the labels of a namespace; `beside` are those of the pod there (None is of no rule that
    asks for them), and a peer of {} is the pod's own namespace.
    """
    about = [p for p in policies.values() if way in p["policyTypes"] and chosen(p["podSelector"], pod or {})]
    if not about:
        return True
    end = "from" if way == "Ingress" else "to"
    for rule in (r for p in about for r in p.get(way.lower(), [])):
        ports = any(
            n["protocol"] == "TCP" and n["port"] <= port <= n.get("endPort", n["port"]) for n in rule.get("ports", [])
        )
        for one in rule[end] if ports else []:
            if "ipBlock" in one:
                block = one["ipBlock"]
                inside = not isinstance(peer, dict) and peer in ip_network(block["cidr"])
                if inside and not any(peer in ip_network(out) for out in block.get("except", [])):
                    return True
            elif isinstance(peer, dict) and "podSelector" not in one and chosen(one["namespaceSelector"], peer):
                return True
            elif isinstance(peer, dict) and "podSelector" in one and beside is not None:
                there = chosen(one["namespaceSelector"], peer) if "namespaceSelector" in one else peer == {}
                if there and chosen(one["podSelector"], beside):
                    return True
    return False


def labels_of(tenant: Any) -> dict[str, str]:
    return {**tenant_labels(tenant), NAMESPACE_NAME: tenant.namespace}


def reaches(begins: Any, asked: Any, service: str, port: int) -> bool:
    """Judge whether a pod of one tenant may begin with a pod of another's service, by the policies of both."""
    there, here = (network_policies(_space_args(ESTATE, CLUSTER, t)) for t in (begins, asked))
    pod, caller = {APP_NAME: service}, {APP_NAME: "web"}
    out = passes(there, "Egress", labels_of(asked), port, caller, pod)
    return out and passes(here, "Ingress", labels_of(begins), port, pod, caller)


@pytest.mark.parametrize(("begins", "asked"), list(product(TENANTS, TENANTS)), ids=lambda t: t.name)
def test_a_tenant_reaches_another_exactly_where_its_file_says_so(begins: Any, asked: Any) -> None:
    if begins is asked:
        return
    declared = {(r.tenant, r.service) for r in begins.reaches}

    for service in asked.services:
        for port in {22, 443, *(s.port for s in asked.answering)}:
            meant = service.kind == "web" and service.port == port and (asked.name, service.name) in declared
            assert reaches(begins, asked, service.name, port) == meant


def test_whoever_opens_a_page_does_not_reach_the_api_beside_it_on_the_same_port() -> None:
    registry = ESTATE.tenants["kependudukan"]
    web, api = registry.answering
    args = _space_args(ESTATE, CLUSTER, registry)
    here = network_policies(type(args)(**{**vars(args), "reached_by": {"web": ["pajak"]}}))
    begins = labels_of(ESTATE.tenants["pajak"])

    assert web.port == api.port
    assert passes(here, "Ingress", begins, web.port, {APP_NAME: "web"})
    assert not passes(here, "Ingress", begins, api.port, {APP_NAME: api.name})


@pytest.mark.parametrize("tenant", TENANTS, ids=lambda t: t.name)
def test_the_gateway_reaches_what_is_public_or_named_by_a_flow_and_tenants_reach_no_gateway(tenant: Any) -> None:
    policies = network_policies(_space_args(ESTATE, CLUSTER, tenant))
    gateway = {NAMESPACE_NAME: GATEWAY}

    for service in tenant.services:
        open_ = service.kind == "api" or (
            service.kind == "web" and (service.public or f"{tenant.name}/{service.name}" in named(ESTATE.flows))
        )
        port, pod = getattr(service, "port", 8080), {APP_NAME: service.name}
        assert passes(policies, "Ingress", gateway, port, pod) == open_
        for other in TENANTS:
            ways = {name: spec for name, (_, spec) in gateway_policies(_space_args(ESTATE, CLUSTER, other)).items()}
            here = open_ and other is tenant
            assert passes(GATEWAYS | ways, "Egress", labels_of(tenant), port, beside=pod) == here
    assert not passes(policies, "Egress", gateway, 443)
    assert not passes(GATEWAYS, "Ingress", labels_of(tenant), 443)


def test_a_service_that_is_neither_public_nor_named_is_closed_to_the_gateway() -> None:
    tenant = TENANTS[0].model_copy(
        update={"services": [s.model_copy(update={"public": False}) for s in TENANTS[0].answering]}
    )
    args = _space_args(ESTATE, CLUSTER, tenant)
    closed = network_policies(type(args)(**{**vars(args), "callers": {}}))
    service = tenant.services[0]
    pod = {APP_NAME: service.name}

    assert args.callers, "or this says nothing"
    assert passes(network_policies(args), "Ingress", {NAMESPACE_NAME: GATEWAY}, service.port, pod)
    assert not passes(closed, "Ingress", {NAMESPACE_NAME: GATEWAY}, service.port, pod)


@pytest.mark.parametrize("tenant", TENANTS, ids=lambda t: t.name)
def test_an_api_is_called_through_the_gateway_alone_and_by_nobody_who_does_not_say_so(tenant: Any) -> None:
    args = _space_args(ESTATE, CLUSTER, tenant)
    apis = {(t.name, s.name) for t in ESTATE.tenants.values() for s in t.services if s.kind == "api"}
    calls = any((reach.tenant, reach.service) in apis for reach in tenant.reaches)
    ways = {name: spec for name, (_, spec) in gateway_policies(args).items()}

    assert apis, "no tenant has an API, and so this says nothing"
    assert passes(network_policies(args), "Egress", {NAMESPACE_NAME: GATEWAY}, APIS_PORT) == calls
    assert passes(GATEWAYS | ways, "Ingress", labels_of(tenant), APIS_PORT) == calls
    assert not passes(GATEWAYS | ways, "Ingress", {NAMESPACE_NAME: "tenant-stranger"}, APIS_PORT)


@pytest.mark.parametrize("tenant", [t for t in TENANTS if t.data_stores], ids=lambda t: t.name)
def test_a_store_is_open_to_the_services_that_name_it_and_sends_its_copies_where_the_file_says(tenant: Any) -> None:
    policies = network_policies(_space_args(ESTATE, CLUSTER, tenant))
    (store,) = tenant.data_stores
    instance, plan = {STORE: store.name}, addressing.data_centre(ESTATE.data_centres[store.backup.to].index)
    copies = plan.gateways[addressing.OBJECT_STORE]

    for name in [*(s.name for s in tenant.services), "stranger"]:
        caller = {APP_NAME: name}
        meant = any(s.name == name and store.name in s.stores for s in tenant.services)
        assert passes(policies, "Ingress", {}, 5432, instance, caller) == meant
        assert passes(policies, "Egress", {}, 5432, caller, instance) == meant
        assert not passes(policies, "Egress", {}, 8000, caller, instance)
        assert not passes(policies, "Egress", copies, 443, caller), "only the store itself reaches its copies"
    assert passes(policies, "Egress", copies, 443, instance)
    assert not passes(policies, "Egress", plan.gateways[10], 443, instance)
    assert not passes(policies, "Egress", ip_address("203.0.113.7"), 443, instance)
    for port in (5432, 8000):
        operator = {NAMESPACE_NAME: "cnpg-system"}
        assert passes(policies, "Ingress", {}, port, instance, instance)
        assert passes(policies, "Ingress", operator, port, instance, {APP_NAME: "cloudnative-pg"})
        assert not passes(policies, "Ingress", operator, port, instance, {APP_NAME: "stranger"})
        for other in TENANTS:
            assert not passes(policies, "Ingress", labels_of(other), port, instance, {APP_NAME: "web"})


def test_a_store_is_on_its_tenant_s_first_cluster_alone() -> None:
    for tenant in ESTATE.tenants.values():
        for name in tenant.clusters:
            policies = network_policies(_space_args(ESTATE, ESTATE.clusters[name], tenant))
            there = {store.name for store in tenant.data_stores if f"store-{store.name}" in policies}
            assert there == ({store.name for store in tenant.data_stores} if name == tenant.clusters[0] else set())


@given(
    index=st.sampled_from(sorted(ESTATE.ledger.values())),
    zone=st.sampled_from([*addressing.Zone]),
    host=st.integers(2, 250),
    port=st.sampled_from([22, 80, 443, 6443, 6514, 8080]),
    family=st.sampled_from(["zones", "zones_v6"]),
)
def test_every_mall_reaches_the_gateway_on_the_ports_of_flows_that_name_services(
    index: int, zone: addressing.Zone, host: int, port: int, family: str
) -> None:
    source = getattr(addressing.mall(index), family)[zone][host]

    assert passes(GATEWAYS, "Ingress", source, port) == (port == 443)


@given(st.ip_addresses(), st.sampled_from([22, 80, 443, 8080]))
def test_nobody_else_comes_in_but_the_data_centre_s_edge(source: Any, port: int) -> None:
    assert passes(GATEWAYS, "Ingress", source, port) == (port == 443 and any(source in network for network in KNOWN))


def test_pods_nodes_and_malls_that_are_not_planned_come_in_by_no_address() -> None:
    here = addressing.data_centre(ESTATE.data_centres["cikarang"].index)
    free = addressing.mall(max(ESTATE.ledger.values()) + 1)
    networks = (addressing.PODS, addressing.SERVICES, here.nodes, free.whole, free.v6)

    assert passes(GATEWAYS, "Ingress", here.gateways[7], 443)
    for network in networks:
        assert not passes(GATEWAYS, "Ingress", ip_address(int(network.network_address) + 9), 443)


@pytest.mark.parametrize("site", ["mpp-banyuwangi", "mpp-badung"])
@pytest.mark.parametrize("end", ENDS)
def test_a_kiosk_s_allow_list_is_what_flows_permit(site: str, end: End) -> None:
    flows = load_site(INVENTORIES / "sites" / f"{site}.yml").flows
    services = [f"{t.name}/{s.name}" for t in ESTATE.tenants.values() for s in t.services]

    permitted = {s for s in services if may(flows, end, "data-centre", "tcp/443", s).permitted}

    assert allow_list(flows, end) == sorted(f"https://{host_of(s)}" for s in permitted)


def test_a_service_of_one_region_is_open_in_its_malls_alone_and_citizens_reach_no_civil_registry() -> None:
    here, there = (load_site(INVENTORIES / "sites" / f"{s}.yml").flows for s in ("mpp-banyuwangi", "mpp-badung"))

    assert "https://pajak-banyuwangi.balai.internal" in allow_list(here, "kiosks")
    assert "https://pajak-banyuwangi.balai.internal" not in allow_list(there, "kiosks")
    assert "https://kependudukan.balai.internal" not in allow_list(here, "kiosks")
    assert not may(here, "kiosks", "data-centre", "tcp/443", "kependudukan/web").permitted
    assert may(here, "offices", "data-centre", "tcp/443", "kependudukan/web").permitted
    assert host_of("pajak/api") == "api.pajak.balai.internal"
