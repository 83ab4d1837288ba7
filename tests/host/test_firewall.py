"""Real packets between every pair of zones of the mall, through its real router: what passes is what is declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from balai import addressing
from balai.flows import may, networks_of
from balai.models.flow import End
from balai.sites import INVENTORIES, load_site
from lab import control_plane, internet, machines, network
from tests.ports import PORTS

pytestmark = pytest.mark.lab

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
PROBE = Path(__file__).with_name("probe.py")
WIRES: dict[End, str] = {
    "management": "mgmt",
    "servers": "srv",
    "kiosks": "kio",
    "displays": "dsp",
    "cameras": "cam",
    "offices": "off0",
    "guests": "gst",
}
PLAN = VIEW.plan
ROUTER = "mpp-banyuwangi-router-1"
NUMBER = 20  # of the probe in each network; enrolled in the office's
Family = Literal[4, 6]
FAMILIES: tuple[Family, ...] = (4, 6)


def network_of(end: End, family: Family) -> Any:
    """Return the network that an end's probe is in."""
    if end == "data-centre":
        return control_plane.PLAN.gateways if family == 4 else control_plane.PLAN.gateways_v6
    if end == "guests":
        return addressing.GUEST_NETWORK if family == 4 else PLAN.guests_v6
    return next(n for n in networks_of(end, PLAN) if n.version == family)


def somebody(end: End, family: Family = 4) -> str:
    """Return the address of the probe at an end of flows."""
    if end == "internet":
        return internet.WEB if family == 4 else internet.WEB_V6
    return str(network_of(end, family)[NUMBER])


@cache
def outside(family: Family) -> str:
    """Return the address that a provider gave the router."""
    show = machines.inside(
        machines.hosts()[0], "ip", f"-{family}", "-j", "addr", "show", "dev", "wan1", "scope", "global"
    )
    return str(json.loads(show.stdout)[0]["addr_info"][0]["local"])


def gateway(end: End, family: Family = 4) -> str:
    """Return the router's address as an end sees it."""
    if end == "internet":
        return outside(family)
    if end == "data-centre":
        return str(PLAN.overlay if family == 4 else PLAN.overlay_v6)
    return str(network_of(end, family)[1])


def namespace(end: End) -> str:
    if end == "internet":
        return internet.NETNS
    return control_plane.NETNS if end == "data-centre" else f"balai-probe-{WIRES[end]}"


@pytest.fixture(scope="module")
def probes() -> Iterator[None]:
    """A machine of nobody's in each zone, one of the internet's, and one in the data centre."""
    for end, wire in WIRES.items():
        netns, outer = namespace(end), f"probe-{wire}"
        network.remove(netns)
        network.make(netns)
        network.unplug(outer, machines.NETNS)
        # The office knows this card; the other networks ask for none.
        mac = ["address", machines.PROBE_MAC] if end == "offices" else []
        pair = ["link", "add", outer, "type", "veth", "peer", "name", "eth0", *mac, "netns", netns]
        network.ip(*pair, netns=machines.NETNS)
        network.ip("link", "set", outer, "master", f"br-{wire}", "up", netns=machines.NETNS)
        network.ip("link", "set", "eth0", "up", netns=netns)
        for family in FAMILIES:
            prefix = network_of(end, family).prefixlen
            add = ["addr", "add", f"{somebody(end, family)}/{prefix}", "dev", "eth0"]
            network.ip(*add, *(["nodad"] if family == 6 else []), netns=netns)
            network.ip(f"-{family}", "route", "replace", "default", "via", gateway(end, family), netns=netns)
    own = {4: addressing.MALLS, 6: addressing.MALLS_V6}
    provider = internet.PROVIDERS[0]
    for family in FAMILIES:
        network.ip("addr", "replace", f"{somebody('data-centre', family)}", "dev", "lo", netns=control_plane.NETNS)
        # Somebody outside who sends to a mall's own addresses, and a provider that does not mind.
        into = ["route", "replace", str(own[family]), "via"]
        network.ip(f"-{family}", *into, provider.place[FAMILIES.index(family)], netns=internet.NETNS)
        network.ip(f"-{family}", *into, outside(family), netns=provider.netns)
    ends: list[End] = [*WIRES, "internet", "data-centre"]
    listeners = []
    for end in ends:
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{namespace(end)}"]
        argv = [*enter, sys.executable, PROBE, "listen", json.dumps(PORTS)]
        addresses = [somebody(end, family) for family in FAMILIES]
        listeners.append(subprocess.Popen([*argv, *addresses], stdout=subprocess.PIPE, text=True))
    for listener in listeners:
        assert listener.stdout
        assert listener.stdout.readline() == "ready\n"
    yield
    for listener in listeners:
        listener.kill()
        listener.communicate()
    for end in WIRES:
        network.remove(namespace(end))
    for family in FAMILIES:
        network.ip("addr", "del", somebody("data-centre", family), "dev", "lo", netns=control_plane.NETNS)
        network.ip(f"-{family}", "route", "del", str(own[family]), netns=internet.NETNS)
        network.ip(f"-{family}", "route", "del", str(own[family]), netns=provider.netns)


def ask(end: End, questions: list[tuple[str, str, str]]) -> list[str]:
    """Return the answers to questions (source, to, port) that are asked from an end."""
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{namespace(end)}", sys.executable, PROBE, "ask", json.dumps(questions)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: list[str] = json.loads(done.stdout)
    return found


SOURCES: list[End] = [*WIRES, "internet", "data-centre"]
DESTINATIONS: list[End] = [*WIRES, "router", "internet", "data-centre"]
OUTSIDE = {"internet", "data-centre"}


@pytest.fixture(scope="module")
def matrix(probes: None) -> dict[tuple[End, End, str, Family], str]:
    """What came back to each question, for every pair of ends, every port and both families."""

    def all_of(source: End) -> dict[tuple[End, End, str, Family], str]:
        asked = [
            (to, port, family)
            for to in DESTINATIONS
            for port in PORTS
            for family in FAMILIES
            if source != to and not {source, to} <= OUTSIDE
        ]
        questions = [
            (somebody(source, family), gateway(source, family) if to == "router" else somebody(to, family), port)
            for to, port, family in asked
        ]
        return {(source, *key): said for key, said in zip(asked, ask(source, questions), strict=True)}

    with ThreadPoolExecutor(4) as pool:
        return {key: said for part in pool.map(all_of, SOURCES) for key, said in part.items()}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("source", SOURCES)
def test_packets_pass_where_a_flow_is_declared_and_nowhere_else(
    matrix: dict[tuple[End, End, str, Family], str], source: End, to: End, family: Family
) -> None:
    seen = {port: bool(said) for (*ends, port, f), said in matrix.items() if (*ends, f) == (source, to, family)}

    assert seen == {port: may(VIEW.flows, source, to, port).permitted for port in seen}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_internet_sees_the_router_s_address_and_the_data_centre_the_machine_s(
    matrix: dict[tuple[End, End, str, Family], str], family: Family
) -> None:
    assert matrix["guests", "internet", "tcp/443", family] == outside(family)
    assert matrix["offices", "internet", "tcp/443", family] == outside(family)
    assert matrix["kiosks", "data-centre", "tcp/443", family] == somebody("kiosks", family)


def test_a_machine_that_nobody_enrolled_gets_no_further_than_the_router(probes: None) -> None:
    card = ["link", "set", "eth0", "address"]
    network.ip(*card, "02:ba:1a:00:00:99", netns=namespace("offices"))
    try:
        questions = [
            (somebody("offices", f), somebody(to, f), "tcp/443") for f in FAMILIES for to in ("servers", "internet")
        ]
        said = ask("offices", questions)
        (gateway_said,) = ask("offices", [(somebody("offices"), gateway("offices"), "icmp")])
    finally:
        network.ip(*card, machines.PROBE_MAC, netns=namespace("offices"))

    assert said == ["", "", "", ""]
    assert gateway_said == "pong"


def test_a_borrowed_address_is_dropped_at_the_wire_that_it_does_not_belong_to(probes: None) -> None:
    borrowed = somebody("management").rsplit(".", 1)[0] + ".77"
    network.ip("addr", "add", f"{borrowed}/32", "dev", "lo", netns=namespace("kiosks"))
    show = ["ssh", "-F", os.environ["BALAI_SSH_CONFIG"], ROUTER, "sudo nft -j list chain inet balai forward"]

    def dropped() -> int:
        rules = json.loads(subprocess.run(show, capture_output=True, text=True, check=True).stdout)["nftables"]
        (rule,) = [r["rule"] for r in rules if "rule" in r and "does not belong" in r["rule"].get("comment", "")]
        return next(int(part["counter"]["packets"]) for part in rule["expr"] if "counter" in part)

    before = dropped()
    (said,) = ask("kiosks", [(borrowed, somebody("servers"), "icmp")])

    assert said == ""
    assert dropped() > before


def test_the_rules_are_there_again_after_a_restart_of_the_router(probes: None) -> None:
    machines.power_cut(ROUTER)

    # Its cards come up one after the other: what is declared passes soon, what is not at no moment.
    for _ in range(15):
        passed, refused = ask("kiosks", [(somebody("kiosks"), somebody("servers"), p) for p in ("tcp/443", "tcp/22")])
        assert refused == ""
        if passed:
            break
    assert passed == somebody("kiosks")
