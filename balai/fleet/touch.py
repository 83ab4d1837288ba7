"""
Whom a change reaches, in the language of services and people.

A stack stands under tenants; a tenant serves malls by the flows that name its services, and other tenants by what they
reach. How many people that is, is what was read of services and malls; where nothing was read it is unknown, and said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from balai.estate import Estate
from balai.models import Tenant
from balai.models.tenant import Users
from balai.text import say


@dataclass(frozen=True, kw_only=True)
class Touch:
    """
    What a change to some stacks reaches.

    Attributes:
        tenants: Names of the tenants on them.
        dependents: Names of tenants that reach those.
        services: `tenant/service` of the tenants on them.
        sites: Names of the malls whose flows begin with one of the services.
        users: People by what they are, where it was read ("taxpayers with an active account": 7700000); of two tenants
            that name the same people the larger count, for they may be the same.
        users_unknown: Tenants of which nobody has read how many use them.
        visitors_per_day: Sum over the malls on record; `sites_unknown` counts the others, and those without a file.
    """

    tenants: tuple[str, ...]
    dependents: tuple[str, ...]
    services: tuple[str, ...]
    sites: tuple[str, ...]
    users: dict[str, int]
    users_unknown: tuple[str, ...]
    visitors_per_day: int
    sites_unknown: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @property
    def words(self) -> str:
        """One sentence of it."""
        people = [say("touch_users", count=f"{count:,}", what=what) for what, count in self.users.items()]
        if self.users_unknown:
            people.append(say("touch_users_unknown", count=len(self.users_unknown)))
        return say(
            "touch",
            tenants=len(self.tenants),
            names=", ".join(self.tenants) or "-",
            services=len(self.services),
            sites=len(self.sites),
            visitors=f"{self.visitors_per_day:,}",
            unknown=self.sites_unknown,
            people="; ".join(people) or "-",
        )


def tenants_under(estate: Estate, stack: str) -> list[Tenant]:
    """Return the tenants that stand on a stack: all of a data centre or cluster, or the one that it is of."""
    layer, _, rest = stack.partition(".")
    name, _, tenant = rest.partition(".")
    if layer == "tenant":
        return [estate.tenants[tenant]] if tenant in estate.tenants else []
    here = {c.name for c in estate.clusters.values() if c.data_centre == name} if layer == "fleet" else {name}
    return [t for _, t in sorted(estate.tenants.items()) if t.placed and here & set(t.clusters)]


def touch(estate: Estate, stacks: Iterable[str], sites: Iterable[str] = ()) -> Touch:
    """Return what a change to stacks, and to malls themselves, reaches."""
    tenants = {t.name: t for stack in stacks for t in tenants_under(estate, stack)}
    services = sorted(f"{t.name}/{s.name}" for t in tenants.values() for s in t.services)
    reached = {*sites}
    for flow in estate.flows:
        if set(flow.services) & set(services):
            wanted = set(flow.regions)
            reached |= {s.name for s in estate.sites.values() if not wanted or wanted & set(s.regions)}
    users: dict[str, int] = {}
    for tenant in tenants.values():
        if isinstance(tenant.users, Users):
            users[tenant.users.what] = max(tenant.users.count, users.get(tenant.users.what, 0))
    records = [site.record if (site := estate.sites.get(name)) else None for name in sorted(reached)]
    visitors = [record.visitors_per_day if record else None for record in records]
    return Touch(
        tenants=tuple(sorted(tenants)),
        dependents=tuple(
            sorted(
                other.name
                for other in estate.tenants.values()
                if other.name not in tenants and any(reach.tenant in tenants for reach in other.reaches)
            )
        ),
        services=tuple(services),
        sites=tuple(sorted(reached)),
        users=users,
        users_unknown=tuple(sorted(t.name for t in tenants.values() if not isinstance(t.users, Users))),
        visitors_per_day=sum(count or 0 for count in visitors),
        sites_unknown=sum(count is None for count in visitors),
    )
