"""The mall's network as its users meet it: leases, names, the portal, two ways out, and counters by the calendar."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import control_plane, gateway, internet, machines, processes, state

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in (*machines.hosts(), *machines.visitors())}
ROUTER, SERVER = HOSTS["router-1"], HOSTS["server-1"]
FIRST, SHARED, GUEST = HOSTS["office-1"], HOSTS["office-2"], HOSTS["guest-1"]
PORTAL = "portal-layanan.balai.internal"
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")
ECHO = Path(__file__).with_name("echo.py")


def eventually(true: Callable[[], object], seconds: float = 30, what: str = "") -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what or true
        time.sleep(0.3)


def page(host: machines.Host, *more: str, seconds: int = 8) -> str:
    """Return the portal's page as a host gets it; "" when it does not."""
    machines.inside(host, "tee", "/tmp/ca.crt", stdin=(state.PKI / "gateway.crt").read_text())
    argv = ["curl", "-sS", "--max-time", str(seconds), "--cacert", "/tmp/ca.crt", *more, f"https://{PORTAL}/"]
    return machines.inside(host, *argv).stdout


def pings(host: machines.Host, address: str) -> bool:
    return machines.inside(host, "ping", "-n", "-q", "-c1", "-W1", address).returncode == 0


def opens(host: machines.Host, address: str = internet.WEB, port: int = 443) -> bool:
    """Tell whether a host can begin a conversation."""
    script = f"import socket; socket.create_connection(('{address}', {port}), timeout=2)"
    return machines.inside(host, "python3", "-c", script).returncode == 0


def active() -> str:
    return str(json.loads(machines.inside(ROUTER, "cat", "/run/balai/uplinks.json").stdout)["active"])


def present() -> str:
    return machines.inside(ROUTER, "nft", "list", "set", "inet", "balai", "present").stdout


@pytest.fixture(scope="module", autouse=True)
def somebody_outside() -> Iterator[None]:
    """A server of the internet's that answers each line, and all that the tests broke put right again."""
    argv = [*ENDS_WITH_US, "nsenter", f"--net=/run/netns/{internet.NETNS}", sys.executable, str(ECHO), "serve"]
    addresses = [f"{address},{port}" for address in (internet.WEB, internet.WEB_V6) for port in (80, 443)]
    with subprocess.Popen([*argv, *addresses], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        yield
        server.kill()


@pytest.fixture
def lines() -> Iterator[None]:
    """Both lines whole again afterwards, and the first one in use."""
    yield
    for number in (1, 2):
        internet.restore(number)
    eventually(lambda: active() == "wan1", 60)


@pytest.fixture
def calendar() -> Iterator[Callable[[str], None]]:
    """Give the router's calendar a time (UTC) once a server confirms clocks; afterwards it has the real one."""
    machines.inside(ROUTER, "chronyc", "burst", "4/4")
    follows = "7F7F0101", "00000000"
    eventually(lambda: not machines.inside(ROUTER, "chronyc", "-c", "tracking").stdout.startswith(follows), 150, "time")
    yield machines.set_clock
    machines.set_clock(None)


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_an_office_opens_the_portal_of_the_data_centre_s_pod_through_the_overlay(family: str, run) -> None:
    eventually(lambda: page(FIRST), 90, "other tests restart the router")
    before = _through_the_overlay()

    said = page(FIRST, family)

    pods = run("kubectl", "get", "pods", "-n", "tenant-portal-layanan", "-o", "name").stdout
    assert '<h1 lang="id">Portal pelayanan publik</h1>' in said
    assert any(pod.removeprefix("pod/") in said for pod in pods.split())
    assert _through_the_overlay() > before


def _through_the_overlay() -> int:
    """Return the bytes that the data centre's end has received."""
    argv = ["nsenter", f"--net=/run/netns/{control_plane.NETNS}", "wg", "show", gateway.CARD, "transfer"]
    return int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[1])


def test_an_enrolled_machine_has_its_place_and_a_guest_one_of_the_pool() -> None:
    def address(host: machines.Host) -> str:
        shown = machines.inside(host, "ip", "-4", "-j", "addr", "show", "dev", host.cards[0])
        return str(json.loads(shown.stdout)[0]["addr_info"][0]["local"])

    assert (address(FIRST), address(SHARED)) == ("10.64.8.2", "10.64.8.34")
    assert address(GUEST).startswith("192.168.")


def test_the_mall_s_names_are_known_whatever_others_say_and_a_guest_is_told_them_without_being_let_in() -> None:
    ask = "import socket; s = socket.socket(2, 2); s.settimeout(3); s.connect(('10.0.1.53', 53)); s.send({q!r}); print(s.recv(512))"
    question = bytes.fromhex("000101000001000000000000") + b"".join(
        bytes([len(part)]) + part.encode() for part in ["server-1", "mpp-banyuwangi", "balai", "internal"]
    )
    lie, asked = repr(bytes([203, 0, 113, 66]))[2:-1], ask.format(q=question + b"\0\0\1\0\1")
    name = ("getent", "ahostsv4", "server-1.mpp-banyuwangi.balai.internal")

    # A question over UDP may be lost on its way through the overlay; an answer is what counts.
    eventually(lambda: lie in machines.inside(ROUTER, "python3", "-c", asked).stdout, 30, "the lab's resolver lies")
    eventually(lambda: machines.inside(GUEST, *name).stdout, 30, "a guest is told the name")

    assert machines.inside(GUEST, *name).stdout.startswith("10.64.1.10")
    assert not opens(GUEST, "10.64.1.10", 22)


def test_a_name_that_was_known_is_still_known_when_the_data_centre_s_resolver_is_gone() -> None:
    name = "pajak.balai.internal"
    ask = ("sh", "-c", f"resolvectl flush-caches; getent ahostsv4 {name}")
    assert machines.inside(FIRST, *ask).stdout.startswith("10.0.1.10")
    record = (state.RUN / "resolver.argv").read_text().split("\n")
    pid = processes.pid_of("resolver")
    assert pid
    try:
        subprocess.run(["kill", "-STOP", str(pid)], check=True)  # slow without end
        time.sleep(6)  # its answers hold for five seconds
        stale = machines.inside(FIRST, *ask).stdout
    finally:
        subprocess.run(["kill", "-CONT", str(pid)], check=True)

    assert record[0] == "dnsmasq"
    assert stale.startswith("10.0.1.10")


def test_a_guest_has_a_share_and_an_office_is_not_bound_by_it() -> None:
    def beyond() -> int:
        rules = json.loads(machines.inside(ROUTER, "nft", "-j", "list", "chain", "inet", "balai", "forward").stdout)
        shares = [r["rule"]["expr"] for r in rules["nftables"] if "share" in r.get("rule", {}).get("comment", "")]
        return sum(part["counter"]["packets"] for expr in shares for part in expr if "counter" in part)

    before = beyond()
    assert _fetch(FIRST) == 4_000_000
    after_office = beyond()
    assert _fetch(GUEST) == 4_000_000

    assert after_office == before
    assert beyond() > after_office


def _fetch(host: machines.Host) -> int:
    """Return how many bytes a host got of what somebody outside sends."""
    script = (
        f"import socket; s = socket.create_connection(('{internet.WEB}', 443), timeout=20); s.sendall(b'send 4000000\\n');"
        "n = 0\nwhile data := s.recv(65536): n += len(data)\nprint(n)"
    )
    return int(machines.inside(host, "python3", "-c", script, seconds=60).stdout or 0)


@pytest.mark.parametrize("how", internet.HOWS)
def test_traffic_takes_the_other_line_when_one_is_cut_and_comes_back(lines: None, how: str) -> None:
    eventually(lambda: active() == "wan1", 60)
    internet.cut(1, how)

    eventually(lambda: active() == "wan2", 30)
    eventually(lambda: opens(FIRST), 10)
    eventually(lambda: page(FIRST, seconds=3), 20, "the overlay follows")

    internet.restore(1)
    eventually(lambda: active() == "wan1", 30)
    assert opens(FIRST)
    assert page(FIRST)


def test_a_line_that_flaps_leaves_the_mall_with_a_way_out(lines: None) -> None:
    internet.flap(1, times=3, seconds=1.0)

    eventually(lambda: opens(FIRST), 30)
    assert active() in ("wan1", "wan2")


def test_without_any_line_leases_names_and_time_go_on_also_after_every_host_was_restarted(lines: None) -> None:
    for number in (1, 2):
        internet.cut(number)
    machines.power_cut(*HOSTS)

    eventually(lambda: pings(FIRST, "10.64.8.1"), 60, "it has its address again")
    resolved = machines.inside(FIRST, "getent", "ahostsv4", "server-1.mpp-banyuwangi.balai.internal").stdout
    assert resolved.startswith("10.64.1.10")
    eventually(lambda: "*,10.64.0.1," in machines.inside(SERVER, "chronyc", "-c", "sources").stdout, 90, "time")
    assert not page(FIRST, seconds=2)

    for number in (1, 2):
        internet.restore(number)
    eventually(lambda: page(FIRST, seconds=3), 90, "and the portal is there again")


def test_the_office_of_wednesday_is_cut_at_midnight_and_the_other_is_not(calendar: Callable[[str], None]) -> None:
    calendar("2026-12-02 16:59:20")  # 23:59:20 in Banyuwangi
    eventually(lambda: '"off1"' in present(), 20)
    talks = {
        host: subprocess.Popen(
            [
                *machines.enter(host),
                "timeout",
                "120",
                "python3",
                "-u",
                "-c",
                ECHO.read_text(),
                "talk",
                internet.WEB,
                "443",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for host in (FIRST, SHARED)
    }
    try:
        for talk in talks.values():
            assert talk.stdout
            assert talk.stdout.readline() == "answered\n"
        eventually(lambda: '"off1"' not in present(), 60, "midnight")
        assert talks[SHARED].wait(timeout=20) == 1, "what was open is cut"
        assert talks[FIRST].poll() is None
        assert not opens(SHARED)
        assert opens(FIRST)
    finally:
        for talk in talks.values():
            talk.kill()  # what it began in the host ends by its time-out, and holds the pipe until then
            talk.stdout.close()
            talk.wait()


def test_a_clock_that_was_lost_closes_shared_counters_and_leaves_single_ones_open(
    calendar: Callable[[str], None],
) -> None:
    calendar("1970-01-07 03:00:00")  # a first Wednesday
    eventually(lambda: '"off0"' in present(), 10)

    assert '"off1"' not in present()
    assert opens(FIRST)
    assert not opens(SHARED)
