"""An audit's files: nothing is left out, and what was not checked comes first."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from balai.audit import Audit, Result, Status, report
from balai.audit.judge import judge_facts as judge
from balai.models import Model
from balai.rules.catalogue import controls, fact_checks

TITLE = {"id": "Judul <b>", "en": "Title <b>"}


def result(status: Status, target: str = "host-1", **more: object) -> Result:
    return Result(
        check=f"c_{status.value.lower()}",
        title=TITLE,
        controls=("PP71-22",),
        target=target,
        status=status,
        detail={"id": "rinci", "en": "detail"},
        at=100.0,
        **more,
    )  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = Audit(
        results=[result(s) for s in Status] + [result(Status.DNF, "host-dark")],
        covered=["PP71-22"],
        began=130.0,
        unchecked=[(controls()["PERPRES95-40-2"], _why())],
        seconds=2.0,
        subjects=["mpp-x", "cikarang"],
    )
    report.write(found, tmp_path)
    return tmp_path


def _why() -> Model:
    from balai.rules.model import Titles

    return Titles(id="belum ada", en="no check yet")


def test_junit_has_every_result_and_counts_what_did_not_run_as_an_error(folder: Path) -> None:
    """An unreachable machine that is left out of a report makes a dark mall look green."""
    suites = {s.get("name"): s for s in ET.parse(folder / "junit.xml").getroot()}

    assert set(suites) == {"host-1", "host-dark"}
    assert (suites["host-1"].get("failures"), suites["host-1"].get("errors")) == ("1", "2")
    assert suites["host-dark"].get("errors") == "1"


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(str(v) for k, v in attrs if k in ("src", "href"))

    Links().feed(page)
    assert found == []
    assert "<b>Title" not in page
    assert "Title &lt;b&gt;" in page


def test_what_was_not_checked_stands_before_the_results_in_both_languages(folder: Path) -> None:
    page = (folder / "report.html").read_text()

    for dark, light in (("What was NOT checked", "Results<"), ("Yang TIDAK diperiksa", "Hasil pemeriksaan<")):
        assert page.index(dark) < page.rindex(light)
    assert page.index("host-dark") < page.index("PASS</td>")
    assert "PERPRES95-40-2" in page


def test_each_result_has_its_evidence_its_hash_and_its_age(folder: Path) -> None:
    found = json.loads((folder / "results.json").read_text())

    assert [r["age_seconds"] for r in found["results"]] == [32] * 8
    assert all(len(r["evidence_sha256"]) == 64 for r in found["results"])
    assert found["counts"]["DNF"] == 2


@pytest.mark.parametrize("check", fact_checks(), ids=lambda c: c.id)
def test_a_check_never_passes_without_its_fact(check) -> None:
    assert judge(check, "t", None, {}, 0.0, "down").status is Status.DNF
    assert judge(check, "t", {}, {}, 0.0).status is Status.MISS
