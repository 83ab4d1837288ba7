"""What a mall's server has counted (`balai.onsite.counts`), read back, and what follows from it."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path

from balai import yamlfile
from balai.errors import DataError, Problem
from balai.models import Counts, load
from balai.reading import unknown, wrong
from balai.sites import SiteView
from balai.yamlfile import Document

AGAIN = "Count again on the mall's server (docs/technician.md), and change nothing in the file."


def read_counts(path: Path, view: SiteView, period: str) -> Counts:
    """
    Return what a mall's server has counted in a period.

    Raises:
        DataError: The file is another mall's or period's, or does not add up; every problem at once.
    """
    document = yamlfile.read(path)
    counts = load(Counts, document)
    if problems := [*_whose(counts, view, period, document), *_rows(counts, view, document), *_sums(counts, document)]:
        raise DataError(problems)
    return counts


def _whose(counts: Counts, view: SiteView, period: str, document: Document) -> Iterator[Problem]:
    if counts.site != view.site.name:
        fix = "Name the other mall, or take its own counts."
        yield wrong(document, ("site",), counts.site, f"the report is of {view.site.name}", fix)
    if counts.period != period:
        fix = f"Count {period} on the mall's server."
        yield wrong(document, ("period",), counts.period, f"the report is of {period}", fix)


def _rows(counts: Counts, view: SiteView, document: Document) -> Iterator[Problem]:
    length = len("2026-11-24" if "-" in counts.period else "2026-11")
    inside = {str(day)[:length] for day in days_of(counts.period)}
    elements = [element.name for element in view.satisfaction.elements]
    seen: set[tuple[str, str | None]] = set()
    rows = [(("rows", n), row.when, row.office) for n, row in enumerate(counts.rows)]
    rows += [(("totals", n), "", row.office) for n, row in enumerate(counts.totals)]
    rows += [(("complaints", n), c.when, c.service) for n, c in enumerate(counts.complaints or [])]
    for place, when, what in rows:
        if when and when not in inside:
            yield wrong(document, (*place, "when"), when, f"is no part of {counts.period}", AGAIN)
        if (when, what) in seen:
            yield wrong(document, place, what, "stands twice for the same time", AGAIN)
        seen.add((when, what))
    for kind, of_kind in (("rows", counts.rows), ("totals", counts.totals)):
        for n, row in enumerate(of_kind):
            for name in row.answers.keys() - set(elements):
                yield unknown(document, (kind, n, "answers", name), name, "element of satisfaction.yml", elements)


def _sums(counts: Counts, document: Document) -> Iterator[Problem]:
    for n, total in enumerate(counts.totals):
        for what in ("drawn", "called"):
            parts = sum(getattr(row, what) for row in counts.rows if row.office == total.office)
            if getattr(total, what) != parts:
                yield wrong(document, ("totals", n, what), getattr(total, what), f"its rows add up to {parts}", AGAIN)
    offices = {total.office for total in counts.totals}
    for n, row in enumerate(counts.rows):
        if row.office not in offices:
            yield wrong(document, ("rows", n, "office"), row.office, "it is not among the totals", AGAIN)
    if None not in offices:
        yield wrong(document, ("totals",), None, "the mall as a whole (office null) is missing", AGAIN)


def days_of(period: str) -> list[datetime.date]:
    """Return the days of a month (2026-11) or of a year (2026)."""
    year, _, month = period.partition("-")
    return [
        datetime.date(int(year), n, day)
        for n in ([int(month)] if month else range(1, 13))
        for day in range(1, calendar.monthrange(int(year), n)[1] + 1)
    ]


def index_of(answers: dict[str, list[int]], elements: Iterable[str]) -> float | None:
    """Return the survey's index: the mean of its elements' means, times 25; None without answers to each."""
    means = [mean_of(answers.get(element, [])) for element in elements]
    known = [mean for mean in means if mean is not None]
    return 25 * sum(known) / len(known) if known and len(known) == len(means) else None


def mean_of(steps: list[int]) -> float | None:
    """Return the mean of an element's answers, from 1 to 4; None without any."""
    return sum(n * count for n, count in enumerate(steps, start=1)) / sum(steps) if sum(steps) else None
