"""The cord that cannot be cut: real changes on a real machine that lock everybody out, and power that fails."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import machines

pytestmark = pytest.mark.lab

NAME = "mpp-banyuwangi-server-1"
RULES = "/etc/balai-test.nft"
OPEN = "table inet balai_test {\n  chain input { type filter hook input priority 0; policy accept; }\n}\n"
LOCKED = OPEN.replace("accept", "drop")
Run = Callable[..., subprocess.CompletedProcess[str]]


def ssh(*argv_: str, seconds: float = 10) -> subprocess.CompletedProcess[str]:
    """Run a command on the machine over a session of its own."""
    options = [
        "ControlMaster=no",
        "ControlPath=none",
        "ConnectTimeout=3",
        "ServerAliveInterval=1",
        "ServerAliveCountMax=2",
    ]
    argv = ["ssh", "-F", os.environ["BALAI_SSH_CONFIG"], *(word for o in options for word in ("-o", o)), NAME, *argv_]
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:  # cut in its middle
        return subprocess.CompletedProcess(argv, 255, "", "")


def answers() -> bool:
    """Return whether a new session can be opened."""
    return ssh("true").returncode == 0


def wait(ready: Callable[[], bool], seconds: float) -> float:
    """Return how long it took until something is true."""
    began = time.monotonic()
    while not ready():
        assert time.monotonic() - began < seconds
        time.sleep(0.2)
    return time.monotonic() - began


def rules(text: str, seconds: int = 12) -> dict[str, Any]:
    """Return a change of the machine's rules, as a role writes it."""
    return {
        "name": "test",
        "files": [{"dest": RULES, "content": text, "mode": "0600", "validate": "nft -c -f %s"}],
        "reload": f"nft delete table inet balai_test 2>/dev/null; test ! -e {RULES} || nft -f {RULES}",
        "seconds": seconds,
    }


@pytest.fixture
def change(run: Run, root: Path, tmp_path: Path) -> Run:
    """Make a change by a playbook; `bare` leaves it unconfirmed, as a technician's laptop that dies does."""

    def make(args: dict[str, Any], *more: str, bare: bool = False) -> subprocess.CompletedProcess[str]:
        module = {"balai.mall.cord": args}
        if bare:  # the module alone, as it is sent to the machine, without the action that confirms
            (tmp_path / "library").mkdir(exist_ok=True)
            source = root / "ansible_collections/balai/mall/plugins/modules/cord.py"
            (tmp_path / "library/bare_cord.py").write_text(source.read_text())
            module = {"bare_cord": args}
        play = [{"hosts": NAME, "gather_facts": False, "become": True, "tasks": [{"name": "Change", **module}]}]
        path = tmp_path / "play.yml"
        path.write_text(yaml.safe_dump(play))
        site = root / "inventories/sites/mpp-banyuwangi.yml"
        return run("ansible-playbook", str(path), "-i", str(site), *more, cwd=tmp_path)

    return make


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """The machine as it was, whatever a test did to it."""
    yield
    if not answers():
        power_cut()
    tidy = (
        "sudo sh -c 'systemctl stop balai-cord-test.timer 2>/dev/null; nft delete table inet balai_test 2>/dev/null; "
        f"rm -rf /var/lib/balai/cord/test {RULES}'"
    )
    wait(lambda: ssh(tidy).returncode == 0, 60)


def power_cut() -> None:
    """End every process of the machine at once, and start it again from its disk."""
    machines.power_cut(NAME)


def receipt() -> str:
    return ssh("sudo sh -c 'cat /var/lib/balai/cord/test/*/receipt'").stdout


def test_a_good_change_is_confirmed_over_a_new_session_and_a_second_run_changes_nothing(change: Run) -> None:
    told, first, second = change(rules(OPEN), "--check", "--diff"), change(rules(OPEN)), change(rules(OPEN))

    assert [done.returncode for done in (told, first, second)] == [0, 0, 0], first.stdout
    assert [f"changed={n}" in d.stdout for n, d in ((1, told), (1, first), (0, second))] == [True, True, True]
    assert "+table inet balai_test" in told.stdout
    assert "confirmed at" in receipt()
    time.sleep(13)  # past the time of the undo
    assert ssh("sudo nft list table inet balai_test").returncode == 0


def test_rules_that_lock_everybody_out_are_put_back_and_the_technician_is_told(change: Run) -> None:
    assert change(rules(OPEN)).returncode == 0

    done = change(rules(LOCKED))

    assert done.returncode != 0
    assert "mesin mengembalikan keadaan lama (undone (time over)" in done.stdout
    assert "has put the old state back" in done.stdout
    assert answers()
    assert ssh(f"sudo cat {RULES}").stdout == OPEN


def test_a_change_after_which_something_else_no_longer_works_is_undone_although_a_session_can_be_opened(
    change: Run,
) -> None:
    done = change({**rules(OPEN), "proof": f"test ! -e {RULES}"})  # as when the data centre is out of reach afterwards

    assert done.returncode != 0
    assert "mesin mengembalikan keadaan lama (undone (time over)" in done.stdout
    assert ssh(f"test -e {RULES}").returncode != 0


def test_what_never_worked_is_no_reason_to_undo_a_change(change: Run) -> None:
    assert change({**rules(OPEN), "proof": "false"}).returncode == 0
    assert ssh(f"sudo cat {RULES}").stdout == OPEN


def test_a_file_that_its_own_program_refuses_touches_nothing(change: Run) -> None:
    done = change(rules("table inet broken {\n"))

    assert done.returncode != 0
    assert f"{RULES} would be refused" in done.stdout
    assert ssh(f"test -e {RULES}").returncode != 0


def test_what_cannot_be_put_into_force_is_undone_at_once(change: Run) -> None:
    done = change({**rules(OPEN, 40), "reload": f"test ! -e {RULES}"})

    assert done.returncode != 0
    assert "could not be put into force" in done.stdout
    assert ssh(f"test -e {RULES}").returncode != 0


@pytest.fixture
def full() -> Iterator[Callable[[str], None]]:
    """A small disk at a place of the machine's, with no room left on it."""
    places: list[str] = []

    def fill(place: str) -> None:
        places.append(place)
        script = f"mkdir -p {place}; mount -t tmpfs -o size=16k none {place}; echo old > {place}/kept"
        assert (
            ssh(f"sudo sh -c '{script}; cat /dev/zero > {place}/filler 2>/dev/null; test -e {place}/kept'").returncode
            == 0
        )

    yield fill
    for place in places:
        ssh(f"sudo umount -l {place}")


def test_a_full_disk_leaves_the_file_that_was_there_and_room_lets_the_next_run_through(
    change: Run, full: Callable[[str], None]
) -> None:
    place = "/etc/balai-full"
    full(place)
    wanted = {**rules(OPEN), "files": [{"dest": f"{place}/kept", "content": "new\n" * 2000}]}

    refused = change(wanted)
    kept = ssh(f"sudo sh -c 'ls {place}; cat {place}/kept'").stdout.split()
    ssh(f"sudo rm {place}/filler")
    done = change(wanted)

    assert refused.returncode != 0
    assert "could not be put into force" in refused.stdout
    assert kept == ["filler", "kept", "old"], "and nothing half written lies about"
    assert done.returncode == 0, done.stdout
    assert ssh(f"sudo sh -c 'ls {place}; head -n1 {place}/kept'").stdout.split() == ["kept", "new"]


def test_without_room_for_the_undo_nothing_is_changed_and_the_technician_is_told(
    change: Run, full: Callable[[str], None]
) -> None:
    full("/var/lib/balai/cord")

    done = change(rules(OPEN))

    assert done.returncode != 0
    assert "Diska penuh" in done.stdout
    assert "perubahan test belum selesai" in done.stdout
    assert ssh(f"test -e {RULES}").returncode != 0


def test_a_link_that_is_replaced_by_a_file_comes_back_as_a_link(change: Run) -> None:
    ssh(f"sudo ln -s /etc/hostname {RULES}")

    change({**rules(OPEN, 8), "reload": "true"}, bare=True)

    wait(lambda: "undone (time over)" in receipt(), 15)
    assert ssh(f"readlink {RULES}").stdout.strip() == "/etc/hostname"
    assert ssh("test -e /etc/hostname.balai-old").returncode != 0


def test_a_change_that_hangs_is_ended_and_undone_when_its_time_is_over(change: Run) -> None:
    assert change(rules(OPEN)).returncode == 0

    change({**rules(LOCKED, 8), "reload": f"nft -f {RULES}; grep -q accept {RULES} || sleep 600"}, bare=True)

    wait(lambda: "undone (time over)" in receipt(), 20)
    assert answers()
    assert ssh(f"sudo cat {RULES}").stdout == OPEN


def test_what_a_change_started_is_stopped_before_its_files_go(change: Run) -> None:
    started = {
        "reload": f"test ! -e {RULES} || touch /run/balai-test-on",
        "leave": f"test -e {RULES} && rm -f /run/balai-test-on",
    }

    change({**rules(OPEN, 6), **started}, bare=True)

    wait(lambda: ssh("test -e /run/balai-test-on").returncode == 0, 8)
    wait(lambda: "undone (time over)" in receipt(), 15)
    assert ssh("test -e /run/balai-test-on").returncode != 0
    assert ssh(f"test -e {RULES}").returncode != 0


def test_a_power_cut_inside_the_undo_s_time_brings_the_old_state_back_at_boot(change: Run) -> None:
    assert change(rules(OPEN)).returncode == 0
    assert change(rules(LOCKED, 600), bare=True).returncode == 0
    wait(lambda: not answers(), 10)

    power_cut()

    assert wait(answers, 30) < 30
    assert ssh(f"sudo cat {RULES}").stdout == OPEN
    assert "undone (boot)" in receipt()


def test_an_unconfirmed_change_is_undone_although_the_clock_was_set_back(change: Run) -> None:
    """The undo runs on the monotonic clock: its timer is one that no date can move."""
    assert change(rules(OPEN, 8), bare=True).returncode == 0

    timer = ssh("systemctl show balai-cord-test.timer -P TimersMonotonic").stdout

    assert "OnActiveUSec=8s" in timer
    wait(lambda: "undone (time over)" in receipt(), 15)
    assert ssh(f"test -e {RULES}").returncode != 0


def test_power_cuts_at_random_moments_lose_no_machine_and_tear_no_file(change: Run) -> None:
    """Each cut falls somewhere into staging, arming, applying or undoing; BALAI_CUTS says how many."""
    assert change(rules(OPEN)).returncode == 0
    seed = int(os.environ.get("BALAI_SEED", time.time_ns() % 10**6))
    dice = random.Random(seed)
    for _ in range(int(os.environ.get("BALAI_CUTS", "8"))):
        with ThreadPoolExecutor(1) as pool:
            start = pool.submit(change, rules(LOCKED, 2), "-T", "3", bare=True)
            time.sleep(dice.uniform(1.0, 7.0))  # a playbook takes about two seconds until it touches the machine

            power_cut()

            start.result()
        wait(answers, 30)
        text = ssh(f"sudo cat {RULES}").stdout
        assert text == OPEN, f"seed {seed}: {text!r} {receipt()}"
        assert ssh("test -d /var/lib/balai/cord/test/armed").returncode != 0, f"seed {seed}"
