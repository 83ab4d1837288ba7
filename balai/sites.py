"""
One mall: its file, and what is computed from its size and its place in the ledger.

A site is loaded alone (the inventory of a technician) in a fraction of the time of the whole estate.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from balai import addressing, yamlfile
from balai.errors import DataError, Problem
from balai.models import (
    Calendar,
    DataCentre,
    Devices,
    EnrolledMachine,
    Enrolment,
    Flow,
    Flows,
    Hub,
    Hubs,
    LedgerEntry,
    Region,
    Site,
    Sizes,
    load,
)
from balai.onsite import calendar
from balai.reading import table, unknown
from balai.yamlfile import Document

# A government keeps its own inventories in a repository of its own and names the folder.
INVENTORIES = Path(os.environ.get("BALAI_INVENTORIES") or Path(__file__).resolve().parent.parent / "inventories")
DEVICE_BOUNDS = {"router": (1, 2), "server": (1, 4), "kiosk": (0, 40), "display": (0, 40), "counters": (1, 128)}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine of a mall, with its address in the management network (servers: their own)."""

    name: str
    kind: str
    number: int
    address: str

    @property
    def place(self) -> int:
        """Its host number, the same in each network that it is in."""
        return int(self.address.rpartition(".")[2])


@dataclass(frozen=True)
class SiteView:
    """A site with what is computed from its size and its place in the ledger."""

    site: Site
    sizes: Sizes
    index: int
    timezone: str
    flows: tuple[Flow, ...]
    holidays: tuple[str, ...]
    enrolled: tuple[EnrolledMachine, ...]
    hubs: tuple[tuple[Hub, addressing.DataCentrePlan], ...]

    @cached_property
    def devices(self) -> Devices:
        """The size's equipment with the site's own deviations."""
        return Devices.model_validate({**getattr(self.sizes, self.site.size).model_dump(), **self.site.devices})

    @cached_property
    def plan(self) -> addressing.MallPlan:
        """Every network of the site."""
        return addressing.mall(self.index)

    @cached_property
    def machines(self) -> list[Machine]:
        """Managed machines; the management network gives each kind a block of its own."""
        management = self.plan.zones[addressing.Zone.MANAGEMENT]
        first = {"router": 1, "server": 10, "kiosk": 32, "display": 96}
        return [
            Machine(
                name=f"{self.site.name}-{kind}-{number}",
                kind=kind,
                number=number,
                address=str(management[start + number - 1]),
            )
            for kind, start in first.items()
            for number in range(1, getattr(self.devices, kind) + 1)
        ]


def load_site(path: Path) -> SiteView:
    """
    Read one site's file and the few lines elsewhere that it stands on.

    Raises:
        DataError: The file is wrong, or the site has no line in the ledger.
    """
    root = path.resolve().parent.parent
    if not (root / "addresses.csv").exists():
        root = INVENTORIES  # a site file from elsewhere: the project's own ledger counts
    document = yamlfile.read(path)
    site = load(Site, document)
    problems = list(site_problems(site, document))
    ledger = {e.site: e.index for e in table(LedgerEntry, root / "addresses.csv")}
    if site.name not in ledger:
        problems.append(
            Problem(
                file=document.name,
                line=document.line(("name",)),
                key="name",
                given=repr(site.name),
                bound="the site has no line in addresses.csv, so it has no addresses",
                fix=f"Append the line `{site.name},{max(ledger.values(), default=-1) + 1}` to it.",
            )
        )
    zones = {r.code: r.timezone for r in table(Region, root / "regions.csv") if r.code in site.regions}
    problems += [
        unknown(document, ("regions", n), code, "region", list(zones))
        for n, code in enumerate(site.regions)
        if len(code) == 5 and code not in zones
    ]
    folder = enrolment_folder(root)
    enrolled, more = enrolment_of(site, folder)
    if problems := [*problems, *more]:
        raise DataError(problems)
    holidays = load(Calendar, yamlfile.read(root / "calendar.yml")).holidays
    return SiteView(
        site=site,
        sizes=load(Sizes, yamlfile.read(root / "site_sizes.yml")),
        index=ledger[site.name],
        timezone=next(iter(zones.values()), "Asia/Jakarta"),
        flows=tuple(
            flow
            for flow in load(Flows, yamlfile.read(root / "flows.yml")).flows
            if not flow.regions or set(flow.regions) & set(site.regions)
        ),
        # A holiday that was only recalled closes nothing: somebody has to read the decree first.
        holidays=tuple(h.date for h in holidays if h.verification not in ("recalled", "unknown")),
        enrolled=enrolled,
        hubs=tuple(_hubs(folder, root)),
    )


def enrolment_folder(root: Path) -> Path:
    """Return where it is written what single machines are and which public keys they made."""
    return Path(os.environ.get("BALAI_ENROLMENT") or root / "enrolment")


def _hubs(folder: Path, root: Path) -> Iterator[tuple[Hub, addressing.DataCentrePlan]]:
    if not (folder / "hubs.yml").exists():
        return
    document = yamlfile.read(folder / "hubs.yml")
    for n, hub in enumerate(load(Hubs, document).hubs):
        path = root / "data_centres" / f"{hub.data_centre}.yml"
        if not path.exists():
            known = [other.stem for other in path.parent.glob("*.yml")]
            raise DataError([unknown(document, ("hubs", n, "data_centre"), hub.data_centre, "data centre", known)])
        yield hub, addressing.data_centre(load(DataCentre, yamlfile.read(path)).index)


def enrolment_of(site: Site, folder: Path) -> tuple[tuple[EnrolledMachine, ...], list[Problem]]:
    """Return the machines of a mall whose cards are known, and what is wrong with what is written of them."""
    path = folder / f"{site.name}.yml"
    if not path.exists():
        return (), []
    try:
        document = yamlfile.read(path)
        found = load(Enrolment, document)
    except DataError as error:
        return (), error.problems
    offices = [office.agency for office in site.offices]
    problems = []
    if found.site != site.name:
        problems.append(_enrolment_problem(document, ("site",), found.site, f"the file is that of {site.name}"))
    first: dict[tuple[str, object], int] = {}
    for n, machine in enumerate(found.machines):
        values: dict[str, object] = {"name": machine.name, "mac": machine.mac}
        if machine.office is not None:
            values["number"] = (machine.office, machine.number)
            if machine.office not in offices:
                path_of_it = ("machines", n, "office")
                problems.append(unknown(document, path_of_it, machine.office, "office of the site", offices))
        for key, value in values.items():
            if (other := first.setdefault((key, value), n)) != n:
                taken = f"{found.machines[other].name} has it already"
                problems.append(_enrolment_problem(document, ("machines", n, key), getattr(machine, key), taken))
    return tuple(found.machines), problems


def _enrolment_problem(document: Document, path: tuple[str | int, ...], given: object, bound: str) -> Problem:
    return Problem(
        file=document.name,
        line=document.line(path),
        key=yamlfile.dotted(path),
        given=repr(given),
        bound=bound,
        fix="Give each machine a name, a card and a place of its own, in the file of its own mall.",
    )


def site_problems(site: Site, document: Document) -> Iterable[Problem]:
    """Yield what is wrong in a site's file, as far as that can be told from the file alone."""
    offices, slots = {o.agency for o in site.offices}, [o.slot for o in site.offices]
    for n, office in enumerate(site.offices):
        if slots.index(office.slot) != n:
            yield Problem(
                file=document.name,
                line=document.line(("offices", n, "slot")),
                key=f"offices[{n}].slot",
                given=str(office.slot),
                bound="another office has this slot, and its network",
                fix=f"Take a free one, such as {min(set(range(64)) - set(slots), default='none: all 64 are taken')}.",
            )
    for kind, count in site.devices.items():
        least, most = DEVICE_BOUNDS[kind]
        if not least <= count <= most:
            yield Problem(
                file=document.name,
                line=document.line(("devices", kind)),
                key=f"devices.{kind}",
                given=str(count),
                bound=f"should be between {least} and {most}, what the address plan has room for",
                fix="Correct the count.",
            )
    for n, assignment in enumerate(site.assignments):
        if assignment.office not in offices:
            yield unknown(
                document, ("assignments", n, "office"), assignment.office, "office of the site", sorted(offices)
            )
    listed = [a.model_dump() for a in site.assignments]
    for counter, day, both in calendar.collisions(listed):
        n = max(n for n, a in enumerate(site.assignments) if a.counter == counter)
        yield Problem(
            file=document.name,
            line=document.line(("assignments", n)),
            key=f"assignments[{n}]",
            given=f"counter {counter}",
            bound=f"{' and '.join(both)} would both have it on {day}",
            fix="Give each its days with `on`; a date beats a weekday, so that days can be swapped.",
        )
