"""
The management cluster: a control plane of its own with Cluster API's controllers on it.

Controllers, webhooks and resource definitions are the real ones. The machines are not: the development provider's
in-memory backend stands for Metal3 or OpenStack, and its process for the hardware, which is why it outlives the
management cluster when that one is wiped. One lab stands for the management clusters of all data centres.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from balai.estate import load_estate
from balai.kube import APPLY, ApiError, Cluster, group_path
from lab import control_plane, pki, processes, state, toolchain
from lab.control_plane import NETNS, NODE, Plane
from lab.toolchain import Found

GROUP = "management"
DIGEST = "lab.balai.internal/digest"
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
ORDER = ("Namespace", "CustomResourceDefinition")  # before everything else


@dataclass(frozen=True, kw_only=True)
class Manager:
    """One of Cluster API's controllers: its binary, its namespace, where its objects lie, its first port."""

    tool: str
    namespace: str
    module: str
    config: str
    port: int
    gates: str = ""


MANAGERS = (
    Manager(
        tool="capi-core",
        namespace="capi-system",
        module="sigs.k8s.io/cluster-api",
        config="core/config",
        port=9440,
        gates="ClusterTopology=true",
    ),
    Manager(
        tool="capi-bootstrap",
        namespace="capi-kubeadm-bootstrap-system",
        module="sigs.k8s.io/cluster-api",
        config="bootstrap/kubeadm/config",
        port=9450,
    ),
    Manager(
        tool="capi-control-plane",
        namespace="capi-kubeadm-control-plane-system",
        module="sigs.k8s.io/cluster-api",
        config="controlplane/kubeadm/config",
        port=9460,
        gates="ClusterTopology=true",
    ),
    Manager(
        tool="capi-dev",
        namespace="capd-system",
        module="sigs.k8s.io/cluster-api/test",
        config="infrastructure/docker/config",
        port=9470,
        gates="ClusterTopology=true",
    ),
)
HARDWARE = "capi-dev"


def plane() -> Plane:
    """Return the control plane, known by the context of every data centre."""
    return Plane(
        contexts=tuple(sorted(c.management_context for c in load_estate().data_centres.values())),
        authority="management",
        prefix="management-",
        port=6444,
        etcd=2479,
        manager=10357,
        scheduler=10359,
        kwok=10347,
        daemons=("etcd", "kube-apiserver", "kube-controller-manager"),
    )


def names() -> list[str]:
    """Return the names of the daemons."""
    return [*plane().names, *(manager.tool for manager in MANAGERS)]


def start(tools: dict[str, Found]) -> Cluster:
    """Start what is not running, with Cluster API installed, and return the API server."""
    cluster = control_plane.start_plane(plane(), tools)
    authority = pki.Authority(state.PKI, "management")
    certificates = _certificates(authority)
    _install(cluster, tools["kubectl"].path, authority.certificate)
    for manager in MANAGERS:
        processes.ensure(
            manager.tool,
            [tools[manager.tool].path, *_arguments(manager, certificates)],
            group=GROUP,
            netns=NETNS,
            env={"POD_IP": NODE},
            reads=[certificates / "tls.crt"],
        )
    _wait(cluster)
    return cluster


def standing() -> list[str]:
    """Return each cluster with what Cluster API says of it."""
    cluster, found = Cluster.from_kubeconfig(plane().kubeconfig), []
    for item in cluster.list("cluster.x-k8s.io/v1beta2", "Cluster"):
        conditions = {c["type"]: c["status"] for c in item["status"].get("conditions", [])}
        machines = sum(item["status"].get(part, {}).get("readyReplicas", 0) for part in ("controlPlane", "workers"))
        available = "Available" if conditions.get("Available") == "True" else "not available"
        found.append(f"{item['metadata']['name']} {available}, {machines} machines ready")
    return sorted(found)


def wipe(tools: dict[str, Found]) -> Cluster:
    """Lose the management cluster with all that it knew, and set up an empty one; the hardware stays."""
    for name in reversed([n for n in names() if n != HARDWARE]):
        processes.stop(name)
    control_plane.empty(plane(), tools)
    return start(tools)


def _arguments(manager: Manager, certificates: Path) -> list[str | Path]:
    given: list[str | Path] = [
        f"--kubeconfig={plane().kubeconfig}",
        f"--webhook-port={manager.port}",
        f"--webhook-cert-dir={certificates}",
        f"--health-addr=127.0.0.1:{manager.port + 1}",
        f"--diagnostics-address=127.0.0.1:{manager.port + 2}",
        "--insecure-diagnostics",
    ]
    return [*given, f"--feature-gates={manager.gates}"] if manager.gates else given


def _certificates(authority: pki.Authority) -> Path:
    folder = state.PKI / "webhooks"
    certificate, key = authority.leaf("webhooks", hosts=[NODE])
    for name, source in (("tls.crt", certificate), ("tls.key", key)):
        content = source.read_bytes()
        if not (folder / name).exists() or (folder / name).read_bytes() != content:
            pki.write_secret(folder / name, content)
    return folder


def _install(cluster: Cluster, kubectl: Path, authority: Path) -> None:
    """Apply resource definitions and webhooks, unless the very same are there."""
    folders = {m.tool: toolchain.module_folder("cluster-api", m.module) / m.config for m in MANAGERS}
    words = "".join([*map(str, folders.values()), authority.read_text(), Path(__file__).read_text()])
    digest = hashlib.sha256(words.encode()).hexdigest()[:16]
    last = f"/api/v1/namespaces/{MANAGERS[-1].namespace}"
    try:
        if cluster.request("GET", last)["metadata"].get("annotations", {}).get(DIGEST) == digest:
            return
    except ApiError as error:
        if error.status != 404:
            raise
    objects = [item for m in MANAGERS for item in _objects(m, folders[m.tool], kubectl, pki.base64_of(authority))]
    for item in sorted(objects, key=lambda i: ORDER.index(i["kind"]) if i["kind"] in ORDER else len(ORDER)):
        _apply(cluster, item)
    _apply(cluster, _namespace(MANAGERS[-1].namespace, {DIGEST: digest}))


def _objects(manager: Manager, folder: Path, kubectl: Path, bundle: str) -> Iterator[dict[str, Any]]:
    yield _namespace(manager.namespace)
    for part in ("crd", "webhook"):
        text = processes.run([kubectl, "kustomize", folder / part], sentence="Cluster API's objects cannot be rendered")
        for item in yaml.load_all(text, yaml.CSafeLoader):
            if item["kind"] in WEBHOOKS:
                item["metadata"]["name"] = f"{manager.tool}-{item['metadata']['name']}"
                for hook in item["webhooks"]:
                    hook["clientConfig"] = _client(manager, hook["clientConfig"]["service"]["path"], bundle)
                yield item
            elif item["kind"] == "CustomResourceDefinition":
                conversion = item["spec"].get("conversion") or {}
                if "webhook" in conversion:
                    conversion["webhook"]["clientConfig"] = _client(manager, "/convert", bundle)
                item["metadata"].setdefault("labels", {})["clusterctl.cluster.x-k8s.io"] = ""  # what `move` looks for
                yield item


def _client(manager: Manager, path: str, bundle: str) -> dict[str, str]:
    return {"url": f"https://{NODE}:{manager.port}{path}", "caBundle": bundle}


def _namespace(name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations or {}}}


def _apply(cluster: Cluster, item: dict[str, Any]) -> None:
    plural = {
        "Namespace": "namespaces",
        "CustomResourceDefinition": "customresourcedefinitions",
        "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
        "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    }[item["kind"]]
    path = f"{group_path(item['apiVersion'])}/{plural}/{item['metadata']['name']}?fieldManager=lab&force=true"
    cluster.request("PATCH", path, item, APPLY)


def _wait(cluster: Cluster) -> None:
    """Wait until every controller's webhooks listen, and a dry run of a Cluster passes those that it calls."""
    probe = {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Cluster",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"clusterNetwork": {"serviceDomain": "cluster.local"}, "paused": True},
    }
    path = "/apis/cluster.x-k8s.io/v1beta2/namespaces/default/clusters?dryRun=All"

    def answers() -> bool:
        if not all(_listens(manager.port) for manager in MANAGERS):
            return False
        try:
            cluster.request("POST", path, probe)
        except ApiError as error:
            return error.status in (400, 403, 422) and "failed calling webhook" not in str(error)
        return True

    processes.wait_for("Cluster API", answers, seconds=120, alive=names())


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((NODE, port), timeout=1):
        return True
    return False
