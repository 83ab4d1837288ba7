"""
When a mall is open, by its own clock: `{mon-thu: "07:30-15:30", fri: "07:30-10:30"}` as minutes of a week.

A week begins on Monday. The same file is read by the checks of the inventory, and lies beside the programs of a mall's
machines that go by its hours.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60
# Minutes in a row that each day leaves for work on machines which citizens and staff use.
REST = 5 * 60
STEP = 30  # minutes between two places that such a rest may begin at
Span = tuple[int, int]


def minute(clock: str) -> int:
    """Return the minute of its day that `07:30` is."""
    return int(clock[:2]) * 60 + int(clock[3:])


def clock(at: int) -> str:
    """Return the time of its day that a minute of a week is."""
    return f"{at % DAY // 60:02}:{at % 60:02}"


def weekdays(days: str) -> Iterator[int]:
    """Yield the weekdays of `mon-thu` or `fri`, also over the end of a week."""
    first, _, last = days.partition("-")
    start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    for n in range((end - start) % 7 + 1):
        yield (start + n) % 7


def openings(hours: dict[str, str]) -> list[Span]:
    """Return each opening of a week, from its first minute to the first one after it."""
    return sorted(
        (day * DAY + minute(opening[:5]), day * DAY + minute(opening[6:]))
        for days, opening in hours.items()
        for day in weekdays(days)
    )


def rest(spans: list[Span], day: int) -> int | None:
    """Return the minute of the week at which the first rest of a day begins that no opening touches; None for none."""
    for start in range(day * DAY, (day + 1) * DAY - REST + 1, STEP):
        if all(end <= start or start + REST <= first for first, end in spans):
            return start
    return None


def opens(settings: dict[str, Any], now: datetime.datetime) -> str:
    """Return when a mall that is closed at a local time opens; "" while it is open, or nobody knows its hours."""
    midnight = datetime.datetime.combine(now.date(), datetime.time(), now.tzinfo)
    for day in (midnight + datetime.timedelta(days=n) for n in range(400)):  # over the longest run of closed days
        spans = [
            (
                day + datetime.timedelta(minutes=first % DAY),
                day + datetime.timedelta(minutes=last - first + first % DAY),
            )
            for first, last in settings["openings"]
            if first // DAY == day.weekday() and day.date().isoformat() not in settings["closed_on"]
        ]
        if any(start <= now < end for start, end in spans):
            return ""
        if later := [start for start, _ in spans if start > now]:
            return f"{min(later):%Y-%m-%dT%H:%M}"
    return ""
