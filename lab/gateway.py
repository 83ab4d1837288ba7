"""
The data centre's front: its end of the overlay, its gateway for HTTPS, its resolver and its clock.

They stand for what a production data centre has in front of its clusters (a WireGuard end, Envoy Gateway, a
resolver for balai.internal, time servers): kept software with the few lines that this lab needs. HAProxy serves the
routes and keeps to the policies that stand on the cluster, and to nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from balai import addressing
from balai.addressing import PORTAL
from balai.components.foundation import GATEWAY, MALLS
from balai.errors import EnvironmentFault
from balai.flows import DOMAIN, host_of
from balai.kube import Cluster
from balai.mall import RESOLVER, TIME, hub_peer
from lab import control_plane, internet, machines, network, pki, processes, state, trees

GROUP = "gateway"
CARD, PORT = "overlay", 51820
PLAN = control_plane.PLAN
CLUSTER = "cikarang"
KEY = state.PKI / "overlay.key"
CERTIFICATE = state.PKI / "gateway.crt"
INTAKE, INTAKE_PORT = "portal-layanan/aduan", 8090
RECEIVED = state.ROOT / "received.sqlite"
IDENTITY = state.PKI / "portal-layanan.age"
GATEWAY_API = "gateway.networking.k8s.io/v1"
ROUTES = f"/apis/{GATEWAY_API}/namespaces/{GATEWAY}/httproutes"
POLICIES = f"/apis/gateway.envoyproxy.io/v1alpha1/namespaces/{GATEWAY}/securitypolicies"
HAPROXY = """defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
global
    ssl-default-bind-options ssl-min-ver TLSv1.2"""
OWN_NETWORKS = (addressing.MALLS, addressing.OVERLAY, addressing.MALLS_V6, addressing.OVERLAY_V6)

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One name that is served: by which address and port, and to which networks (None: to all)."""

    name: str
    host: str
    callers: list[str] | None
    server: str


def up() -> None:
    """Bring up the addresses and the overlay's end, and write down how malls reach it."""
    for number in (PORTAL, RESOLVER, TIME):
        network.ip("addr", "replace", f"{PLAN.gateways[number]}/32", "dev", "lo", netns=control_plane.NETNS)
        network.ip("addr", "replace", f"{PLAN.gateways_v6[number]}/128", "dev", "lo", netns=control_plane.NETNS)
    if not KEY.exists():
        pki.write_secret(KEY, _wg("genkey").encode())
    if not IDENTITY.exists():
        pki.write_secret(IDENTITY, _age("age-keygen").encode())
    recipient = _age("age-keygen", "-y", stdin=IDENTITY.read_text())
    state.write(machines.ENROLMENT / "recipients" / f"{INTAKE.partition('/')[0]}.txt", recipient)
    argv: list[str | Path] = [sys.executable, "-m", "lab.receiver", str(INTAKE_PORT), RECEIVED]
    processes.ensure("receiver", argv, group=GROUP, netns=control_plane.NETNS)
    hub = {
        "data_centre": CLUSTER,
        "endpoint": internet.DATA_CENTRE,
        "port": PORT,
        "public_key": _wg("pubkey", stdin=KEY.read_text()).strip(),
    }
    state.write(machines.ENROLMENT / "hubs.yml", f"---\n{yaml.safe_dump({'hubs': [hub]})}")
    processes.ensure("overlay", ["wireguard-go", "--foreground", CARD], group=GROUP, netns=control_plane.NETNS)
    processes.wait_for(
        "The overlay's card",
        lambda: CARD in network.ip("-br", "link", netns=control_plane.NETNS),
        seconds=10,
        alive=["overlay"],
    )
    _enter("wg", "set", CARD, "listen-port", str(PORT), "private-key", str(KEY))
    for address in (f"{PLAN.overlay}/32", f"{PLAN.overlay_v6}/128"):
        network.ip("addr", "replace", address, "dev", CARD, netns=control_plane.NETNS)
    network.ip("link", "set", CARD, "mtu", "1420", "up", netns=control_plane.NETNS)
    for own in OWN_NETWORKS:
        network.ip(f"-{own.version}", "route", "replace", str(own), "dev", CARD, netns=control_plane.NETNS)
    _time()


def admit() -> str:
    """Let in the malls whose routers have told their public keys."""
    view, admitted = machines.site(), 0
    for machine in view.machines:
        told = machines.ENROLMENT / "keys" / f"{machine.name}.pub"
        if told.exists():
            peer = hub_peer(view, told.read_text().strip())
            _enter("wg", "set", CARD, "peer", peer["public_key"], "allowed-ips", ",".join(peer["networks"]))
            admitted += 1
    for host in (host for host in machines.hosts() if host.kind == "router"):
        # It asked for the time before anybody would answer: in a mall it asks again within a minute or so.
        machines.inside(host, "chronyc", "burst", "4/4")
    return f"{admitted} mall(s) joined"


def publish(cluster: Cluster) -> str:
    """Serve what stands at the gateway of malls, as its routes and their policies say; return what is served."""
    served = [_served(cluster, item) for item in cluster.request("GET", ROUTES)["items"] if _of_malls(item)]
    authority = pki.Authority(state.PKI, "gateway")
    certificate, key = authority.leaf("services", hosts=[route.host for route in served])
    folder = state.ROOT / "gateway"
    folder.mkdir(exist_ok=True)
    pki.write_secret(folder / "services.pem", certificate.read_bytes() + key.read_bytes())
    reads = [folder / "services.pem"]
    binds = [
        f"bind {place}:443 ssl crt {reads[0]}" for place in (PLAN.gateways[PORTAL], f"[{PLAN.gateways_v6[PORTAL]}]")
    ]
    chosen, behind = [], []
    for route in served:
        asked = f"{{ hdr(host),field(1,:),lower -m str {route.host} }}"
        if route.callers is not None:
            reads.append(state.write(folder / f"{route.name}.networks", "".join(f"{n}\n" for n in route.callers)))
            chosen.append(f"http-request deny deny_status 403 if {asked} !{{ src -f {reads[-1]} }}")
        chosen.append(f"use_backend {route.name} if {asked}")
        behind += [f"backend {route.name}", f"    server pods {route.server}"]
    lines = [HAPROXY, "frontend malls", *(f"    {line}" for line in (*binds, *sorted(chosen))), *behind]
    config = state.write(folder / "haproxy.cfg", "\n".join([*lines, ""]))
    # What an authority's certificate is trusted for stands in its file's name.
    told = machines.ENROLMENT / "authorities" / f"{DOMAIN}.crt"
    told.parent.mkdir(exist_ok=True)
    state.write(told, CERTIFICATE.read_text())
    argv: list[str | Path] = ["haproxy", "-db", "-f", config]
    processes.ensure("haproxy", argv, group=GROUP, netns=control_plane.NETNS, reads=(config, *reads))
    _names([route.host for route in served])
    return f"{len(served)} services"


def _of_malls(route: Json) -> bool:
    return any(parent["name"] == MALLS for parent in route["spec"]["parentRefs"])


def _served(cluster: Cluster, item: Json) -> Route:
    """Return what a route of the gateway says; as everywhere, one without a policy is open to everybody."""
    name, spec = item["metadata"]["name"], item["spec"]
    (host,), (rule,) = spec["hostnames"], spec["rules"]
    (to,) = rule["backendRefs"]
    policies = [
        policy["spec"]["authorization"]
        for policy in cluster.request("GET", POLICIES)["items"]
        if name in [target["name"] for target in policy["spec"]["targetRefs"]]
    ]
    callers = None
    if policies:
        (said,) = policies
        if said["defaultAction"] != "Deny":
            raise EnvironmentFault(f"The gateway of the lab does not know what {name} says of its callers.")
        callers = [cidr for allowed in said.get("rules", []) for cidr in allowed["principal"]["clientCIDRs"]]
    grants = cluster.request("GET", f"/apis/{GATEWAY_API}/namespaces/{to['namespace']}/referencegrants")["items"]
    if to["name"] not in [may["name"] for grant in grants for may in grant["spec"]["to"]]:
        raise EnvironmentFault(f"No ReferenceGrant of {to['namespace']} lets {name} lead to {to['name']}.")
    front = cluster.request("GET", f"/api/v1/namespaces/{to['namespace']}/services/{to['name']}")["spec"]
    server = f"{front['clusterIP']}:{to['port']}"
    if host == host_of(INTAKE):
        server = f"127.0.0.1:{INTAKE_PORT}"  # see lab/receiver.py
    return Route(name=name, host=host, callers=callers, server=server)


def _names(names: list[str]) -> None:
    answers = [
        f"--address=/{name}/{address}"
        for name in names
        for address in (PLAN.gateways[PORTAL], PLAN.gateways_v6[PORTAL])
    ]
    answers.append(f"--address=/{machines.SITE}.{DOMAIN}/203.0.113.66")  # a lie about a mall's own names
    listens = [f"--listen-address={PLAN.gateways[RESOLVER]}"]
    fixed = ["--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv", "--no-hosts"]
    argv: list[str | Path] = ["dnsmasq", *fixed, "--bind-interfaces", "--local-ttl=5", *listens, *answers]
    processes.ensure("resolver", argv, group=GROUP, netns=control_plane.NETNS)


def _time() -> None:
    # chronyd of the hosts' tree: installing one on this machine would take its own clock's service away.
    tree, record = trees.tree_of("server"), "run/balai-lab-time.pid"
    if processes.pid_of("time") is None:
        (tree / record).unlink(missing_ok=True)
    argv: list[str | Path] = ["chroot", tree, "/usr/sbin/chronyd", "-x", "-d", "-u", "root"]
    settings = [
        "local stratum 3",
        f"bindaddress {PLAN.gateways[TIME]}",
        "allow 10.0.0.0/8",
        "cmdport 0",
        f"pidfile /{record}",
    ]
    processes.ensure("time", [*argv, *settings, "bindcmdaddress /"], group=GROUP, netns=control_plane.NETNS)


def _wg(verb: str, stdin: str = "") -> str:
    return subprocess.run(["wg", verb], input=stdin, capture_output=True, text=True, check=True).stdout


def _age(*argv: str, stdin: str = "") -> str:
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout


def _enter(*argv: str) -> None:
    processes.run(["nsenter", f"--net=/run/netns/{control_plane.NETNS}", *argv], sentence="The overlay cannot be made")
