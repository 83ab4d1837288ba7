"""
Embedded control planes: etcd, API server, controllers and scheduler.

They are the real ones, each a plain process in the namespace of the data centre. What they stand
for is the control plane that Cluster API makes in production; the estate does not know the difference.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from balai import addressing
from balai.errors import EnvironmentFault
from balai.fleet.cluster_class import CIPHERS
from balai.fleet.cluster_class import NODE as NODE_FILES
from balai.kube import ApiError, Cluster
from lab import network, pki, processes, state
from lab.toolchain import Found

NETNS = "balai-dc"
CABLE = "balai-dc0"
GROUP = "dc"
DAEMONS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
PLAN = addressing.data_centre(0)
HOST, NODE = str(PLAN.nodes[1]), str(PLAN.nodes[2])
SERVER = f"https://{NODE}:6443"
REVISIONS = 1_000_000_000  # more than any store of a lab has seen


@dataclass(frozen=True, kw_only=True)
class Plane:
    """
    One control plane.

    Attributes:
        contexts: Names by which kubeconfigs know it, the platform team's first.
        authority: Name of its certificate authority.
        prefix: What its daemons' names and its files begin with.
        port: Of its API server, on the node's address.
        etcd: First of two ports of its etcd, on loopback.
        manager: Port of its controller manager, on loopback; of its scheduler and of KWOK, where it has them, likewise.
        daemons: Those that it has, in the order in which they start.
    """

    contexts: tuple[str, ...]
    authority: str
    prefix: str
    port: int
    etcd: int
    manager: int
    scheduler: int
    kwok: int
    daemons: tuple[str, ...]

    @property
    def server(self) -> str:
        """Address of its API server."""
        return f"https://{NODE}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """The platform team's way in."""
        return state.PKI / f"platform-{self.authority}.kubeconfig"

    @property
    def names(self) -> list[str]:
        """Names of its daemons."""
        return [self.prefix + name for name in self.daemons]


TENANTS = Plane(
    contexts=("cikarang",),
    authority="cluster",
    prefix="",
    port=6443,
    etcd=2379,
    manager=10257,
    scheduler=10259,
    kwok=10247,
    daemons=DAEMONS,
)
STANDBY = Plane(  # the other data centre's: real, with nodes that are only capacity
    contexts=("batam",),
    authority="batam",
    prefix="batam-",
    port=6445,
    etcd=2579,
    manager=10457,
    scheduler=10459,
    kwok=10447,
    daemons=DAEMONS,
)


def network_up() -> None:
    """Make the data centre's namespace and the machine's way to its nodes, pods and services."""
    routes = [str(addressing.PODS), str(addressing.SERVICES)]
    network.refuse_overlap([str(PLAN.nodes), *routes], CABLE)
    network.make(NETNS)
    network.cable(CABLE, NETNS, "uplink", f"{HOST}/{PLAN.nodes.prefixlen}")
    network.ip("addr", "replace", f"{NODE}/{PLAN.nodes.prefixlen}", "dev", "uplink", netns=NETNS)
    network.ip("link", "set", "uplink", "up", netns=NETNS)
    network.ip("route", "replace", "default", "via", HOST, netns=NETNS)  # kubelet wants one; nothing forwards it
    for route in routes:
        network.ip("route", "replace", route, "via", NODE)


def start(tools: dict[str, Found]) -> Cluster:
    """Start what is not running and return the API server as the platform team sees it."""
    cluster = start_plane(TENANTS, tools)
    _let_the_api_server_reach_kubelets(cluster)
    return cluster


def start_plane(plane: Plane, tools: dict[str, Found]) -> Cluster:
    """Start what is not running of a control plane and return its API server as the platform team sees it."""
    authority, etcd_ca = pki.Authority(state.PKI, plane.authority), pki.Authority(state.PKI, "etcd")
    pki.kubeconfig(plane.kubeconfig, plane.server, authority, "platform", ["system:masters"], plane.contexts)
    arguments = {
        "etcd": _etcd(plane, etcd_ca),
        "kube-apiserver": _api_server(plane, authority, etcd_ca),
        "kube-controller-manager": _controller_manager(plane, authority),
        "kube-scheduler": _scheduler(plane, authority),
    }
    cluster = Cluster.from_kubeconfig(plane.kubeconfig)
    for name in plane.daemons:
        processes.ensure(plane.prefix + name, [tools[name].path, *arguments[name]], group=GROUP, netns=NETNS)
        if name == "kube-apiserver":
            alive = [plane.prefix + part for part in ("kube-apiserver", "etcd")]
            processes.wait_for("The API server", lambda: _ready(cluster), seconds=60, alive=alive)
    return cluster


def empty(plane: Plane, tools: dict[str, Found]) -> None:
    """
    Give a control plane that does not run a store with nothing in it.

    Its revisions begin far above the old ones', and are marked as compacted: whoever watched the old store reads the
    new one anew, instead of waiting for a revision that it never had.
    """
    data, name = state.ROOT / f"{plane.prefix}etcd", f"{plane.prefix}etcd"
    fresh = state.ROOT / f"{plane.prefix}etcd.fresh"
    for folder in (data, fresh):
        shutil.rmtree(folder, ignore_errors=True)
    processes.ensure(
        name, [tools["etcd"].path, *_etcd(plane, pki.Authority(state.PKI, "etcd"))], group=GROUP, netns=NETNS
    )
    processes.wait_for("An empty etcd", (data / "member/snap/db").exists, seconds=20, alive=[name])
    processes.stop(name)
    peers = f"http://127.0.0.1:{plane.etcd + 1}"
    restore: list[str | Path] = [tools["etcdutl"].path, "snapshot", "restore", data / "member/snap/db"]
    told = ["--skip-hash-check", "--mark-compacted", f"--bump-revision={REVISIONS}", "--name=lab"]
    where = [f"--data-dir={fresh}", f"--initial-cluster=lab={peers}", f"--initial-advertise-peer-urls={peers}"]
    processes.run([*restore, *told, *where], sentence="No empty store can be made")
    shutil.rmtree(data)
    fresh.rename(data)


def _ready(cluster: Cluster) -> bool:
    try:
        return bool(cluster.request("GET", "/readyz") == "ok")
    except (ApiError, EnvironmentFault):
        return False


def _let_the_api_server_reach_kubelets(cluster: Cluster) -> None:
    cluster.request(
        "PATCH",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/lab-kubelet-api?fieldManager=lab",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "lab-kubelet-api"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:kubelet-api-admin",
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "kube-apiserver"}],
        },
        content_type="application/apply-patch+yaml",
    )


def _etcd(plane: Plane, authority: pki.Authority) -> list[str | Path]:
    certificate, key = authority.leaf("server", hosts=["127.0.0.1", "localhost"])
    data, clients = state.ROOT / f"{plane.prefix}etcd", f"https://127.0.0.1:{plane.etcd}"
    peers = f"http://127.0.0.1:{plane.etcd + 1}"
    return [
        "--name=lab",
        f"--data-dir={data}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=lab={peers}",
        f"--cert-file={certificate}",
        f"--key-file={key}",
        "--client-cert-auth=true",
        f"--trusted-ca-file={authority.certificate}",
        "--log-level=warn",
        "--unsafe-no-fsync=true",
    ]  # a lab may lose its data with the power; a data centre may not


def _api_server(plane: Plane, cluster: pki.Authority, etcd: pki.Authority) -> list[str | Path]:
    certificate, key = cluster.leaf(
        "kube-apiserver-serving",
        hosts=[NODE, "127.0.0.1", str(addressing.SERVICES[1]), "localhost", "kubernetes", "kubernetes.default.svc"],
    )
    kubelet_certificate, kubelet_key = cluster.leaf("kube-apiserver")
    etcd_certificate, etcd_key = etcd.leaf("kube-apiserver")
    signing = pki.signing_key(state.PKI / f"{plane.prefix}service-accounts.key")
    return [
        f"--advertise-address={NODE}",
        f"--bind-address={NODE}",
        f"--secure-port={plane.port}",
        "--allow-privileged=true",  # whether a tenant may is a rule, not a flag
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        "--tls-min-version=VersionTLS12",
        f"--tls-cipher-suites={CIPHERS}",
        f"--client-ca-file={cluster.certificate}",
        "--anonymous-auth=false",
        "--profiling=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--etcd-servers=https://127.0.0.1:{plane.etcd}",
        f"--etcd-cafile={etcd.certificate}",
        f"--etcd-certfile={etcd_certificate}",
        f"--etcd-keyfile={etcd_key}",
        f"--kubelet-certificate-authority={cluster.certificate}",
        f"--kubelet-client-certificate={kubelet_certificate}",
        f"--kubelet-client-key={kubelet_key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={signing}",
        f"--service-account-signing-key-file={signing}",
        f"--service-cluster-ip-range={addressing.SERVICES}",
        f"--audit-policy-file={NODE_FILES / 'audit-policy.yml'}",
        f"--audit-log-path={state.LOGS / f'{plane.prefix}api-audit.log'}",
        "--audit-log-maxage=30",
        "--audit-log-maxbackup=2",
        "--audit-log-maxsize=50",
        f"--encryption-provider-config={pki.encryption_config(state.PKI / f'{plane.prefix}encryption.yaml')}",
    ]


def _controller_manager(plane: Plane, authority: pki.Authority) -> list[str | Path]:
    config = pki.kubeconfig(
        state.PKI / f"{plane.prefix}controller-manager.kubeconfig",
        plane.server,
        authority,
        "system:kube-controller-manager",
    )
    return [
        f"--kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.manager}",
        "--use-service-account-credentials=true",
        f"--root-ca-file={authority.certificate}",
        "--profiling=false",
        "--leader-elect=false",
        f"--service-account-private-key-file={state.PKI / f'{plane.prefix}service-accounts.key'}",
    ]


def _scheduler(plane: Plane, authority: pki.Authority) -> list[str | Path]:
    config = pki.kubeconfig(
        state.PKI / f"{plane.prefix}scheduler.kubeconfig", plane.server, authority, "system:kube-scheduler"
    )
    return [
        f"--kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.scheduler}",
        "--profiling=false",
        "--leader-elect=false",
    ]
