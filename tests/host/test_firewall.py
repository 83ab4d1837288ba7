"""Real packets between every pair of zones of the mall, through its real router: what passes is what is declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from balai.flows import may
from balai.models.flow import End
from balai.sites import INVENTORIES, load_site
from lab import machines, network
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
INTERNET, DATA_CENTRE = "198.51.100.10", "10.1.0.10"
ROUTER = "mpp-banyuwangi-router-1"


def somebody(end: End) -> str:
    """Return the address of the probe at an end of flows."""
    if end in ("internet", "data-centre"):
        return INTERNET if end == "internet" else DATA_CENTRE
    (router,) = [host for host in machines.hosts() if host.name == ROUTER]
    return router.addresses[WIRES[end]].split("/")[0].rsplit(".", 1)[0] + ".20"


def gateway(end: End) -> str:
    """Return the router's address as an end sees it."""
    (router,) = [host for host in machines.hosts() if host.name == ROUTER]
    return router.addresses[WIRES.get(end, "wan")].split("/")[0]


def namespace(end: End) -> str:
    return f"balai-probe-{WIRES.get(end, 'wan')}"


@pytest.fixture(scope="module")
def probes() -> Iterator[None]:
    """A machine of nobody's at each end, in a namespace of its own on the zone's wire."""
    made = {namespace(end): WIRES.get(end, "wan") for end in (*WIRES, "internet")}
    for name in made:
        network.remove(name)
    for name, wire in made.items():
        network.make(name)
        outer = f"probe-{wire}"
        if outer in network.ip("-br", "link", netns=machines.NETNS):
            network.ip("link", "del", outer, netns=machines.NETNS)
        network.ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name, netns=machines.NETNS)
        network.ip("link", "set", outer, "master", f"br-{wire}", "up", netns=machines.NETNS)
    for end in WIRES:
        prefix = 27 if end == "offices" else 24
        network.ip("addr", "add", f"{somebody(end)}/{prefix}", "dev", "eth0", netns=namespace(end))
        network.ip("link", "set", "eth0", "up", netns=namespace(end))
        network.ip("route", "add", "default", "via", gateway(end), netns=namespace(end))
    outside = namespace("internet")
    network.ip("addr", "add", f"{machines.UPLINK[1]}/24", "dev", "eth0", netns=outside)
    for address in (INTERNET, DATA_CENTRE):
        network.ip("addr", "add", f"{address}/32", "dev", "lo", netns=outside)
    network.ip("link", "set", "eth0", "up", netns=outside)
    network.ip("route", "add", "10.64.0.0/10", "via", gateway("internet"), netns=outside)
    addresses = {namespace(end): [somebody(end)] for end in WIRES} | {outside: [INTERNET, DATA_CENTRE]}
    listeners = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, PROBE, "listen", json.dumps(PORTS), *addresses[name]],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in made
    ]
    for listener in listeners:
        assert listener.stdout
        assert listener.stdout.readline() == "ready\n"
    yield
    for listener in listeners:
        listener.kill()
        listener.communicate()
    for name in made:
        network.remove(name)


def ask(end: End, questions: list[tuple[str, str, str]]) -> list[str]:
    """Return the answers to questions (source, to, port) that are asked from an end."""
    done = subprocess.run(
        ["ip", "netns", "exec", namespace(end), sys.executable, PROBE, "ask", json.dumps(questions)],
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
def matrix(probes: None) -> dict[tuple[End, End, str], str]:
    """What came back to each question, for every pair of ends and every port."""

    def all_of(source: End) -> dict[tuple[End, End, str], str]:
        asked = [(to, port) for to in DESTINATIONS for port in PORTS if source != to and not {source, to} <= OUTSIDE]
        questions = [
            (somebody(source), gateway(source) if to == "router" else somebody(to), port) for to, port in asked
        ]
        return {(source, to, port): said for (to, port), said in zip(asked, ask(source, questions), strict=True)}

    with ThreadPoolExecutor(4) as pool:
        return {key: said for part in pool.map(all_of, SOURCES) for key, said in part.items()}


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize("source", SOURCES)
def test_packets_pass_where_a_flow_is_declared_and_nowhere_else(
    matrix: dict[tuple[End, End, str], str], source: End, to: End
) -> None:
    seen = {port: bool(said) for (s, t, port), said in matrix.items() if (s, t) == (source, to)}

    assert seen == {port: may(VIEW.flows, source, to, port).permitted for port in seen}


def test_the_internet_sees_the_router_s_address_and_the_data_centre_the_machine_s(
    matrix: dict[tuple[End, End, str], str],
) -> None:
    assert matrix["guests", "internet", "tcp/443"] == gateway("internet")
    assert matrix["offices", "internet", "tcp/443"] == gateway("internet")
    assert matrix["kiosks", "data-centre", "tcp/443"] == somebody("kiosks")


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
    (router,) = [host for host in machines.hosts() if host.name == ROUTER]
    from lab import processes

    processes.end(router.netns)
    machines.start()

    answers = ask("kiosks", [(somebody("kiosks"), somebody("servers"), port) for port in ("tcp/443", "tcp/22")])

    assert answers[0] == somebody("kiosks")
    assert answers[1] == ""
