"""What is wrong with a tenant's file where its keys have to agree, with each other and with other tenants'."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from balai.capacity import agreed, machine_size, machines_of
from balai.errors import Problem
from balai.models import Cluster, MachineClass, Tenant
from balai.models.fleet import GENERAL
from balai.models.lifecycle import Amounts, Decision, Erased, Escrow, in_units, kept_until
from balai.reading import wrong
from balai.yamlfile import Document

DECIDES = "Take it back, or have it decided: `balai tenant request`, then `balai tenant decide`."


def tenant_problems(tenant: Tenant, document: Document) -> Iterator[Problem]:
    """Yield what does not hold together within one tenant's file."""
    yield from _requests(tenant, document)
    yield from _end(tenant, document)


def host_problems(
    tenants: Mapping[str, Tenant], malls: Collection[str], documents: Mapping[str, Document]
) -> Iterator[Problem]:
    """Yield the tenants whose name is a mall's: both would be called by the same host name."""
    for name in sorted(tenants.keys() & set(malls)):
        bound = "a mall has the name, and both would be called by the same host name"
        yield wrong(documents[f"Tenant:{name}"], ("name",), name, bound, "Choose another.")


def _requests(tenant: Tenant, document: Document) -> Iterator[Problem]:
    now: dict[str, Any] = {}
    for n, request in enumerate(tenant.requests):
        where, before = ("requests", n), tenant.requests[n - 1] if n else None
        if isinstance(request.original, Amounts):
            for part, value in request.original.given.items():
                if now.setdefault(part, value) != value:
                    bound = f"what was decided before this request is {now[part]}"
                    yield wrong(document, (*where, "original", part), value, bound, f"Write {now[part]}.")
        elif before:
            bound = "only a tenant's first request has no quota before it"
            yield wrong(document, (*where, "original"), request.original, bound, "Write what the quota was.")
        if before and before.date > request.date:
            bound = f"the request above it is of {before.date}"
            yield wrong(document, (*where, "date"), request.date, bound, "Keep requests in the order of their days.")
        if before and before.decided == "open":
            bound = "a request after it is there already, and would be judged by a quota that nobody knows"
            yield wrong(document, ("requests", n - 1, "decided"), "open", bound, "Decide it first.")
        if isinstance(request.decided, Decision):
            now |= request.decided.values.given
    quota = tenant.quota.model_dump()
    for part, value in now.items():
        if quota[part] != value:
            bound = f"what was decided last is {value}, and only a decision changes a quota"
            yield wrong(document, ("quota", part), quota[part], bound, DECIDES)
    first = tenant.requests[0] if tenant.requests else None
    if first and first.original == "none" and first.decided == "open" and tenant.status != "requested":
        bound = "its first quota is not decided, so it is a request still"
        fix = f"Decide it with `balai tenant decide {tenant.name}`, or leave the status requested."
        yield wrong(document, ("status",), tenant.status, bound, fix)


def _end(tenant: Tenant, document: Document) -> Iterator[Problem]:
    ending = tenant.decommissioning
    if ending is None:
        return
    least = kept_until(ending.last_day, tenant.retention)
    if isinstance(ending.keys_escrow, Escrow) and ending.keys_escrow.until < least:
        bound = f"what it leaves must be readable for its retention, {tenant.retention} after its last day"
        path = ("decommissioning", "keys_escrow", "until")
        yield wrong(document, path, ending.keys_escrow.until, bound, f"Have the keys kept until {least} at least.")
    if isinstance(ending.erased, Erased) and set(ending.erased.proof) != set(tenant.clusters):
        bound = f"there should be a certificate for each of {', '.join(tenant.clusters)}"
        fix = f"Write it with `balai tenant erased {tenant.name}`."
        yield wrong(document, ("decommissioning", "erased", "proof"), list(ending.erased.proof), bound, fix)


def quota_problems(
    tenant: Tenant,
    document: Document,
    clusters: Mapping[str, Cluster],
    machines: Mapping[str, MachineClass],
    headroom_percent: int,
) -> Iterator[Problem]:
    """Yield the parts of a tenant's quota that are more than a whole cluster of it has for everybody."""
    quota = tenant.quota
    if GENERAL not in machines or tenant.status == "decommissioning" or not in_units(quota.cpu, quota.memory):
        return
    one = machine_size(machines[GENERAL], headroom_percent)
    asked = agreed(tenant)
    units = {"cpu": "m", "memory": "Mi", "pods": ""}
    for cluster in (clusters[name] for name in tenant.clusters if name in clusters):
        room = one.times(machines_of(cluster))
        for part in asked.beyond(room) if room.pods else ():  # a cluster without machines is a problem of its own
            most = f"{getattr(room, part)}{units[part]}"
            bound = f"the whole of cluster {cluster.name} has {most} for tenants"
            fix = (
                f"Ask for less, or put machines into clusters/{cluster.name}.yml; `balai fleet fit` shows what is free."
            )
            yield wrong(document, ("quota", part), getattr(quota, part), bound, fix)


def circles(tenants: Mapping[str, Tenant], documents: Mapping[str, Document]) -> Iterator[Problem]:
    """Yield the `reaches` that lead back to their own tenant, each circle once: nobody could be brought up first."""
    told: set[str] = set()
    for name in sorted(tenants):
        if name in told or not (way := _way_back(name, tenants)):
            continue
        told |= set(way)
        nth = next(n for n, reach in enumerate(tenants[name].reaches) if reach.tenant == way[0])
        bound = f"it leads back to {name} ({' → '.join([name, *way])}), and none would work without the others"
        fix = "Take one of these out, or move what both need into a tenant of its own."
        yield wrong(documents[f"Tenant:{name}"], ("reaches", nth, "tenant"), way[0], bound, fix)


def _way_back(name: str, tenants: Mapping[str, Tenant]) -> list[str]:
    """Return the shortest way from a tenant to itself, along what tenants reach; nothing when there is none."""
    before: dict[str, str] = {}
    waiting = [name]
    for here in waiting:  # it grows
        for reach in tenants[here].reaches:
            if reach.tenant == name:
                way = [name]
                while here != name:
                    way, here = [here, *way], before[here]
                return way
            if reach.tenant in tenants and reach.tenant not in before:
                before[reach.tenant] = here
                waiting.append(reach.tenant)
    return []
