"""A killed start loses nothing; a removed lab leaves nothing. Runs last: it takes the lab down and up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from balai.deploy import layers_of
from balai.estate import load_estate
from lab import machines, processes, state

pytestmark = [pytest.mark.lab, pytest.mark.last]
VERBS = [sys.executable, "-m", "lab"]
# A killed engine would leave these; the lab's own tools are the only ones that make them.
NAMES = ("balai-", "cni-")


def traces() -> dict[str, list[str]]:
    """Return what the lab has on this machine, looked at from outside."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    spaces = Path("/run/netns")
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout.splitlines()
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {
        "mounts": [m for m in mounts if m.startswith((str(state.ROOT), str(state.RUN)))],
        "namespaces": [p.name for p in (spaces.iterdir() if spaces.exists() else []) if p.name.startswith(NAMES)],
        "links": [line.split()[0] for line in links if line.startswith("balai-")],
        "routes": [line for line in routes if "balai-" in line],
        "cgroups": [str(root / processes.TREE) for root in processes.hierarchies() if (root / processes.TREE).exists()],
        "folders": [str(p) for p in (state.ROOT, state.RUN) if p.exists()],
    }


def test_a_start_killed_in_its_middle_ends_well_the_next_time_and_down_leaves_nothing(root: Path) -> None:
    before = subprocess.run([*VERBS, "down"], cwd=root, capture_output=True, text=True, check=False)
    assert before.returncode == 0, before.stderr
    assert traces() == {key: [] for key in traces()}

    start = subprocess.Popen(
        [*VERBS, "up"], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    locks = state.ROOT / "pulumi/.pulumi/locks/organization/balai"
    while not list(locks.glob("tenant.*/*.json")):  # stacks of tenants are being made right now
        assert start.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(start.pid, signal.SIGKILL)
    # The parts of the main job too, as in a power cut: Pulumi gets no chance to release its locks.
    for pid in (processes.TRACKED / processes.JOB / "cgroup.procs").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    start.wait()
    assert list(locks.glob("tenant.*/*.json")), "a lock of a dead run is left"

    again = subprocess.run([*VERBS, "up"], cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr[-3000:]
    third = subprocess.run([*VERBS, "up"], cwd=root, capture_output=True, text=True, check=False)
    assert third.returncode == 0
    said = " ".join(third.stderr.split())  # lines are as wide as the terminal
    estate = load_estate()
    clusters, stacks = len(estate.data_centres), sum(map(len, layers_of(estate, (), estate.clusters)))
    changed = re.findall(r"(\d+) stacks, \d+ objects, (\d+) changed", said)
    assert sorted(changed) == sorted([(str(clusters), "0"), (str(stacks), "0")])
    assert re.findall(r"ok=\d+ changed=(\d+)", said) == ["0"] * len(machines.hosts())
    assert "FAIL 0" in said


def test_a_second_run_at_the_same_time_is_told_to_wait(root: Path) -> None:
    with state.exclusive():
        done = subprocess.run([*VERBS, "up"], cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert "Another run is changing the lab" in done.stderr


def test_a_daemon_that_was_killed_is_started_again(root: Path) -> None:
    victim = processes.pid_of("kube-scheduler")
    assert victim
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while processes.pid_of("kube-scheduler") and time.monotonic() < deadline:
        time.sleep(0.05)

    assert subprocess.run([*VERBS, "status"], cwd=root, capture_output=True, check=False).returncode == 3
    assert subprocess.run([*VERBS, "up"], cwd=root, capture_output=True, check=False).returncode == 0

    assert processes.pid_of("kube-scheduler") not in (None, victim)
