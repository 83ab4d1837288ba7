"""The verdicts of a mall's machines on one page: told over either card, read by the technician alone, lost by nobody."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from balai.addressing import Zone
from balai.mall.services import zone_of
from lab import machines, network

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
ROUTER, SERVER, KIOSK, DISPLAY = (HOSTS[name] for name in ("router-1", "server-1", "kiosk-1", "display-1"))
VIEW = machines.site()
ZONE = zone_of(VIEW)
NAME = f"periksa.{ZONE}"
SRV = str(VIEW.plan.zones[Zone.SERVERS][10])
TRUST = machines.ENROLMENT / "authorities" / f"{ZONE}.crt"


def eventually(true: Callable[[], object], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(2)


def curl(address: str, *more: str, name: str = NAME) -> list[str]:
    return ["curl", "-sS", "-m", "8", "--cacert", "/dev/stdin", "--resolve", f"{name}:443:{address}", *more]


def page(query: str = "") -> str:
    """Read it as a technician's computer in the management network does."""
    argv = curl(SERVER.address, f"https://{NAME}/periksa/{query}")
    return subprocess.run(argv, input=TRUST.read_text(), capture_output=True, text=True, check=False).stdout


def asked(host: machines.Host, address: str) -> str:
    """Ask for it on a machine; return the code of HTTP, and what came."""
    argv = curl(address, "-w", "\\n%{http_code}", f"https://{NAME}/periksa/")
    return machines.inside(host, *argv, stdin=TRUST.read_text()).stdout


def working(host: machines.Host) -> bool:
    (line,) = [line for line in page().splitlines() if line.startswith("<p>Berjalan: ")] or [""]
    return host.name in line.removeprefix("<p>Berjalan: ").removesuffix("</p>").split(", ")


def told(host: machines.Host) -> str:
    """Return the page after a machine has told its verdict, as it does once a minute by itself."""
    machines.inside(host, "systemctl", "start", "balai-tell.service")
    return page()


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    for host in HOSTS.values():
        eventually(lambda host=host: told(host) and working(host), 150)  # type: ignore[misc]
    yield
    for host, card in ((KIOSK, "mgmt"), (ROUTER, "mgmt")):
        network.ip("link", "set", machines.card_of(host, card), "up", netns=machines.NETNS)
    machines.inside(SERVER, "systemctl", "start", "chrony", "balai-verdicts")


def test_a_machine_that_has_lost_its_power_is_silent_and_said_to_be() -> None:
    """The lab boots one kiosk of this mall's two: the other is the one that nobody hears."""
    eventually(lambda: "mpp-banyuwangi-kiosk-2 tidak berkabar sejak" in page(), 330)

    assert "Periksa daya dan kabelnya" in page()


def test_what_fails_on_a_machine_stands_on_the_page_within_a_minute_and_a_half() -> None:
    machines.inside(SERVER, "systemctl", "stop", "chrony")

    eventually(lambda: "Layanan chrony berhenti. Jalankan: sudo systemctl restart chrony" in page())
    shown = page()
    assert f"{SERVER.name}, kode L3" in shown
    assert "Nomor telepon pusat belum dicatat" in shown
    assert "Service chrony has stopped" in page("?lang=en")


def test_the_technician_s_computer_finds_it_by_its_name() -> None:
    found = machines.inside(KIOSK, "getent", "ahostsv4", NAME).stdout.split()

    assert found[0] == SERVER.address


@pytest.mark.parametrize("short", ["kiosk-1", "display-1"])
def test_a_screen_reads_it_on_neither_of_its_cards(short: str) -> None:
    said = {address: asked(HOSTS[short], address).splitlines() for address in (SERVER.address, SRV)}

    assert {address: lines[-1] for address, lines in said.items()} == {SERVER.address: "403", SRV: "403"}
    assert all("hanya untuk teknisi" in lines[0] for lines in said.values())


def test_the_server_itself_reads_it() -> None:
    assert asked(SERVER, SERVER.address).splitlines()[-1] == "200"
    assert asked(SERVER, SRV).splitlines()[-1] == "200"


def test_a_screen_cannot_tell_the_server_s_verdict() -> None:
    body = f'{{"machine": "{SERVER.name}", "code": "K9", "findings": [{{"kind": "clock", "number": 0}}]}}'
    argv = curl(SERVER.address, "-o", "/dev/null", "-w", "%{http_code}", "-d", body, f"https://{NAME}/api/verdicts")

    assert machines.inside(KIOSK, *argv, stdin=TRUST.read_text()).stdout == "403"
    assert "K9" not in page()


@pytest.mark.parametrize("short", ["kiosk-1", "router-1"])
def test_a_machine_whose_management_cable_is_pulled_tells_it_by_its_other_card(short: str) -> None:
    host = HOSTS[short]
    network.ip("link", "set", machines.card_of(host, "mgmt"), "down", netns=machines.NETNS)

    eventually(lambda: f"{host.name}, kode K1" in told(host))
    assert "Kabel kartu mgmt (jaringan management) tidak bersinyal" in page()


def test_a_killed_page_and_an_absent_server_break_nothing_and_are_made_good() -> None:
    machines.inside(SERVER, "systemctl", "kill", "-s", "KILL", "balai-verdicts")
    eventually(lambda: told(KIOSK) and working(KIOSK))
    machines.inside(SERVER, "systemctl", "stop", "balai-verdicts")

    refused = machines.inside(KIOSK, "balai-mall", "tell")
    machines.inside(KIOSK, "systemctl", "start", "balai-tell.service")
    failed = machines.inside(KIOSK, "systemctl", "is-failed", "balai-tell.service").stdout.strip()

    assert (refused.returncode, "502" in refused.stderr) == (1, True)
    assert failed != "failed"
    assert machines.inside(KIOSK, "balai-mall", "status").returncode == 0
    machines.inside(SERVER, "systemctl", "start", "balai-verdicts")
    eventually(lambda: told(KIOSK) and working(KIOSK))


def test_the_menu_starts_what_has_stopped_and_is_left_by_the_end_of_input() -> None:
    machines.inside(SERVER, "systemctl", "stop", "chrony")
    script = "printf '2\\n3\\n' | BALAI_LANG=id script -qec 'balai-mall' /dev/null"

    said = machines.inside(SERVER, "sh", "-c", script)

    assert "chrony dijalankan, dan berjalan." in said.stdout
    assert SERVER.address in said.stdout
    assert "Traceback" not in said.stdout
    assert machines.inside(SERVER, "systemctl", "is-active", "chrony").stdout.strip() == "active"
