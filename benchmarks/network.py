"""
Prints how long a mall is without a way out when a line is cut, and how fast its machines are configured.

    . /var/lib/balai-lab/env && python -m benchmarks.network
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from lab import internet, machines, state

ROUTER = next(host for host in machines.hosts() if host.kind == "router")
OFFICES = machines.visitors()[:2]
SERVE = (
    "import socket, time\nd = socket.create_server(('{address}', 443), backlog=64)\nwhile True: d.accept()[0].close()"
)
# Begins a conversation ten times a second and prints the kernel's own time of each that succeeded.
DIAL = (
    "import socket, time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end:\n"
    " began = time.monotonic()\n"
    " try: socket.create_connection(('{address}', 443), timeout=0.5).close(); print(time.monotonic(), flush=True)\n"
    " except OSError: pass\n"
    " time.sleep(max(0, 0.1 - (time.monotonic() - began)))\n"
)


def answered(host: machines.Host, seconds: float, act: Callable[[], None]) -> list[float]:
    """Return when a host could begin a conversation, while something is done to it after two seconds."""
    script = DIAL.format(address=internet.WEB, seconds=seconds)
    argv = [*machines.enter(host), "python3", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as dialling:
        time.sleep(2)
        act()
        said, _ = dialling.communicate()
    return [float(line) for line in said.split()]


def gap(times: list[float]) -> float:
    """Return the longest time between two answers."""
    return max(after - before for before, after in pairwise(times))


def settle() -> None:
    """Wait until the first line is in use."""
    while '"active": "wan1"' not in machines.inside(ROUTER, "cat", "/run/balai/uplinks.json").stdout:
        time.sleep(0.5)


def flip() -> float:
    """Return how long after midnight the office of yesterday could still begin a conversation."""
    machines.set_clock("2026-12-02 16:59:50")
    shown = machines.inside(ROUTER, "systemctl", "show", "-P", "ExecMainStartTimestampMonotonic", "balai-offices")
    midnight = int(shown.stdout) / 1e6 + 10
    times = answered(OFFICES[1], 20, lambda: None)
    machines.set_clock(None)
    return max(times) - midnight


def playbook(folder: str, **env: str) -> tuple[float, str]:
    """Return how long an unchanged run takes from a folder, and what it did."""
    playbook = [str(state.CHECKOUT / "site.yml"), "-i", str(state.CHECKOUT / f"inventories/sites/{machines.SITE}.yml")]
    began = time.perf_counter()
    done = subprocess.run(
        ["ansible-playbook", *playbook, "--limit", "localhost,routers,servers"],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - began, " ".join(re.findall(r"ok=\d+\s+changed=\d+", done.stdout)[1:])


def main() -> None:
    """Measure and print."""
    table = Table("what", "seconds", "beside", "seconds", "ratio", box=None)
    serve = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{internet.NETNS}", sys.executable, "-c"]
    with subprocess.Popen([*serve, SERVE.format(address=internet.WEB)]) as server:
        settle()
        for how in internet.HOWS:
            cut = gap(answered(OFFICES[0], 15, lambda how=how: internet.cut(1, how)))  # type: ignore[misc]
            back = gap(answered(OFFICES[0], 15, lambda: internet.restore(1)))
            settle()
            table.add_row(f"line 1 cut ({how}): longest time without an answer", f"{cut:.2f}")
            table.add_row(f"line 1 back ({how}): longest time without an answer", f"{back:.2f}")
        table.add_row("calendar: from midnight to the last answer of yesterday's office", f"{flip():.2f}")
        server.kill()
    with tempfile.TemporaryDirectory() as elsewhere:
        roles = str(state.CHECKOUT / "roles")
        ours, did = playbook(str(state.CHECKOUT))
        plain, _ = playbook(elsewhere, ANSIBLE_ROLES_PATH=roles, ANSIBLE_PIPELINING="False")
        table.add_row(
            f"site.yml, unchanged ({did})", f"{ours:.1f}", "Ansible's defaults", f"{plain:.1f}", f"{plain / ours:.2f}"
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
