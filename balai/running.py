"""What a tenant runs, seen against its quota, its own names and the data centres."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from balai.capacity import agreed, memory_of, most_of, storage_of
from balai.errors import Problem
from balai.models import Cluster, Tenant
from balai.models.service import Resources, minutes
from balai.models.tenant import Quota
from balai.reading import unknown, wrong
from balai.yamlfile import Document

ARCHIVED_MINUTES = 5  # PostgreSQL's operator sends the log away at least so often (archive_timeout)
UNITS = {"cpu": "m of cpu", "memory": " MiB of memory", "pods": " pods"}


def running_problems(
    clusters: Mapping[str, Cluster], data_centres: list[str], tenant: Tenant, document: Document
) -> Iterable[Problem]:
    """Yield what is wrong with a tenant's services and stores."""
    taken: set[str] = set()
    for key, items in (("services", tenant.services), ("data_stores", tenant.data_stores)):
        for n, item in enumerate(items):
            names = item.names if key == "data_stores" else [item.name]  # type: ignore[union-attr]
            if twice := sorted(taken & set(names)):
                bound = f"{', '.join(twice)} is the name of another service or store of this tenant"
                yield wrong(document, (key, n, "name"), item.name, bound, "Choose another.")
            taken |= set(names)
    stores = [store.name for store in tenant.data_stores]
    for n, service in enumerate(tenant.services):
        for m, name in enumerate(service.stores):
            if name not in stores:
                yield unknown(document, ("services", n, "stores", m), name, "data store of this tenant", stores)
    units = list(_unit_problems(tenant, document))
    yield from units
    if not units:  # sums of what is no amount are none
        yield from _sum_problems(tenant, document)
    yield from _peak_problems(tenant, document)
    yield from _backup_problems(clusters, data_centres, tenant, document)


def _unit_problems(tenant: Tenant, document: Document) -> Iterable[Problem]:
    """Yield amounts of cores in a unit of memory, and the other way round: each alone looks like a quantity."""
    asked: list[tuple[tuple[str | int, ...], Quota | Resources]] = [(("quota",), tenant.quota)]
    for key, items in (("services", tenant.services), ("data_stores", tenant.data_stores)):
        asked += [((key, n, "resources"), item.resources) for n, item in enumerate(items)]
    for where, amounts in asked:
        if amounts.cpu.endswith("i"):
            fix = "Write cores: 2, or 500m for half of one."
            yield wrong(document, (*where, "cpu"), amounts.cpu, "cores have no unit of memory", fix)
        for part in ("memory", "storage") if isinstance(amounts, Quota) else ("memory",):
            if (given := getattr(amounts, part)).endswith("m"):
                bound = "m is a thousandth, and of cores alone"
                yield wrong(document, (*where, part), given, bound, f"Write {part}: 512Mi, or 4Gi.")


def _sum_problems(tenant: Tenant, document: Document) -> Iterable[Problem]:
    for part, more in most_of(tenant).beyond(agreed(tenant)).items():
        given = getattr(tenant.quota, part)
        bound = f"what is declared can take {more}{UNITS[part]} more, scaled out and while it is renewed"
        yield wrong(document, ("quota", part), given, bound, "Agree on more, or declare less.")
    if (more := storage_of(tenant) - memory_of(tenant.quota.storage)) > 0:
        bound = f"the data stores keep {more} MiB more, all instances together"
        yield wrong(document, ("quota", "storage"), tenant.quota.storage, bound, "Agree on more, or declare less.")


def _peak_problems(tenant: Tenant, document: Document) -> Iterable[Problem]:
    for n, peak in enumerate(tenant.peaks if isinstance(tenant.peaks, list) else []):
        if isinstance(peak.factor, int):
            small = [s.name for s in tenant.answering if s.most < math.ceil(s.replicas * peak.factor)]
            if small:
                bound = f"{', '.join(small)} cannot become so many times what it is on other days"
                fix = "Raise scaling.max, or say what was measured."
                yield wrong(document, ("peaks", n, "factor"), peak.factor, bound, fix)


def _backup_problems(
    clusters: Mapping[str, Cluster], data_centres: list[str], tenant: Tenant, document: Document
) -> Iterable[Problem]:
    home = clusters.get(tenant.clusters[0])
    for n, store in enumerate(tenant.data_stores):
        where, to = ("data_stores", n, "backup", "to"), store.backup.to
        if to not in data_centres:
            yield unknown(document, where, to, "data centre", data_centres)
        elif home and to == home.data_centre:
            bound = "the store runs there too: what takes the one takes the other"
            yield wrong(document, where, to, bound, "Name another data centre.")
    if tenant.data_stores and minutes(tenant.recovery.rpo) < ARCHIVED_MINUTES:
        bound = f"copies of a store are up to {ARCHIVED_MINUTES} minutes old"
        yield wrong(document, ("recovery", "rpo"), tenant.recovery.rpo, bound, "Promise no less than that.")
