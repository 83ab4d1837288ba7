"""
Prints what it costs to bring up the tenants of a whole country, on the lab's second data centre.

    . /var/lib/balai-lab/env && python -m benchmarks.tenants [NUMBER]

Its API server is real and its nodes are KWOK's, so nothing waits for a picture to be fetched. Tenants are synthetic
(`tests/country.py`). The peer is one Pulumi program with the same objects in one stack, from a file.
"""

from __future__ import annotations

import json
import os
import re
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
    for name in names:
        argv = ["pulumi", "stack", "rm", name, "--yes", "--force", "--remove-backups"]
        subprocess.run(argv, cwd=project, check=False, capture_output=True)


def one_stack(folder: Path, objects: list[dict[str, Any]]) -> float:
    """Return the seconds of `pulumi up` for objects in one stack."""
    (folder / "objects.yml").write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))
    began = time.monotonic()
    argv = ["pulumi", "up", "--stack", "ukur", "--yes", "--skip-preview", "--refresh", "--non-interactive"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return time.monotonic() - began


def main(number: int) -> None:
    """Measure and print."""
    table = Table("what", "balai, s", "one stack, s", "ratio", box=None)

    def row(what: str, seconds: float, beside: float) -> None:
        table.add_row(what, f"{seconds:.1f}", f"{beside:.1f}", f"{seconds / beside:.2f}")

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
            again, done = up(inventories)
            assert changed(done) == 0, done
            path = inventories / "tenants" / f"{names[0]}.yml"
            path.write_text(path.read_text().replace("pods: 20", "pods: 21"))
            one, _ = up(inventories, "--tenant", names[0])
            remove(objects, stacks)
            (peer / "Pulumi.yaml").write_text("name: ukur\nruntime: python\n")
            (peer / "__main__.py").write_text(PEER)
            remove([], ["ukur"], peer)
            subprocess.run(["pulumi", "stack", "init", "ukur"], cwd=peer, check=True, capture_output=True)
            beside = [one_stack(peer, objects), one_stack(peer, objects)]
            quota = next(item for item in objects if item["kind"] == "ResourceQuota")
            quota["spec"]["hard"]["pods"] = "21"
            beside.append(one_stack(peer, objects))
            remove(objects, ["ukur"], peer)
    row(f"{number} tenants, {count} objects, from nothing ({count / made:.1f} objects a second)", made, beside[0])
    row("unchanged", again, beside[1])
    row("one of them changed, brought up alone", one, beside[2])
    Console(width=140).print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
