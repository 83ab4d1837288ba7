"""No report tells a count of fewer than five people, and no sum or difference of what it tells does either."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from balai.mall import small
from balai.mall.report import Report
from balai.models import Counts
from balai.sites import INVENTORIES, load_site

NAME = "mpp-banyuwangi"
VIEW = load_site(INVENTORIES / f"sites/{NAME}.yml")
ELEMENTS = [element.name for element in VIEW.satisfaction.elements]
FEWEST = VIEW.reports.fewest
OFFICES = ["dukcapil", "imigrasi", "pajak"]
DAYS = [f"2026-11-0{day}" for day in range(2, 6)]
PEOPLE = st.one_of(st.integers(0, 6), st.integers(0, 40))


def tables() -> st.SearchStrategy[dict[tuple[str, str], tuple[int, int]]]:
    pair = st.tuples(PEOPLE, PEOPLE).map(lambda two: (max(two), min(two)))
    return st.dictionaries(st.tuples(st.sampled_from(DAYS), st.sampled_from(OFFICES)), pair, max_size=12)


def fine(count: int) -> bool:
    return count == 0 or count >= FEWEST


@settings(max_examples=200, deadline=None)
@given(cells=tables())
@example(cells={("1", "a"): (2, 2), ("1", "b"): (2, 2), ("2", "a"): (9, 9), ("2", "b"): (9, 9)})
def test_each_line_is_of_nobody_or_of_enough_and_all_lines_are_the_whole(cells: dict) -> None:
    lines = small.shown(cells, FEWEST)

    placed = [(row, column) for rows, columns, _ in lines for row in rows for column in columns]
    assert len(placed) == len(set(placed)), "a cell stands in one line"
    assert set(cells) <= set(placed)
    for rows, columns, counts in lines:
        assert counts == small.total(cells, rows, columns)
    if len(lines) > 1:
        assert all(fine(count) for _, _, counts in lines for count in counts)


def test_what_is_not_small_stays_single() -> None:
    cells = {(day, office): (10, 5) for day in DAYS for office in OFFICES}

    assert small.together(cells, FEWEST) == (set(), set())
    assert len(small.shown(cells, FEWEST)) == len(cells)
    cells[DAYS[0], OFFICES[0]] = (10, 0)
    assert small.together(cells, FEWEST) == (set(), set()), "nobody is not somebody"
    cells[DAYS[0], OFFICES[0]] = (10, 4)
    assert small.together(cells, FEWEST) == ({DAYS[0], DAYS[1]}, set()), "one day alone would be told by the month"


@pytest.mark.parametrize(
    ("counts", "whole", "hidden"),
    [
        ({"a": 9, "b": 8}, 17, set()),
        ({"a": 9, "b": 3}, 12, {"a", "b"}),
        ({"a": 9, "b": 3, "c": 2}, 14, {"b", "c"}),
        ({"a": 9, "b": 8}, 18, {"b"}),
        ({"a": 9, "b": 3}, 30, {"b"}),
        ({"a": 3, "b": 0}, 3, {"a"}),
    ],
)
def test_answers_that_the_whole_would_tell_less_the_others_are_not_told(
    counts: dict[str, int], whole: int, hidden: set[str]
) -> None:
    assert small.rest(counts, whole, FEWEST) == hidden


def counted(cells: dict, answers: dict[str, int]) -> Counts:
    """What a mall's server prints of these numbers; `answers` by office, "" for those about the mall as a whole."""

    def row(office: str | None, counts: tuple[int, ...], given: int) -> dict[str, Any]:
        drawn, called = counts or (0, 0)
        waiting = {"measured": called, "median": 60, "p90": 120} if called else None
        steps = {name: [1, given - 1, 0, 0] for name in ELEMENTS} if given else {}
        return {"office": office, "drawn": drawn, "called": called, "waiting": waiting, "answers": steps}

    rows = [
        {"when": d, **row(o, small.total(cells, [d], [o] if o else None), 0)} for d in DAYS for o in (None, *OFFICES)
    ]
    totals = [row(None, small.total(cells, None, None), sum(answers.values()))]
    totals += [row(o, small.total(cells, None, [o]), answers[o]) for o in OFFICES]
    complaints = [
        {"when": day, "service": f"{office}/aduan", "handed_in": drawn, "sent": called}
        for (day, office), (drawn, called) in cells.items()
    ]
    return Counts.model_validate(
        {
            "format": "balai-counts-1",
            "site": NAME,
            "period": "2026-11",
            "counted": "2026-12-01",
            "since": "2026-10-01",
            "rows": rows,
            "totals": totals,
            "complaints": complaints,
        }
    )


def number(cell: str) -> int | None:
    return int(cell) if cell.isdecimal() else None


@settings(max_examples=120, deadline=None)
@given(cells=tables(), given_answers=st.tuples(PEOPLE, PEOPLE, PEOPLE, PEOPLE))
@example(cells={(DAYS[0], "dukcapil"): (3, 1)}, given_answers=(3, 0, 0, 0))
@example(cells={(DAYS[0], "dukcapil"): (30, 30), (DAYS[0], "imigrasi"): (3, 3)}, given_answers=(0, 30, 3, 0))
@example(cells={(day, "dukcapil"): (30, 3) for day in DAYS}, given_answers=(1, 30, 30, 30))
def test_neither_a_figure_of_a_report_nor_a_difference_of_two_is_of_too_few(cells: dict, given_answers: tuple) -> None:
    made = Report(
        VIEW,
        "2026-11",
        counted(cells, dict(zip(("", *OFFICES), given_answers, strict=True))),
        datetime.date(2026, 12, 1),
        "id",
    )
    found = {table.name: table.rows for table in made.tables()}
    summary = {what: value for what, value, _ in found["ringkasan"]}
    queue = [[when, who, number(drawn), number(called), wait] for when, who, drawn, called, wait, _ in found["antrean"]]
    offices = {line[0]: [number(line[n]) for n in (3, 4, 7)] for line in found["kantor"]}
    names = ("Nomor diambil", "Nomor dipanggil", "Pengisi survei")
    whole = [number(summary[name]) for name in names]
    complaints = [[number(line[2]), number(line[3])] for line in found["pengaduan"]]

    told = [count for line in queue for count in line[2:4]] + [count for line in complaints for count in line]
    told += [
        *whole,
        number(summary["Pengaduan diserahkan"]),
        *(count for counts in offices.values() for count in counts),
    ]
    assert [count for count in told if count is not None and not fine(count)] == []
    for n, all_of_it in enumerate(whole):  # the mall less the offices that are told
        if all_of_it is not None:
            assert fine(all_of_it - sum(counts[n] or 0 for counts in offices.values()))
    for office, counts in offices.items():  # an office less its days that are told
        for n in (0, 1):
            if counts[n] is not None:
                assert fine(counts[n] - sum(line[2 + n] or 0 for line in queue if line[1] == office))
    for when in {line[0] for line in queue}:  # a day less its offices that are told
        block = [line for line in queue if line[0] == when]
        for n in (2, 3):
            if block[0][n] is not None:
                assert fine(block[0][n] - sum(line[n] or 0 for line in block[1:]))
    assert [line for line in queue if number(line[4].partition(".")[0]) is not None and (line[3] or 0) < FEWEST] == []
    known = {line[0] for line in found["survei"] if line[1] in {e.title for e in VIEW.satisfaction.elements}}
    assert {office for office in known if office in offices} == {o for o, c in offices.items() if (c[2] or 0) > 0}
    assert ("Seluruh mal" in known) == (sum(given_answers) >= FEWEST)
    assert (number(summary["Indeks kepuasan (25 sampai 100)"].partition(".")[0]) is not None) == (
        "Seluruh mal" in known
    )


def test_what_is_hidden_says_so_in_both_languages_and_the_page_says_why() -> None:
    cells = {(day, "dukcapil"): (30, 30) for day in DAYS} | {(DAYS[0], "imigrasi"): (3, 3)}
    for lang, mark, why in (
        ("id", "<5 atau digabung", "dapat dikenali"),
        ("en", "<5 or put together", "could be known"),
    ):
        made = Report(
            VIEW, "2026-11", counted(cells, dict.fromkeys(["", *OFFICES], 0)), datetime.date(2026, 12, 1), lang
        )

        kantor = next(table.rows for table in made.tables() if table.name == "kantor")
        assert [line[3:7] for line in kantor[:2]] == [[mark] * 4] * 2, "the other would tell it less the whole"
        assert why in " ".join(made.notes)
