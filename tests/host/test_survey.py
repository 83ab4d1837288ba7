"""Who is really on a mall's networks, strangers who take every address, and what a kiosk may reach."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from lab import internet, machines, network, state

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in (*machines.hosts(), *machines.visitors())}
ROUTER, KIOSK, OFFICE = HOSTS["router-1"], HOSTS["kiosk-1"], HOSTS["office-1"]
STRANGERS = Path(__file__).with_name("strangers.py")
PLUGGED = "balai-strangers"
Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def plugged_in() -> Iterator[str]:
    """A cable into the first office's network, with nobody's machine on it; what it was lent is forgotten afterwards."""
    network.remove(PLUGGED)
    network.make(PLUGGED)
    network.unplug("strangers", machines.NETNS)
    pair = ["link", "add", "strangers", "type", "veth", "peer", "name", "eth0", "netns", PLUGGED]
    network.ip(*pair, netns=machines.NETNS)
    network.ip("link", "set", "strangers", "master", "br-off0", "up", netns=machines.NETNS)
    network.ip("link", "set", "eth0", "up", netns=PLUGGED)
    yield PLUGGED
    network.unplug("strangers", machines.NETNS)
    network.remove(PLUGGED)
    forget = (
        "systemctl stop kea-dhcp4-server; sed -i /02:ba:1a:ff/d /var/lib/kea/kea-leases4.csv*; "
        "systemctl start kea-dhcp4-server; ip neigh flush dev off0"
    )
    assert machines.inside(ROUTER, "sh", "-c", forget).returncode == 0


def strangers(netns: str, count: int) -> list[str]:
    """Return what each of so many strangers was lent."""
    argv = ["ip", "netns", "exec", netns, sys.executable, str(STRANGERS), "eth0", str(count)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return [line.split()[1] for line in done.stdout.splitlines()]


def survey(balai: Command, *more: str) -> str:
    done = balai("mall", "survey", "mpp-banyuwangi", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_strangers_who_take_every_address_leave_enrolled_machines_theirs_and_are_seen(
    balai: Command, plugged_in: str
) -> None:
    lent = strangers(plugged_in, 17)

    free = {f"10.64.8.{number}" for number in range(16, 31)}
    assert set(lent[:15]) == free, "the pool of a /27 behind the enrolled machines"
    assert lent[15:] == ["-", "-"]
    # The enrolled machine begins anew, as after its power was cut, and has its place.
    machines.inside(OFFICE, "sh", "-c", "rm -f /run/systemd/netif/leases/*; networkctl reconfigure off0")
    for _ in range(30):
        shown = machines.inside(OFFICE, "ip", "-4", "-o", "addr", "show", "dev", "off0").stdout
        if "10.64.8.2/" in shown:
            break
        machines.inside(OFFICE, "sleep", "1")
    assert "10.64.8.2/" in shown
    said = survey(balai)
    assert "offices dukcapil: 15 of 15 addresses lent" in said
    assert "None left: a new machine gets no address." in said
    assert (
        "Habis: mesin baru tidak mendapat alamat" in balai("mall", "survey", "mpp-banyuwangi", BALAI_LANG="id").stdout
    )
    (first, *_) = json.loads(survey(balai, "--json"))["seen"]
    proposed = survey(balai, "--record")
    assert first["network"] == "management"
    assert proposed.count("office: dukcapil") == 12, (
        "as many as have a place: 2 to 15 without the two that are enrolled"
    )
    assert "managed: network-only" in proposed


def test_a_survey_knows_the_machines_of_the_plan_and_changes_nothing(balai: Command) -> None:
    def marks() -> str:
        script = (
            "find /etc /usr/local /home /root -newer /run/systemd/systemd-units-load 2>/dev/null | sort | sha256sum"
        )
        return machines.inside(KIOSK, "sh", "-c", script).stdout

    before = marks()
    machines.inside(ROUTER, "ping", "-c1", "-W1", HOSTS["server-1"].address)

    seen = {row["known"]: row for row in json.loads(survey(balai, "--json"))["seen"]}
    one = json.loads(survey(balai, "--machine", "kiosk-1", "--json"))["facts"]
    elsewhere = survey(balai, "--machine", "lama", "--at", KIOSK.address)

    assert seen["mpp-banyuwangi-server-1"]["managed"] == "full"
    assert seen["office-1"]["managed"] == "network-only"
    assert (one["hostname"], one["site"]) == ("mpp-banyuwangi-kiosk-1", "mpp-banyuwangi")
    assert "mpp-banyuwangi-kiosk-1" in elsewhere
    assert marks() == before


def test_a_machine_that_cannot_be_read_is_said_in_words(balai: Command) -> None:
    dark = balai("mall", "survey", "mpp-banyuwangi", "--machine", "kiosk-2", BALAI_LANG="id")

    assert dark.returncode == 3
    assert "tidak dapat dibaca" in dark.stderr
    assert "Periksa kabel, listrik dan kunci SSH" in dark.stderr
    assert balai("mall", "survey", "mpp-banyuwangi", "--machine", "kiosk-99").returncode == 2


def test_a_kiosk_opens_a_service_of_its_flows_and_neither_the_internet_nor_the_office_next_to_it() -> None:
    def opens(address: str, port: int) -> bool:
        script = f"import socket; socket.create_connection(('{address}', {port}), timeout=2)"
        return machines.inside(KIOSK, "python3", "-c", script).returncode == 0

    machines.inside(KIOSK, "tee", "/run/ca.crt", stdin=(state.PKI / "gateway.crt").read_text())
    argv = ["curl", "-sS", "--max-time", "20", "--cacert", "/run/ca.crt", "https://portal-layanan.balai.internal/"]
    page = machines.inside(KIOSK, *argv).stdout

    assert '<h1 lang="id">Portal pelayanan publik</h1>' in page
    assert not opens(internet.WEB, 443)
    assert not opens("10.64.8.2", 443)
    assert not opens("10.64.1.10", 22)
