"""
inventories/ -> one validated, cross-checked Estate.

A site can be loaded alone (the inventory of a technician) in a fraction of the time; the whole
estate is read where names of one file have to be checked against another.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from balai import addressing, yamlfile
from balai.errors import DataError, Problem, shown
from balai.models import (
    Agency,
    Calendar,
    Cluster,
    DataCentre,
    Devices,
    Flow,
    Flows,
    LedgerEntry,
    Model,
    Region,
    Site,
    Sizes,
    Tenant,
    load,
)
from balai.models.place import Agencies
from balai.yamlfile import Document

# A government keeps its own inventories in a repository of its own and names the folder.
INVENTORIES = Path(os.environ.get("BALAI_INVENTORIES") or Path(__file__).resolve().parent.parent / "inventories")
DEVICE_BOUNDS = {"router": (1, 2), "server": (1, 4), "kiosk": (0, 40), "display": (0, 40), "counters": (1, 128)}
_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Estate:
    """Everything declared, by name. Only `load_estate` makes one, so it is always consistent."""

    root: Path
    regions: dict[str, Region]
    agencies: dict[str, Agency]
    data_centres: dict[str, DataCentre]
    clusters: dict[str, Cluster]
    tenants: dict[str, Tenant]
    sites: dict[str, Site]
    sizes: Sizes
    ledger: dict[str, int]
    calendar: Calendar

    def tenants_of(self, cluster: str) -> list[Tenant]:
        """Return the tenants that are placed on a cluster, by name."""
        return [tenant for _, tenant in sorted(self.tenants.items()) if cluster in tenant.clusters]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine of a mall, with its address in the management network (servers: their own)."""

    name: str
    kind: str
    number: int
    address: str


@dataclass(frozen=True)
class SiteView:
    """A site with what is computed from its size and its place in the ledger."""

    site: Site
    sizes: Sizes
    index: int
    timezone: str
    flows: tuple[Flow, ...]

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


def load_estate(root: Path = INVENTORIES) -> Estate:
    """
    Read, validate and cross-check everything below a folder.

    Raises:
        DataError: Something is wrong; the problems of all files at once.
    """
    problems: list[Problem] = []
    documents: dict[str, Document] = {}

    def collect(read: Callable[[], _M | list[_M]]) -> list[_M]:
        try:
            result = read()
        except DataError as error:
            problems.extend(error.problems)
            return []
        return result if isinstance(result, list) else [result]

    def folder(model: type[_M], name: str) -> dict[str, _M]:
        found: dict[str, _M] = {}
        if not (root / name).is_dir():
            problems.append(_problem(root / name, "there is no such folder", "Restore it; an empty one may be empty."))
        for path in sorted((root / name).glob("*")):
            if path.suffix != ".yml":
                problems.append(_problem(path, "the name should end in .yml", "Rename the file, or move it away."))
                continue
            for item in collect(lambda path=path: _one(model, path, documents)):  # type: ignore[misc]
                found[item.name] = item  # type: ignore[attr-defined]
        return found

    regions = {r.code: r for r in collect(lambda: _table(Region, root / "regions.csv"))}
    agencies = {
        a.name: a
        for found in collect(lambda: load(Agencies, yamlfile.read(root / "agencies.yml")))
        for a in found.agencies
    }
    ledger = {e.site: e.index for e in collect(lambda: _table(LedgerEntry, root / "addresses.csv"))}
    calendar = collect(lambda: load(Calendar, yamlfile.read(root / "calendar.yml")))
    sizes = collect(lambda: load(Sizes, yamlfile.read(root / "site_sizes.yml")))
    collect(lambda: load(Flows, yamlfile.read(root / "flows.yml")))
    data_centres, clusters = folder(DataCentre, "data_centres"), folder(Cluster, "clusters")
    tenants, sites = folder(Tenant, "tenants"), folder(Site, "sites")
    if not problems:
        estate = Estate(
            root=root,
            regions=regions,
            agencies=agencies,
            data_centres=data_centres,
            clusters=clusters,
            tenants=tenants,
            sites=sites,
            sizes=sizes[0],
            ledger=ledger,
            calendar=calendar[0],
        )
        problems.extend(_crosscheck(estate, documents))
    if problems:
        raise DataError(problems)
    return estate


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
    problems = list(_site_problems(site, document))
    ledger = {e.site: e.index for e in _table(LedgerEntry, root / "addresses.csv")}
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
    zones = {r.code: r.timezone for r in _table(Region, root / "regions.csv") if r.code in site.regions}
    problems += [
        _unknown(document, ("regions", n), code, "region", list(zones))
        for n, code in enumerate(site.regions)
        if len(code) == 5 and code not in zones
    ]
    if problems:
        raise DataError(problems)
    sizes = load(Sizes, yamlfile.read(root / "site_sizes.yml"))
    flows = tuple(load(Flows, yamlfile.read(root / "flows.yml")).flows)
    return SiteView(site, sizes, ledger[site.name], next(iter(zones.values()), "Asia/Jakarta"), flows)


def _one(model: type[_M], path: Path, documents: dict[str, Document]) -> _M:
    document = yamlfile.read(path)
    item = load(model, document)
    name = item.name  # type: ignore[attr-defined]
    if name != path.stem:
        raise DataError(
            [
                Problem(
                    file=document.name,
                    line=document.line(("name",)),
                    key="name",
                    given=repr(name),
                    bound=f"should be the file's name, {path.stem!r}",
                    fix="Rename one of the two.",
                )
            ]
        )
    documents[f"{model.__name__}:{name}"] = document
    return item


def _table(model: type[_M], path: Path) -> list[_M]:
    """Read a CSV file; integers of the model are read as such, and a key stands once."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, IsADirectoryError):
        raise DataError([_problem(path, "the table cannot be read", "Save it as CSV in UTF-8.")]) from None
    except FileNotFoundError:
        raise DataError([_problem(path, "there is no such file", "Restore it from the project's history.")]) from None
    numbers = {name for name, f in model.model_fields.items() if f.annotation is int}
    problems: list[Problem] = []
    rows: list[_M] = []
    seen: dict[tuple[str, str], int] = {}
    unique = ["code"] if model is Region else ["site", "index"]
    for line, raw in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        row = {
            k: int(v) if k in numbers and v and v.isascii() and v.isdigit() else v
            for k, v in raw.items()
            if k is not None
        }
        document = Document(name=shown(path), data=row, lines={(): line, **{(k,): line for k in row}})
        try:
            rows.append(load(model, document))
        except DataError as error:
            problems.extend(error.problems)
            continue
        for key in unique:
            other = seen.setdefault((key, str(row[key])), line)
            if other != line:
                problems.append(
                    Problem(
                        file=shown(path),
                        line=line,
                        key=key,
                        given=str(row[key]),
                        bound=f"stands on line {other} already",
                        fix="Give it a value of its own.",
                    )
                )
    if problems:
        raise DataError(problems)
    return rows


def _crosscheck(estate: Estate, documents: dict[str, Document]) -> Iterable[Problem]:
    for site in estate.sites.values():
        document = documents[f"Site:{site.name}"]
        yield from _site_problems(site, document)
        if site.owner not in estate.agencies:
            yield _unknown(document, ("owner",), site.owner, "agency", list(estate.agencies))
        if site.name not in estate.ledger:
            yield _unknown(document, ("name",), site.name, "site of addresses.csv", list(estate.ledger))
        for n, code in enumerate(site.regions):
            if len(code) == 5 and code not in estate.regions:
                yield _unknown(document, ("regions", n), code, "region", list(estate.regions))
        for n, office in enumerate(site.offices):
            if office.agency not in estate.agencies:
                yield _unknown(document, ("offices", n, "agency"), office.agency, "agency", list(estate.agencies))
    for cluster in estate.clusters.values():
        if cluster.data_centre not in estate.data_centres:
            yield _unknown(
                documents[f"Cluster:{cluster.name}"],
                ("data_centre",),
                cluster.data_centre,
                "data centre",
                list(estate.data_centres),
            )
    yield from _shared(
        documents, "Cluster", {c.name: c.kubeconfig_context for c in estate.clusters.values()}, "kubeconfig_context"
    )
    yield from _shared(documents, "DataCentre", {d.name: str(d.index) for d in estate.data_centres.values()}, "index")
    yield from _shared(documents, "Tenant", {t.name: t.group for t in estate.tenants.values()}, "group")
    for tenant in estate.tenants.values():
        yield from _tenant_problems(estate, tenant, documents[f"Tenant:{tenant.name}"])


def _tenant_problems(estate: Estate, tenant: Tenant, document: Document) -> Iterable[Problem]:
    if tenant.owner not in estate.agencies:
        yield _unknown(document, ("owner",), tenant.owner, "agency", list(estate.agencies))
    for n, name in enumerate(tenant.manifests):
        path = (estate.root / name).resolve()
        if not path.is_file() or not path.is_relative_to(estate.root.resolve()):
            yield _unknown(document, ("manifests", n), name, "file below the inventories", [])
    if tenant.region and tenant.region not in estate.regions:
        yield _unknown(document, ("region",), tenant.region, "region", list(estate.regions))
    for n, name in enumerate(tenant.clusters):
        if name not in estate.clusters:
            yield _unknown(document, ("clusters", n), name, "cluster", list(estate.clusters))
    for n, reach in enumerate(tenant.reaches):
        other = estate.tenants.get(reach.tenant)
        if other is None:
            yield _unknown(document, ("reaches", n, "tenant"), reach.tenant, "tenant", list(estate.tenants))
        elif reach.service not in (names := [s.name for s in other.services]):
            yield _unknown(document, ("reaches", n, "service"), reach.service, f"service of {other.name}", names)


def _site_problems(site: Site, document: Document) -> Iterable[Problem]:
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
            yield _unknown(
                document, ("assignments", n, "office"), assignment.office, "office of the site", sorted(offices)
            )


def _shared(documents: dict[str, Document], model: str, values: dict[str, str], key: str) -> Iterable[Problem]:
    """Yield a problem for each value that must be one object's own and is another's too."""
    first: dict[str, str] = {}
    for name, value in values.items():
        if first.setdefault(value, name) != name:
            document = documents[f"{model}:{name}"]
            yield Problem(
                file=document.name,
                line=document.line((key,)),
                key=key,
                given=repr(value),
                bound=f"{first[value]} has it already",
                fix="Give it one of its own.",
            )


def _unknown(document: Document, path: tuple[str | int, ...], given: str, what: str, known: list[str]) -> Problem:
    near = difflib.get_close_matches(given, known, n=1)
    fix = (
        f"Did you mean {near[0]!r}?"
        if near
        else f"Add it first, or choose one of: {', '.join(sorted(known)[:8]) or 'none yet'}."
    )
    return Problem(
        file=document.name,
        line=document.line(path),
        key=yamlfile.dotted(path),
        given=repr(given),
        bound=f"there is no such {what}",
        fix=fix,
    )


def _problem(path: Path, bound: str, fix: str) -> Problem:
    return Problem(file=shown(path), line=0, key="", given="", bound=bound, fix=fix)
