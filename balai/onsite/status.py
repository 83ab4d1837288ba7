"""
What works on a machine of a mall, what does not, and what to do now: `balai-mall status [--json]`.

It looks at the machine itself and asks nobody outside the mall but the data centre's end of the overlay. Each finding
is a sentence with its step, in the technician's language, and all of them are one short code for the telephone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/balai/status.json")
UPLINKS = Path("/run/balai/uplinks.json")
CARDS = Path("/sys/class/net")
SEEN = Path("/run/kiosk/seen")  # how many colours a screen has, told every 15 seconds
STALE, LEAST_COLOURS = 90, 3
LEAST_FREE = 10  # hundredths of a disk
# A letter for each kind of finding: the code is these with the place in the machine's own list.
LETTERS = {
    "cable": "K",
    "service": "L",
    "disk": "D",
    "line": "J",
    "outside": "O",
    "centre": "P",
    "clock": "W",
    "names": "N",
    "screen": "S",
}


def run(*argv: str) -> tuple[bool, str]:
    """Return whether a program succeeded, and what it said."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False, ""
    return done.returncode == 0, done.stdout


def cables(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield cards without a signal."""
    for number, card in enumerate(settings["cards"], 1):
        try:
            signal = (CARDS / card["name"] / "carrier").read_text().strip() == "1"
        except OSError:  # not there, or switched off
            signal = False
        if not signal:
            yield {"kind": "cable", "number": number, "card": card["name"], "network": card["network"]}


def services(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield services that do not run."""
    for number, unit in enumerate(settings["units"], 1):
        if not run("systemctl", "--quiet", "is-active", unit)[0]:
            yield {"kind": "service", "number": number, "unit": unit}


def disks(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield disks that are nearly full."""
    for number, place in enumerate(settings["places"], 1):
        try:
            room = os.statvfs(place)
        except OSError:
            continue
        free = 100 * room.f_bavail // max(1, room.f_blocks)
        if free < LEAST_FREE:
            yield {"kind": "disk", "number": number, "place": place, "free": free}


def ways_out(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield lines that are down, and the data centre when it is out of reach; a router knows both."""
    if not settings["lines"]:
        return
    try:
        seen = json.loads(UPLINKS.read_text())
    except (OSError, ValueError):
        seen = {"active": None, "healthy": {}}
    for number, line in enumerate(settings["lines"], 1):
        if not seen["healthy"].get(line["card"]):
            yield {"kind": "line", "number": number, **line}
    if seen["active"] is None:
        yield {"kind": "outside", "number": 0}
    elif settings["centres"] and not any(run("ping", "-n", "-q", "-c1", "-W2", a)[0] for a in settings["centres"]):
        yield {"kind": "centre", "number": 0}


def clock_and_names(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a clock that follows nobody, and a resolver that does not know the mall's own names."""
    answered, said = run("chronyc", "-c", "tracking")
    if not answered or said.strip().split(",")[-1] == "Not synchronised":
        yield {"kind": "clock", "number": 0}
    if settings["name"] and not run("getent", "hosts", settings["name"])[0]:
        yield {"kind": "names", "number": 0, "name": settings["name"]}


def panel(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a screen that is black, frozen or dark."""
    if not settings["screen"]:
        return
    try:
        told, colours = SEEN.stat().st_mtime, int(SEEN.read_text())
    except (OSError, ValueError):
        told, colours = 0.0, 0
    if time.time() - told > STALE or colours < LEAST_COLOURS:
        yield {"kind": "screen", "number": 0}


def findings(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return everything that does not work, the likeliest cause first."""
    looks = (cables, services, disks, panel, ways_out, clock_and_names)
    return [finding for look in looks for finding in look(settings)]


def code(found: list[dict[str, Any]]) -> str:
    """Return the findings as letters and numbers, `K2 L1`; OK when there is none."""
    return " ".join(f"{LETTERS[f['kind']]}{f['number'] or ''}" for f in found) or "OK"


def language() -> str:
    """Return the technician's language: Indonesian, unless the session asks for English."""
    wanted = os.environ.get("BALAI_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "en" if wanted.startswith("en") else "id"


def main(argv: list[str]) -> int:
    """Print the verdict; return 0 when everything works, 1 when something does not, 2 when it cannot be told."""
    if argv not in ([], ["status"], ["status", "--json"]):
        sys.stderr.write("balai-mall status [--json]\n")
        return 2
    try:
        settings = json.loads(SETTINGS.read_text())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{SETTINGS}: {error}\n")
        return 2
    found = findings(settings)
    if argv[1:]:
        print(json.dumps({"machine": settings["machine"], "code": code(found), "findings": found}))
        return 1 if found else 0
    texts = {key: text[language()] for key, text in settings["texts"].items()}
    print(texts["status_broken" if found else "status_fine"].format(machine=settings["machine"], count=len(found)))
    for place, finding in enumerate(found, 1):
        print(f"{place}. " + texts[f"status_{finding['kind']}"].format(**finding))
    if found:
        print(texts["status_call"].format(code=code(found), machine=settings["machine"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
