"""
Prints what clusters cost on the lab's Cluster API, whose machines are simulated and all else is real.

    . /var/lib/balai-lab/env && python -m benchmarks.fleet

The peer is the same objects applied by `kubectl` and waited for in the same way, without Pulumi, gates and keys.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from rich.console import Console

from balai.estate import load_estate
from balai.fleet import keys, status
from balai.fleet.cluster_class import API
from balai.fleet.clusters import fleet_objects, namespace_of
from balai.fleet.fit import fit, losses
from balai.kube import ApiError, Cluster
from benchmarks.__main__ import median
from lab import management, processes, state
from tests import country

CONTEXT = "management-cikarang"
PAGES = os.sysconf("SC_PAGE_SIZE")
LIMIT = 1200  # seconds for anything here


def declare(root: Path, place: str, clusters: int, control_planes: int, workers: int, version: str) -> None:
    """Write a data centre of its own with so many equal clusters, each with workers in two racks."""
    rack = {"control-plane": clusters * control_planes, "general": clusters * workers}
    centre = {
        "name": place,
        "title": "Pusat data ukur",
        "index": 50 + len(place),
        "timezone": "Asia/Jakarta",
        "management_context": f"management-{place}",
        "infrastructure": "metal3",
        "sign_in": "unknown",
        "racks": {"a": rack, "b": rack},
        "facts": ["Of a benchmark alone"],
        "verification": "unknown",
    }
    (root / "data_centres" / f"{place}.yml").write_text(yaml.safe_dump(centre))
    for n in range(clusters):
        name = f"{place}-{n}"
        racks = {"a": workers - workers // 2, "b": workers // 2}
        cluster = {
            "name": name,
            "title": "Klaster ukur",
            "data_centre": place,
            "index": n,
            "kubernetes": version,
            "kubeconfig_context": name,
            "control_planes": control_planes,
            "pools": [{"name": "general", "machines": "general", "racks": racks}],
            "windows": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00", "hours": 24}],
            "registries": ["registry.balai.internal"],
            "api_domain": "unknown",
            "status": "active",
        }
        (root / "clusters" / f"{name}.yml").write_text(yaml.safe_dump(cluster))


class Lab:
    """The lab's management cluster, and inventories of the benchmark's own."""

    def __init__(self, folder: Path) -> None:
        self.inventories = Path(shutil.copytree(state.CHECKOUT / "inventories", folder / "inventories"))
        config = yaml.safe_load(state.KUBECONFIG.read_text())
        other = next(c for c in config["contexts"] if c["name"] == CONTEXT)
        config["contexts"] += [{**other, "name": f"management-{place}"} for place in ("ukur", "banding", "banyak")]
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(config))
        self.kubeconfig.chmod(0o600)
        os.environ["KUBECONFIG"] = str(self.kubeconfig)
        self.api = Cluster.from_kubeconfig(context=CONTEXT)

    def up(self, place: str) -> float:
        """Return the seconds that `balai up` takes for a data centre's clusters."""
        began = time.monotonic()
        argv = [sys.executable, "-m", "balai", "up", "--data-centre", place]
        subprocess.run(
            argv,
            cwd=state.CHECKOUT,
            check=True,
            capture_output=True,
            env={**os.environ, "BALAI_INVENTORIES": str(self.inventories)},
            timeout=LIMIT,
        )
        return time.monotonic() - began

    def kubectl(self, place: str) -> float:
        """Return the seconds that the same takes by `kubectl apply` and waiting."""
        estate = load_estate(self.inventories)
        centre = estate.data_centres[place]
        space = namespace_of(centre)
        self.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
        for cluster in (c for c in estate.clusters.values() if c.data_centre == place):
            keys.ensure(CONTEXT, space, cluster.name)
        parts, clusters = fleet_objects(estate, centre)
        text = yaml.safe_dump_all([*parts, *clusters])
        began = time.monotonic()
        argv = ["kubectl", "--context", CONTEXT, "apply", "-f", "-"]
        subprocess.run(argv, input=text, text=True, check=True, capture_output=True)
        while not all(row.done for row in status.rows(estate, [centre])):
            time.sleep(0.5)
        return time.monotonic() - began

    def remove(self, place: str) -> None:
        """Take away a data centre's clusters and what Pulumi knows of them."""
        space = f"fleet-{place}"
        for item in self.api.list(API, "Cluster", space):
            self.api.request("DELETE", f"/apis/{API}/namespaces/{space}/clusters/{item['metadata']['name']}")
        while self.api.list(API, "Machine", space) or self.api.list(API, "Cluster", space):
            time.sleep(1)
        try:
            self.api.request("DELETE", f"/api/v1/namespaces/{space}")
        except ApiError as error:
            if error.status != 404:
                raise
        argv = ["pulumi", "stack", "rm", f"fleet.{place}", "--yes", "--force", "--remove-backups"]
        subprocess.run(argv, cwd=state.CHECKOUT, check=False, capture_output=True)


def memory() -> float:
    """Return the MiB that Cluster API's controllers hold, without the one that stands for hardware."""
    total = 0
    for manager in management.MANAGERS:
        if manager.tool != management.HARDWARE and (pid := processes.pid_of(manager.tool)):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return total * PAGES / 2**20


def fits() -> tuple[int, int, float]:
    """Return tenants, machines, and the seconds in which every loss is judged for all of them."""
    with tempfile.TemporaryDirectory() as folder:
        inventories = Path(folder) / "inventories"
        country.write(inventories)
        for name in ("cikarang", "batam"):
            for kind, old, new in (
                ("data_centres", "general: 8", "general: 84"),
                ("clusters", "{a: 2, b: 2, c: 2}", "{a: 83, b: 83, c: 84}"),
            ):
                path = inventories / kind / f"{name}.yml"
                text = path.read_text()
                assert old in text, path
                path.write_text(text.replace(old, new))
        estate = load_estate(inventories)
        machines = sum(sum(p.racks.values()) for c in estate.clusters.values() for p in c.pools)
        seconds = median(lambda: [fit(estate, loss) for loss in losses(estate)])
        return len(estate.tenants), machines, seconds


def main() -> None:
    """Measure and print."""
    console = Console(width=140)

    def row(
        what: str, seconds: float, peer: str = "", beside: float = 0.0
    ) -> None:  # told as it is known: this takes long
        ratio = f"; {peer}: {beside:.2f} s; ratio {seconds / beside:.2f}" if beside else ""
        console.print(f"{what}: {seconds:.2f} s{ratio}", highlight=False)

    tenants, machines, seconds = fits()
    row(f"who fits, {tenants} tenants on {machines} machines, every loss", seconds)
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        for place in ("ukur", "banding", "banyak"):
            lab.remove(place)
        console.print(f"memory of the controllers, lab alone: {memory():.0f} MiB", highlight=False)
        declare(lab.inventories, "banding", 1, 3, 20, "1.36.2")
        beside = lab.kubectl("banding")
        lab.remove("banding")
        declare(lab.inventories, "ukur", 1, 3, 20, "1.36.2")
        row("a cluster of 3 + 20 machines to Available", lab.up("ukur"), "kubectl apply, and the same wait", beside)
        row("the same, unchanged", lab.up("ukur"))
        declare(lab.inventories, "ukur", 1, 3, 20, "1.37.2")
        row("its upgrade by one minor version, 23 machines", lab.up("ukur"))
        lab.remove("ukur")
        declare(lab.inventories, "banyak", 20, 1, 9, "1.36.2")
        row("20 clusters of 10 machines to Available", lab.up("banyak"))
        console.print(f"memory of the controllers, with these: {memory():.0f} MiB", highlight=False)
        lab.remove("banyak")


if __name__ == "__main__":
    main()
