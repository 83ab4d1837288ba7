"""A mall's monthly report and yearly evaluation: what is known is there, what nobody knows is said, and nothing is 0 for it."""

from __future__ import annotations

import csv
import datetime
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from balai.errors import DataError
from balai.estate import load_estate
from balai.mall.counted import index_of, read_counts
from balai.mall.report import Report, write
from balai.models import Counts
from balai.sites import INVENTORIES, SiteView, load_site

NAME = "mpp-banyuwangi"
VIEW = load_site(INVENTORIES / f"sites/{NAME}.yml")
ELEMENTS = [element.name for element in VIEW.satisfaction.elements]
TODAY = datetime.date(2026, 12, 1)
UNKNOWN = "tidak diketahui"


def row(office: str | None, drawn: int, called: int, answers: dict[str, list[int]] | None = None) -> dict[str, Any]:
    waiting = {"measured": called, "median": 300, "p90": 1830} if called else None
    return {"office": office, "drawn": drawn, "called": called, "waiting": waiting, "answers": answers or {}}


def good() -> dict[str, Any]:
    answers = {name: [0, 0, 20, 20] for name in ELEMENTS}
    parts = [row(None, 70, 50, answers), row("dukcapil", 60, 50, answers), row("imigrasi", 10, 0)]
    return {
        "format": "balai-counts-1",
        "site": NAME,
        "period": "2026-11",
        "counted": "2026-12-01",
        "since": "2026-10-01",
        "rows": [{"when": "2026-11-03", **part} for part in parts],
        "totals": parts,
        "complaints": [{"when": "2026-11-03", "service": "portal-layanan/aduan", "handed_in": 40, "sent": 30}],
    }


def report(counts: dict[str, Any] | None = None, period: str = "2026-11", view: SiteView = VIEW) -> Report:
    return Report(view, period, Counts.model_validate(counts) if counts else None, TODAY, "id")


def table(made: Report, name: str) -> list[list[str]]:
    return next(table.rows for table in made.tables() if table.name == name)


def values(made: Report) -> dict[str, str]:
    return {what: value for what, value, _ in table(made, "ringkasan")}


def estate(folder: Path, more: str = "", **edits: str) -> Path:
    """The inventories, with more in the pilot mall's file."""
    root = Path(shutil.copytree(INVENTORIES, folder / "i", ignore=shutil.ignore_patterns("enrolment")))
    path = root / f"sites/{NAME}.yml"
    text = path.read_text()
    for key, value in edits.items():
        text = text.replace(f"{key}: unknown", f"{key}: {value}")
    path.write_text(text + more)
    return root


def test_without_counts_nothing_of_the_queue_is_known_and_nothing_is_0() -> None:
    made = report()
    found = values(made)

    assert found["Layanan"] == "199"
    assert {found[what] for what in ("Nomor diambil", "Pengisi survei", "Pengaduan diserahkan", "Pengunjung")} == {
        UNKNOWN
    }
    assert [
        cell for item in made.tables() for line in item.rows for cell in line if cell in ("0", "0.0", "0.00", "")
    ] == []
    assert all(set(table(made, name)[0]) == {UNKNOWN} for name in ("antrean", "survei", "pengaduan"))


def test_what_was_counted_is_there_and_what_nobody_counts_is_still_unknown() -> None:
    made = report(good())
    found = values(made)

    assert (found["Nomor diambil"], found["Nomor dipanggil"]) == ("70", "50")
    assert (found["Waktu tunggu, median (menit)"], found["Waktu tunggu, persentil ke-90 (menit)"]) == ("5.0", "30.5")
    assert (found["Pengisi survei"], found["Indeks kepuasan (25 sampai 100)"]) == ("40", "87.50")
    assert (found["Pengaduan diserahkan"], found["Di antaranya sudah diteruskan"]) == ("40", "30")
    assert found["Pengunjung"] == UNKNOWN, "a number is not a visitor"
    offices = {line[0]: line[1:] for line in table(made, "kantor")}
    assert offices["Direktorat Jenderal Imigrasi"] == ["2", "2", "10", "0", UNKNOWN, UNKNOWN, "0", UNKNOWN]
    assert len(table(made, "survei")) == 2 * len(ELEMENTS)
    assert table(made, "pengaduan") == [["2026-11-03", "portal-layanan/aduan", "40", "30"]]


def test_the_index_is_of_all_nine_elements_or_unknown_and_is_marked_as_recalled() -> None:
    made = report(good())

    assert index_of({name: [1, 0, 0, 1] for name in ELEMENTS}, ELEMENTS) == 62.5
    assert index_of({name: [0, 0, 0, 1] for name in ELEMENTS[1:]}, ELEMENTS) is None
    assert index_of({}, []) is None
    assert all("DIINGAT" in " ".join(t.notes) for t in made.tables() if t.name in ("kantor", "survei"))
    assert "DIINGAT" in next(ground for what, _, ground in table(made, "ringkasan") if what.startswith("Indeks"))


@pytest.mark.parametrize(
    ("edit", "note", "known"),
    [
        ({"since": None, "rows": [], "totals": [row(None, 0, 0)]}, "tidak mengingat", False),
        ({"since": "2026-12-01", "rows": [], "totals": [row(None, 0, 0)]}, "tidak mengingat", False),
        ({"since": "2026-11-03"}, "baru mengingat sejak 2026-11-03", True),
        ({"counted": "2026-11-30"}, "belum selesai", True),
    ],
)
def test_a_queue_that_remembers_only_a_part_is_said_so(edit: dict, note: str, known: bool) -> None:
    made = report({**good(), **edit})

    assert note in " ".join(made.notes)
    assert (values(made)["Nomor diambil"] != UNKNOWN) == known
    assert values(made)["Pengaduan diserahkan"] == "40", "the intake remembers by itself"


def test_a_mall_without_intake_does_not_know_its_complaints_and_one_without_any_has_none() -> None:
    assert table(report({**good(), "complaints": None}), "pengaduan")[0][0] == UNKNOWN
    assert values(report({**good(), "complaints": None}))["Pengaduan diserahkan"] == UNKNOWN
    assert table(report({**good(), "complaints": []}), "pengaduan")[0][0] == "tidak ada"
    assert values(report({**good(), "complaints": []}))["Pengaduan diserahkan"] == "0"


def test_opening_days_are_the_calendar_s_where_the_hours_are_known(tmp_path: Path) -> None:
    view = load_site(estate(tmp_path, hours='{mon-thu: "07:30-15:30", fri: "07:30-10:30"}') / f"sites/{NAME}.yml")

    november, year = (report(None, period, view) for period in ("2026-11", "2026"))

    assert values(november)["Hari buka menurut kalender"] == "21"
    assert values(year)["Hari buka menurut kalender"] == "261", "no holiday of a decree that nobody has read"
    assert [line[2] for line in table(november, "kantor")] == ["21", "2"]
    assert values(report())["Hari buka menurut kalender"] == UNKNOWN
    assert "Kelembagaan dan integrasi" in values(year)


def test_facilities_are_attested_with_their_age_and_unknown_without(tmp_path: Path) -> None:
    lines = """facilities:
  ramp: {present: true, date: "2025-11-30", by: Dinas Sosial}
  atm: {present: false, date: "2026-11-21", by: petugas}
  wheelchair: {present: true, date: "2027-01-01", by: petugas}
  handrail: unknown
"""
    view = load_site(estate(tmp_path, lines) / f"sites/{NAME}.yml")

    found = {line[0]: line[1:] for line in table(report(view=view), "fasilitas")}

    assert found["Jalan landai"][:3] == ["ada", "2025-11-30", "Dinas Sosial"]
    assert "366 hari: LEBIH DARI SETAHUN" in found["Jalan landai"][3]
    assert found["ATM"][:4] == ["tidak ada", "2026-11-21", "petugas", "10 hari"]
    assert found["Kursi roda"][0] == UNKNOWN, "a date that is still to come attests nothing"
    assert found["Pegangan rambat"][0] == found["Pojok baca"][0] == UNKNOWN
    assert len(found) == len(VIEW.facilities.facilities)


def test_a_facility_that_is_not_on_the_list_or_not_dated_is_refused(tmp_path: Path) -> None:
    lines = "facilities:\n  rampp: {present: true, date: '2026-11-01', by: petugas}\n"
    with pytest.raises(DataError, match="Did you mean 'ramp'"):
        load_site(estate(tmp_path / "a", lines) / f"sites/{NAME}.yml")
    with pytest.raises(DataError, match="Did you mean 'ramp'"):
        load_estate(tmp_path / "a/i")

    lines = "facilities:\n  ramp: {present: true, date: yesterday}\n  atm: no\n"
    with pytest.raises(DataError) as caught:
        load_site(estate(tmp_path / "b", lines) / f"sites/{NAME}.yml")
    assert {problem.key for problem in caught.value.problems} == {
        "facilities.ramp.date",
        "facilities.ramp.by",
        "facilities.atm",
    }


WRONG = {
    "another mall's": ({"site": "mpp-badung"}, {"site"}),
    "another month's": ({"period": "2026-10"}, {"period", "rows[0].when", "rows[1].when", "rows[2].when", "complaints[0].when"}),
    "a year that is none": ({"period": "0000"}, {"period"}),
    "not of this form": ({"format": "balai-counts-2"}, {"format"}),
    "no day": ({"rows": [{"when": "2026-11-31", **row(None, 70, 50)}]}, {"rows[0].when", "totals[1].drawn", "totals[1].called", "totals[2].drawn"}),
    "twice": ({"totals": [*good()["totals"], row(None, 70, 50)]}, {"totals[3]"}),
    "not what it adds up to": ({"totals": [row(None, 80, 50), *good()["totals"][1:]]}, {"totals[0].drawn"}),
    "without the whole": ({"totals": good()["totals"][1:]}, {"totals", "rows[0].office"}),
    "more called than drawn": ({"totals": [row(None, 4, 5)]}, {"totals[0]"}),
    "below nothing": ({"totals": [row(None, -1, 0)]}, {"totals[0].drawn"}),
    "a fifth answer": ({"totals": [row(None, 7, 5, {"cost": [0, 0, 0, 0, 1]})]}, {"totals[0].answers.cost"}),
    "an element that is none": (
        {"totals": [row(None, 70, 50, {"costs": [0, 0, 0, 1]}), *good()["totals"][1:]]},
        {"totals[0].answers.costs"},
    ),
    "one element answered more": ({"totals": [row(None, 7, 5, {"cost": [0, 0, 0, 1], "time": [0, 0, 0, 2]})]}, {"totals[0]"}),
    "more sent than handed in": (
        {"complaints": [{"when": "2026-11-03", "service": "a1/b1", "handed_in": 1, "sent": 2}]},
        {"complaints[0]"},
    ),
    "a key nobody knows": ({"names": []}, {"names"}),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "keys"), WRONG.values(), ids=WRONG)
def test_counts_that_cannot_be_are_refused_with_every_problem(tmp_path: Path, edit: dict, keys: set[str]) -> None:
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({**good(), **edit}, indent=1))

    with pytest.raises(DataError) as caught:
        read_counts(path, VIEW, "2026-11")

    assert {problem.key for problem in caught.value.problems} == keys
    assert all(problem.line and problem.fix for problem in caught.value.problems)


def test_two_wrong_things_are_told_at_once_by_the_command(balai, tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({**good(), "site": "mpp-badung", "totals": good()["totals"][1:]}, indent=1))

    done = balai("mall", "report", NAME, "--month", "2026-11", "--counts", str(path), "--out", str(tmp_path / "out"))

    assert done.returncode == 2
    assert "3 problem(s)" in done.stderr
    assert "mpp-badung" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "argv",
    [[], ["--month", "2026-11", "--year", "2026"], ["--month", "2026-13"], ["--month", "2026-11", "--counts", "none"]],
)
def test_a_report_of_no_period_is_refused(balai, argv: list[str]) -> None:
    done = balai("mall", "report", NAME, *argv)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_command_prints_the_summary_or_writes_all_of_it(balai, tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    path.write_text(json.dumps(good(), indent=1))
    out = tmp_path / "out"

    printed = balai("mall", "report", NAME, "--month", "2026-11", "--counts", str(path)).stdout
    english = balai("mall", "report", NAME, "--year", "2026", "--lang", "en").stdout
    written = balai("mall", "report", NAME, "--month", "2026-11", "--counts", str(path), "--out", str(out)).stdout

    assert "Laporan bulanan MPP Kabupaten Banyuwangi: 2026-11" in printed
    assert "Yearly evaluation" in english
    assert "unknown" in english
    assert "laporan.html" in written
    files = ["antrean", "fasilitas", "kantor", "pengaduan", "ringkasan", "survei"]
    assert sorted(p.name for p in out.iterdir()) == sorted([*(f"{name}.csv" for name in files), "laporan.html"])
    with (out / "antrean.csv").open(newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0][:3] == ["Hari atau bulan", "Kantor", "Nomor diambil"]
    assert lines[1][:3] == ["2026-11-03", "Seluruh mal", "70"]


class _Page(HTMLParser):
    """Collects what a page would fetch, and its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]
        self.tables += tag == "table"


def test_the_page_needs_no_network_is_in_indonesian_and_escapes(tmp_path: Path) -> None:
    lines = 'facilities:\n  ramp: {present: true, date: "2026-11-01", by: "<script>alert(1)</script>"}\n'
    view = load_site(estate(tmp_path, lines) / f"sites/{NAME}.yml")

    words = write(report(good(), view=view), tmp_path / "out").read_text()

    page = _Page()
    page.feed(words)
    assert (page.fetched, page.tables) == ([], 6)
    assert '<html lang="id">' in words
    assert "<script>" not in words
    assert "DIINGAT" in words


def test_every_mall_can_be_reported_without_a_change_of_its_file() -> None:
    for path in sorted((INVENTORIES / "sites").glob("*.yml")):
        made = report(None, "2026", load_site(path))
        assert len(made.tables()) == 6
        assert all(len(line) == len(item.columns) for item in made.tables() for line in item.rows)
