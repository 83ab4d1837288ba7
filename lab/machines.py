"""
The mall in the lab: real systemd hosts of mpp-banyuwangi, in a network of their own.

Each host is a Debian root tree (overlay over one shared base) that boots with its own PID 1, sshd
and network namespace. They stand for the mall's PCs: what a container cannot have (its own kernel,
clock and audit subsystem) is said in the audit, not pretended.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from balai import estate
from balai.addressing import GUESTS, Zone
from balai.errors import EnvironmentFault
from lab import network, processes, state
from lab.toolchain import cache_root

SITE = "mpp-banyuwangi"
KINDS = ("router", "server")  # what the lab boots; kiosks and displays stay dark and are reported so
NETNS = "balai-mall"
CABLE = "balai-mall0"
USER = "balai"
# The wires of the mall: a bridge each (br-<name>), a card of that name in every host that is on it.
WIRES = ("mgmt", "srv", "kio", "dsp", "cam", "off0", "off1", "gst", "wan")
OF_ZONE = dict(zip(Zone, WIRES, strict=False))
UPLINK = ("203.0.113.2/24", "203.0.113.1")  # addresses for documentation stand for the provider's (RFC 5737)
GUEST_NETWORK = next(GUESTS.subnets(new_prefix=24))
HOSTS = state.ROOT / "machines"
PACKAGES = (
    "systemd,systemd-sysv,dbus,openssh-server,python3,python3-apt,sudo,nftables,iproute2,iputils-ping,"
    "ca-certificates,procps,less,curl,netcat-openbsd,chrony,auditd,unattended-upgrades,apparmor"
)
CUSTOMISE = """set -e; root="$1"
rm -f "$root"/etc/hostname "$root"/etc/resolv.conf "$root"/etc/ssh/ssh_host_*
: > "$root"/etc/machine-id
chroot "$root" useradd --create-home --shell /bin/bash --groups sudo balai
echo 'balai ALL=(ALL) NOPASSWD: ALL' > "$root"/etc/sudoers.d/10-balai
chmod 0440 "$root"/etc/sudoers.d/10-balai
cat > "$root"/etc/systemd/system/ssh-hostkeys.service <<U
[Unit]
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target
U
chroot "$root" systemctl enable -q ssh-hostkeys systemd-networkd
# A container has no clock and no audit subsystem of its own.
mkdir -p "$root"/etc/systemd/system/chrony.service.d
printf '[Unit]\\nConditionCapability=\\n' > "$root"/etc/systemd/system/chrony.service.d/lab.conf
echo 'DAEMON_OPTS="-F 1 -x"' > "$root"/etc/default/chrony
chroot "$root" systemctl mask -q auditd
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
"""


@dataclass(frozen=True)
class Host:
    """One host of the lab, with where its parts lie."""

    machine: estate.Machine
    addresses: dict[str, str]  # by wire, with prefix length
    gateway: tuple[str, str]  # wire and address of its way out

    @property
    def name(self) -> str:
        """Name in the inventory."""
        return self.machine.name

    @property
    def netns(self) -> str:
        """Its network namespace."""
        return f"balai-{self.machine.kind}-{self.machine.number}"

    @property
    def folder(self) -> Path:
        """Where its overlay and console lie."""
        return HOSTS / self.name


def hosts() -> list[Host]:
    """Return the hosts that the lab boots, with the addresses that the plan gives them."""
    view = estate.load_site(estate.INVENTORIES / "sites" / f"{SITE}.yml")
    zones = {OF_ZONE[zone]: network for zone, network in view.plan.zones.items()}
    every = {**zones, "off0": view.plan.slots[0], "off1": view.plan.slots[1], "gst": GUEST_NETWORK}
    result = []
    for machine in view.machines:
        if machine.kind == "router":
            addresses = {wire: f"{network[1]}/{network.prefixlen}" for wire, network in every.items()}
            result.append(Host(machine, {**addresses, "wan": UPLINK[0]}, ("wan", UPLINK[1])))
        elif machine.kind in KINDS:
            last = int(machine.address.rsplit(".", 1)[1])
            addresses = {wire: f"{zones[wire][last]}/{zones[wire].prefixlen}" for wire in ("mgmt", "srv")}
            result.append(Host(machine, addresses, ("srv", str(zones["srv"][1]))))
    return result


def base_tree() -> Path:
    """Return the shared root tree, building it when its recipe has changed or is not there."""
    recipe = hashlib.sha256((PACKAGES + CUSTOMISE).encode()).hexdigest()[:12]
    tree = cache_root() / "trees" / f"bookworm-{recipe}"
    if (tree / ".complete").exists():
        return tree
    for left in tree.parent.glob(f".{tree.name}.*"):
        shutil.rmtree(left)
    partial = tree.with_name(f".{tree.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    hook = state.write(state.ROOT / "customise.sh", CUSTOMISE)
    processes.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--mode=root",
            "--skip=check/empty",
            f"--include={PACKAGES}",
            '--aptopt=APT::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "locale")),
            f'--customize-hook=sh {hook} "$1"',
            "bookworm",
            partial,
            *_sources(),
        ],
        sentence="The root tree of the mall's hosts cannot be built",
    )
    (partial / ".complete").touch()
    if tree.exists():
        shutil.rmtree(tree)
    partial.rename(tree)
    return tree


def _sources() -> list[str]:
    """Return the machine's own package sources: its mirror is the one that can be reached."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    found = [str(path) for path in files if path.exists() and path.read_text().strip()]
    if not found:
        raise EnvironmentFault("No package source is set up in /etc/apt: add Debian's before `make up`.")
    return found


def start() -> list[Host]:
    """Boot the hosts that are not running, and wait until each answers over SSH; return all."""
    tree = base_tree()
    view = estate.load_site(estate.INVENTORIES / "sites" / f"{SITE}.yml")
    management = view.plan.zones[Zone.MANAGEMENT]
    network.refuse_overlap([str(management)], CABLE)
    network.make(NETNS)
    for bridge in map("br-{}".format, WIRES):
        if bridge not in network.ip("-br", "link", netns=NETNS):
            network.ip("link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0", netns=NETNS)
        network.ip("link", "set", bridge, "up", netns=NETNS)
    network.cable(CABLE, NETNS, "technician", f"{management[254]}/{management.prefixlen}")
    network.ip("link", "set", "technician", "master", "br-mgmt", "up", netns=NETNS)
    found = hosts()
    cards = network.ip("-br", "link", netns=NETNS)
    for host in found:
        plugged = all(_card(host, wire) in cards for wire in host.addresses)
        if processes.pid_of(f"host-{host.name}") is None or not plugged:
            _boot(host, tree)
    for host in found:
        processes.wait_for(
            f"Host {host.name}",
            lambda host=host: _serves(host),
            seconds=180,  # type: ignore[misc]
            alive=[f"host-{host.name}"],
        )
    _write_ssh_config(found)
    return found


def _boot(host: Host, tree: Path) -> None:
    # Whatever is left of an earlier life holds the overlay: its cgroup knows all of it.
    processes.end(host.netns)
    network.remove(host.netns)
    network.make(host.netns)
    for wire, address in host.addresses.items():
        outer = _card(host, wire)
        # The pair of an earlier life goes when the kernel has taken its namespace apart, which may be after this.
        network.unplug(outer, NETNS)
        network.ip("link", "add", outer, "type", "veth", "peer", "name", wire, "netns", host.netns, netns=NETNS)
        network.ip("link", "set", outer, "master", f"br-{wire}", "up", netns=NETNS)
        way_out = f"Gateway={host.gateway[1]}\n" if wire == host.gateway[0] else ""
        state.write(
            host.folder / f"up/etc/systemd/network/10-{wire}.network",
            f"[Match]\nName={wire}\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nAddress={address}\n{way_out}",
        )
    state.write(host.folder / "up/etc/hostname", f"{host.name}\n")
    state.write(host.folder / "up/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n")
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


def _card(host: Host, wire: str) -> str:
    """Return the name of a host's end in the mall's network."""
    return f"{host.machine.kind[:6]}{host.machine.number}-{wire}"


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
    address = host.machine.address
    if not (host.folder / "up/etc/ssh/ssh_host_ed25519_key.pub").exists():
        return False
    # A SYN sent while the host's link comes up is repeated ever more seldom: dial anew instead.
    try:
        with socket.create_connection((str(address), 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _write_ssh_config(found: list[Host]) -> None:
    """Host keys are read from the hosts' own disks, as from a console: nothing is trusted on first use."""
    known = "".join(
        f"{h.machine.address} {(h.folder / 'up/etc/ssh/ssh_host_ed25519_key.pub').read_text().strip()}\n" for h in found
    )
    folder = state.SSH_CONFIG.parent
    state.write(folder / "known_hosts", known)
    names = "".join(f"Host {h.name}\n  HostName {h.machine.address}\n" for h in found)
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
    for folder in HOSTS.glob("*") if HOSTS.exists() else []:
        kind, number = folder.name.rsplit("-", 2)[1:]
        processes.end(f"balai-{kind}-{number}")
        network.remove(f"balai-{kind}-{number}")
        propagate = Path("/run/systemd/nspawn/propagate") / folder.name
        if propagate.exists():
            shutil.rmtree(propagate, ignore_errors=True)
    network.remove(NETNS)
