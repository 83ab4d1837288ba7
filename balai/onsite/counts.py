"""
What a mall has counted, as JSON, for its reports: `counts.py 2026-11` or `counts.py 2026`, as root on its server.

Numbers drawn and called, how long people waited, answers of the survey, complaints handed in and sent on: by day in a
month, by month in a year, for each office and the mall as a whole. Nothing in it is about a person: no ticket, no key,
no word of a complaint. It reads and changes nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import re
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

SETTINGS = Path("/etc/balai/queue.json")
QUEUE = Path("/var/lib/private/balai-queue/queue.sqlite")
INTAKE = Path("/var/lib/private/balai-intake/intake.sqlite")
PERIOD = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?")
STEPS = 4
LONGEST_WAIT = 86400  # seconds; a longer one, or one below nothing, was the clock
Json = dict[str, Any]


class Tally:
    """What belongs together: the tickets and answers of an office, or of all, in a span of days."""

    def __init__(self) -> None:
        self.drawn, self.called = 0, 0
        self.waits: list[float] = []
        self.answers: dict[str, list[int]] = {}

    def ticket(self, drawn: float, called: float | None) -> None:
        """Count a number that was drawn, and called or not."""
        self.drawn += 1
        if called is not None:
            self.called += 1
            if 0 <= called - drawn <= LONGEST_WAIT:
                self.waits.append(called - drawn)

    def answer(self, given: Json) -> None:
        """Count what one citizen answered."""
        for element, step in given.items():
            self.answers.setdefault(element, [0] * STEPS)[step - 1] += 1

    def as_dict(self) -> Json:
        """Return it as it is printed; nobody's wait is null, and not 0."""
        ordered = sorted(self.waits)
        waiting = ordered and {
            "measured": len(ordered),
            "median": round(statistics.median(ordered)),
            "p90": round(ordered[math.ceil(0.9 * len(ordered)) - 1]),
        }
        return {"drawn": self.drawn, "called": self.called, "waiting": waiting or None, "answers": self.answers}


def counts(settings: Json, period: str, queue: Path, intake: Path, now: float) -> Json:
    """Return what was counted in a month or a year, as the mall's own days have it; `office` null is all together."""
    zone, length = ZoneInfo(settings["timezone"]), len("2026-11-24" if "-" in period else "2026-11")
    spans: dict[tuple[str, str], Tally] = {}
    totals = {office: Tally() for office in ("", *settings["offices"])}

    def meant(day: str, office: str) -> Iterator[Tally]:
        for one in {"", office}:
            yield spans.setdefault((day[:length], one), Tally())
            yield totals.setdefault(one, Tally())

    with contextlib.closing(_open(queue)) as base:
        for day, office, drawn, called in base.execute(
            "SELECT t.day, t.office, t.drawn, c.called FROM tickets t LEFT JOIN calls c ON c.ticket = t.key "
            "WHERE t.day LIKE ?",
            (f"{period}-%",),
        ):
            for tally in meant(day, office):
                tally.ticket(drawn, called)
        for day, office, given in base.execute(
            "SELECT day, office, given FROM answers WHERE day LIKE ?", (f"{period}-%",)
        ):
            for tally in meant(day, office):
                tally.answer(json.loads(given))
        (since,) = base.execute(
            "SELECT min(day) FROM (SELECT day FROM tickets UNION ALL SELECT day FROM answers)"
        ).fetchone()
    return {
        "format": "balai-counts-1",
        "site": settings["site"],
        "period": period,
        "counted": str(datetime.datetime.fromtimestamp(now, zone).date()),
        "since": since,
        "rows": [
            {"when": when, "office": one or None, **tally.as_dict()} for (when, one), tally in sorted(spans.items())
        ],
        "totals": [{"office": office or None, **tally.as_dict()} for office, tally in sorted(totals.items())],
        "complaints": _complaints(intake, period, length, zone),
    }


def _complaints(intake: Path, period: str, length: int, zone: ZoneInfo) -> list[Json] | None:
    if not intake.exists():
        return None
    found: dict[tuple[str, str], list[int]] = {}
    with contextlib.closing(_open(intake)) as base:
        for service, taken, delivered in base.execute("SELECT service, taken, delivered FROM intakes"):
            day = str(datetime.datetime.fromtimestamp(taken, zone).date())
            if day.startswith(f"{period}-"):
                tally = found.setdefault((day[:length], service), [0, 0])
                tally[0] += 1
                tally[1] += delivered is not None
    return [{"when": w, "service": s, "handed_in": n, "sent": sent} for (w, s), (n, sent) in sorted(found.items())]


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def main(argv: list[str]) -> int:
    """Print the counts of a period."""
    if len(argv) != 1 or not PERIOD.fullmatch(argv[0]):
        sys.stderr.write("counts.py MONTH or YEAR, such as 2026-11 or 2026\n")
        return 2
    try:
        found = counts(json.loads(SETTINGS.read_text()), argv[0], QUEUE, INTAKE, time.time())
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"nothing was counted: {error}; run it as root, on the server that has the queue\n")
        return 3
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
