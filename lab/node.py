"""
One real node (containerd, runc, CNI bridge, kubelet, kube-proxy), beside nodes that are only capacity.

The node runs in the data centre's network namespace and in a mount namespace of its own: when its
last process ends, no mount is left. Its bridge does not enforce NetworkPolicy; the audit says so.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from balai import addressing
from balai.errors import EnvironmentFault
from balai.kube import Cluster
from lab import capacity, control_plane, pki, processes, state
from lab.images import Image
from lab.toolchain import Found

NAME = "cikarang-node-1"
GROUP = "node"
SOCKET = state.RUN / "containerd.sock"
DAEMONS = ("containerd", "kubelet", "kube-proxy", "kwok")
POD_RANGE = next(addressing.PODS.subnets(new_prefix=24))


def start(tools: dict[str, Found], images: dict[str, Image], cluster: Cluster) -> None:
    """Start what is not running, import the images, and wait until every node is Ready."""
    authority = pki.Authority(state.PKI, "cluster")
    paths = {name: found.path for name, found in tools.items()}
    home = state.ROOT / "node"
    (home / "cni").mkdir(parents=True, exist_ok=True)
    _containerd(paths, home, images)
    _kubelet(paths, home, authority)
    _kube_proxy(paths, home, authority)
    capacity.start(control_plane.TENANTS, tools, cluster, GROUP, real_beside=True)
    names = [NAME, *capacity.names(control_plane.TENANTS)]
    processes.wait_for(
        "A Ready node",
        lambda: all(capacity.ready(cluster, name) for name in names),
        seconds=90,
        alive=["kubelet", "containerd", "kwok"],
    )


def _containerd(paths: dict[str, Path], home: Path, images: dict[str, Image]) -> None:
    config = home / "containerd.toml"
    shim = paths["containerd-shim-runc-v2"]
    state.write(
        config,
        f"""version = 3
root = "{home}/containerd"
state = "{state.RUN}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.erofs"]
[grpc]
  address = "{SOCKET}"
[ttrpc]
  address = "{SOCKET}.ttrpc"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  enable_unprivileged_ports = false
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{home}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "{shim}"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "/usr/sbin/runc"
      SystemdCgroup = false
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{images["pause"].reference}"
""",
    )
    state.write(
        home / "cni" / "10-pods.conflist",
        json.dumps(
            {
                "cniVersion": "1.0.0",
                "name": "pods",
                "plugins": [
                    {
                        "type": "bridge",
                        "bridge": "pods",
                        "isGateway": True,
                        "hairpinMode": True,
                        "ipam": {
                            "type": "host-local",
                            "dataDir": str(state.RUN / "cni"),
                            "ranges": [[{"subnet": str(POD_RANGE)}]],
                            "routes": [{"dst": "0.0.0.0/0"}],
                        },
                    },
                    {"type": "portmap", "capabilities": {"portMappings": True}},
                ],
            }
        ),
    )
    processes.ensure(
        "containerd",
        ["unshare", "-m", "--propagation", "private", paths["containerd"], "--config", config],
        group=GROUP,
        netns=control_plane.NETNS,
    )
    ctr: list[str | Path] = [paths["ctr"], "--address", SOCKET, "--namespace", "k8s.io", "images"]

    def listed() -> str:
        try:
            return processes.run([*ctr, "ls", "-q"], sentence="containerd cannot be asked")
        except EnvironmentFault:
            return ""

    processes.wait_for(
        "containerd", lambda: SOCKET.exists() and _served([*ctr, "ls", "-q"]), seconds=30, alive=["containerd"]
    )
    present = listed()
    for image in images.values():
        if image.reference not in present:
            processes.run([*ctr, "import", image.archive], sentence="An image cannot be imported")


def _served(argv: list[str | Path]) -> bool:
    try:
        processes.run(argv, sentence="containerd cannot be asked")
    except EnvironmentFault:
        return False
    return True


def _kubelet(paths: dict[str, Path], home: Path, authority: pki.Authority) -> None:
    certificate, key = authority.leaf(NAME, hosts=[NAME, control_plane.NODE])
    config = home / "kubelet.yaml"
    processes.make_cgroup("")
    state.write(
        config,
        yaml.safe_dump(
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "address": control_plane.NODE,
                "port": 10250,
                "healthzBindAddress": "127.0.0.1",
                "tlsCertFile": str(certificate),
                "tlsPrivateKeyFile": str(key),
                "readOnlyPort": 0,
                "authentication": {
                    "anonymous": {"enabled": False},
                    "webhook": {"enabled": True},
                    "x509": {"clientCAFile": str(authority.certificate)},
                },
                "authorization": {"mode": "Webhook"},
                "protectKernelDefaults": False,
                "containerRuntimeEndpoint": f"unix://{SOCKET}",
                "podLogsDir": str(state.LOGS / "pods"),
                "cgroupDriver": "cgroupfs",
                "cgroupRoot": f"/{processes.TREE}",
                "cgroupsPerQOS": True,
                "enforceNodeAllocatable": [],
                "failCgroupV1": False,
                "failSwapOn": False,
                "makeIPTablesUtilChains": False,
                "eventRecordQPS": 20,
                "seccompDefault": True,
                "resolvConf": "",
                "registerNode": True,
                "streamingConnectionIdleTimeout": "30m",
                "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            }
        ),
    )
    node_config = pki.kubeconfig(
        state.PKI / "kubelet.kubeconfig", control_plane.SERVER, authority, f"system:node:{NAME}", ["system:nodes"]
    )
    processes.ensure(
        "kubelet",
        [
            "nsenter",
            f"--mount=/proc/{processes.pid_of('containerd')}/ns/mnt",
            paths["kubelet"],
            f"--config={config}",
            f"--kubeconfig={node_config}",
            f"--root-dir={home}/kubelet",
            f"--hostname-override={NAME}",
            f"--node-ip={control_plane.NODE}",
            "--node-labels="
            + ",".join(f"{key}={value}" for key, value in capacity.labels("cikarang", "rack-1").items()),
        ],
        group=GROUP,
        netns=control_plane.NETNS,
    )


def _kube_proxy(paths: dict[str, Path], home: Path, authority: pki.Authority) -> None:
    proxy_config = pki.kubeconfig(
        state.PKI / "kube-proxy.kubeconfig", control_plane.SERVER, authority, "system:kube-proxy"
    )
    config = home / "kube-proxy.yaml"
    state.write(
        config,
        yaml.safe_dump(
            {
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                "mode": "nftables",
                "clientConnection": {"kubeconfig": str(proxy_config)},
                "hostnameOverride": NAME,
                "clusterCIDR": str(addressing.PODS),
                "bindAddress": control_plane.NODE,
                "healthzBindAddress": "127.0.0.1:10256",
                "metricsBindAddress": "127.0.0.1:10249",
                # Connection tracking limits are the machine's; a namespace cannot set them.
                "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            }
        ),
    )
    processes.ensure("kube-proxy", [paths["kube-proxy"], f"--config={config}"], group=GROUP, netns=control_plane.NETNS)
