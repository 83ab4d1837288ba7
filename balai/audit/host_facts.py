"""
Runs on a machine of a mall, as root, and prints what can be seen there as one JSON object.

It is sent over one SSH session and leaves nothing behind. Only Python's standard library, only
reading. A fact that cannot be had is left out: absence is judged as no evidence, never as a pass.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from balai.audit.host_parsing import (
    accounts,
    addresses,
    audit_rules,
    blocked,
    clock,
    key_kind,
    keyed,
    leases,
    left,
    lines,
    mounts,
    neighbours,
    number,
    pairs,
    passwords,
    people,
    recorded,
    screen,
    sudo_rules,
    usb_guard,
    verified,
    weak_suites,
)

Json = dict[str, Any]
# Where programs, settings and records lie. Data is left out: its size has no bound.
WALKED = ("/boot", "/etc", "/opt", "/root", "/usr", "/var/backups", "/var/log", "/var/spool")
WALK_SECONDS, VERIFY_SECONDS = 15, 25
PRIVATE_LOGS = ("/var/log/journal/", "/var/log/audit/", "/var/log/private/", "/var/log/btmp", "/var/log/auth.log")
SENT = pathlib.Path("/var/lib/balai-log-upload/state")  # written when the mall's server has taken what came
MANAGED_MARK = re.compile("ansible managed", re.IGNORECASE)
BROWSER, PROCESSES = "/etc/chromium/policies/managed", ("ps", "-ww", "-eo", "user:32=,args=")
CERTIFICATES = ("usr/local/share/balai/**/*.crt", "var/lib/caddy/.local/share/caddy/**/local/**/*.crt")
GUARD = ("/etc/usbguard/usbguard-daemon.conf", "/etc/usbguard/rules.conf")
LEGACY = {"ftp", "nis", "rsh-client", "rsh-redone-client", "talk", "telnet", "tftp", "tftp-hpa", "xinetd", "ypbind-mt"}
SETTINGS = ("/etc/shadow", "/etc/sudoers", "/etc/ssh/sshd_config", "/etc/audit/rules.d", "/etc/balai/site")


def run(*argv: str, seconds: float = 20, fine: tuple[int, ...] = (0,)) -> str | None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in fine else None


def read(path: str | pathlib.Path) -> str | None:
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return None


def rows(path: str) -> list[list[str]]:
    return [line.split(":") for line in lines(read(path))]


def listed(*command: str) -> list[str] | None:
    text = run(*command)
    return None if text is None else text.split()


def unit(name: str) -> dict[str, str]:
    return keyed(run("systemctl", "show", name, "-p", "ActiveState,UnitFileState,LoadState,Result"))


def listeners() -> list[str] | None:
    text = run("ss", "-H", "-tuln")
    if text is None:
        return None
    sockets = [line.split() for line in text.splitlines()]
    return sorted({f"{s[0]}/{s[4].rpartition(':')[2]}" for s in sockets if not s[4].startswith(("127.", "[::1]"))})


def homes(passwd: list[list[str]]) -> Json:
    found = {}
    for row in people(passwd):
        if (home := pathlib.Path(row[5])).is_dir():
            status = home.stat()
            found[row[5]] = {"mode": f"{stat.S_IMODE(status.st_mode):04o}", "owned": status.st_uid == int(row[2])}
    return found


def keys(passwd: list[list[str]]) -> Json:
    login = [
        kind
        for row in people(passwd)
        for line in lines(read(f"{row[5]}/.ssh/authorized_keys"))
        if (kind := key_kind(line))
    ]
    private = [*pathlib.Path("/etc/ssh").glob("ssh_host_*_key"), *pathlib.Path("/etc/ssl/private").rglob("*")]
    files = [(p, p.stat()) for p in private if p.is_file()]
    return {
        "login": sorted(login),
        "private": len(files),
        "open": sorted(str(p) for p, s in files if s.st_mode & 0o037 or s.st_uid != 0),
    }


def sudo_texts(path: str = "/etc/sudoers") -> Iterator[str]:
    text = read(path) or ""
    yield text
    for verb, where in re.findall(r"^[@#](include|includedir)\s+(\S+)", text, re.MULTILINE):
        if verb == "include":
            yield from sudo_texts(where)
        elif pathlib.Path(where).is_dir():
            # sudo passes over names with a dot or a tilde at the end
            names = sorted(p for p in pathlib.Path(where).iterdir() if "." not in p.name and not p.name.endswith("~"))
            for name in names:
                yield from sudo_texts(str(name))


def session() -> Json | None:
    """What a login shell gets, and this session got."""
    text = run("bash", "--noprofile", "--norc", "-c", '. /etc/profile >&2; echo "timeout=${TMOUT:-0}"; umask')
    if text is None:
        return None
    return {
        "timeout": number(keyed(text).get("timeout")),
        "umask": text.split()[-1],
        "core_limit": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "units_core_limit": number(
            keyed(run("systemctl", "show", "-p", "DefaultLimitCORE")).get("DefaultLimitCORE"), -1
        ),
    }


def root_path() -> Json:
    wrong = []
    for part in os.environ.get("PATH", "").split(":"):
        try:
            status = pathlib.Path(part).stat()
        except OSError:
            status = None  # a folder that is not there cannot be filled by anybody but root, if its parent is root's
        if not part.startswith("/") or (status and (status.st_uid != 0 or status.st_mode & 0o022)):
            wrong.append(part)
    return {"path": os.environ.get("PATH", ""), "wrong": wrong}


def modules() -> Json:
    folders = ("/usr/lib/modprobe.d", "/etc/modprobe.d", "/run/modprobe.d")
    texts = [read(p) or "" for folder in folders for p in sorted(pathlib.Path(folder).glob("*.conf"))]
    return {
        "blocked": blocked("\n".join(texts)),
        "loaded": sorted(line.split()[0] for line in (read("/proc/modules") or "").splitlines()),
    }


def walk(paths: Iterable[str], until: float) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [path for path in paths if pathlib.Path(path).is_dir()]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            status = entry.stat(follow_symlinks=False)
            yield entry.path, status
            if stat.S_ISDIR(status.st_mode) and not os.path.ismount(entry.path):
                waiting.append(entry.path)
        if time.monotonic() > until:
            raise TimeoutError


def files() -> Json:
    found: Json = {"looked_at": 0, "writable_by_all": [], "setuid": [], "open_logs": []}
    for path, status in walk(WALKED, time.monotonic() + WALK_SECONDS):
        found["looked_at"] += 1
        mode = status.st_mode
        if stat.S_ISLNK(mode) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            continue
        if mode & 0o002 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            found["writable_by_all"].append(path)
        if stat.S_ISREG(mode) and mode & stat.S_ISUID:
            found["setuid"].append(path)
        if stat.S_ISREG(mode) and mode & 0o007 and path.startswith(PRIVATE_LOGS):
            found["open_logs"].append(path)
    return {key: sorted(value) if isinstance(value, list) else value for key, value in found.items()}


def integrity() -> Json | None:
    text = run("dpkg", "--verify", seconds=VERIFY_SECONDS, fine=(0, 1))
    if text is None:
        return None
    programs, settings = verified(text)
    return {
        "altered": programs,
        "settings_changed": settings,
        "settings_unmanaged": [path for path in settings if not MANAGED_MARK.search(read(path) or "")],
        "timer": unit("balai-verify.timer").get("ActiveState", ""),
        "result": unit("balai-verify.service").get("Result", ""),
    }


def packages() -> Json | None:
    text = run("dpkg-query", "-W", "-f", "${db:Status-Want} ${db:Status-Status} ${Package}\n")
    if text is None:
        return None
    table = [line.split() for line in text.splitlines()]
    found: Json = {
        "installed": sum(r[1] == "installed" for r in table),
        "held": [r[2] for r in table if r[0] == "hold"],
        "legacy": sorted(LEGACY & {r[2] for r in table if r[1] == "installed"}),
    }
    releases = [p.stat().st_mtime for p in pathlib.Path("/var/lib/apt/lists").glob("*Release")]
    if releases and (plan := run("apt-get", "-s", "-o", "Debug::NoLocking=true", "dist-upgrade")) is not None:
        found["lists_age_days"] = int((time.time() - max(releases)) / 86400)
        found["pending_security"] = re.findall(r"^Inst (\S+) .*[Ss]ecurity", plan, re.MULTILINE)
    return found


def unverified_repositories() -> list[str]:
    folder = pathlib.Path("/etc/apt")
    one_line = [p for p in folder.rglob("*.list") if re.search(r"trusted=yes|allow-insecure=yes", read(p) or "")]
    stanza = re.compile(r"^(Trusted|Allow-Insecure):\s*yes", re.MULTILINE | re.IGNORECASE)
    settings = re.compile(r'(AllowUnauthenticated|AllowInsecureRepositories) "(true|1|yes)"', re.IGNORECASE)
    found = [str(p) for p in [*one_line, *(p for p in folder.rglob("*.sources") if stanza.search(read(p) or ""))]]
    return found + [f"apt.conf: {key}" for key, _ in settings.findall(run("apt-config", "dump") or "")]


def sysctls() -> dict[str, dict[str, str]]:
    found = {}
    for path in pathlib.Path("/etc/sysctl.d").glob("6*-balai-*.conf"):
        for key, value in keyed("\n".join(lines(read(path)))).items():
            live = read("/proc/sys/" + key.replace(".", "/"))
            found[key] = {"wanted": value, "live": (live or "").strip()}
    return found


def modes() -> Json:
    found: Json = {}
    for path in (p for p in SETTINGS if pathlib.Path(p).exists()):
        status = pathlib.Path(path).stat()
        found[path] = {"mode": oct(status.st_mode & 0o777)[2:], "uid": status.st_uid}
    return found


def audit() -> Json:
    rules = "\n".join(read(p) or "" for p in sorted(pathlib.Path("/etc/audit/rules.d").glob("*.rules")))
    found: Json = {**audit_rules(rules), **unit("auditd")}
    live = run("auditctl", "-l")
    return found if live is None else {**found, "loaded": sum(x.startswith("-") for x in live.splitlines())}


def room() -> dict[str, Json]:
    """How much of each disk that our files lie on is free, in hundredths."""
    found: dict[str, Json] = {}
    for place in ("/", "/var", "/var/log", "/home"):
        if place == "/" or os.path.ismount(place):
            free = os.statvfs(place)
            inodes = 100 * free.f_favail // free.f_files if free.f_files else 100  # some count none
            found[place] = {"free": 100 * free.f_bavail // free.f_blocks, "inodes": inodes}
    return found


def certificates() -> dict[str, int]:
    paths = sorted(str(p) for pattern in CERTIFICATES for p in pathlib.Path("/").glob(pattern))
    return left({p: run("openssl", "x509", "-noout", "-enddate", "-in", p) for p in paths}, time.time())


def lent() -> list[Json] | None:
    kept = pathlib.Path("/var/lib/kea")
    names = [f"kea-leases4.csv{part}" for part in (".2", ".1", "")]
    texts = [text for name in names if (text := read(kept / name))]
    return leases(texts, time.time())


def random_ready() -> bool:
    try:
        return len(os.getrandom(16, os.GRND_NONBLOCK)) == 16
    except BlockingIOError:
        return False


def tls() -> Json | None:
    text = run("openssl", "ciphers", "-s", "-v")
    least = re.search(r"^MinProtocol\s*=\s*(\S+)", read("/etc/ssl/openssl.cnf") or "", re.MULTILINE)
    return None if text is None else {"least": least[1] if least else "", "weak": weak_suites(text)}


def trust() -> Json | None:
    bundle = read("/etc/ssl/certs/ca-certificates.crt")
    if bundle is None:
        return None
    chosen = [line for line in lines(read("/etc/ca-certificates.conf")) if not line.startswith("!")]
    local = sorted(p.name for p in pathlib.Path("/usr/local/share/ca-certificates").rglob("*.crt"))
    return {"chosen": len(chosen), "local": local, "trusted": bundle.count("-----BEGIN CERTIFICATE-----")}


def swap() -> list[Json]:
    found = []
    for line in (read("/proc/swaps") or "").splitlines()[1:]:
        device = pathlib.Path(os.path.realpath(line.split()[0])).name
        secret = (read(f"/sys/class/block/{device}/dm/uuid") or "").startswith("CRYPT-")
        found.append({"device": device, "in_memory": device.startswith("zram"), "encrypted": secret})
    return found


def apparmor() -> Json:
    profiles = (read("/sys/kernel/security/apparmor/profiles") or "").splitlines()
    enabled = (read("/sys/module/apparmor/parameters/enabled") or "").strip() == "Y"
    return {"enabled": enabled, "enforced": sum(line.endswith("(enforce)") for line in profiles)}


def journal() -> Json:
    days = re.search(r"MaxRetentionSec=(\d+)day", read("/etc/systemd/journald.conf.d/60-balai.conf") or "")
    sent = int(time.time() - SENT.stat().st_mtime) if SENT.exists() else -1
    return {"persistent": pathlib.Path("/var/log/journal").is_dir(), "days": int(days[1]) if days else 0, "sent": sent}


def gatherers() -> dict[str, Callable[[], Any]]:
    passwd, shadow, group = rows("/etc/passwd"), rows("/etc/shadow"), rows("/etc/group")
    updates = read("/etc/apt/apt.conf.d/52balai-updates") or ""
    allowed = {"cron": "/etc/cron.allow", "at": "/etc/at.allow"}
    words = run("journalctl", "-q", "-b", "-o", "cat", "-n", "5000", "-t", "sshd", "-t", "sudo")
    pam = [read(f"/etc/pam.d/common-{part}") or "" for part in ("auth", "password")]
    return {
        "hostname": lambda: (read("/etc/hostname") or "").strip(),
        "site": lambda: (read("/etc/balai/site") or "").strip() or None,
        "time": time.time,
        "boot_seconds": lambda: float((read("/proc/uptime") or "0").split()[0]),
        "container": lambda: (run("systemd-detect-virt", "--container") or "none").strip(),
        "sshd": lambda: pairs(run("/usr/sbin/sshd", "-T")) or None,
        "listeners": listeners,
        "accounts": lambda: accounts(passwd, shadow, group) if passwd and shadow else None,
        "homes": lambda: homes(passwd),
        "keys": lambda: keys(passwd),
        "sudo": lambda: sudo_rules("\n".join(sudo_texts())),
        "passwords": lambda: passwords(pairs(read("/etc/login.defs")), *pam),
        "session": session,
        "recorded": lambda: None if words is None else recorded(words),
        "root_path": root_path,
        "modules": modules,
        "mounts": lambda: mounts(read("/proc/self/mounts") or ""),
        "files": files,
        "integrity": integrity,
        "packages": packages,
        "schedulers": lambda: {name: lines(read(path)) for name, path in allowed.items()},
        "units": lambda: {name: unit(name) for name in ("ctrl-alt-del.target", "debug-shell.service")},
        "sysctl": lambda: sysctls() or None,
        "modes": modes,
        "clock": lambda: clock(run("chronyc", "-c", "sources"), run("chronyc", "-c", "tracking")),
        "certificates": certificates,
        "journal": journal,
        "audit": audit,
        "updates": lambda: {
            "unattended": 'Unattended-Upgrade "1"' in updates,
            "timer": unit("apt-daily-upgrade.timer").get("ActiveState"),
        },
        "unverified_repositories": unverified_repositories,
        "random_ready": random_ready,
        "tls": tls,
        "trust": trust,
        "swap": swap,
        "apparmor": apparmor,
        "addresses": lambda: addresses(run("ip", "-j", "addr")),
        "neighbours": lambda: neighbours(run("ip", "-j", "neigh")),
        "leases": lent,
        "room": room,
        "screen": lambda: screen(read(f"{BROWSER}/balai.json"), listed("ls", BROWSER) or [], run(*PROCESSES) or ""),
        "usb": lambda: usb_guard(read(GUARD[0]), read(GUARD[1]), unit("usbguard.service")),
        "timezone": lambda: (run("timedatectl", "show", "-p", "Timezone", "--value") or "").strip() or None,
        "failed_units": lambda: listed("systemctl", "--failed", "--no-legend", "--plain"),
        "release": lambda: keyed(read("/etc/os-release")).get("VERSION_CODENAME"),
    }


def facts() -> Json:
    found: Json = {}
    for name, gather in gatherers().items():
        try:
            value = gather()
        except (OSError, ValueError, LookupError) as error:
            sys.stderr.write(f"{name}: {error}\n")
            continue
        if value is not None:
            found[name] = value
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(facts()) + "\n")
