"""
Whether this machine may work on its own packages now: `updates.py SETTINGS fetch|install|restart`, exit 0 for yes.

Asked by systemd before apt's own services. A timer alone is no promise: it fires late when a clock is put right, and a
run that takes long pushes the next one out of its window. The reason for a no is one line of the journal.
"""

from __future__ import annotations

import datetime
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

REQUIRED = Path("/run/reboot-required")  # made by Debian when a kernel was installed
PATIENCE = 5.0  # seconds
# A program or library that was replaced while something still runs it.
REPLACED = re.compile(r" /(?:usr|lib|lib64|bin|sbin)/.* \(deleted\)$", re.MULTILINE)


def inside(window: dict[str, Any], now: datetime.datetime) -> bool:
    """Return whether a local time lies in a window, which ends on the day it begins on."""
    start = int(window["start"][:2]) * 60 + int(window["start"][3:])
    at = now.hour * 60 + now.minute
    return f"{now:%a}".lower() == window["day"] and start <= at < start + int(window["minutes"])


def frozen(freezes: Iterable[dict[str, str]], day: datetime.date) -> str:
    """Return the title of a freeze that holds on a day; "" for none. One may go over the new year."""
    today = f"{day:%m-%d}"
    for freeze in freezes:
        first, last = freeze["first"], freeze["last"]
        if first <= today <= last if first <= last else today >= first or today <= last:
            return freeze["title"]
    return ""


def refusal(
    settings: dict[str, Any], what: str, now: datetime.datetime, *, confirmed: bool, needed: bool, answers: bool
) -> str:
    """
    Return why something may not be done at a local time; "" when it may.

    Args:
        settings: What the machine is told.
        what: `fetch`, `install` or `restart`.
        now: The time, in the mall's zone.
        confirmed: Whether a server has confirmed the clock.
        needed: Whether something waits for a restart.
        answers: Whether the mall's package cache is there to be asked.
    """
    window = settings["windows"][what]
    if not confirmed:
        return "no server confirms the clock, so nobody knows whether the mall is open"
    if not inside(window, now):
        when = f"{window['day']} {window['start']} for {window['minutes']} minutes"
        return f"{now:%a %H:%M} is outside its window, {when}"
    if what == "fetch" and not answers:
        return f"the mall's package cache at {settings['source']} does not answer; it is tried again in the next window"
    if what == "restart":
        if not needed:
            return "nothing waits for a restart"
        if freeze := frozen(settings["freezes"], now.date()):
            return f"no restart on a day of the freeze {freeze}"
    return ""


def clock_confirmed() -> bool:
    """Return whether the time service follows a server, or the mall's router in its place."""
    done = subprocess.run(["chronyc", "-c", "tracking"], capture_output=True, text=True, check=False)
    fields = done.stdout.strip().split(",")
    return len(fields) == 14 and fields[-1] == "Normal" and fields[0] not in ("7F7F0101", "00000000")


def restart_needed(processes: Path = Path("/proc"), required: Path = REQUIRED) -> bool:
    """Return whether a kernel waits for a restart, or a program runs what was replaced on disk."""
    if required.exists():
        return True
    for maps in processes.glob("[0-9]*/maps"):
        try:
            if REPLACED.search(maps.read_text(errors="replace")):
                return True
        except OSError:
            continue  # it has ended meanwhile
    return False


def cache_answers(source: str) -> bool:
    """Return whether the mall's package cache takes a connection; the server that has it asks nobody."""
    if not source:
        return True
    host, _, port = source.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), PATIENCE):
            return True
    except OSError:
        return False


def main(argv: list[str]) -> int:
    """Return 0 when it may be done now, and 1, with the reason, when not."""
    settings, what = json.loads(Path(argv[0]).read_text()), argv[1]
    now = datetime.datetime.now(ZoneInfo(settings["timezone"]))
    why = refusal(
        settings,
        what,
        now,
        confirmed=clock_confirmed(),
        needed=restart_needed(),
        answers=cache_answers(settings["source"]),
    )
    if why:
        print(f"{what}: {why}", flush=True)
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
