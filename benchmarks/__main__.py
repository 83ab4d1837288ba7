"""
Prints what balai costs, each figure beside its peer in the same run where it has one.

    . /var/lib/balai-lab/env && python -m benchmarks [--whole]

`--whole` also takes the lab down and times `make up` from nothing (with the tools built).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from balai import addressing
from balai.audit import gather
from balai.flows import compile_for
from balai.sites import INVENTORIES, load_site
from lab import state

ROUNDS = 5
SITE = INVENTORIES / "sites" / "mpp-banyuwangi.yml"


def command(*argv: str, rounds: int = ROUNDS) -> float:
    """Return the median wall time of a command in seconds; it has to succeed."""

    def once() -> None:
        subprocess.run(argv, cwd=state.CHECKOUT, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    return median(once, rounds)


def median(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median wall time of a call in seconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    python = sys.executable
    table = Table("what", "seconds", "peer", "seconds", "ratio", box=None)

    def row(what: str, seconds: float, peer: str = "", beside: float = 0.0) -> None:
        ratio = f"{seconds / beside:.2f}" if beside else ""
        table.add_row(what, f"{seconds:.3f}", peer, f"{beside:.3f}" if beside else "", ratio)

    if "--whole" in sys.argv:
        command(python, "-m", "lab", "down", rounds=1)
        row("make up, from nothing, tools built", command(python, "-m", "lab", "up", rounds=1))
    row("make up, again", command(python, "-m", "lab", "up", rounds=1))
    row("balai --version", command("balai", "--version"), "pulumi version", command("pulumi", "version"))
    load = (
        "import time; t = time.perf_counter(); from balai.estate import load_estate; "
        "load_estate(); print(time.perf_counter() - t)"
    )
    row(
        "load of the whole estate",
        statistics.median(
            float(subprocess.run([python, "-c", load], capture_output=True, text=True, check=True).stdout)
            for _ in range(ROUNDS)
        ),
    )
    row(
        "inventory of one site",
        command("ansible-inventory", "-i", str(SITE), "--list"),
        "ansible --version",
        command("ansible", "--version"),
    )
    one = "tenant.cikarang.pajak"
    row(
        "balai preview of one tenant, refreshed",
        command("balai", "preview", "--cluster", "cikarang", "--tenant", "pajak", rounds=3),
        "pulumi preview --refresh, same stack",
        command("pulumi", "preview", "-s", one, "--refresh", "--non-interactive", rounds=3),
    )
    began = time.perf_counter()
    stacks = json.loads(
        subprocess.run(
            ["balai", "up", "--cluster", "cikarang", "--json"],
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        ).stdout
    )
    seconds = time.perf_counter() - began
    objects = sum(sum(s["changes"].values()) for s in stacks)
    row(f"balai up, unchanged, {len(stacks)} stacks, {objects} objects ({objects / seconds:.1f} objects/s)", seconds)
    view = load_site(SITE)
    country = [addressing.mall(n) for n in range(514)]
    row(
        "all flows compiled for the router of 514 malls",
        median(lambda: [compile_for("router", view.flows, plan) for plan in country]),
    )
    live = [m for m in view.machines if m.kind in ("router", "server")]
    ssh = os.environ["BALAI_SSH_CONFIG"]
    row(
        f"gather, a host (of {len(live)})",
        median(lambda: [gather.host(m, ssh) for m in live]) / len(live),
        "ansible setup, a host",
        command("ansible", "-i", str(SITE), "routers,servers", "-m", "setup", rounds=3) / len(live),
    )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
