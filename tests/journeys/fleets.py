"""A data centre of a test's own, with one small cluster, on the lab's management cluster."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from balai.kube import ApiError, Cluster
from lab import state

PLACE, SPACE, CONTEXT, STACK = "uji", "fleet-uji", "management-uji", "fleet.uji"
API = "/apis/cluster.x-k8s.io/v1beta2"
DATA_CENTRE = """---
name: uji
title: Pusat data uji
index: 60
timezone: Asia/Jakarta
management_context: management-uji
infrastructure: metal3
sign_in: unknown
racks:
  a: {control-plane: 2, general: 4}
  b: {control-plane: 2, general: 4}
facts: [Of a test alone]
verification: unknown
"""
CLUSTER = """---
name: uji
title: Klaster uji
data_centre: uji
index: 0
kubernetes: 1.36.2
kubeconfig_context: uji
control_planes: 1
pools:
  - {name: general, machines: general, racks: {a: 1, b: 1}}
windows:
  - {days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", hours: 24}
registries: [registry.balai.internal]
api_domain: unknown
status: active
"""


class Fleet:
    """The estate of the test, and the management cluster as its operators see it."""

    def __init__(self, root: Path, folder: Path, balai: Any, run: Any) -> None:
        self.inventories, self._run, self._balai = folder / "inventories", run, balai
        config = yaml.safe_load(state.KUBECONFIG.read_text())
        other = next(c for c in config["contexts"] if c["name"] == "management-cikarang")
        config["contexts"].append({**other, "name": CONTEXT})
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        (folder / "kubeconfig").chmod(0o600)
        (folder / "no-approvals").mkdir()
        self.env = {
            "BALAI_INVENTORIES": str(self.inventories),
            "BALAI_APPROVALS": str(folder / "no-approvals"),
            "KUBECONFIG": str(folder / "kubeconfig"),
        }
        self.api = Cluster.from_kubeconfig(state.KUBECONFIG, "management-cikarang")
        self.root = root

    def change(self, name: str, old: str, new: str) -> None:
        path = self.inventories / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def up(self, **env: str) -> Any:
        return self._balai("up", "--data-centre", PLACE, "--json", **{**self.env, **env})

    def pulumi(self, *words: str, **env: str) -> Any:
        return self._run("pulumi", *words, "--stack", STACK, cwd=self.root, **{**self.env, **env})

    def balai(self, *words: str) -> Any:
        return self._balai(*words, **self.env)

    def cluster(self) -> dict[str, Any]:
        return dict(self.api.request("GET", f"{API}/namespaces/{SPACE}/clusters/uji"))

    def machines(self) -> dict[str, dict[str, Any]]:
        return {m["metadata"]["name"]: m for m in self.api.list(API.removeprefix("/apis/"), "Machine", SPACE)}

    def ready(self) -> set[str]:
        return {
            name
            for name, machine in self.machines().items()
            if any(c["type"] == "Ready" and c["status"] == "True" for c in machine["status"].get("conditions", []))
        }

    def inside(self) -> Cluster:
        """The API server of the cluster itself, by the kubeconfig that only the management cluster has."""
        found = self.api.request("GET", f"/api/v1/namespaces/{SPACE}/secrets/uji-kubeconfig")
        return Cluster.from_kubeconfig(base64.b64decode(found["data"]["value"]).decode() + "\n")

    def nodes(self) -> dict[str, str]:
        """Nodes of the cluster itself, with the instant at which each joined."""
        listed = self.inside().request("GET", "/api/v1/nodes")["items"]
        return {node["metadata"]["name"]: node["metadata"]["creationTimestamp"] for node in listed}


def eventually(what: str, holds: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def gone(fleet: Fleet) -> None:
    """Remove the cluster of the test, also what a killed test left of it."""
    fleet.pulumi("state", "unprotect", "--all", "--yes")
    fleet.pulumi("destroy", "--yes", "--skip-preview", "--refresh")
    try:
        fleet.api.request("DELETE", f"{API}/namespaces/{SPACE}/clusters/uji")
    except ApiError as error:
        assert error.status == 404, error
    eventually("the cluster goes", lambda: not fleet.machines())
    try:
        fleet.api.request("DELETE", f"/api/v1/namespaces/{SPACE}")
    except ApiError as error:
        assert error.status == 404, error

    def away() -> bool:
        try:
            fleet.api.request("GET", f"/api/v1/namespaces/{SPACE}")
        except ApiError as error:
            return error.status == 404
        return False

    eventually("the namespace goes", away)
    fleet.pulumi("stack", "rm", "--yes", "--force", "--remove-backups")
