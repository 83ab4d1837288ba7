"""One audit as files: JSON with raw evidence, JUnit, and a page that opens without a network."""

from __future__ import annotations

import datetime
import json
import xml.etree.ElementTree as ET  # only ever written here, never parsed
from collections import defaultdict
from pathlib import Path
from typing import Any

from balai.audit.judge import Audit
from balai.audit.results import Result, Status, counts
from balai.pages import render
from balai.rules.catalogue import controls
from balai.text import say

JUDGED = (Status.PASS, Status.FAIL)
_ORDERED = (Status.FAIL, Status.DNF, Status.MISS, Status.MANUAL, Status.EXCEPTED, Status.PASS, Status.NA)
ORDER = {status: n for n, status in enumerate(_ORDERED)}


def write(audit: Audit, folder: Path) -> Path:
    """Write results.json, junit.xml and report.html into a folder; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "results.json": json.dumps(_as_json(audit), indent=1, default=str, ensure_ascii=False),
        "junit.xml": ET.tostring(junit(audit.results), encoding="unicode", xml_declaration=True),
        "report.html": html(audit),
    }
    for name, text in content.items():
        partial = folder / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
    return folder / "report.html"


def html(audit: Audit) -> str:
    """Return the page: what was not checked comes first."""
    ordered = sorted(audit.results, key=lambda r: (ORDER[r.status], r.target, r.check))
    return render(
        "report/report.html.j2",
        t=say,
        age=lambda result: _age(audit, result),
        subjects=audit.subjects,
        counts=counts(audit.results),
        covered=len(audit.covered),
        all=len(controls()),
        at=_when(audit.began),
        unchecked=audit.unchecked,
        dark=[r for r in ordered if r.status not in JUDGED],
        judged=[r for r in ordered if r.status in JUDGED],
    )


def junit(results: list[Result]) -> ET.Element:
    """Return a JUnit tree: a suite a target, and nothing left out; what did not run is an error."""
    root = ET.Element("testsuites", name="balai audit")
    suites: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        suites[result.target].append(result)
    for target, members in sorted(suites.items()):
        tally = counts(members)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=target,
            tests=str(len(members)),
            failures=str(tally["FAIL"]),
            errors=str(tally["DNF"] + tally["MISS"]),
            skipped=str(tally["MANUAL"] + tally["NA"] + tally["EXCEPTED"]),
        )
        for result in members:
            case = ET.SubElement(suite, "testcase", classname=target, name=result.check)
            tag = {
                Status.FAIL: "failure",
                Status.DNF: "error",
                Status.MISS: "error",
                Status.MANUAL: "skipped",
                Status.NA: "skipped",
                Status.EXCEPTED: "skipped",
            }.get(result.status)
            if tag:
                ET.SubElement(case, tag, message=result.detail["en"], type=result.status.value)
    return root


def _as_json(audit: Audit) -> dict[str, Any]:
    return {
        "subjects": audit.subjects,
        "began": _when(audit.began),
        "seconds": round(audit.seconds, 2),
        "counts": counts(audit.results),
        "results": [{**result.as_json(), "age_seconds": _age(audit, result)} for result in audit.results],
        "controls_with_result": audit.covered,
        "controls_without_result": [{"id": c.id, "why": why.model_dump()} for c, why in audit.unchecked],
    }


def _age(audit: Audit, result: Result) -> int:
    """Return how old the evidence was, in seconds, when the audit ended."""
    return max(0, round(audit.began + audit.seconds - result.at))


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
