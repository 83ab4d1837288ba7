"""
Nodes that are only capacity: KWOK says that they are ready, and that their pods run.

They stand for the machines of a data centre. What pods would do on them is not shown: nothing answers there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from balai import addressing
from balai.kube import APPLY, ApiError, Cluster
from lab import pki, processes, state
from lab.control_plane import NETNS, Plane
from lab.toolchain import Found

STAGES = Path(__file__).with_name("kwok_stages.yml")
RACKS = 3
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
RESOURCES = {"cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"}
PODS = list(addressing.PODS.subnets(new_prefix=16))[1]


def start(plane: Plane, tools: dict[str, Found], cluster: Cluster, group: str, *, real_beside: bool) -> None:
    """
    Give a cluster a node in each rack.

    Args:
        plane: The cluster's control plane.
        tools: The lab's engines.
        cluster: Its API server, as the platform team sees it.
        group: The processes' group.
        real_beside: Whether there is a real node, which pods without a toleration are then left to.
    """
    place = plane.contexts[0]
    authority = pki.Authority(state.PKI, plane.authority)
    config = pki.kubeconfig(
        state.PKI / f"{plane.prefix}kwok.kubeconfig", plane.server, authority, "kwok", ["system:masters"]
    )
    for number in range(1, RACKS + 1):
        add(cluster, place, number, [TAINT] if real_beside else [])
    processes.ensure(
        f"{plane.prefix}kwok",
        [
            tools["kwok"].path,
            f"--kubeconfig={config}",
            f"--cidr={PODS}",
            f"--server-address=127.0.0.1:{plane.kwok}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=40",
            f"--config={STAGES}",
        ],
        group=group,
        netns=NETNS,
        env={"HOME": str(state.RUN)},
    )


def names(plane: Plane) -> list[str]:
    """Return the names of a cluster's nodes."""
    return [f"{plane.contexts[0]}-kwok-{number}" for number in range(1, RACKS + 1)]


def labels(place: str, rack: str) -> dict[str, str]:
    """Return the labels that say where a node stands."""
    return {"topology.kubernetes.io/region": f"id-{place}", "topology.kubernetes.io/zone": f"id-{place}-{rack}"}


def ready(cluster: Cluster, name: str) -> bool:
    """Tell whether a node is Ready."""
    try:
        status = cluster.request("GET", f"/api/v1/nodes/{name}").get("status") or {}
    except ApiError:
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])


def add(cluster: Cluster, place: str, number: int, taints: Sequence[dict[str, str]] = ()) -> None:
    """Give a cluster a node, in a rack of the same number."""
    name = f"{place}-kwok-{number}"
    node: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"type": "kwok", "kubernetes.io/hostname": name, **labels(place, f"rack-{number}")},
        },
        "spec": {"taints": [*taints]},
        "status": {"capacity": RESOURCES, "allocatable": RESOURCES},
    }
    path = f"/api/v1/nodes/{name}?fieldManager=lab&force=true"
    cluster.request("PATCH", path, node, content_type=APPLY)
