"""
Root trees of the lab's hosts: Debian, built once by mmdebstrap and shared by all hosts of a kind.

They stand for machines on which an installer has put Debian and the packages of their kind: hosts of the
lab have no way to a mirror.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from balai.errors import EnvironmentFault
from lab import processes, state
from lab.toolchain import cache_root

BASE = (
    "systemd,systemd-sysv,dbus,openssh-server,python3,python3-apt,sudo,nftables,iproute2,iputils-ping,"
    "ca-certificates,procps,less,curl,netcat-openbsd,chrony,auditd,unattended-upgrades,apparmor,systemd-journal-remote"
)
ROUTER = "kea-dhcp4-server,unbound,dns-root-data,wireguard-tools,wireguard-go,conntrack,libfaketime"
SERVER = "age,caddy,nginx"
SCREEN = "chromium,sway,seatd,waybar,wvkbd,swayidle,grim,wtype,fonts-dejavu-core,usbguard"
# By kind of tree: its packages, and the shell lines that make it a lab's.
TREES = {
    "router": f"{BASE},{ROUTER}",
    "server": f"{BASE},{SERVER}",
    "screen": f"{BASE},{SCREEN}",
    "visitor": "systemd,systemd-sysv,systemd-resolved,libnss-resolve,dbus,iproute2,iputils-ping,ca-certificates,curl,"
    "python3",
}
COMMON = """set -e; root="$1"
rm -f "$root"/etc/hostname "$root"/etc/ssh/ssh_host_*
: > "$root"/etc/machine-id
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
"""
MANAGED = """rm -f "$root"/etc/resolv.conf
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
"""
# A container has no panel and no seat: the compositor draws into memory, as large as the panel would be. It has no USB.
PANEL = """mkdir -p "$root"/etc/systemd/system/kiosk.service.d
cat > "$root"/etc/systemd/system/kiosk.service.d/lab.conf <<U
[Unit]
Wants=
[Service]
Environment=WLR_BACKENDS=headless WLR_RENDERER=pixman WLR_LIBINPUT_NO_DEVICES=1
U
chroot "$root" systemctl mask -q seatd usbguard usbguard-dbus
"""
CUSTOMISE = {
    # Installed and asleep, as on a fresh machine: the roles wake them.
    "router": COMMON + MANAGED + 'chroot "$root" systemctl disable -q kea-dhcp4-server unbound\n',
    "server": COMMON + MANAGED + 'chroot "$root" systemctl disable -q caddy nginx\n',
    "screen": COMMON + MANAGED + PANEL,
    "visitor": COMMON
    + 'chroot "$root" systemctl enable -q systemd-networkd systemd-resolved\n'
    + 'ln -sf /run/systemd/resolve/stub-resolv.conf "$root"/etc/resolv.conf\n',
}


def tree_of(kind: str) -> Path:
    """Return the shared root tree of a kind, building it when its recipe has changed or it is not there."""
    packages, customise = TREES[kind], CUSTOMISE[kind]
    recipe = hashlib.sha256((packages + customise).encode()).hexdigest()[:12]
    tree = cache_root() / "trees" / f"bookworm-{kind}-{recipe}"
    if (tree / ".complete").exists():
        return tree
    for left in tree.parent.glob(f".{tree.name}.*"):
        shutil.rmtree(left)
    partial = tree.with_name(f".{tree.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    hook = state.write(state.ROOT / f"customise-{kind}.sh", customise)
    processes.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--mode=root",
            "--skip=check/empty",
            f"--include={packages}",
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
