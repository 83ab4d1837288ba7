"""
When a mall is open, by its own clock: `{mon-thu: "07:30-15:30", fri: "07:30-10:30"}` as minutes of a week.

A week begins on Monday. The same file is read by the checks of the inventory and by what counts on a mall's hours.
"""

from __future__ import annotations

from collections.abc import Iterator

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
