"""
Runs on a machine of a mall, as root, and prints what can be seen there as one JSON object.

It is sent over one SSH session and leaves nothing behind. Only Python's standard library, only
reading. A fact that cannot be had is left out: absence is judged as no evidence, never as a pass.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys
import time
from typing import Any


def run(*argv: str) -> str | None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def pairs(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (text or "").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), value.strip())
    return found


def read(path: str | pathlib.Path) -> str | None:
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return None


def listeners() -> list[str] | None:
    text = run("ss", "-H", "-tuln")
    if text is None:
        return None
    return sorted(
        {
            f"{line.split()[0]}/{line.split()[4].rpartition(':')[2]}"
            for line in text.splitlines()
            if not line.split()[4].startswith(("127.", "[::1]"))
        }
    )


def accounts() -> dict[str, list[str]] | None:
    shadow = read("/etc/shadow")
    if shadow is None:
        return None
    rows = [line.split(":") for line in shadow.splitlines() if line]
    passwd = [line.split(":") for line in (read("/etc/passwd") or "").splitlines() if line]
    return {
        "empty_password": [r[0] for r in rows if r[1] == ""],
        "with_password": [r[0] for r in rows if r[1] not in ("", "*") and not r[1].startswith("!")],
        "uid_zero": [r[0] for r in passwd if r[2] == "0"],
    }


def keyed(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (text or "").splitlines():
        key, separator, value = line.partition("=")
        if separator:
            found[key] = value
    return found


def unit(name: str) -> dict[str, str]:
    text = run("systemctl", "show", name, "-p", "ActiveState,UnitFileState,LoadState")
    return keyed(text)


def sysctls() -> dict[str, dict[str, str]]:
    found = {}
    for path in pathlib.Path("/etc/sysctl.d").glob("6*-balai-*.conf"):
        for line in path.read_text().splitlines():
            key, _, value = line.partition("=")
            if value and not line.startswith("#"):
                live = read("/proc/sys/" + key.strip().replace(".", "/"))
                found[key.strip()] = {"wanted": value.strip(), "live": (live or "").strip()}
    return found


def modes() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in ("/etc/shadow", "/etc/sudoers", "/etc/ssh/sshd_config", "/etc/audit/rules.d", "/etc/balai/site"):
        try:
            status = pathlib.Path(path).stat()
        except OSError:
            continue
        found[path] = {"mode": oct(status.st_mode & 0o777)[2:], "uid": status.st_uid}
    return found


def clock() -> dict[str, int] | None:
    text = run("chronyc", "-c", "sources")
    if text is None:
        return None
    sources = [line.split(",") for line in text.splitlines()]
    tracking = (run("chronyc", "-c", "tracking") or "").split(",")
    return {
        "sources": len(sources),
        "selected": sum(s[1] in "*+" for s in sources if len(s) > 1),
        "stratum": int(tracking[2]) if len(tracking) > 2 and tracking[2].isdigit() else -1,
    }


def listed(command: list[str]) -> list[str] | None:
    text = run(*command)
    return None if text is None else text.split()


def facts() -> dict[str, Any]:
    container = (run("systemd-detect-virt", "--container") or "none").strip()
    updates = read("/etc/apt/apt.conf.d/52balai-updates") or ""
    return {
        "hostname": (read("/etc/hostname") or "").strip(),
        "site": (read("/etc/balai/site") or "").strip() or None,
        "time": time.time(),
        "boot_seconds": float((read("/proc/uptime") or "0").split()[0]),
        "container": container,
        "sshd": pairs(run("/usr/sbin/sshd", "-T")) or None,
        "listeners": listeners(),
        "accounts": accounts(),
        "sysctl": sysctls() or None,
        "modes": modes(),
        "clock": clock(),
        "journal": {
            "persistent": pathlib.Path("/var/log/journal").is_dir(),
            "days": int(
                (
                    re.findall(r"MaxRetentionSec=(\d+)day", read("/etc/systemd/journald.conf.d/60-balai.conf") or "")
                    or [0]
                )[0]
            ),
        },
        "audit": {"rules": (read("/etc/audit/rules.d/60-balai.rules") or "").count("\n-"), **unit("auditd")},
        "updates": {
            "unattended": 'Unattended-Upgrade "1"' in updates,
            "timer": unit("apt-daily-upgrade.timer").get("ActiveState"),
        },
        "unverified_repositories": [
            str(p) for p in pathlib.Path("/etc/apt").rglob("*.list") if "trusted=yes" in (read(p) or "")
        ],
        "timezone": (run("timedatectl", "show", "-p", "Timezone", "--value") or "").strip() or None,
        "failed_units": listed(["systemctl", "--failed", "--no-legend", "--plain"]),
        "release": keyed(read("/etc/os-release")).get("VERSION_CODENAME"),
    }


sys.stdout.write(json.dumps({key: value for key, value in facts().items() if value is not None}) + "\n")
