"""
The controls of the baseline, and what proves each: computed from the rules and checks, never typed.

A control is one requirement of the law, as far as it could be verified. A rule judges Kubernetes
objects, a fact check what was gathered on a machine or a cluster; each names its controls.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from balai import yamlfile
from balai.models.base import Date, Model, OrUnknown, Text, load
from balai.models.tenant import Category
from balai.rules.model import Titles, load_rules

POLICIES = Path(__file__).resolve().parent.parent.parent / "policies"
Target = Literal["host", "cluster", "tenant"]


class Unless(Model):
    """Where a check cannot run, and why."""

    when: Text
    why: Titles


class FactCheck(Model):
    """
    One check over gathered facts; see policies/checks/.

    Attributes:
        kinds: Kinds of machine that it is asked of; none for every one.
    """

    id: Text
    title: Titles
    controls: list[Text]
    target: Target = "host"
    kinds: list[Literal["router", "server", "kiosk", "display"]] = []
    needs: Text
    unless: Unless | None = None
    expression: Text
    shows: Text


class Checks(Model):
    """One file of policies/checks/."""

    checks: list[FactCheck]


class Control(Model):
    """One control of the baseline, as far as it could be verified."""

    id: Text
    regulation: Text
    article: str | None
    title_id: Text
    title_en: Text
    text_id: str
    domain: Text
    levels: list[Category]
    enforce: list[Literal["k8s", "host", "network", "app", "organisational"]]
    reading: str
    iso27001: list[str]
    nist80053: list[str]
    cis: list[str]
    verification: Literal["read", "read-secondary", "recalled"]
    source: str
    note: str | None = None


class Baseline(Model):
    """policies/controls/baseline.yml: the edition of the baseline and its days."""

    version: Text
    draft: Date
    effective: OrUnknown[Date]
    retired: OrUnknown[Date]
    source: Text


@dataclass(frozen=True, kw_only=True)
class Proof:
    """
    What proves one control.

    Attributes:
        ways: Ids of rules and checks by where they look: `objects`, `host`, `cluster`, `tenant`.
        why: Why there is none; None when there is one.
    """

    control: Control
    ways: dict[str, list[str]]
    why: Titles | None


@cache
def controls() -> dict[str, Control]:
    """Return the catalogue of controls, by id."""
    document = yamlfile.read(POLICIES / "controls" / "spbe.yml")
    found = {}
    for n, item in enumerate(document.data):
        lines = {path[1:]: line for path, line in document.lines.items() if path[:1] == (n,)}
        control = load(Control, yamlfile.Document(document.name, item, lines))
        found[control.id] = control
    return found


@cache
def fact_checks() -> tuple[FactCheck, ...]:
    """Return every check over facts, of hosts first."""
    return tuple(
        check
        for name in ("host", "cluster")
        for check in load(Checks, yamlfile.read(POLICIES / "checks" / f"{name}.yml")).checks
    )


@cache
def baseline() -> Baseline:
    """Return the edition of the baseline."""
    return load(Baseline, yamlfile.read(POLICIES / "controls" / "baseline.yml"))


@cache
def proofs() -> dict[str, Proof]:
    """Return what proves each control, by its id."""
    ways: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for rule in load_rules():
        for name in rule.controls:
            ways[name]["objects"].append(rule.id)
    for check in fact_checks():
        for name in check.controls:
            ways[name][check.target].append(check.id)
    return {
        name: Proof(control=control, ways=dict(ways[name]), why=None if ways[name] else unproven(control))
        for name, control in controls().items()
    }


def unproven(control: Control) -> Titles:
    """Return why no machine proves a control."""
    if control.enforce == ["organisational"]:
        return Titles(id="hanya dapat dinilai oleh orang", en="only people can judge it (organisational)")
    if control.verification == "recalled":
        return Titles(id="teks resminya belum dibaca", en="the official text has not been read yet")
    if control.enforce == ["app"]:
        return Titles(id="hanya terlihat di dalam aplikasi", en="it can be seen only inside the application")
    return Titles(id="belum ada pemeriksaan (direncanakan)", en="no check yet (planned)")
