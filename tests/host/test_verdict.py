"""The verdict of a machine: a pulled cable, a stopped service, a full disk, a dead line, each with its step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import internet, machines, network

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
ROUTER, SERVER, KIOSK = HOSTS["router-1"], HOSTS["server-1"], HOSTS["kiosk-1"]


def verdict(host: machines.Host) -> dict[str, Any]:
    done = machines.inside(host, "balai-mall", "status", "--json")
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert bool(found["findings"]) == (done.returncode == 1)
    return found


def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(1)


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    """Nothing is wrong before, and everything is put right afterwards."""
    for host in HOSTS.values():
        eventually(lambda host=host: verdict(host)["code"] == "OK", 120)  # type: ignore[misc]
    yield
    network.ip("link", "set", machines.card_of(SERVER, "srv"), "up", netns=machines.NETNS)
    machines.inside(SERVER, "sh", "-c", "systemctl start chrony; umount -l /var/log 2>/dev/null")
    for line in (1, 2):
        internet.restore(line)


@pytest.mark.parametrize(("lang", "words"), [("id_ID.UTF-8", "semua berjalan"), ("en_US.UTF-8", "everything works")])
def test_a_machine_that_works_says_so_in_the_technician_s_language(lang: str, words: str) -> None:
    done = machines.inside(SERVER, "env", f"LANG={lang}", "balai-mall", "status")

    assert done.returncode == 0
    assert words in done.stdout


def test_a_pulled_cable_a_stopped_service_and_a_full_disk_are_named_with_the_step_to_take() -> None:
    network.ip("link", "set", machines.card_of(SERVER, "srv"), "down", netns=machines.NETNS)
    fill = "mount -t tmpfs -o size=64k none /var/log; cat /dev/zero > /var/log/filler"
    machines.inside(SERVER, "sh", "-c", f"systemctl stop chrony; {fill}")

    eventually(lambda: {"K2", "L3", "D3"} <= set(verdict(SERVER)["code"].split()))
    said = machines.inside(SERVER, "balai-mall", "status").stdout

    assert "Kabel kartu srv (jaringan servers) tidak bersinyal. Colokkan kembali kedua ujungnya" in said
    assert "Layanan chrony berhenti. Jalankan: sudo systemctl restart chrony" in said
    assert "Diska /var/log hampir penuh (sisa 0 %)" in said
    assert "telepon pusat dan sebutkan: mpp-banyuwangi-server-1, kode K2 L3 D3" in said


def test_a_dead_line_is_the_provider_s_and_without_any_the_mall_goes_on() -> None:
    internet.cut(1)
    eventually(lambda: "J1" in verdict(ROUTER)["code"].split())
    said = machines.inside(ROUTER, "balai-mall", "status").stdout

    assert "Jalur fibre (kartu wan1) putus" in said
    assert "Tidak ada jalan keluar" not in said


def test_a_machine_that_was_not_told_what_it_must_have_says_so() -> None:
    script = "mv /etc/balai/status.json /etc/balai/kept; balai-mall status; said=$?; mv /etc/balai/kept /etc/balai/status.json; exit $said"

    done = machines.inside(SERVER, "sh", "-c", script)

    assert done.returncode == 2
    assert "status.json" in done.stderr
    assert machines.inside(SERVER, "balai-mall", "reboot").returncode == 2


def test_without_any_line_the_mall_is_told_to_be_alone() -> None:
    for line in (1, 2):
        internet.cut(line)
    eventually(lambda: "O" in verdict(ROUTER)["code"].split())
    said = machines.inside(ROUTER, "balai-mall", "status").stdout

    assert "Tidak ada jalan keluar. Mal tetap berjalan sendiri" in said


def test_a_screen_that_shows_nothing_is_named() -> None:
    machines.inside(KIOSK, "sh", "-c", "systemctl stop kiosk; mkdir -p /run/kiosk; echo 1 > /run/kiosk/seen")
    said = machines.inside(KIOSK, "balai-mall", "status").stdout
    machines.inside(KIOSK, "sh", "-c", "rm -rf /run/kiosk; systemctl start kiosk")

    assert "Layar hitam atau diam" in said
    eventually(lambda: verdict(KIOSK)["code"] == "OK")


def test_a_journal_that_has_not_arrived_for_long_is_named_until_it_does() -> None:
    program = (
        "import json, runpy; m = runpy.run_path('/usr/local/lib/balai/status.py'); g = m['journal'].__globals__; "
        "g['SENT_WITHIN'] = 30; print(json.dumps(list(m['journal'](json.loads(m['SETTINGS'].read_text())))))"
    )

    def named() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(machines.inside(KIOSK, "python3", "-I", "-c", program).stdout)
        return found

    sent = "/etc/systemd/system/balai-log-upload.service /var/lib/balai-log-upload/state"
    machines.inside(KIOSK, "sh", "-c", f"systemctl stop balai-log-upload; touch -d '-3 hours' {sent}")
    told = named()
    machines.inside(KIOSK, "sh", "-c", "systemctl start balai-log-upload; logger balai-test")

    assert [finding["kind"] for finding in told] == ["journal"]
    eventually(lambda: named() == [], 20)
