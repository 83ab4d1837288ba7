"""
One mall: its file, and what is computed from its size and its place in the ledger.

A site is loaded alone (the inventory of a technician) in a fraction of the time of the whole estate.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from balai import addressing, yamlfile
from balai.addressing import SLOTS, Zone
from balai.errors import DataError, Problem
from balai.models import (
    Calendar,
    DataCentre,
    Devices,
    EnrolledMachine,
    Enrolment,
    Facilities,
    Flow,
    Flows,
    Freeze,
    Hub,
    Hubs,
    LedgerEntry,
    Packages,
    Region,
    Reports,
    Satisfaction,
    Screens,
    Site,
    Sizes,
    Tenant,
    load,
)
from balai.models.place import Agencies
from balai.models.screen import CALLS
from balai.onsite import calendar, hours
from balai.reading import table, unknown, wrong
from balai.yamlfile import Document

# A government keeps its own inventories in a repository of its own and names the folder.
INVENTORIES = Path(os.environ.get("BALAI_INVENTORIES") or Path(__file__).resolve().parent.parent / "inventories")
KINDS = {"router": 1, "server": 10, "kiosk": 32, "display": 96}  # and the first host number of each
ZONE_OF: dict[str, Zone] = {"server": Zone.SERVERS, "kiosk": Zone.KIOSKS, "display": Zone.DISPLAYS}
# What a card in a network is called: short, because a kernel's name of a card has 15 characters at most.
CARDS: dict[str, str] = {
    Zone.MANAGEMENT: "mgmt",
    Zone.SERVERS: "srv",
    Zone.KIOSKS: "kio",
    Zone.DISPLAYS: "dsp",
    Zone.CAMERAS: "cam",
    "guests": "gst",
}
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
    screens: Screens
    satisfaction: Satisfaction
    facilities: Facilities
    reports: Reports
    packages: Packages
    titles: dict[str, tuple[str, str]]
    recipients: dict[str, str]
    index: int
    timezone: str
    flows: tuple[Flow, ...]
    holidays: tuple[str, ...]
    freezes: tuple[Freeze, ...]
    enrolled: tuple[EnrolledMachine, ...]
    hubs: tuple[tuple[Hub, addressing.DataCentrePlan], ...]

    @cached_property
    def devices(self) -> Devices:
        """The size's equipment with the site's own deviations."""
        return devices_of(self.site, self.sizes)

    @cached_property
    def plan(self) -> addressing.MallPlan:
        """Every network of the site."""
        return addressing.mall(self.index)

    @cached_property
    def machines(self) -> list[Machine]:
        """Managed machines; the management network gives each kind a block of its own."""
        management = self.plan.zones[Zone.MANAGEMENT]
        return [
            Machine(
                name=f"{self.site.name}-{kind}-{number}",
                kind=kind,
                number=number,
                address=str(management[start + number - 1]),
            )
            for kind, start in KINDS.items()
            for number in range(1, getattr(self.devices, kind) + 1)
        ]


def devices_of(site: Site, sizes: Sizes) -> Devices:
    """Return the size's equipment with the site's own deviations."""
    return Devices.model_validate({**getattr(sizes, site.size).model_dump(), **site.devices})


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
    sizes = load(Sizes, yamlfile.read(root / "site_sizes.yml"))
    problems += more
    screens = load(Screens, yamlfile.read(root / "screens.yml"))
    facilities = load(Facilities, yamlfile.read(root / "facilities.yml"))
    problems += facility_problems(site, facilities, document)
    if not problems:  # counts of machines are bounded by then
        problems = [*wiring_problems(site, sizes, document), *screen_problems(site, sizes, screens, document)]
    if problems:
        raise DataError(problems)
    calendar_of_all = load(Calendar, yamlfile.read(root / "calendar.yml"))
    flows = tuple(flow for flow in load(Flows, yamlfile.read(root / "flows.yml")).flows if flow.holds_in(site.regions))
    return SiteView(
        site=site,
        sizes=sizes,
        screens=screens,
        satisfaction=load(Satisfaction, yamlfile.read(root / "satisfaction.yml")),
        facilities=facilities,
        reports=load(Reports, yamlfile.read(root / "reports.yml")),
        packages=load(Packages, yamlfile.read(root / "packages.yml")),
        titles=_titles(site, flows, root),
        recipients=_recipients(folder),
        index=ledger[site.name],
        timezone=next(iter(zones.values()), "Asia/Jakarta"),
        flows=flows,
        # A holiday that was only recalled closes nothing: somebody has to read the decree first.
        holidays=tuple(h.date for h in calendar_of_all.holidays if h.verification not in ("recalled", "unknown")),
        freezes=tuple(calendar_of_all.freezes),
        enrolled=enrolled,
        hubs=tuple(_hubs(folder, root)),
    )


def _titles(site: Site, flows: Iterable[Flow], root: Path) -> dict[str, tuple[str, str]]:
    """Return what the offices of a mall, and the tenants that its kiosks may begin with, are called (id, en)."""
    agencies = {a.name: a.title for a in load(Agencies, yamlfile.read(root / "agencies.yml")).agencies}
    found = {o.agency: (title, title) for o in site.offices for title in [agencies.get(o.agency, o.agency)]}
    for name in {s.partition("/")[0] for f in flows if "kiosks" in f.sources for s in f.services}:
        if (path := root / "tenants" / f"{name}.yml").exists():
            tenant = load(Tenant, yamlfile.read(path))
            found[name] = (tenant.title, tenant.title_en)
    return found


def _recipients(folder: Path) -> dict[str, str]:
    """Return the public keys (age) to which what is meant for a tenant is sealed, by tenant."""
    found = {path.stem: path.read_text().strip() for path in sorted((folder / "recipients").glob("*.txt"))}
    wrong_ones = [name for name, key in found.items() if not re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", key)]
    if wrong_ones:
        bound = "should be one public key of age (age1…)"
        problems = [
            Problem(
                file=f"recipients/{name}.txt",
                line=1,
                key="",
                given="something else",
                bound=bound,
                fix="Ask the tenant for its public key; `age-keygen -y` prints it.",
            )
            for name in wrong_ones
        ]
        raise DataError(problems)
    return found


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
        place = load(DataCentre, yamlfile.read(path))
        if place.isolated is None:
            yield hub, addressing.data_centre(place.index)


_OWN = "Give each machine a name, a card and a place of its own, in the file of its own mall."


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
        problems.append(wrong(document, ("site",), found.site, f"the file is that of {site.name}", _OWN))
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
                problems.append(wrong(document, ("machines", n, key), getattr(machine, key), taken, _OWN))
    return tuple(found.machines), problems


def cables_of(site: Site, devices: Devices) -> list[str]:
    """Return what a switch of the mall may have plugged in: networks, cards of its machines, counters of offices."""
    cards = [*CARDS.values(), *(f"off{office.slot}" for office in site.offices)]
    cables = ["router", "trunk", "management", "cameras", "guests", *(f"router.{card}" for card in cards)]
    for kind in KINDS:
        own = [CARDS["management"], *([CARDS[ZONE_OF[kind]]] if kind in ZONE_OF else [])]
        first = 2 if kind == "router" else 1  # the first router has every network
        cables += [f"{kind}-{n}.{card}" for n in range(first, getattr(devices, kind) + 1) for card in own]
    return [*cables, *dict.fromkeys(f"counter-{a.counter}.{a.office}" for a in site.assignments)]


def wiring_problems(site: Site, sizes: Sizes, document: Document) -> Iterable[Problem]:
    """Yield what is wrong in the recorded wiring of a mall."""
    known, first = cables_of(site, devices_of(site, sizes)), dict[str, str]()
    names = [switch.name for switch in site.switches]
    for n, switch in enumerate(site.switches):
        if names.index(switch.name) != n:
            fix = "Give each switch the name that is written on it."
            yield wrong(document, ("switches", n, "name"), switch.name, "another switch has this name", fix)
        for port, cable in switch.wiring.items():
            path, place = ("switches", n, "wiring", str(port)), f"{switch.name}/{port}"
            if not 1 <= port <= switch.ports:
                yield wrong(document, path, port, f"the switch has {switch.ports} sockets", "Correct one of the two.")
            if cable not in known:
                yield unknown(document, path, cable, "cable of the site", known)
            elif ("." in cable or cable == "router") and first.setdefault(cable, place) != place:
                yield wrong(document, path, cable, f"it is in {first[cable]} already", "A cable ends in one socket.")
    if site.switches and not any(cable == "router" or cable.startswith("router.") for cable in first):
        fix = "Add `router` (a trunk) or its cards (`router.mgmt`)."
        yield wrong(document, ("switches",), site.switches[0].name, "no cable goes to the router", fix)


def screen_problems(site: Site, sizes: Sizes, screens: Screens, document: Document) -> Iterable[Problem]:
    """Yield what a site says of its screens that cannot be: names, profiles, counters, printers in a wrong place."""
    devices = devices_of(site, sizes)
    known = [f"{kind}-{n}" for kind in ("kiosk", "display") for n in range(1, getattr(devices, kind) + 1)]
    for machine, profile in site.screens.items():
        if machine not in known:
            yield unknown(document, ("screens", machine), machine, "kiosk or display of the site", known)
        if profile not in screens.profiles:
            yield unknown(document, ("screens", machine), profile, "profile of screens.yml", list(screens.profiles))
        elif screens.profiles[profile].page == CALLS and machine not in site.callers:
            fix = f"Say at which counter it stands: callers: {{{machine}: 1}}."
            yield wrong(document, ("screens", machine), profile, "it calls numbers to no counter", fix)
    counters = sorted({str(a.counter) for a in site.assignments})
    for machine, counter in site.callers.items():
        profile = site.screens.get(machine, "")
        if profile not in screens.profiles or screens.profiles[profile].page != CALLS:
            fix = f"Give it a profile that shows the page {CALLS}, in screens."
            yield wrong(document, ("callers", machine), machine, "its profile calls no numbers", fix)
        if str(counter) not in counters:
            yield unknown(document, ("callers", machine), str(counter), "counter of the assignments", counters)
    for machine in site.usb:
        if machine not in known:
            yield unknown(document, ("usb", machine), machine, "kiosk or display of the site", known)
    kiosks = [name for name in known if name.startswith("kiosk-")]
    for machine in site.printers:
        usual = screens.first_kiosk if machine == "kiosk-1" else screens.kiosk
        given = screens.profiles.get(site.screens.get(machine, usual))
        if machine not in kiosks:
            yield unknown(document, ("printers", machine), machine, "kiosk of the site", kiosks)
        elif given and given.page != "antrean":
            fix = "Give it a profile whose page is `antrean` in `screens`, or take the printer away."
            yield wrong(document, ("printers", machine), machine, "this kiosk gives no numbers to print", fix)


def facility_problems(site: Site, facilities: Facilities, document: Document) -> Iterable[Problem]:
    """Yield attested facilities that the closed list has not."""
    known = [facility.name for facility in facilities.facilities]
    for name in site.facilities:
        if name not in known:
            yield unknown(document, ("facilities", name), name, "facility of facilities.yml", known)


def site_problems(site: Site, document: Document) -> Iterable[Problem]:
    """Yield what is wrong in a site's file, as far as that can be told from the file alone."""
    offices, slots = {o.agency for o in site.offices}, [o.slot for o in site.offices]
    for n, office in enumerate(site.offices):
        if slots.index(office.slot) != n:
            free = min(set(range(SLOTS)) - set(slots), default="none: all are taken")
            bound = "another office has this slot, and its network"
            yield wrong(document, ("offices", n, "slot"), office.slot, bound, f"Take a free one, such as {free}.")
    for kind, count in site.devices.items():
        least, most = DEVICE_BOUNDS[kind]
        if not least <= count <= most:
            bound = f"should be between {least} and {most}, what the address plan has room for"
            yield wrong(document, ("devices", kind), count, bound, "Correct the count.")
    for n, assignment in enumerate(site.assignments):
        if assignment.office not in offices:
            yield unknown(
                document, ("assignments", n, "office"), assignment.office, "office of the site", sorted(offices)
            )
    yield from _hours_problems(site, document)
    listed = [a.model_dump() for a in site.assignments]
    for counter, day, both in calendar.collisions(listed):
        n = max(n for n, a in enumerate(site.assignments) if a.counter == counter)
        fix = "Give each its days with `on`; a date beats a weekday, so that days can be swapped."
        bound = f"{' and '.join(both)} would both have it on {day}"
        yield wrong(document, ("assignments", n), f"counter {counter}", bound, fix)


def _hours_problems(site: Site, document: Document) -> Iterable[Problem]:
    if site.hours == "unknown":
        return
    turned = [days for days, opening in site.hours.items() if opening[6:] <= opening[:5]]
    for days in turned:
        bound = "an opening ends after it begins, on the same day"
        yield wrong(document, ("hours", days), site.hours[days], bound, "Correct the two times.")
    spans = hours.openings(site.hours)
    full = [name for day, name in enumerate(hours.WEEKDAYS) if hours.rest(spans, day) is None]
    if full and not turned:
        bound = f"{', '.join(full)}: no {hours.REST // 60} hours in a row are left of the day to work on machines in"
        yield wrong(document, ("hours",), site.hours, bound, "Correct the hours.")
