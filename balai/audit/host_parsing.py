"""
What the texts of a machine say: pure functions for `host_facts`, sent along with it.

Only Python's standard library, and nothing is opened or started here.
"""

from __future__ import annotations

import base64
import collections
import csv
import json
import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]


def lines(text: str | None) -> list[str]:
    """Return the lines that say something, in files whose comments begin with #."""
    return [line.strip() for line in (text or "").splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pairs(text: str | None) -> dict[str, str]:
    """Return `key value` lines by their key in small letters; the first of a key counts, as in sshd."""
    found: dict[str, str] = {}
    for line in lines(text):
        key, _, value = line.replace("\t", " ").partition(" ")
        found.setdefault(key.lower(), value.strip())
    return found


def keyed(text: str | None) -> dict[str, str]:
    """Return `KEY=value` lines."""
    found: dict[str, str] = {}
    for line in (text or "").splitlines():
        key, separator, value = line.partition("=")
        if separator:
            found[key.strip()] = value.strip()
    return found


def number(text: str | None, otherwise: int = 0) -> int:
    """Return a whole number, or something else where the text is none."""
    return int(text) if text and re.fullmatch(r"-?\d+", text) else otherwise


def twice(values: Iterable[str]) -> list[str]:
    """Return what is there more than once."""
    return sorted(value for value, count in collections.Counter(values).items() if count > 1)


def accounts(passwd: list[list[str]], shadow: list[list[str]], group: list[list[str]]) -> Json:
    """Return what is wrong, or may be, with the rows of passwd, shadow and group."""
    with_password = [r for r in shadow if r[1] not in ("", "*") and not r[1].startswith("!")]
    return {
        "empty_password": [r[0] for r in shadow if r[1] == ""],
        "with_password": [r[0] for r in with_password],
        # yescrypt, gost-yescrypt and SHA-512, by the prefix that crypt(5) gives them
        "weak_hash": [r[0] for r in with_password if not r[1].startswith(("$y$", "$gy$", "$6$"))],
        "never_expires": [r[0] for r in with_password if not 0 < number(r[4], 99999) <= 365],
        "uid_zero": [r[0] for r in passwd if r[2] == "0"],
        "twice": [
            *(f"user {v}" for v in twice(r[0] for r in passwd)),
            *(f"uid {v}" for v in twice(r[2] for r in passwd)),
            *(f"group {v}" for v in twice(r[0] for r in group)),
            *(f"gid {v}" for v in twice(r[2] for r in group)),
        ],
        "system_shells": [
            r[0] for r in passwd if 0 < int(r[2]) < 1000 and r[6].rpartition("/")[2] not in ("nologin", "false", "sync")
        ],
    }


def people(passwd: list[list[str]]) -> list[list[str]]:
    """Return the rows of passwd that a person or root logs in with."""
    return [r for r in passwd if r[2] == "0" or 1000 <= int(r[2]) < 60000]


def key_kind(line: str) -> str | None:
    """Return the kind of one line of authorized_keys, an RSA key with its bits."""
    found = re.search(r"(?:^|\s)((?:ssh|ecdsa|sk)-[\w.@-]+) (AAAA[\w+/=]+)", line)
    if not found:
        return None
    kind, blob = found[1], base64.b64decode(found[2] + "==")
    if kind != "ssh-rsa":
        return kind
    parts = []
    while len(blob) > 4:  # RFC 4253: each part after its length, the modulus is the last
        size = int.from_bytes(blob[:4], "big")
        parts.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return f"{kind}-{int.from_bytes(parts[-1], 'big').bit_length()}"


def sudo_rules(text: str) -> Json:
    """Return who has rules in sudoers, who is asked for no password, and the defaults."""
    found: Json = {"principals": [], "nopasswd": [], "defaults": []}
    for line in lines(text.replace("\\\n", " ")):
        if line.startswith("Defaults"):
            found["defaults"] += re.split(r",\s*(?=!?[a-z_]+)", line.split(None, 1)[1])
        elif not line.startswith("@") and not re.match(r"\w+_Alias\s", line):
            found["principals"].append(line.split()[0])
            if "NOPASSWD:" in line or "!authenticate" in line:
                found["nopasswd"].append(line.split()[0])
    return {key: sorted(set(value)) for key, value in found.items()}


def passwords(login: dict[str, str], auth: str, password: str) -> Json:
    """Return what login.defs and PAM's common-auth and common-password ask of a password."""

    def argument(text: str, module: str, name: str, otherwise: int) -> int:
        used = [line for line in lines(text) if module in line]
        given = re.search(rf"\b{name}=(\d+)", " ".join(used))
        return 0 if not used else int(given[1]) if given else otherwise

    locks = all(re.search(rf"pam_faillock\.so.*\b{word}\b", auth) for word in ("preauth", "authfail"))
    return {
        "method": login.get("encrypt_method", ""),
        "max_days": number(login.get("pass_max_days"), 99999),
        "min_days": number(login.get("pass_min_days")),
        "warn_days": number(login.get("pass_warn_age")),
        # defaults of pam_unix(8), pam_pwhistory(8) and pam_faillock(8)
        "length": argument(password, "pam_unix.so", "minlen", 6),
        "remembered": argument(password, "pam_pwhistory.so", "remember", 10),
        "attempts": argument(auth, "pam_faillock.so", "deny", 3) if locks else 0,
        "locked_seconds": argument(auth, "pam_faillock.so", "unlock_time", 600) if locks else 0,
    }


def recorded(journal: str) -> Json:
    """Count what the journal says of logins and of work as root; the audit itself has left one of each."""
    return {
        "logins": len(re.findall(r"^Accepted \S+ for \S+ from \S+ port \d+ ssh2: \S+ SHA256:\S+", journal, re.M)),
        "sudo": len(re.findall(r"^\s*\S+ : .*USER=\S+ ; COMMAND=", journal, re.M)),
    }


def blocked(text: str) -> list[str]:
    """Return the modules that modprobe's settings replace by a program that loads nothing."""
    found = re.findall(r"^\s*install\s+(\S+)\s+(?:/usr)?/bin/(?:false|true)\b", text, re.MULTILINE)
    return sorted({name.replace("-", "_") for name in found})


def mounts(text: str) -> dict[str, list[str]]:
    """Return the mount options of the places that everybody may write to."""
    found = {}
    for line in text.splitlines():
        _, where, _, options, *_ = line.split()
        if where in ("/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - looked at, not used
            found[where] = options.split(",")
    return found


def verified(text: str) -> tuple[list[str], list[str]]:
    """Return programs and settings whose content is no longer their package's, of what dpkg --verify says."""
    found = re.findall(r"^(..5......|missing  ) +(c )?(/.*?)(?: \(.*\))?$", text, re.MULTILINE)
    programs = [path for how, config, path in found if not config and how != "missing  "]
    return programs, [path for _, config, path in found if config]


def clock(sources: str | None, said: str | None) -> Json | None:
    """Return what chronyc's `sources` and `tracking` say, as comma-separated values; None when it does not answer."""
    if sources is None:
        return None
    tracking = (said or "").split(",")
    found: Json = {
        "sources": len(sources.splitlines()),
        "selected": sum(s[1:3] in (",*", ",+") for s in sources.splitlines()),
        "stratum": number(tracking[2] if len(tracking) > 2 else None, -1),
    }
    if len(tracking) > 4:
        found["offset"] = abs(float(tracking[4]))
    return found


def audit_rules(text: str) -> Json:
    """Return how many audit rules there are, their keys, and whether they are locked."""
    rules = [line for line in lines(text) if line.startswith(("-a", "-w"))]
    return {
        "rules": len(rules),
        "keys": sorted(set(re.findall(r"-k (\S+)", "\n".join(rules)))),
        "locked": "-e 2" in lines(text),  # augenrules puts it last, wherever it stands
    }


def weak_suites(text: str) -> list[str]:
    """Return the suites of `openssl ciphers -v` with a weak hash, cipher or key exchange."""
    weak = re.compile(r"Mac=(SHA1|MD5)|Enc=(3DES|DES|RC4|None)|Kx=RSA")
    return [line.split()[0] for line in text.splitlines() if weak.search(line)]


def addresses(text: str | None) -> list[Json] | None:
    """Return the interfaces of `ip -j addr` but the loopback."""
    if text is None:
        return None
    return [
        {"name": i["ifname"], "mac": i.get("address", ""), "addresses": [a["local"] for a in i.get("addr_info", [])]}
        for i in json.loads(text)
        if i["ifname"] != "lo"
    ]


def neighbours(text: str | None) -> list[Json] | None:
    """Return the cards of `ip -j neigh` that answered once: a failed entry has none."""
    if text is None:
        return None
    return [{"card": n["dev"], "mac": n["lladdr"], "address": n["dst"]} for n in json.loads(text) if "lladdr" in n]


def left(ends: Mapping[str, str | None], now: float) -> dict[str, int]:
    """Return how many seconds each certificate has left, from what `openssl x509 -enddate` says of it."""
    dates = {path: (said or "").strip().removeprefix("notAfter=") for path, said in ends.items()}
    return {path: int(ssl.cert_time_to_seconds(date) - now) for path, date in dates.items() if date}


def leases(texts: list[str], now: float) -> list[Json]:
    """Return what kea has lent and not had back, from its files, the oldest first; an address's last line counts."""
    rows = (row for text in texts for row in csv.DictReader(text.splitlines()))
    whole = (row for row in rows if re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}", row["address"] or "") and row["state"])
    last = {row["address"]: row for row in whole}  # a line that a power cut tore is none
    held = [row for row in last.values() if row["state"] == "0" and float(row["expire"]) > now]
    return [{"address": r["address"], "mac": r["hwaddr"], "name": r["hostname"].rstrip(".")} for r in held]


def screen(policies: str | None, files: list[str], processes: str) -> Json | None:
    """
    Return what holds a kiosk's browser: its managed policies, and whose its programs are and with which words.

    `files` are those beside its policies, which the browser reads as well; `processes` is what `ps -eo user,args`
    says. None when the machine has no such policies.
    """
    if policies is None:
        return None
    running = [line.split(maxsplit=1) for line in processes.splitlines() if line.strip()]
    browser = [(user, args) for user, args in running if re.match(r"\S*/chromium\s", args) and "--type=" not in args]
    idle = [re.search(r"timeout (\d+) \S+ idle", args.replace('"', "")) for _, args in running if "swayidle" in args]
    return {
        "policies": json.loads(policies),
        "files": sorted(files),
        "users": sorted({user for user, _ in browser}),
        "open": sorted({w for _, args in browser for w in re.findall(r"--(?:no-sandbox|remote-debugging-\w+)", args)}),
        "profiles": sorted({w for _, args in browser for w in re.findall(r"--user-data-dir=(\S+)", args)}),
        "idle_seconds": min((int(found[1]) for found in idle if found), default=0),
    }


def usb_guard(settings: str | None, rules: str | None, unit: Json) -> Json:
    """Return what guards a machine's USB sockets: usbguard's settings, its rules in order, and whether it runs."""
    return {
        "settings": keyed(settings),
        "rules": lines(rules),
        "running": unit.get("ActiveState") == "active",
    }
