"""Security updates of the lab's machines: what systemd and unattended-upgrades themselves make of what they were told."""

from __future__ import annotations

import datetime
import json
import os
from zoneinfo import ZoneInfo

import pytest
import testinfra
from testinfra.host import Host

from balai.mall.updates import window_of
from balai.onsite.updates import inside
from balai.sites import INVENTORIES, load_site

pytestmark = pytest.mark.lab

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
ZONE = ZoneInfo(VIEW.timezone)
SERVER = "mpp-banyuwangi-server-1"
UNITS = {"fetch": "apt-daily", "install": "apt-daily-upgrade", "restart": "balai-restart"}


def told(host: Host) -> dict:
    return json.loads(host.check_output("cat /etc/balai/updates.json"))


def test_systemd_means_to_do_each_part_in_the_machine_s_window(host: Host) -> None:
    (machine,) = (m for m in VIEW.machines if m.name == host.backend.hostname)
    window = window_of(machine, VIEW)
    listed = json.loads(host.check_output("systemctl list-timers --all --output=json"))
    coming = {
        timer["unit"]: datetime.datetime.fromtimestamp(timer["next"] / 1e6, ZONE) for timer in listed if timer["next"]
    }

    for part, unit in UNITS.items():
        at = coming[f"{unit}.timer"]
        assert inside(told(host)["windows"][part], at), f"{part} {at}"
        assert part == "fetch" or window.start <= minute_of_week(at) < window.end
    assert {timer: host.check_output(f"systemctl show -P Persistent {timer}.timer") for timer in UNITS.values()} == (
        dict.fromkeys(UNITS.values(), "no")
    )


def minute_of_week(at: datetime.datetime) -> int:
    return at.weekday() * 1440 + at.hour * 60 + at.minute


def test_unattended_upgrades_reads_its_settings_and_takes_the_security_archive_alone() -> None:
    server = testinfra.get_host(f"ssh://{SERVER}", ssh_config=os.environ["BALAI_SSH_CONFIG"], sudo=True)

    said = server.run("unattended-upgrade --dry-run --verbose")

    assert said.rc == 0, said.stderr
    (origins,) = (line for line in (said.stdout + said.stderr).splitlines() if "Allowed origins are" in line)
    assert origins.partition("are: ")[2] == "origin=Debian,codename=bookworm-security,label=Debian-Security"


def test_a_service_that_is_started_outside_its_window_does_nothing_and_says_why(host: Host) -> None:
    now = datetime.datetime.now(ZONE)
    # Their windows do not meet, so one of the two is outside whenever this runs.
    (part, *_) = (p for p in ("install", "fetch") if not inside(told(host)["windows"][p], now))
    before = host.check_output("ls -l --time-style=full-iso /var/lib/apt/periodic")

    host.check_output(f"systemctl start {UNITS[part]}.service")

    assert host.check_output(f"systemctl show -P Result {UNITS[part]}.service") == "exec-condition"
    said = host.check_output(f"journalctl -q -n 5 -o cat -u {UNITS[part]}.service")
    # A lab that was dark a moment ago has a router whose clock nobody has confirmed yet.
    assert "outside its window" in said or "no server confirms the clock" in said
    assert host.check_output("ls -l --time-style=full-iso /var/lib/apt/periodic") == before
