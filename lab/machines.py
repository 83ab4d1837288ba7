"""
The mall in the lab: real systemd hosts of mpp-banyuwangi, in a network of their own.

Each host is a Debian root tree (overlay over one shared base) that boots with its own PID 1, sshd
and network namespace. They stand for the mall's PCs: what a container cannot have (its own kernel,
clock and audit subsystem) is said in the audit, not pretended.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from balai import sites
from balai.addressing import Zone
from balai.errors import EnvironmentFault
from balai.mall import links_of
from balai.models.site import Office
from lab import network, processes, state
from lab.trees import tree_of

SITE = os.environ.get("BALAI_LAB_SITE", "mpp-banyuwangi")  # another mall of the inventories can be brought up instead
LIVE = ("router-1", "server-1", "kiosk-1", "display-1")  # what the lab boots; the rest stays dark and is reported so
TREE_OF: dict[str, Literal["router", "server", "screen"]] = {
    "router": "router", "server": "server", "kiosk": "screen", "display": "screen"
}  # fmt: skip
NETNS = "balai-mall"
CABLE = "balai-mall0"
USER = "balai"
CALENDAR_STAMP = "/var/lib/balai/calendar/stamp"
HOSTS = state.ROOT / "machines"
ENROLMENT = state.ROOT / "enrolment"
CARD = "02:ba:1a:00:00:{:02x}"  # of visitors: machines of offices, and a guest's
PROBE_MAC = "02:ba:1a:00:00:0f"  # of a second machine of the first office, which tests play
DYNAMIC = "[Match]\nName={card}\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n[DHCPv4]\nClientIdentifier=mac\n"
FIXED = "[Match]\nName={card}\n[Network]\nAddress={address}\n"


@dataclass(frozen=True, kw_only=True)
class Host:
    """
    One host of the lab.

    Attributes:
        name: In the inventory, or the visitor's.
        kind: The tree that it boots from.
        cards: Its cards, by name: each is on the wire of that name.
        address: Where it is reached from the management network; "" for a visitor.
        seed: The card that an installer has set up, and how.
        mac: Address of a visitor's only card; "" for what the kernel gives.
    """

    name: str
    kind: Literal["router", "server", "screen", "visitor"]
    cards: tuple[str, ...]
    seed: tuple[str, str]
    address: str = ""
    mac: str = ""

    @property
    def short(self) -> str:
        """Name without the mall's."""
        return self.name.removeprefix(f"{SITE}-")

    @property
    def netns(self) -> str:
        """Its network namespace."""
        return f"balai-{self.short}"

    @property
    def folder(self) -> Path:
        """Where its overlay and console lie."""
        return HOSTS / self.name


def hosts() -> list[Host]:
    """Return the mall's own machines that the lab boots, as the plan has them."""
    view = site()
    prefix = view.plan.zones[Zone.MANAGEMENT].prefixlen
    return [
        Host(
            name=machine.name,
            kind=TREE_OF[machine.kind],
            cards=tuple(link.name for link in links_of(machine, view)),
            seed=("mgmt", FIXED.format(card="mgmt", address=f"{machine.address}/{prefix}")),
            address=machine.address,
        )
        for machine in view.machines
        if machine.name.removeprefix(f"{SITE}-") in LIVE
    ]


def visitors() -> list[Host]:
    """Return the machines of two offices and a guest's: nobody configures them; they ask the router for all."""
    wires = {f"office-{n}": f"off{office.slot}" for n, office in enumerate(_offices(), start=1)} | {"guest-1": "gst"}
    return [
        Host(name=name, kind="visitor", cards=(wire,), seed=(wire, DYNAMIC.format(card=wire)), mac=CARD.format(n))
        for n, (name, wire) in enumerate(wires.items(), start=1)
    ]


def _offices() -> list[Office]:
    return sorted(site().site.offices, key=lambda office: office.slot)[:2]


def _enrolled() -> str:
    """Return the enrolment of the offices' machines."""
    machines = [
        {"name": f"office-{n}", "office": office.agency, "number": 2, "mac": CARD.format(n), "managed": "network-only"}
        for n, office in enumerate(_offices(), start=1)
    ]
    if machines:
        own = {"office": machines[0]["office"], "number": 15, "mac": PROBE_MAC, "managed": "observed"}
        machines.append({"name": "probe-1", **own})
    return yaml.safe_dump({"site": SITE, "machines": machines}, explicit_start=True)


def site() -> sites.SiteView:
    """Return the mall as it is declared."""
    return sites.load_site(sites.INVENTORIES / "sites" / f"{SITE}.yml")


def start() -> list[Host]:
    """Boot the hosts that are not running, and wait until each is there; return the mall's own."""
    management = site().plan.zones[Zone.MANAGEMENT]
    network.refuse_overlap([str(management)], CABLE)
    network.make(NETNS)
    state.write(ENROLMENT / f"{SITE}.yml", _enrolled())
    (ENROLMENT / "keys").mkdir(exist_ok=True)
    wires = {link.name for link in links_of(site().machines[0], site())} | {"wan1", "wan2"}
    for bridge in map("br-{}".format, sorted(wires)):
        if bridge not in network.ip("-br", "link", netns=NETNS):
            network.ip("link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0", netns=NETNS)
        network.ip("link", "set", bridge, "up", netns=NETNS)
    network.cable(CABLE, NETNS, "technician", f"{management[254]}/{management.prefixlen}")
    network.ip("link", "set", "technician", "master", "br-mgmt", "up", netns=NETNS)
    found = hosts()
    cards = network.ip("-br", "link", netns=NETNS)
    for host in (*found, *visitors()):
        plugged = all(card_of(host, card) in cards for card in host.cards)
        tree, mark = tree_of(host.kind), host.folder / "tree"
        same = mark.exists() and mark.read_text() == str(tree)  # what an installer would put on it has not changed
        if processes.pid_of(f"host-{host.name}") is None or not (plugged and same):
            _boot(host, tree)
            state.write(mark, str(tree))
    for host in (*found, *visitors()):
        processes.wait_for(
            f"Host {host.name}",
            lambda host=host: _serves(host) if host.address else _is_up(host),
            seconds=180,  # type: ignore[misc]
            alive=[f"host-{host.name}"],
        )
    _write_ssh_config(found)
    return found


def power_cut(*names: str) -> None:
    """End every process of hosts at once, and start them again from their disks."""
    struck = [host for host in (*hosts(), *visitors()) if host.name in names or host.short in names]
    for host in struck:
        for tracked in processes.below(processes.TRACKED / host.netns):
            for pid in (tracked / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
    for host in struck:
        processes.end(host.netns)
    start()


def set_clock(when: str | None) -> None:
    """
    Give the router's calendar another time (UTC), which goes on from there; None gives it the real one.

    A container shares its machine's clock: the library libfaketime stands for one that was set, or lost.
    """
    (router,) = [host for host in hosts() if host.kind == "router"]
    place = "/etc/systemd/system/balai-offices.service.d/lab-clock.conf"
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    words = f'[Service]\nEnvironment=LD_PRELOAD={library} "FAKETIME=@{when}" TZ=UTC\n'
    change = f"mkdir -p $(dirname {place}); cat > {place}" if when else f"rm -f {place}"
    script = f"{change}; rm -f {CALENDAR_STAMP}"  # what it saw in another time is forgotten
    for argv in (["sh", "-c", script], ["systemctl", "daemon-reload"], ["systemctl", "restart", "balai-offices"]):
        done = inside(router, *argv, stdin=words)
        if done.returncode:
            raise EnvironmentFault(f"The router's calendar cannot be set: {done.stderr.strip()}")


def inside(host: Host, *argv: str, stdin: str = "", seconds: float = 30) -> subprocess.CompletedProcess[str]:
    """Run a command in a host, as from its console."""
    return subprocess.run(
        [*enter(host), *argv], input=stdin, capture_output=True, text=True, check=False, timeout=seconds
    )


def enter(host: Host) -> list[str]:
    """Return the words before a command that run it in a host."""
    return ["nsenter", "-t", str(_init(host)), "-m", "-u", "-i", "-n", "-p", "-C", "--"]


def _init(host: Host) -> int:
    """Return the id of a host's first process: a child of nspawn, which is a child of the shell that we started."""
    pid = processes.pid_of(f"host-{host.name}")
    for _ in range(2):
        children = Path(f"/proc/{pid}/task/{pid}/children")
        found = children.read_text().split() if pid and children.exists() else []
        if not found:
            raise EnvironmentFault(f"{host.name} is not running.")
        pid = int(found[0])
    return int(pid or 0)


def _is_up(host: Host) -> bool:
    try:
        return inside(host, "systemctl", "is-system-running").stdout.strip() in ("running", "degraded")
    except (EnvironmentFault, subprocess.TimeoutExpired):
        return False


def _boot(host: Host, tree: Path) -> None:
    # Whatever is left of an earlier life holds the overlay: its cgroup knows all of it.
    processes.end(host.netns)
    network.remove(host.netns)
    network.make(host.netns, forwards=False)
    for card in host.cards:
        outer = card_of(host, card)
        # The pair of an earlier life goes when the kernel has taken its namespace apart, which may be after this.
        network.unplug(outer, NETNS)
        mac = ["address", host.mac] if host.mac else []
        pair = ["link", "add", outer, "type", "veth", "peer", "name", card, *mac, "netns", host.netns]
        network.ip(*pair, netns=NETNS)
        network.ip("link", "set", outer, "master", f"br-{card}", "up", netns=NETNS)
    card, words = host.seed
    seed = host.folder / f"up/etc/systemd/network/10-{card}.network"
    if not seed.exists():  # what roles made of it stays
        state.write(seed, words)
    state.write(host.folder / "up/etc/hostname", f"{host.name}\n")
    state.write(host.folder / "up/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n")
    if host.address:
        _admit_technician(host)
    for part in ("work", "root"):
        (host.folder / part).mkdir(exist_ok=True)
    processes.make_cgroup(host.netns)
    # nspawn must stand in a cgroup of its own in the hierarchies that systemd uses.
    joins = " ".join(
        f'echo $$ > "{root}/{processes.TREE}/{host.netns}/cgroup.procs";'
        for root in processes.hierarchies()
        if root.name in ("systemd", "unified", "memory")
    )
    script = (
        f"{joins} mount -t overlay overlay -o lowerdir={tree},upperdir={host.folder}/up,workdir={host.folder}/work "
        f"{host.folder}/root || exit 9; while :; do systemd-nspawn -q --register=no --keep-unit --boot "
        f"--machine={host.name} --hostname={host.name} -D {host.folder}/root "
        f"--network-namespace-path=/run/netns/{host.netns} --capability=CAP_NET_ADMIN --bind=/dev/net/tun "
        "--resolv-conf=off --timezone=off --link-journal=no --console=pipe; [ $? = 133 ] || break; done"
    )
    processes.start(
        f"host-{host.name}",
        ["unshare", "-m", "--propagation", "private", "bash", "-c", script],
        group=host.netns,
        env={"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
    )


def card_of(host: Host, card: str) -> str:
    """Return the name of a card's other end, in the mall's network."""
    return f"{host.short.replace('-', '')}-{card}"


def _admit_technician(host: Host) -> None:
    key = state.ROOT / "ssh" / "id_ed25519"
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        processes.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "technician@lab", "-f", key],
            sentence="No SSH key can be made",
        )
    home = host.folder / "up/home" / USER
    if not (home / ".ssh/authorized_keys").exists():
        state.write(home / ".ssh/authorized_keys", key.with_suffix(".pub").read_text())
        for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
            os.chown(path, 1000, 1000)
            path.chmod(0o700 if path.is_dir() else 0o600)


def _serves(host: Host) -> bool:
    if not (host.folder / "up/etc/ssh/ssh_host_ed25519_key.pub").exists():
        return False
    # A SYN sent while the host's link comes up is repeated ever more seldom: dial anew instead.
    try:
        with socket.create_connection((host.address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _write_ssh_config(found: list[Host]) -> None:
    """Host keys are read from the hosts' own disks, as from a console: nothing is trusted on first use."""
    known = "".join(
        f"{h.address} {(h.folder / 'up/etc/ssh/ssh_host_ed25519_key.pub').read_text().strip()}\n" for h in found
    )
    folder = state.SSH_CONFIG.parent
    state.write(folder / "known_hosts", known)
    names = "".join(f"Host {h.name}\n  HostName {h.address}\n" for h in found)
    state.write(
        state.SSH_CONFIG,
        f"""{names}Host *
  User {USER}
  IdentityFile {folder}/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  HostKeyAlgorithms ssh-ed25519
  ConnectTimeout 5
  ControlMaster auto
  ControlPersist 60s
  ControlPath {state.RUN}/ssh-%C
""",
    )


def stop() -> None:
    """End the hosts and remove their network; their disks stay for the next start."""
    for host in (*hosts(), *visitors()):
        processes.end(host.netns)
        network.remove(host.netns)
        propagate = Path("/run/systemd/nspawn/propagate") / host.name
        if propagate.exists():
            shutil.rmtree(propagate, ignore_errors=True)
    network.remove(NETNS)
