"""
Prints how long a mall is without a way out when a line is cut, and how fast its machines are configured.

    . /var/lib/balai-lab/env && python -m benchmarks.network
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab import internet, machines, state

ROUTER = next(host for host in machines.hosts() if host.kind == "router")
PEER = Path(__file__).parent / "peer"  # with one action: Ansible calls whatever lies in such a folder
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


def playbook(checkout: Path, folder: str, **env: str) -> tuple[float, str]:
    """Return how long an unchanged run takes from a folder, and what it took."""
    site = str(state.CHECKOUT / f"inventories/sites/{machines.SITE}.yml")
    argv = ["ansible-playbook", str(checkout / "site.yml"), "-i", site, "--limit", "localhost,routers,servers"]
    words = {"cwd": folder, "env": {**os.environ, **env}, "capture_output": True, "text": True, "check": True}
    began = time.perf_counter()
    done = subprocess.run(argv, **words)  # type: ignore[call-overload]
    took = time.perf_counter() - began
    tasks = re.findall(r"-router-1 .*ok=(\d+)\s+changed=(\d+)", done.stdout)[0]
    traffic = subprocess.run([*argv, "-vvv"], **words).stdout  # type: ignore[call-overload]
    address = re.search(r"<([\d.]+)> ESTABLISH SSH", traffic)
    trips = len(re.findall(rf"<{re.escape(address[1])}> SSH: EXEC ", traffic)) if address else 0
    return took, f"router: {tasks[0]} tasks, {tasks[1]} changed, {trips} round trips"


def far(folder: str) -> dict[str, str]:
    """Return what makes Ansible's connections take 20 ms each way."""
    command = f"{sys.executable} -m benchmarks.distance %h %p 0.02"
    # A socket of its own: a connection that was opened without the delay would be taken up again.
    return {"ANSIBLE_SSH_EXTRA_ARGS": f"-o 'ProxyCommand={command}' -o ControlPath={folder}/%C"}


def as_usual(folder: Path) -> Path:
    """Return a copy of the roles that sets file after file by Ansible's own modules."""
    shutil.copytree(state.CHECKOUT / "roles", folder / "roles")
    shutil.copy(state.CHECKOUT / "site.yml", folder)
    for tasks in folder.glob("roles/*/tasks/*.yml"):
        text = tasks.read_text().replace("balai.mall.files:", "one_by_one:")
        tasks.write_text(re.sub(r"  when: \w+ is not subset.*\n", "", text))
    shutil.copytree(PEER, folder / "action_plugins")
    return folder


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
        peers = {
            "under Ansible's defaults": state.CHECKOUT,
            "the same, and file after file by Ansible's own modules": as_usual(Path(elsewhere)),
        }
        for where, env in {"in the same building": {}, "40 ms away": far(elsewhere)}.items():
            ours, did = playbook(state.CHECKOUT, str(state.CHECKOUT), **env)
            for name, checkout in peers.items():
                plainly = {"ANSIBLE_ROLES_PATH": str(checkout / "roles"), "ANSIBLE_PIPELINING": "False"}
                plain, theirs = playbook(checkout, elsewhere, **plainly, **env)
                row = (f"{name} ({theirs})", f"{plain:.1f}", f"{plain / ours:.2f}")
                table.add_row(f"site.yml, unchanged, {where} ({did})", f"{ours:.1f}", *row)
    Console(width=230).print(table)


if __name__ == "__main__":
    main()
