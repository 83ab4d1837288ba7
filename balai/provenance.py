"""
Where a value of the estate comes from: each layer that had a say, with file, line and last change.

A value that a site or tenant writes has one layer. What is computed (addresses, equipment, time zone) has the line that
it is computed from and the rule of the plan.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from balai import yamlfile
from balai.addressing import Zone
from balai.errors import BalaiError
from balai.models import Tenant
from balai.rules.catalogue import fact_checks
from balai.rules.exceptions import load_exceptions
from balai.rules.lens import LABEL
from balai.sites import SiteView, load_site
from balai.yamlfile import Document, dotted


@dataclass(frozen=True, kw_only=True)
class Layer:
    """
    One place that has a say in a value.

    Attributes:
        what: What it says; the last layer's is the value.
        where: File and line, or the part of the plan.
        place: The same for a program; None for a part of the plan.
    """

    what: str
    where: str
    place: tuple[Path, int] | None = None

    @cached_property
    def change(self) -> str:
        """Last change of that line (commit, day, author), asked of git when it is wanted; "" where it is not known."""
        return _last_change(*self.place) if self.place else ""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A value with its layers, the controls whose checks look at it, and the exceptions that bend rules there."""

    layers: tuple[Layer, ...]
    controls: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()


def explain(subject: str, path: str, root: Path) -> Explained:
    """
    Explain `path` of `site:NAME` or `tenant:NAME`.

    Raises:
        BalaiError: There is no such subject, or nothing at that path; the message names what there is.
    """
    kind, _, name = subject.partition(":")
    folder = {"site": "sites", "tenant": "tenants"}.get(kind, "")
    file = root / folder / f"{name}.yml"
    if not folder or not file.is_file():
        known = sorted(p.stem for p in (root / folder).glob("*.yml")) if folder else []
        raise BalaiError(f"There is no {subject!r}; it is site:NAME or tenant:NAME. {', '.join(known[:12])}".strip())
    document = yamlfile.read(file)
    if kind == "site":
        view = load_site(file)
        computed = dict(_computed(view, document, root))
        if path in computed:
            return Explained(layers=computed[path])
        return Explained(layers=_written(document, file, path, list(computed)))
    layers = _written(document, file, path, list(Tenant.model_fields))
    field = path.partition(".")[0].partition("[")[0]
    label = f"{LABEL}{field.replace('_', '-')}"
    asking = {control for check in fact_checks() if label in check.expression for control in check.controls}
    bent = [e.id for e in load_exceptions() for scope in e.scope if scope.namespace == f"tenant-{name}"]
    return Explained(layers=layers, controls=tuple(sorted(asking)), exceptions=tuple(dict.fromkeys(bent)))


def _computed(view: SiteView, document: Document, root: Path) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    site = view.site
    ledger = root / "addresses.csv"
    row = next(n for n, line in enumerate(ledger.read_text().splitlines(), 1) if line.startswith(f"{site.name},"))
    index = _layer(f"index {view.index}", ledger, row)

    def planned(value: object, what: str) -> tuple[Layer, ...]:
        return index, Layer(what=str(value), where=f"balai/addressing.py: {what}")

    plan = view.plan
    for zone in Zone:
        yield (
            f"addresses.{zone.value}",
            planned(f"{plan.zones[zone]} {plan.zones_v6[zone]}", f"zone {zone.value} of a mall"),
        )
    yield "addresses.guests", planned(plan.guests_v6, "guests of a mall (IPv4 is the same everywhere)")
    yield "addresses.overlay", planned(f"{plan.overlay} {plan.overlay_v6}", "a mall's end of the overlay")
    for n, office in enumerate(site.offices):
        slot = _layer(f"slot {office.slot}", root / "sites" / f"{site.name}.yml", document.line(("offices", n, "slot")))
        first, last = planned(f"{plan.slots[office.slot]} {plan.slots_v6[office.slot]}", "an office's slot of a mall")
        yield f"addresses.{office.agency}", (first, slot, last)
    for machine in view.machines:
        short = machine.name.removeprefix(f"{site.name}-")
        yield f"machines.{short}", planned(machine.address, f"machine {machine.number} of kind {machine.kind}")
    sizes = yamlfile.read(root / "site_sizes.yml")
    for kind in type(view.devices).model_fields:
        line = sizes.line((site.size, kind))
        layers = [_layer(str(getattr(getattr(view.sizes, site.size), kind)), root / "site_sizes.yml", line)]
        if kind in site.devices:
            own = document.line(("devices", kind))
            layers.append(_layer(str(site.devices[kind]), root / "sites" / f"{site.name}.yml", own))
        yield f"devices.{kind}", tuple(layers)
    regions = (root / "regions.csv").read_text().splitlines()
    for n, text in enumerate(regions, 1):
        if text.partition(",")[0] == site.regions[0]:
            yield "timezone", (_layer(view.timezone, root / "regions.csv", n),)


def _written(document: Document, file: Path, path: str, more: list[str]) -> tuple[Layer, ...]:
    for place in document.lines:
        if place and dotted(place) == path:
            value: Any = document.data
            for part in place:
                value = value[part]
            return (_layer(str(value), file, document.line(place)),)
    written = [dotted(place) for place in document.lines if len(place) == 1]
    raise BalaiError(f"{path!r} is not in {document.name}. There are {', '.join(dict.fromkeys([*written, *more]))}.")


def _layer(what: str, file: Path, line: int) -> Layer:
    return Layer(what=what, where=f"{file.parent.name}/{file.name}:{line}", place=(file, line))


def _last_change(file: Path, line: int) -> str:
    """Return who changed a line last, and when, as git knows it; "" for a line that git does not know."""
    argv = ["git", "-C", str(file.parent), "blame", "--porcelain", "-L", f"{line},{line}", "--", file.name]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = dict(text.partition(" ")[::2] for text in done.stdout.splitlines() if not text.startswith("\t"))
    commit = done.stdout[:9]
    if done.returncode or not commit.strip("0 "):
        return ""
    day = subprocess.run(
        ["git", "-C", str(file.parent), "show", "-s", "--format=%as", commit],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return f"{commit} {day} {words.get('author', '')}".strip()
