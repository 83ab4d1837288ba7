"""
The data centre's front: its end of the overlay, its gateway for HTTPS, its resolver and its clock.

They stand for what a production data centre has in front of its clusters (a WireGuard end, a Gateway, a
resolver for balai.internal, time servers): kept software with the few lines that this lab needs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from balai import addressing
from balai.flows import DOMAIN, host_of, named
from balai.kube import Cluster
from balai.mall import PORTAL, RESOLVER, TIME, hub_peer
from balai.models import Flow, Tenant
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
OWN_NETWORKS = (addressing.MALLS, addressing.OVERLAY, addressing.MALLS_V6, addressing.OVERLAY_V6)


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


def publish(cluster: Cluster, tenants: list[Tenant], flows: Iterable[Flow]) -> str:
    """Serve what malls may begin with over TLS, each service under its name, from its pods."""
    open_to_malls = named(flows)
    public = [(t, s, host_of(f"{t.name}/{s.name}")) for t in tenants for s in t.services]
    public = [(t, s, host) for t, s, host in public if f"{t.name}/{s.name}" in open_to_malls]
    authority = pki.Authority(state.PKI, "gateway")
    certificate, key = authority.leaf("services", hosts=[host for *_, host in public])
    sections = [f"foreground = yes\npid =\nsyslog = no\ncert = {certificate}\nkey = {key}\nsslVersionMin = TLSv1.2\n"]
    for family, address in (("4", PLAN.gateways[PORTAL]), ("6", PLAN.gateways_v6[PORTAL])):
        for n, (tenant, service, host) in enumerate(public):
            path = f"/api/v1/namespaces/{tenant.namespace}/services/{service.name}"
            spec = cluster.request("GET", path)["spec"]
            place = f"accept = {address}:443" if n == 0 else f"sni = first-{family}:{host}"
            title = f"first-{family}" if n == 0 else f"{tenant.name}-{service.name}-{family}"
            behind = f"{spec['clusterIP']}:{spec['ports'][0]['port']}"
            if f"{tenant.name}/{service.name}" == INTAKE:
                behind = f"127.0.0.1:{INTAKE_PORT}"  # see lab/receiver.py
            sections.append(f"[{title}]\n{place}\nconnect = {behind}\n")
    config = state.write(state.ROOT / "stunnel.conf", "\n".join(sections))
    # What an authority's certificate is trusted for stands in its file's name.
    told = machines.ENROLMENT / "authorities" / f"{DOMAIN}.crt"
    told.parent.mkdir(exist_ok=True)
    state.write(told, CERTIFICATE.read_text())
    reads = (config, certificate, key)
    processes.ensure("stunnel", ["stunnel4", config], group=GROUP, netns=control_plane.NETNS, reads=reads)
    _names([host for *_, host in public])
    return f"{len(public)} services"


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
