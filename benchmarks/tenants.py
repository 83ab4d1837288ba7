"""
Prints what it costs to bring up the tenants of a whole country, on the lab's second data centre.

    . /var/lib/balai-lab/env && python -m benchmarks.tenants [NUMBER]

Its API server is real and its nodes are KWOK's, so nothing waits for a picture to be fetched. Tenants are synthetic
(`tests/country.py`). The peer is one Pulumi program with the same objects in one stack, from a file; whatever takes it
twice as long as balai is ended then, and its figure is a bound.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from balai.engine import listing
from balai.estate import load_estate
from balai.kube import Cluster
from balai.rendering import objects_of
from lab import capacity, state
from tests import country

PLACE = "batam"
PEER = """
import pulumi, pulumi_kubernetes as k8s
provider = k8s.Provider("place", context="batam")
k8s.yaml.ConfigFile("all", "objects.yml", opts=pulumi.ResourceOptions(provider=provider))
"""


def declare(folder: Path, number: int) -> list[str]:
    """Write a country of so many synthetic tenants, all of them in this data centre; return their names."""
    country.write(folder)
    made = sorted(path for path in (folder / "tenants").glob("*.yml") if country.MARK in path.read_text())
    for path in made[number:]:
        path.unlink()
    for path in made[:number]:
        path.write_text(re.sub(r"^clusters: .*$", f"clusters: [{PLACE}]", path.read_text(), flags=re.M))
    return [path.stem for path in made[:number]]


def up(inventories: Path, *what: str) -> tuple[float, list[dict[str, Any]]]:
    """Return the seconds that `balai up` takes, and its stacks."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "balai", "up", "--cluster", PLACE, "--json", *what],
        cwd=state.CHECKOUT,
        env={**os.environ, "BALAI_INVENTORIES": str(inventories)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:] + done.stdout[-3000:])
    return time.monotonic() - began, json.loads(done.stdout)


def changed(stacks: list[dict[str, Any]]) -> int:
    """Return how many objects of stacks were changed."""
    return sum(n for stack in stacks for op, n in stack["changes"].items() if op not in ("same", "read"))


@contextmanager
def room(cluster: Cluster, tenants: int) -> Iterator[None]:
    """Nodes for so many tenants, of two pods each."""
    more = range(capacity.RACKS + 1, capacity.RACKS + 2 + tenants // 50)
    for n in more:
        capacity.add(cluster, PLACE, n)
    try:
        yield
    finally:
        for n in more:
            cluster.request("DELETE", f"/api/v1/nodes/{PLACE}-kwok-{n}")


def remove(objects: list[dict[str, Any]], names: list[str], project: Path = state.CHECKOUT) -> None:
    """Take away objects, and what Pulumi knows of stacks."""
    spaces = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    outermost = [item for item in objects if item["metadata"].get("namespace") not in spaces]
    argv = ["kubectl", "--context", PLACE, "delete", "--ignore-not-found", "-f", "-"]
    text = yaml.dump_all(outermost, Dumper=yaml.CSafeDumper)
    subprocess.run(argv, input=text, text=True, check=True, capture_output=True)
    for name in set(names) & set(listing(project)):
        argv = ["pulumi", "stack", "rm", name, "--yes", "--force", "--remove-backups"]
        subprocess.run(argv, cwd=project, check=False, capture_output=True)


def one_stack(folder: Path, objects: list[dict[str, Any]], bound: float) -> tuple[float, bool]:
    """Return the seconds of `pulumi up` for objects in one stack, and whether it ended within the bound."""
    (folder / "objects.yml").write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))
    began = time.monotonic()
    argv = ["pulumi", "up", "--stack", "ukur", "--yes", "--skip-preview", "--refresh", "--non-interactive"]
    running = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = running.communicate(timeout=bound)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGINT)  # it saves what it did; a second one would not let it
        running.communicate()
        return bound, False
    if running.returncode:
        sys.exit(said[-3000:])
    return time.monotonic() - began, True


def main(number: int) -> None:
    """Measure, and print each line as soon as it is known."""
    table = Table("what", "balai, s", "one stack, s", "ratio", box=None)
    console = Console(width=140)

    def row(what: str, seconds: float, beside: tuple[float, bool]) -> None:
        more = "" if beside[1] else ">"
        table.add_row(
            what, f"{seconds:.1f}", f"{more}{beside[0]:.1f}", f"{'<' if more else ''}{seconds / beside[0]:.2f}"
        )

    def tell(what: str, seconds: float) -> None:
        console.log(f"{what}: {seconds:.1f} s")

    cluster = Cluster.from_kubeconfig(context=PLACE)
    with tempfile.TemporaryDirectory() as temporary:
        inventories, peer = Path(temporary) / "inventories", Path(temporary) / "peer"
        peer.mkdir()
        names = declare(inventories, number)
        estate = load_estate(inventories)
        stacks = [f"tenant.{PLACE}.{name}" for name in names]
        objects = [item for stack in stacks for item in objects_of(stack, estate)]
        with room(cluster, number):
            remove(objects, stacks)
            made, done = up(inventories)
            count = changed(done)
            tell(f"{number} tenants, {count} objects, from nothing", made)
            again, done = up(inventories)
            assert changed(done) == 0, done
            tell("unchanged", again)
            path = inventories / "tenants" / f"{names[0]}.yml"
            path.write_text(path.read_text().replace("pods: 20", "pods: 21"))
            one, done = up(inventories, "--tenant", names[0])
            assert changed(done), done
            tell("one of them changed, brought up alone", one)
            remove(objects, stacks)
            (peer / "Pulumi.yaml").write_text("name: ukur\nruntime: python\n")
            (peer / "__main__.py").write_text(PEER)
            remove([], ["ukur"], peer)
            subprocess.run(["pulumi", "stack", "init", "ukur"], cwd=peer, check=True, capture_output=True)
            whole = one_stack(peer, objects, 2 * made)
            row(f"{number} tenants, {count} objects, from nothing ({count / made:.1f} objects a second)", made, whole)
            if whole[1]:
                row("unchanged", again, one_stack(peer, objects, 2 * again))
                quota = next(item for item in objects if item["kind"] == "ResourceQuota")
                quota["spec"]["hard"]["pods"] = "21"
                row("one of them changed, brought up alone", one, one_stack(peer, objects, 20 * one))
            remove(objects, ["ukur"], peer)
    console.print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
