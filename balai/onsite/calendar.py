"""
Which office has a counter today, and so a way through the router.

Decided by the router itself, because a mall without a way out keeps its calendar. The same file
is imported by the checks of the inventory, so that what is refused there is what would happen here.

Run as a program it keeps the set `present` of the firewall in step with the day: `calendar.py SETTINGS`.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TICK = 1.0  # seconds between two looks at the calendar
ASK_CLOCK_EVERY, ASK_AGAIN = 30.0, 3.0  # seconds between two questions to the time service, after a yes and after a no
STEP = 60.0  # seconds that a server may put a clock back without a word
TRUST_DAYS = 15  # how long a clock is believed that no server has confirmed: fourteen dark days, and one to spare
ADD = Path("/run/balai/present.nft")  # read again by the firewall whenever its rules are loaded
STAMP = Path("/var/lib/balai/calendar/stamp")  # latest time seen, latest time confirmed


def is_date(when: str) -> bool:
    """Return whether a word of `on` is a date and not a weekday."""
    return when[0].isdigit()


def matches(when: str, day: datetime.date) -> bool:
    """Return whether a day is meant by `wed` (each), `wed#3` (the third of its month) or `2026-12-03`."""
    if is_date(when):
        return when == day.isoformat()
    name, _, nth = when.partition("#")
    return WEEKDAYS[day.weekday()] == name and nth in ("", str((day.day - 1) // 7 + 1))


def claims(assignments: Iterable[dict[str, Any]], counter: int, day: datetime.date) -> list[str]:
    """
    Return the offices that a counter is given to on a day: one at most, unless the file is wrong.

    A date beats a weekday, so that days can be swapped.
    """
    mine = [a for a in assignments if a["counter"] == counter]
    by_date = [a["office"] for a in mine if any(is_date(w) and matches(w, day) for w in a["on"])]
    return by_date or [
        a["office"] for a in mine if not a["on"] or any(not is_date(w) and matches(w, day) for w in a["on"])
    ]


def collisions(assignments: list[dict[str, Any]]) -> list[tuple[int, datetime.date, list[str]]]:
    """Return counters that two offices have at once, each with the first such day."""
    year = {datetime.date(2026, 1, 1) + datetime.timedelta(days=n) for n in range(366)}  # has every n-th weekday
    found = []
    for counter in sorted({a["counter"] for a in assignments}):
        mine = [a for a in assignments if a["counter"] == counter]
        dates = {datetime.date.fromisoformat(w) for a in mine for w in a["on"] if is_date(w)}
        meet = any(_weekdays(a["on"]) & _weekdays(b["on"]) for a, b in itertools.combinations(mine, 2))
        for day in sorted(dates | year if meet else dates):
            if len(offices := claims(mine, counter, day)) > 1:
                found.append((counter, day, offices))
                break
    return found


def _weekdays(on: list[str]) -> set[str]:
    return {w.partition("#")[0] for w in on if not is_date(w)} if on else set(WEEKDAYS)


def present(settings: dict[str, Any], day: datetime.date, trusted: bool) -> list[str]:
    """
    Return the offices that have a counter on a day, in order.

    With a clock that cannot be trusted, those whose counter is theirs alone, every day.
    """
    assignments = settings["assignments"]
    if not trusted:
        shared = {a["counter"] for a in assignments if a["on"]}
        return sorted({a["office"] for a in assignments if a["counter"] not in shared})
    offices = {
        office for counter in {a["counter"] for a in assignments} for office in claims(assignments, counter, day)
    }
    if day.isoformat() in settings["holidays"]:
        swapped = {a["office"] for a in assignments if day.isoformat() in a["on"]}
        return sorted(offices & swapped)
    return sorted(offices)


def elements(settings: dict[str, Any], offices: Iterable[str]) -> set[str]:
    """Return the elements of the firewall's set: the enrolled machines of offices, each on its office's wire."""
    return {f'"{o["link"]}" . {mac}' for name in offices for o in [settings["offices"][name]] for mac in o["machines"]}


class Clock:
    """
    Whether the time of this machine can be trusted.

    It is when a server has confirmed it within TRUST_DAYS and it has not gone back behind a time seen since.
    What was seen is kept on disk, so that a clock that is reset is noticed after a power cut as well; a server may
    put it right in either direction. No time before `not_before` is ever true.
    """

    def __init__(self, not_before: str, stamp: Path = STAMP) -> None:
        self._stamp = stamp
        self._ask_at = 0.0
        self._born = datetime.datetime.fromisoformat(not_before).replace(tzinfo=datetime.UTC).timestamp()
        try:
            self._seen, self._confirmed = map(float, stamp.read_text().split())
        except (OSError, ValueError):
            self._seen, self._confirmed = self._born, 0.0

    def trusted(self, now: float) -> bool:
        """Return it, and keep what was learned."""
        if now < self._born:
            return False
        if time.monotonic() >= self._ask_at:
            confirmed = self.confirmed_by_server()
            self._ask_at = time.monotonic() + (ASK_CLOCK_EVERY if confirmed else ASK_AGAIN)
            if confirmed:
                self._seen = self._confirmed = now
            self._seen = max(self._seen, now)
            self._keep()
        return now >= self._seen - STEP and -STEP <= now - self._confirmed <= TRUST_DAYS * 86400

    @staticmethod
    def confirmed_by_server() -> bool:
        """Return whether the time service follows a server, and not this machine's own clock."""
        done = subprocess.run(["chronyc", "-c", "tracking"], capture_output=True, text=True, check=False)
        fields = done.stdout.strip().split(",")
        return len(fields) == 14 and fields[-1] == "Normal" and fields[0] not in ("7F7F0101", "00000000")

    def _keep(self) -> None:
        self._stamp.parent.mkdir(parents=True, exist_ok=True)
        partial = self._stamp.with_suffix(".new")
        partial.write_text(f"{self._seen} {self._confirmed}\n")
        partial.replace(self._stamp)


def loaded() -> set[str] | None:
    """Return the elements that the firewall has now; None when it has no such set."""
    done = subprocess.run(["nft", "-j", "list", "set", "inet", "balai", "present"], capture_output=True, check=False)
    if done.returncode != 0:
        return None
    (found,) = [item["set"] for item in json.loads(done.stdout)["nftables"] if "set" in item]
    pairs = [element["concat"] for element in found.get("elem", [])]
    return {f'"{link}" . {mac}' for link, mac in pairs}


def put(settings: dict[str, Any], offices: list[str], before: set[str]) -> None:
    """Make the firewall let exactly these offices through, at once, and cut what others have open."""
    wanted = elements(settings, offices)
    lines = ["flush set inet balai present"]
    if wanted:
        lines.append(f"add element inet balai present {{ {', '.join(sorted(wanted))} }}")
    ADD.parent.mkdir(parents=True, exist_ok=True)
    partial = ADD.with_suffix(".new")
    partial.write_text("\n".join(lines) + "\n")
    partial.replace(ADD)
    subprocess.run(["nft", "-f", str(ADD)], check=True)
    for name, office in settings["offices"].items():
        lost = any(element.startswith(f'"{office["link"]}"') for element in before - wanted)
        for network in office["networks"] if lost or name not in offices else []:
            family = "ipv6" if ":" in network else "ipv4"
            for end in ("--orig-src", "--orig-dst"):
                subprocess.run(["conntrack", "-D", "-f", family, end, network], capture_output=True, check=False)


def main() -> None:
    """Keep the firewall in step until the end; say each change."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    zone, clock, said = ZoneInfo(settings["timezone"]), Clock(settings["not_before"]), None
    while True:
        now = time.time()
        trusted = clock.trusted(now)
        day = datetime.datetime.fromtimestamp(now, zone).date()
        offices = present(settings, day, trusted)
        have = loaded()
        if have is not None and (have != elements(settings, offices) or said != (offices, trusted)):
            put(settings, offices, have)
            said = (offices, trusted)
            print(f"{day} trusted={trusted} present: {' '.join(offices) or 'none'}", flush=True)
        time.sleep(TICK)


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C.UTF-8"
    main()
