"""Flows: what is compiled for a firewall permits what is declared, and nothing else."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balai import addressing
from balai.estate import load_estate
from balai.flows import Rule, callers, compile_for, may, named, networks_of
from balai.flows.compiled import PRIVATE
from balai.flows.simulate import end_of
from balai.models.flow import ENDS, End, Flow
from balai.sites import INVENTORIES, load_site
from tests.ports import PORTS

SITE = INVENTORIES / "sites" / "mpp-banyuwangi.yml"
FLOWS = load_site(SITE).flows
OUTSIDE = {4: ip_address("198.51.100.10"), 6: ip_address("2001:db8::10")}
MACHINES: dict[str, End] = {"server": "servers", "kiosk": "kiosks", "display": "displays"}


def passes(rules: list[Rule], chain: str, source: Any, to: Any, port: str) -> bool:
    """Judge a packet as nftables would: written on its own, from the rules alone."""

    def inside(address: Any, networks: tuple[Any, ...], internet: bool) -> bool:
        if internet:
            return not any(address in network for network in PRIVATE)
        return not networks or any(address in network for network in networks)

    protocol, _, number = port.partition("/")
    return any(
        (rule.chain, rule.family) == (chain, source.version)
        and inside(source, rule.sources, rule.outside == "source")
        and inside(to, rule.destinations, rule.outside == "destination")
        and rule.protocol == protocol
        and rule.port == (int(number) if number else None)
        for rule in rules
    )


def somebody(end: End, plan: addressing.MallPlan, host: int, family: int = 4) -> Any:
    """Return an address of an end that is not the router's."""
    if end == "router":
        zones: Any = plan.zones if family == 4 else plan.zones_v6
        return zones[addressing.Zone.MANAGEMENT][1]
    networks = [network for network in networks_of(end, plan) if network.version == family]
    return networks[0][2 + host % 28] if networks else OUTSIDE[family]


@given(
    index=st.integers(0, addressing.LAST_MALL),
    source=st.sampled_from(ENDS),
    to=st.sampled_from(ENDS),
    host=st.integers(0, 27),
    port=st.sampled_from(PORTS),
    family=st.sampled_from([4, 6]),
)
def test_the_router_lets_through_what_is_declared_and_nothing_else(
    index: int, source: End, to: End, host: int, port: str, family: int
) -> None:
    plan = addressing.mall(index)
    rules = compile_for("router", FLOWS, plan)
    if source in ("router", to):
        return  # what the router begins itself, and what stays in one network, passes no rule of its
    chain = "input" if to == "router" else "forward"

    passed = passes(rules, chain, somebody(source, plan, host, family), somebody(to, plan, host + 1, family), port)

    assert passed == may(FLOWS, source, to, port).permitted


@given(
    index=st.integers(0, addressing.LAST_MALL),
    source=st.sampled_from(ENDS),
    kind=st.sampled_from(sorted(MACHINES)),
    host=st.integers(0, 27),
    port=st.sampled_from(PORTS),
    family=st.sampled_from([4, 6]),
)
def test_a_machine_lets_in_what_is_declared_for_its_zone(
    index: int, source: End, kind: str, host: int, port: str, family: int
) -> None:
    plan = addressing.mall(index)
    own = MACHINES[kind]
    if source in (own, "router"):
        return

    ends = somebody(source, plan, host, family), somebody(own, plan, 5, family)
    passed = passes(compile_for(kind, FLOWS, plan), "input", *ends, port)  # type: ignore[arg-type]

    assert passed == may(FLOWS, source, own, port).permitted


@pytest.mark.parametrize("family", [4, 6])
def test_what_only_the_router_may_begin_is_let_in_from_the_router_alone(family: int) -> None:
    written = {"name": "x1", "from": ["router"], "to": ["servers"], "ports": ["tcp/443"], "why": "for the test"}
    plan = addressing.mall(3)
    rules = compile_for("server", [Flow.model_validate({**written, "when_dark": "local"})], plan)
    zones: Any = plan.zones if family == 4 else plan.zones_v6
    own = zones[addressing.Zone.SERVERS]

    passed = {n for n in range(1, 40) if passes(rules, "input", own[n], own[10], "tcp/443")}
    strangers = [zones[addressing.Zone.KIOSKS][32], OUTSIDE[family]]

    assert passed == {1}
    assert not any(passes(rules, "input", stranger, own[10], "tcp/443") for stranger in strangers)


def test_no_mall_lets_in_another() -> None:
    here, there = addressing.mall(0), addressing.mall(1)
    rules = compile_for("router", FLOWS, here)

    for zone in addressing.Zone:
        for port in PORTS:
            assert not passes(rules, "forward", there.zones[zone][9], here.zones[addressing.Zone.SERVERS][10], port)


def test_every_address_of_a_mall_belongs_to_one_end() -> None:
    plan = addressing.mall(3)

    assert end_of(plan.zones[addressing.Zone.KIOSKS][40], plan) == "kiosks"
    assert end_of(plan.zones[addressing.Zone.KIOSKS][1], plan) == "router"
    assert end_of(plan.slots[7][9], plan) == "offices"
    assert end_of(IPv4Address("10.0.0.9"), plan) == "data-centre"
    assert end_of(OUTSIDE[4], plan) == end_of(OUTSIDE[6], plan) == "internet"
    assert end_of(plan.slots_v6[7][9], plan) == "offices"
    assert end_of(plan.zones_v6[addressing.Zone.KIOSKS][1], plan) == "router"
    assert end_of(addressing.mall(4).zones[addressing.Zone.KIOSKS][40], plan) is None


def test_the_same_flow_is_never_declared_twice() -> None:
    names = [flow.name for flow in FLOWS]
    said = [
        (s, t, p, service)
        for flow in FLOWS
        for s in flow.sources
        for t in flow.to
        for p in flow.ports
        for service in flow.services or [""]
    ]

    assert len(set(names)) == len(names)
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("port", ["tcp/0", "tcp/65536", "tcp/022", "sctp/80", "tcp", "443", "tcp/-1", "icmp/8"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ValueError, match="should be tcp"):
        Flow.model_validate(
            {
                "name": "x1",
                "from": ["kiosks"],
                "to": ["servers"],
                "ports": [port],
                "why": "for the test",
                "when_dark": "local",
            }
        )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["kiosks", "servers", "tcp/443"], 0, "Yes: kiosks to servers on tcp/443 (flow local-pages"),
        (["192.168.3.4", "10.64.1.10", "tcp/443"], 1, "No: there is no flow from guests to servers on tcp/443"),
        (["10.65.0.9", "servers", "tcp/443"], 2, "10.65.0.9 is in no network of mpp-banyuwangi"),
        (["kiosk", "servers", "tcp/443"], 2, "'kiosk' is neither an address nor one of management"),
        (["kiosks", "servers", "443"], 2, "PORT should be tcp/<1-65535>"),
    ],
)
def test_the_question_is_answered_with_the_line_that_says_so(balai, words: list[str], code: int, said: str) -> None:
    done = balai("flows", "may", *words, "--site", "mpp-banyuwangi")

    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["pajak", "identitas/web", "tcp/8080"], 0),
        (["identitas", "kependudukan/verifikasi", "tcp/8443"], 0),
        (["identitas", "kependudukan/verifikasi", "tcp/8080"], 1),
        (["pajak", "kependudukan/verifikasi", "tcp/8443"], 1),
        (["pajak", "portal-layanan/penerus-aduan", "tcp/8080"], 2),
    ],
)
def test_a_tenant_calls_an_api_at_the_gateway_s_port_and_nothing_that_answers_nobody(
    balai, words: list[str], code: int
) -> None:
    assert balai("flows", "may", *words).returncode == code


def test_a_service_is_served_to_the_networks_of_whoever_may_begin_with_it_and_to_no_others() -> None:
    estate = load_estate()
    malls = [(site.regions, estate.ledger[name]) for name, site in estate.sites.items()]
    opened = {service: set(callers(service, estate.flows, malls)) for service in named(estate.flows)}
    views = [load_site(INVENTORIES / "sites" / f"{name}.yml") for name in ("mpp-banyuwangi", "mpp-bandung")]

    for view in views:
        for service, networks in opened.items():
            for end in ENDS:
                for network in networks_of(end, view.plan) if end not in ("data-centre", "guests") else ():
                    served = any(network.subnet_of(n) for n in networks if n.version == network.version)
                    assert served == may(view.flows, end, "data-centre", "tcp/443", service).permitted, (end, service)
    assert callers("hukum/web", estate.flows, []) == []
