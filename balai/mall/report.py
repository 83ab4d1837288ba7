"""
What a mall owes its ministry: a month's report and a year's evaluation, as tables, CSV files and a page to print.

What nobody knows is said in words and is never 0: without counts of the mall's queue nobody knows how many came.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from balai.mall import small
from balai.mall.counted import days_of, index_of, mean_of
from balai.mall.services import calendar_of
from balai.models import Counts
from balai.models.duty import STEPS, Attestation, Facility, Row
from balai.models.site import Record
from balai.onsite.calendar import present
from balai.onsite.hours import weekdays
from balai.pages import render
from balai.sites import SiteView
from balai.text import say

OLD = 365  # days, after which somebody should look again


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a report; its name is its file's."""

    name: str
    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)


class Report:
    """
    A month (2026-11) or a year (2026) of one mall.

    Attributes:
        counts: What its server has counted; None when nobody has.
        today: The day it is made: the age of what was attested is by it.
        lang: Language of its words.
    """

    def __init__(self, view: SiteView, period: str, counts: Counts | None, today: datetime.date, lang: str) -> None:
        self.view, self.period, self.today, self.lang, self.days = view, period, today, lang, days_of(period)
        self.given = counts
        # A queue that remembers no day of the period, or none at all, does not know that nobody came.
        remembers = counts is not None and counts.since is not None and counts.since <= str(self.days[-1])
        self.counts = counts if remembers else None
        self.totals = {total.office: total for total in self.counts.totals} if self.counts else {}
        self.fewest = view.reports.fewest

    def say(self, key: str, **values: object) -> str:
        """Return a message in the report's language."""
        return say(key, self.lang, **values)

    @property
    def title(self) -> str:
        """What stands above it."""
        values = {"mall": self.view.site.title, "period": self.period}
        return self.say("duty_month", **values) if "-" in self.period else self.say("duty_year", **values)

    @property
    def notes(self) -> list[str]:
        """What a reader has to know before any figure."""
        found = [self.say("duty_made", day=self.today)]
        if self.given is None:
            return [*found, self.say("duty_no_counts")]
        found.append(self.say("duty_counted", day=self.given.counted))
        found.append(self.say("duty_small", fewest=self.fewest))
        if self.counts is None:
            return [*found, self.say("duty_forgotten")]
        if self.given.counted <= str(self.days[-1]):
            found.append(self.say("duty_not_over"))
        if (since := str(self.given.since)) > str(self.days[0]):
            found.append(self.say("duty_since", day=since))
        return found

    def tables(self) -> list[Table]:
        """Return every table, the summary first."""
        return [self._summary(), self._offices(), self._queue(), self._survey(), self._complaints(), self._facilities()]

    def _known(self, value: object) -> str:
        return self.say("duty_unknown") if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)

    def _count(self, people: int | None) -> str:
        """Return a count of which no part is told elsewhere."""
        few = people is not None and small.is_small(people, self.fewest)
        return self.say("duty_fewer", fewest=self.fewest) if few else self._known(people)

    @property
    def _merged(self) -> str:
        return self.say("duty_merged", fewest=self.fewest)

    def _minutes(self, row: Row | None, which: str) -> str:
        if row and row.waiting and row.waiting.measured < self.fewest:
            return self._count(row.waiting.measured)
        seconds = getattr(row.waiting, which) if row and row.waiting else None
        return self._known(None if seconds is None else f"{seconds / 60:.1f}")

    def _drawn(self) -> small.Cells:
        """Return numbers drawn and called by time and office; "" is what no office's are of the whole."""
        rows = [row for row in self.counts.rows if row.drawn] if self.counts else []
        cells = {(row.when, row.office): (row.drawn, row.called) for row in rows if row.office}
        for row in rows:
            if row.office is None:
                drawn, called = small.total(cells, [row.when], None) or (0, 0)
                if (row.drawn, row.called) != (drawn, called):
                    cells[row.when, ""] = (row.drawn - drawn, row.called - called)
        return cells

    def _unsaid(self) -> set[str]:
        """Return the offices whose answers are told in those of the mall as a whole only."""
        counts = {office: _answered(row) or 0 for office, row in self.totals.items() if office}
        return small.rest(counts, _answered(self.totals.get(None)) or 0, self.fewest)

    def _verified(self, level: str) -> str:
        return {
            "read": self.say("duty_read"),
            "read-secondary": self.say("duty_read_secondary"),
            "stored source": self.say("duty_stored"),
            "recalled": self.say("duty_recalled"),
            "unknown": self.say("duty_unverified"),
        }[level]

    def _summary(self) -> Table:
        site, total = self.view.site, self.totals.get(None)
        complaints = self.given.complaints if self.given else None
        handed_in = None if complaints is None else sum(c.handed_in for c in complaints)
        sent = None if complaints is None else sum(c.sent for c in complaints)
        record: Record | None = site.record
        ground = self.say("duty_record", how=self._verified(record.verification if record else "unknown"))
        own, counted = self.say("duty_own_file"), self.say("duty_own_counts")
        answered = _answered(total)
        few = answered is not None and small.is_small(answered, self.fewest)
        index = index_of(total.answers, self._elements()) if total and not few else None
        rows: list[list[object]] = [
            [self.say("duty_services"), record and record.services, ground],
            [self.say("duty_agencies"), record and record.agencies, ground],
            [self.say("duty_offices"), len(site.offices) or None, own],
            [self.say("duty_counters_recorded"), record and record.counters, ground],
            [self.say("duty_counters_given"), len({a.counter for a in site.assignments}) or None, own],
            [self.say("duty_open"), self._open(), own],
            [self.say("duty_visitors"), None, self.say("duty_nobody_counts")],
            [self.say("duty_visitors_recorded"), record and record.visitors_per_day, ground],
            [self.say("duty_drawn"), self._count(total.drawn if total else None), counted],
            [self.say("duty_called"), self._count(total.called if total else None), counted],
            [self.say("duty_median"), self._minutes(total, "median"), counted],
            [self.say("duty_p90"), self._minutes(total, "p90"), counted],
            [self.say("duty_answers"), self._count(answered), counted],
            [self.say("duty_index"), self._count(answered) if few else index, self._index_ground()],
            [self.say("duty_handed_in"), self._count(handed_in), counted],
            [self.say("duty_sent"), self._count(sent), counted],
        ]
        if "-" not in self.period:
            rows.append([self.say("duty_institution"), None, self.say("duty_nothing_here")])
        columns = [self.say(column) for column in ("duty_what", "duty_value", "duty_ground")]
        lines = [[str(what), self._known(value), str(basis)] for what, value, basis in rows]
        return Table(name="ringkasan", title=self.say("duty_summary"), columns=columns, rows=lines)

    def _offices(self) -> Table:
        columns = [
            self.say(column) for column in ("duty_office", "duty_counter", "duty_open", "duty_drawn", "duty_called")
        ]
        columns += [self.say(column) for column in ("duty_median", "duty_p90", "duty_answers", "duty_index")]
        names = list(dict.fromkeys([*(o.agency for o in self.view.site.offices), *filter(None, self.totals)]))
        rows, (_, merged), unsaid = [], small.together(self._drawn(), self.fewest), self._unsaid()
        for name in names:
            total = self.totals.get(name)
            counters = sorted({a.counter for a in self.view.site.assignments if a.office == name})
            queue = [total and total.drawn, total and total.called]
            waits = [self._minutes(total, which) for which in ("median", "p90")]
            survey = [_answered(total), index_of(total.answers, self._elements()) if total else None]
            values = [
                ", ".join(map(str, counters)) or None,
                self._open(name),
                *([self._merged] * 4 if name in merged else [*queue, *waits]),
                *([self._merged] * 2 if name in unsaid else survey),
            ]
            rows.append([self._office(name), *map(self._known, values)])
        notes = [self.say("duty_calendar"), self._index_ground()]
        return self._table("kantor", self.say("duty_by_office"), columns, rows, notes)

    def _queue(self) -> Table:
        columns = [
            self.say(column)
            for column in ("duty_when", "duty_office", "duty_drawn", "duty_called", "duty_median", "duty_p90")
        ]
        cells, single = self._drawn(), {(r.when, r.office): r for r in (self.counts.rows if self.counts else [])}
        everybody = sorted({office for _, office in cells})
        lines: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[int, ...]] = {}
        for times, offices, counts in small.shown(cells, self.fewest):
            lines[tuple(times), tuple(everybody)] = small.total(cells, times, None)  # the whole stands first
            lines[tuple(times), tuple(offices)] = counts
        rows = []
        for (when, who), counts in lines.items():
            whole = list(who) == everybody
            row = single.get((when[0], None if whole else who[0])) if len(when) == 1 else None
            alone = row if whole or len(who) == 1 else None
            waits = [self._minutes(alone, which) if alone else self._merged for which in ("median", "p90")]
            name = self._office(None) if whole else self._together(who, self._office)
            if any(counts) and who != ("",):
                rows.append([self._together(when), name, *map(self._count, counts), *waits])
        return self._table("antrean", self.say("duty_queue"), columns, rows)

    def _survey(self) -> Table:
        columns = [self.say(column) for column in ("duty_office", "duty_element")]
        columns += [self.say("duty_step", step=step) for step in range(1, STEPS + 1)] + [self.say("duty_mean")]
        titles = {e.name: e.title if self.lang == "id" else e.title_en for e in self.view.satisfaction.elements}
        unsaid, rows = self._unsaid(), []
        for office, total in self.totals.items():
            whole = _answered(total) or 0
            if office in unsaid or (office is None and small.is_small(whole, self.fewest)):
                rows.append([self._office(office), *[self._merged if office else self._count(whole)] * (STEPS + 2)])
                continue
            rows += [
                [self._office(office), titles[name], *map(str, steps), self._known(mean_of(steps))]
                for name in titles
                if (steps := total.answers.get(name))
            ]
        return self._table("survei", self.say("duty_survey"), columns, rows, [self._index_ground()])

    def _complaints(self) -> Table:
        columns = [self.say(column) for column in ("duty_when", "duty_service", "duty_handed_in", "duty_sent")]
        found = self.given.complaints if self.given else None
        cells = {(c.when, c.service): (c.handed_in, c.sent) for c in found or []}
        rows = [
            [self._together(times), self._together(services), *map(self._count, counts)]
            for times, services, counts in small.shown(cells, self.fewest)
            if any(counts)
        ]
        known = found is not None
        return self._table("pengaduan", self.say("duty_complaints"), columns, rows, known=known)

    def _facilities(self) -> Table:
        columns = [
            self.say(column)
            for column in ("duty_facility", "duty_state", "duty_seen", "duty_by", "duty_age", "duty_ground")
        ]
        rows = [self._facility(facility) for facility in self.view.facilities.facilities]
        return Table(name="fasilitas", title=self.say("duty_facilities"), columns=columns, rows=rows)

    def _facility(self, facility: Facility) -> list[str]:
        title = facility.title if self.lang == "id" else facility.title_en
        ground, nobody = self._verified(facility.verification), self.say("duty_unknown")
        found = self.view.site.facilities.get(facility.name)
        if not isinstance(found, Attestation):
            return [title, nobody, nobody, nobody, nobody, ground]
        days = (self.today - datetime.date.fromisoformat(found.date)).days
        age = self.say("duty_old", days=days) if days > OLD else self.say("duty_days", days=days)
        state = self.say("duty_there") if found.present else self.say("duty_not_there")
        if days < 0:
            state, age = nobody, self.say("duty_ahead")
        return [title, state, found.date, found.by, age, ground]

    def _table(
        self,
        name: str,
        title: str,
        columns: list[str],
        rows: list[list[str]],
        notes: list[str] | None = None,
        *,
        known: bool | None = None,
    ) -> Table:
        """Return a table of what was counted: empty when nothing was, and unknown when nobody has counted."""
        if not rows:
            sure = self.counts is not None if known is None else known
            rows = [[self.say("duty_none") if sure else self.say("duty_unknown")] * len(columns)]
        return Table(name=name, title=title, columns=columns, rows=rows, notes=notes or [])

    def _together(self, names: Sequence[str], title: Callable[[str], str] = str) -> str:
        return title(names[0]) if len(names) == 1 else self.say("duty_together", count=len(names))

    def _elements(self) -> list[str]:
        return [element.name for element in self.view.satisfaction.elements]

    def _index_ground(self) -> str:
        return self.say("duty_index_ground", how=self._verified(self.view.satisfaction.verification))

    def _office(self, name: str | None) -> str:
        if name is None:
            return self.say("duty_whole")
        titles = self.view.titles.get(name)  # one that has left the mall has its name only
        return titles[self.lang == "en"] if titles else name

    def _open(self, office: str | None = None) -> int | None:
        """Return on how many days the mall, or an office, was to be open; None when its hours are not known."""
        hours, assignments = self.view.site.hours, self.view.site.assignments
        mine = [a for a in assignments if office in (None, a.office)]
        dated = office is not None and bool(mine) and all(a.on for a in mine)
        if not mine or (hours == "unknown" and not dated):
            return None
        working = set(range(7)) if hours == "unknown" or dated else {n for days in hours for n in weekdays(days)}
        settings = calendar_of(self.view)
        there = [present(settings, day, trusted=True) for day in self.days if day.weekday() in working]
        return sum(bool(offices) if office is None else office in offices for offices in there)


def _answered(row: Row | None) -> int | None:
    return None if row is None else max(map(sum, row.answers.values()), default=0)


def write(report: Report, folder: Path) -> Path:
    """Write a CSV file for each table, and the page; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = report.tables()
    content = {f"{table.name}.csv": _csv(table) for table in tables}
    content["laporan.html"] = render(
        "mall/report.html.j2", lang=report.lang, title=report.title, notes=report.notes, tables=tables
    )
    for name, text in content.items():
        partial = folder / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
    return folder / "laporan.html"


def _csv(table: Table) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
    return text.getvalue()
