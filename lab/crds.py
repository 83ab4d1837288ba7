"""
Kinds that tenants' services are declared in, without the operators that act on them.

Resource definitions are the real ones, so that the API server checks every field of a database, a route or a limit.
Nothing runs here that makes one: a PostgreSQL of the lab is accepted and never Ready, and nothing waits for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from balai.kube import APPLY, ApiError, Cluster
from lab import processes, toolchain

DIGEST = "lab.balai.internal/digest"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A Go module with definitions: the folder of their files, and which of them are wanted."""

    module: str
    folder: str
    group: str
    plurals: tuple[str, ...]


SOURCES = (
    Source(
        module="sigs.k8s.io/gateway-api",
        folder="config/crd/standard",
        group="gateway.networking.k8s.io",
        plurals=("gatewayclasses", "gateways", "grpcroutes", "httproutes", "referencegrants"),
    ),
    Source(
        module="github.com/envoyproxy/gateway",
        folder="charts/gateway-helm/charts/crds/crds/generated",
        group="gateway.envoyproxy.io",
        plurals=("backendtrafficpolicies", "securitypolicies"),
    ),
    Source(
        module="github.com/cloudnative-pg/cloudnative-pg",
        folder="config/crd/bases",
        group="postgresql.cnpg.io",
        plurals=("backups", "clusterimagecatalogs", "clusters", "scheduledbackups"),
    ),
)


def start(cluster: Cluster) -> str:
    """Apply what is not there, or is of another version, and wait until every kind is served; say how many."""
    wanted = dict(definitions())
    for name, path in wanted.items():
        _apply(cluster, name, path)
    processes.wait_for(
        "A kind of tenants' services", lambda: all(_served(cluster, name) for name in wanted), seconds=60, alive=[]
    )
    return f"{len(wanted)} kinds"


def definitions() -> Iterator[tuple[str, Path]]:
    """Yield the name of each definition with its file in Go's cache."""
    for source in SOURCES:
        folder = toolchain.module_folder("crds", source.module) / source.folder
        for plural in source.plurals:
            yield f"{plural}.{source.group}", folder / f"{source.group}_{plural}.yaml"


def _apply(cluster: Cluster, name: str, path: Path) -> None:
    text = path.read_bytes()
    digest = hashlib.sha256(text).hexdigest()[:16]
    if (_there(cluster, name).get("annotations") or {}).get(DIGEST) == digest:
        return
    item = yaml.load(text, yaml.CSafeLoader)
    item["metadata"].setdefault("annotations", {})[DIGEST] = digest
    cluster.request("PATCH", f"{DEFINITIONS}/{name}?fieldManager=lab&force=true", item, APPLY)


def _there(cluster: Cluster, name: str) -> dict[str, Any]:
    try:
        metadata: dict[str, Any] = cluster.request("GET", f"{DEFINITIONS}/{name}")["metadata"]
    except ApiError as error:
        if error.status == 404:
            return {}
        raise
    return metadata


def _served(cluster: Cluster, name: str) -> bool:
    conditions = cluster.request("GET", f"{DEFINITIONS}/{name}").get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
