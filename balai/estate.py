"""
inventories/ -> one validated, cross-checked Estate.

A site can be loaded alone (the inventory of a technician) in a fraction of the time; the whole
estate is read where names of one file have to be checked against another.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from balai import yamlfile
from balai.errors import DataError, Problem
from balai.models import (
    Agency,
    Calendar,
    Cluster,
    DataCentre,
    Facilities,
    Flow,
    Flows,
    Kubernetes,
    LedgerEntry,
    MachineClass,
    Machines,
    Model,
    Packages,
    Region,
    Release,
    Reports,
    Satisfaction,
    Screens,
    Site,
    Sizes,
    Tenant,
    load,
)
from balai.models.fleet import CONTROL_PLANE
from balai.models.place import Agencies
from balai.reading import no_tenant, problem, table, unknown, wrong
from balai.running import running_problems
from balai.sites import (
    INVENTORIES,
    enrolment_folder,
    enrolment_of,
    facility_problems,
    screen_problems,
    site_problems,
    wiring_problems,
)
from balai.tenancy import circles, host_problems, quota_problems, tenant_problems
from balai.yamlfile import Document, Path_

_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Estate:
    """Everything declared, by name. Only `load_estate` makes one, so it is always consistent."""

    root: Path
    regions: dict[str, Region]
    agencies: dict[str, Agency]
    machines: dict[str, MachineClass]
    headroom_percent: int
    releases: dict[str, Release]
    data_centres: dict[str, DataCentre]
    clusters: dict[str, Cluster]
    tenants: dict[str, Tenant]
    sites: dict[str, Site]
    sizes: Sizes
    screens: Screens
    facilities: Facilities
    ledger: dict[str, int]
    calendar: Calendar
    flows: tuple[Flow, ...]

    def tenants_of(self, cluster: str) -> list[Tenant]:
        """Return the tenants that are placed on a cluster, by name."""
        return [tenant for _, tenant in sorted(self.tenants.items()) if cluster in tenant.clusters]


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
            problems.append(problem(root / name, "there is no such folder", "Restore it; an empty one may be empty."))
        stems: dict[str, str] = {}
        for path in sorted((root / name).glob("*")):
            if (other := stems.setdefault(path.name.casefold(), path.name)) != path.name:
                bound = f"the name differs from {other} only in case, and is the same on many machines"
                problems.append(problem(path, bound, "Choose another name, in small letters."))
                continue
            if path.suffix != ".yml":
                problems.append(problem(path, "the name should end in .yml", "Rename the file, or move it away."))
                continue
            for item in collect(lambda path=path: _one(model, path, documents)):  # type: ignore[misc]
                found[item.name] = item  # type: ignore[attr-defined]
        return found

    regions = {r.code: r for r in collect(lambda: table(Region, root / "regions.csv"))}
    agencies = {a.name: a for found in collect(lambda: _agencies(root, documents)) for a in found.agencies}
    ledger = {e.site: e.index for e in collect(lambda: table(LedgerEntry, root / "addresses.csv"))}
    calendar = collect(lambda: _calendar(root, documents))
    sizes = collect(lambda: load(Sizes, yamlfile.read(root / "site_sizes.yml")))
    screens = collect(lambda: load(Screens, yamlfile.read(root / "screens.yml")))
    facilities = collect(lambda: load(Facilities, yamlfile.read(root / "facilities.yml")))
    collect(lambda: load(Satisfaction, yamlfile.read(root / "satisfaction.yml")))
    collect(lambda: load(Reports, yamlfile.read(root / "reports.yml")))
    collect(lambda: load(Packages, yamlfile.read(root / "packages.yml")))
    flows = collect(lambda: _flows(root, documents))
    machines = collect(lambda: load(Machines, yamlfile.read(root / "machines.yml")))
    kubernetes = collect(lambda: load(Kubernetes, yamlfile.read(root / "kubernetes.yml")))
    data_centres, clusters = folder(DataCentre, "data_centres"), folder(Cluster, "clusters")
    tenants, sites = folder(Tenant, "tenants"), folder(Site, "sites")
    if not problems:
        estate = Estate(
            root=root,
            regions=regions,
            agencies=agencies,
            machines={m.name: m for found in machines for m in found.classes},
            headroom_percent=machines[0].headroom_percent,
            releases={r.version: r for found in kubernetes for r in found.releases},
            data_centres=data_centres,
            clusters=clusters,
            tenants=tenants,
            sites=sites,
            sizes=sizes[0],
            screens=screens[0],
            facilities=facilities[0],
            ledger=ledger,
            calendar=calendar[0],
            flows=tuple(flows),
        )
        problems.extend(_crosscheck(estate, documents))
    if problems:
        raise DataError(problems)
    return estate


def _flows(root: Path, documents: dict[str, Document]) -> list[Flow]:
    documents["Flows"] = yamlfile.read(root / "flows.yml")
    return load(Flows, documents["Flows"]).flows


def _agencies(root: Path, documents: dict[str, Document]) -> Agencies:
    document = documents["Agencies"] = yamlfile.read(root / "agencies.yml")
    found = load(Agencies, document)
    names = [agency.name for agency in found.agencies]
    if again := [n for n, name in enumerate(names) if name in names[:n]]:
        bound = "another agency of the list has it already"
        raise DataError([wrong(document, ("agencies", n, "name"), names[n], bound, "Keep one of them.") for n in again])
    return found


def _calendar(root: Path, documents: dict[str, Document]) -> Calendar:
    documents["Calendar"] = yamlfile.read(root / "calendar.yml")
    return load(Calendar, documents["Calendar"])


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


def _crosscheck(estate: Estate, documents: dict[str, Document]) -> Iterable[Problem]:
    for site in estate.sites.values():
        document = documents[f"Site:{site.name}"]
        problems = list(site_problems(site, document))
        yield from problems
        yield from enrolment_of(site, enrolment_folder(estate.root))[1]
        yield from facility_problems(site, estate.facilities, document)
        if not problems:  # counts of machines are bounded then
            yield from wiring_problems(site, estate.sizes, document)
            yield from screen_problems(site, estate.sizes, estate.screens, document)
        if site.owner not in estate.agencies:
            yield unknown(document, ("owner",), site.owner, "agency", list(estate.agencies))
        if site.name not in estate.ledger:
            yield unknown(document, ("name",), site.name, "site of addresses.csv", list(estate.ledger))
        for n, code in enumerate(site.regions):
            if len(code) == 5 and code not in estate.regions:
                yield _no_region(estate, document, ("regions", n), code, site.title)
        for n, office in enumerate(site.offices):
            if office.agency not in estate.agencies:
                yield unknown(document, ("offices", n, "agency"), office.agency, "agency", list(estate.agencies))
    yield from fleet_problems(estate, documents)
    yield from _shared(
        documents, "Cluster", {c.name: c.kubeconfig_context for c in estate.clusters.values()}, "kubeconfig_context"
    )
    yield from _shared(
        documents,
        "DataCentre",
        {d.name: d.management_context for d in estate.data_centres.values()},
        "management_context",
    )
    yield from _shared(documents, "DataCentre", {d.name: str(d.index) for d in estate.data_centres.values()}, "index")
    yield from _shared(documents, "Tenant", {t.name: t.group for t in estate.tenants.values()}, "group")
    for n, agency in enumerate(estate.agencies.values()):
        if agency.region and len(agency.region) == 5 and agency.region not in estate.regions:
            yield _no_region(estate, documents["Agencies"], ("agencies", n, "region"), agency.region, agency.title)
    for tenant in estate.tenants.values():
        document = documents[f"Tenant:{tenant.name}"]
        yield from _tenant_problems(estate, tenant, document)
        yield from tenant_problems(tenant, document)
        yield from quota_problems(tenant, document, estate.clusters, estate.machines, estate.headroom_percent)
    yield from circles(estate.tenants, documents)
    yield from host_problems(estate.tenants, estate.ledger, documents)
    yield from _flow_problems(estate, documents["Flows"])


def _no_region(estate: Estate, document: Document, path: Path_, code: str, title: str) -> Problem:
    """Return the problem of a code that no region has; where a title names the region, with its code of today."""
    named = [region for region in estate.regions.values() if region.name in title]
    if not named:
        return unknown(document, path, code, "region", list(estate.regions))
    now = max(named, key=lambda region: len(region.name))
    return wrong(document, path, code, "there is no such region", f"{now.name} has the code {now.code!r}: write that.")


def _tenant_problems(estate: Estate, tenant: Tenant, document: Document) -> Iterable[Problem]:
    if tenant.owner not in estate.agencies:
        yield unknown(document, ("owner",), tenant.owner, "agency", list(estate.agencies))
    for n, name in enumerate(tenant.manifests):
        path = (estate.root / name).resolve()
        if not path.is_file() or not path.is_relative_to(estate.root.resolve()):
            yield unknown(document, ("manifests", n), name, "file below the inventories", [])
    if tenant.region and tenant.region not in estate.regions:
        owner = estate.agencies.get(tenant.owner)
        yield _no_region(estate, document, ("region",), tenant.region, owner.title if owner else "")
    for n, name in enumerate(tenant.clusters):
        if name not in estate.clusters:
            yield unknown(document, ("clusters", n), name, "cluster", list(estate.clusters))
        if name in tenant.clusters[:n]:
            bound = "it stands here already, and nothing is its own standby"
            yield wrong(document, ("clusters", n), name, bound, "Name another, or leave it out.")
    for n, reach in enumerate(tenant.reaches):
        other = estate.tenants.get(reach.tenant)
        if other is None:
            yield no_tenant(document, ("reaches", n, "tenant"), reach.tenant, list(estate.tenants))
        elif reach.service not in (found := {s.name: s for s in other.answering}):
            what = f"service of {other.name} that answers"
            yield unknown(document, ("reaches", n, "service"), reach.service, what, list(found))
        elif reach.when_dark == "store" and not found[reach.service].may_queue:
            bound = f"{other.name}/{reach.service} may not be queued for (may_queue)"
            yield wrong(document, ("reaches", n, "when_dark"), reach.when_dark, bound, "Say refuse or local.")
    yield from running_problems(estate.clusters, list(estate.data_centres), tenant, document)


def fleet_problems(estate: Estate, documents: dict[str, Document]) -> Iterable[Problem]:
    """Yield what is wrong with data centres, clusters and freezes, each seen against the others."""
    for place in estate.data_centres.values():
        document = documents[f"DataCentre:{place.name}"]
        for rack, machines in place.racks.items():
            for name in sorted(machines.keys() - estate.machines.keys()):
                yield unknown(document, ("racks", rack, name), name, "class of machines.yml", list(estate.machines))
    taken: Counter[tuple[str, str, str]] = Counter()
    endpoints: dict[tuple[str, int], str] = {}
    management = {place.management_context: place.name for place in estate.data_centres.values()}
    for cluster in estate.clusters.values():
        document, home = documents[f"Cluster:{cluster.name}"], estate.data_centres.get(cluster.data_centre)
        if cluster.kubernetes not in estate.releases:
            what = "version in the catalogue, kubernetes.yml"
            yield unknown(document, ("kubernetes",), cluster.kubernetes, what, list(estate.releases))
        if home is None:
            yield unknown(document, ("data_centre",), cluster.data_centre, "data centre", list(estate.data_centres))
        first = endpoints.setdefault((cluster.data_centre, cluster.index), cluster.name)
        if first != cluster.name:
            bound = f"{first} has it already, and with it the address of its API server"
            yield wrong(document, ("index",), cluster.index, bound, "Give it one of its own.")
        if cluster.kubeconfig_context in management:
            bound = f"it is the management cluster's of {management[cluster.kubeconfig_context]}"
            yield wrong(document, ("kubeconfig_context",), cluster.kubeconfig_context, bound, "Give it one of its own.")
        for n, pool in enumerate(cluster.pools):
            if pool.name in [other.name for other in cluster.pools[:n]]:
                bound = "another pool has it already"
                yield wrong(document, ("pools", n, "name"), pool.name, bound, "Choose another.")
            if pool.machines not in estate.machines:
                what = "class of machines.yml"
                yield unknown(document, ("pools", n, "machines"), pool.machines, what, list(estate.machines))
        if home:
            yield from _room_problems(estate, cluster, home, taken, document)
    yield from _freeze_problems(estate, documents["Calendar"])


def _room_problems(
    estate: Estate, cluster: Cluster, home: DataCentre, taken: Counter[tuple[str, str, str]], document: Document
) -> Iterable[Problem]:
    """Yield where a cluster wants more machines than are left; what it takes is added to what others have `taken`."""
    for n, pool in enumerate(cluster.pools):
        for rack, count in pool.racks.items():
            where = ("pools", n, "racks", rack)
            if rack not in home.racks:
                yield unknown(document, where, rack, f"rack of {home.name}", list(home.racks))
                continue
            there = home.racks[rack].get(pool.machines, 0)
            before = taken[home.name, rack, pool.machines]
            taken[home.name, rack, pool.machines] += count
            if before + count > there and pool.machines in estate.machines:  # another is said once, at its name
                bound = f"rack {rack} has {there} machines of class {pool.machines}, and {before} are taken"
                fix = f"Ask for {max(there - before, 0)}, or put machines into data_centres/{home.name}.yml."
                yield wrong(document, where, count, bound, fix)
    # In which rack a control plane's machine stands, nobody chooses.
    there = sum(machines.get(CONTROL_PLANE, 0) for machines in home.racks.values())
    before = sum(count for (name, _, kind), count in taken.items() if (name, kind) == (home.name, CONTROL_PLANE))
    taken[home.name, "", CONTROL_PLANE] += cluster.control_planes
    if before + cluster.control_planes > there:
        bound = f"{home.name} has {there} machines of class {CONTROL_PLANE}, and {before} are taken"
        yield wrong(document, ("control_planes",), cluster.control_planes, bound, "Ask for fewer.")


def _freeze_problems(estate: Estate, document: Document) -> Iterable[Problem]:
    for n, freeze in enumerate(estate.calendar.freezes):
        for m, name in enumerate(freeze.tenants):
            if name not in estate.tenants:
                yield unknown(document, ("freezes", n, "tenants", m), name, "tenant", list(estate.tenants))
        after = datetime.date.fromisoformat(f"2024-{freeze.last}") + datetime.timedelta(days=1)  # a leap year
        if f"{after:%m-%d}" == freeze.first:
            bound = f"with first {freeze.first} it never ends: no day of the year would be left for a change"
            yield wrong(document, ("freezes", n, "last"), freeze.last, bound, "Choose an earlier day.")


def _flow_problems(estate: Estate, document: Document) -> Iterable[Problem]:
    services = {f"{t.name}/{s.name}": t for t in estate.tenants.values() for s in t.answering}
    patient = {f"{t.name}/{s.name}" for t in estate.tenants.values() for s in t.answering if s.may_queue}
    for n, flow in enumerate(estate.flows):
        for m, code in enumerate(flow.regions):
            if len(code) == 5 and code not in estate.regions:
                yield unknown(document, ("flows", n, "regions", m), code, "region", list(estate.regions))
        for m, service in enumerate(flow.services):
            if (tenant := service.partition("/")[0]) not in estate.tenants:
                yield no_tenant(document, ("flows", n, "services", m), tenant, list(estate.tenants))
            elif service not in services:
                what = "service of a tenant that answers"
                yield unknown(document, ("flows", n, "services", m), service, what, list(services))
            elif flow.when_dark == "store" and service not in patient:
                bound = "it may not be queued for (may_queue in its tenant's file)"
                yield wrong(document, ("flows", n, "services", m), service, bound, "Say when_dark: refuse.")
            elif (region := services[service].region) and flow.regions != [region]:
                yield Problem(
                    file=document.name,
                    line=document.line(("flows", n, "services", m)),
                    key=f"flows[{n}].services[{m}]",
                    given=repr(service),
                    bound=f"{services[service].name} is a tenant of region {region} alone",
                    fix=f"Name it in a flow of its own with regions: ['{region}'].",
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
