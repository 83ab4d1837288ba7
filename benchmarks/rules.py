"""
Prints what the rules cost, beside checkov on the same files in the same run.

    . /var/lib/balai-lab/env && python -m benchmarks.rules

The peer is installed in the cache on first use, from the package index.
"""

from __future__ import annotations

import copy
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from balai.kube import Cluster
from balai.rules import Judge
from balai.rules.cases import base, merged
from lab import processes, state, toolchain

CHECKOV = "3.3.30"
COUNT, CREATES, RESOURCES = 1000, 400, 200
PROGRAM = """
import json, pulumi, pulumi_kubernetes as k8s
for n in range({count}):
    k8s.core.v1.ConfigMap(f"c-{{n}}", metadata={{"name": f"c-{{n}}", "namespace": "default"}}, data={{"n": str(n)}})
"""


def checkov() -> Path:
    """Return the peer, installed into the cache when it is not there."""
    home = toolchain.cache_root() / f"checkov-{CHECKOV}"
    if not (home / "bin/checkov").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        subprocess.run([home / "bin/pip", "install", "-q", f"checkov=={CHECKOV}"], check=True)
    return home / "bin/checkov"


def timed(argv: list[str | Path], cwd: Path | None = None, fine: tuple[int, ...] = (0, 1), **env: str) -> float:
    """Return the wall time of a command in seconds; it has to end in one of the fine ways."""
    began = time.perf_counter()
    done = subprocess.run(
        argv, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env={**os.environ, **env}
    )
    if done.returncode not in fine:
        raise SystemExit(f"{argv}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return time.perf_counter() - began


def deployment(n: int) -> dict:
    """Return a Deployment of two containers, as a vendor writes it: it breaks many rules."""
    made = merged(base("Deployment"), {"metadata": {"name": f"web-{n}", "namespace": "tenant-uji"}})
    spec = made["spec"]["template"]["spec"]
    second = {**copy.deepcopy(spec["containers"][0]), "name": "side"}
    second.pop("securityContext")
    spec["containers"].append(second)
    return made


def apiserver_cpu(create: Callable[[], object]) -> float:
    """Return the CPU seconds that the API server spends while something is done."""

    def ticks() -> int:
        fields = Path(f"/proc/{processes.pid_of('kube-apiserver')}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    create()
    return (ticks() - before) / os.sysconf("SC_CLK_TCK")


def creates(api: Cluster, namespace: str) -> float:
    """Return the API server's CPU milliseconds for one dry-run create of a compliant Deployment."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments?dryRun=All"
    label = {"metadata": {"namespace": namespace}}
    bodies = [merged(base("Deployment"), {**label, "metadata": {"name": f"b-{n}"}}) for n in range(CREATES)]

    def all_of_them() -> None:
        for body in bodies:
            api.request("POST", path, body)

    all_of_them()
    return statistics.median(apiserver_cpu(all_of_them) for _ in range(3)) / CREATES * 1000


def pack_milliseconds(folder: Path) -> float:
    """Return what the policy pack adds to a preview, in milliseconds a resource."""
    (folder / "Pulumi.yaml").write_text("name: packed\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM.format(count=RESOURCES))
    own = {"PULUMI_BACKEND_URL": f"file://{folder}?metadata=skip"}
    timed(["pulumi", "stack", "init", "t", "--non-interactive"], folder, **own)
    preview: list[str | Path] = ["pulumi", "preview", "-s", "t", "--non-interactive"]
    pack: list[str | Path] = [*preview, "--policy-pack", state.CHECKOUT / "policies"]
    pairs = [(timed(preview, folder, **own), timed(pack, folder, **own)) for _ in range(3)]
    return statistics.median(b - a for a, b in pairs) / RESOURCES * 1000


def main() -> None:
    """Measure and print."""
    table = Table("what", "figure", "peer", "figure", "ratio", box=None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many, one = folder / "many.yml", folder / "one.yml"
        many.write_text(yaml.safe_dump_all(deployment(n) for n in range(COUNT)))
        one.write_text(yaml.safe_dump(deployment(0)))
        balai: list[str | Path] = [sys.executable, "-m", "balai", "check", "--format", "json"]
        peer: list[str | Path] = [checkov(), "--framework", "kubernetes", "--compact", "--quiet", "-o", "json", "-f"]
        for what, path, rounds in ((f"{COUNT} Deployments from YAML, cold", many, 1), ("one file, cold", one, 3)):
            ours = statistics.median(timed([*balai, path]) for _ in range(rounds * 3))
            theirs = statistics.median(timed([*peer, path]) for _ in range(rounds))
            table.add_row(what, f"{ours:.2f} s", f"checkov {CHECKOV}", f"{theirs:.2f} s", f"1 : {theirs / ours:.0f}")
        judge, objects = Judge("plan"), [deployment(n) for n in range(COUNT)]
        namespace = base("Namespace")
        list(judge.judge(objects[0], None, namespace))
        began = time.perf_counter()
        for item in objects:
            list(judge.judge(item, None, namespace))
        table.add_row("built objects judged", f"{COUNT / (time.perf_counter() - began):.0f} a second", "", "", "")
        (folder / "pack").mkdir()
        table.add_row("the policy pack", f"{pack_milliseconds(folder / 'pack'):.1f} ms a resource", "", "", "")
    api = Cluster.from_kubeconfig()
    for namespace_name, label in (("bench-free", {"balai.internal/role": "test"}), ("bench-held", {})):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_name, "labels": label}}
        api.request("POST", "/api/v1/namespaces", body)
    try:
        free, held = creates(api, "bench-free"), creates(api, "bench-held")
    finally:
        for namespace_name in ("bench-free", "bench-held"):
            api.request("DELETE", f"/api/v1/namespaces/{namespace_name}")
    table.add_row(
        "API server CPU a create, all rules", f"{held:.2f} ms", "no rules", f"{free:.2f} ms", f"{held / free:.2f} : 1"
    )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
