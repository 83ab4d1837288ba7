"""Verdicts on files in the forms that people and pipelines read: text, JSON, SARIF 2.1.0, JUnit."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from balai.rules.files import Placed, Verdict
from balai.rules.model import Rule
from balai.text import language, say

Json = dict[str, Any]
_LEVELS = {"deny": "error", "warn": "warning", "audit": "note"}
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(verdict: Verdict) -> Iterator[str]:
    """Yield lines for people: file:line:column, what is wrong, how to mend it, then the sum and what was not seen."""
    lang = language()
    for placed in verdict.found:
        finding = placed.finding
        mode = f"excepted ({finding.exception})" if finding.exception else finding.mode
        fix = getattr(finding.rule.remediation, lang)
        yield _printable(
            f"{placed.file}:{placed.line}:{placed.column}: {mode}: [{finding.rule.id}] {finding.what}: "
            f"{finding.message}. {fix}"
        )
    for what, rules in verdict.unseen.items():
        yield say("check_unseen", what=what, rules=", ".join(rules))
    if verdict.unjudged:
        yield say("check_unjudged", count=verdict.unjudged)
    if not verdict.found:
        yield say("check_clean", objects=verdict.objects, rules=verdict.rules)
        return
    yield say(
        "check_found",
        objects=verdict.objects,
        rules=verdict.rules,
        deny=len(verdict.of("deny")),
        warn=len(verdict.of("warn")),
        audit=len(verdict.of("audit")),
        excepted=len(verdict.excepted),
    )


def _printable(text: str) -> str:
    """Return a text that cannot command a terminal, nor break XML."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def as_json(verdict: Verdict) -> str:
    """Return everything as one JSON object."""
    return json.dumps(
        {
            "objects": verdict.objects,
            "unjudged": verdict.unjudged,
            "rules": verdict.rules,
            "unseen": verdict.unseen,
            "findings": [
                {
                    "file": p.file,
                    "line": p.line,
                    "column": p.column,
                    "rule": p.finding.rule.id,
                    "mode": p.finding.mode,
                    "severity": p.finding.rule.severity,
                    "exception": p.finding.exception or None,
                    "kind": p.finding.kind,
                    "name": p.finding.name,
                    "namespace": p.finding.namespace,
                    "message": p.finding.message,
                    "controls": p.finding.rule.controls,
                    "remediation": p.finding.rule.remediation.model_dump(),
                }
                for p in verdict.found
            ],
        },
        ensure_ascii=False,
    )


def as_sarif(verdict: Verdict) -> str:
    """Return a SARIF log, as code hosts show it beside the line; an exception is a suppression."""
    rules = {p.finding.rule.id: p.finding.rule for p in verdict.found}
    order = sorted(rules)
    run = {
        "tool": {
            "driver": {
                "name": "balai",
                "version": version("balai"),
                "rules": [_sarif_rule(rules[name]) for name in order],
            }
        },
        "results": [_sarif_result(p, order.index(p.finding.rule.id)) for p in verdict.found],
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, ensure_ascii=False)


def as_junit(verdict: Verdict) -> str:
    """Return JUnit XML: a suite a file, a failure for each denial."""
    root = ET.Element("testsuites", name="balai check")
    for file in sorted({p.file for p in verdict.found} or {"-"}):
        here = [p for p in verdict.found if p.file == file]
        denied = [p for p in here if p in verdict.of("deny")]
        suite = ET.SubElement(root, "testsuite", name=file, tests=str(len(here)), failures=str(len(denied)))
        for placed in here:
            finding = placed.finding
            name = _printable(f"{finding.rule.id} {finding.what}")
            case = ET.SubElement(suite, "testcase", classname=file, name=name)
            where = _printable(f"{placed.file}:{placed.line}:{placed.column}: {finding}")
            if placed in denied:
                ET.SubElement(case, "failure", type=finding.rule.severity, message=finding.message).text = where
            elif finding.exception:
                ET.SubElement(case, "skipped", message=f"excepted: {finding.exception}")
            else:
                ET.SubElement(case, "system-out").text = f"{finding.mode}: {where}"
    return ET.tostring(root, encoding="unicode")


def _sarif_rule(rule: Rule) -> Json:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title.en},
        "fullDescription": {"text": rule.rationale},
        "help": {"text": rule.remediation.en},
        "properties": {"tags": [*rule.controls, rule.severity]},
    }


def _sarif_result(placed: Placed, index: int) -> Json:
    finding = placed.finding
    result: Json = {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": _LEVELS[finding.mode],
        "message": {"text": f"{finding.what}: {finding.message}. {finding.rule.remediation.en}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": placed.file},
                    "region": {"startLine": placed.line, "startColumn": placed.column},
                }
            }
        ],
    }
    if finding.exception:
        result["suppressions"] = [{"kind": "external", "justification": finding.exception}]
    return result
