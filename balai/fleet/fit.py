"""
Whether everybody still fits: now, without a rack, without a data centre, with the standby promoted.

A tenant fits when it, and everybody whose services matter as much or more, can use the whole of what was agreed; it is
degraded when only what they declare to run has room. A tenant's first cluster carries all of it; the others keep what
it runs, until the first is gone. Sums, not a packing: the share `headroom_percent` of machines.yml stands for what does
not pack, and a container that is larger than a machine fits nowhere. So more machines can never make it worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from balai.estate import Estate
from balai.models import Cluster, Tenant
from balai.models.size import Size, agreed, pods_of, runs_of
from balai.text import say

State = Literal["fits", "degraded", "not"]
CLASS = "general"  # the machines that tenants' pods run on
RANK = {"strategis": 0, "tinggi": 1, "rendah": 2}


@dataclass(frozen=True, order=True)
class Loss:
    """What is taken away: a whole data centre, or one of its racks; nothing when both are empty."""

    data_centre: str = ""
    rack: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.data_centre, self.rack) if part)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """
    How one tenant fares on one cluster in one case.

    Attributes:
        cluster: The cluster that carries it; "" when none is left.
        short: What is missing of cpu (thousandths of a core), memory (MiB) and pods for the whole of it to fit.
        machines: How many more machines of class `general` would do; 0 where machines are not the remedy.
    """

    tenant: str
    loss: Loss
    cluster: str
    state: State
    short: dict[str, int]
    machines: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "loss": str(self.loss)}


def losses(estate: Estate) -> list[Loss]:
    """Return the cases worth asking about: nothing, each rack, each data centre."""
    used = sorted({cluster.data_centre for cluster in estate.clusters.values()})
    racks = [Loss(name, rack) for name in used for rack in sorted(estate.data_centres[name].racks)]
    return [Loss(), *racks, *map(Loss, used)]


def fit(estate: Estate, loss: Loss) -> list[Verdict]:
    """Return how every tenant fares in a case, by name."""
    left = {
        c.name: c
        for c in estate.clusters.values()
        if c.status == "active" and (loss.rack or c.data_centre != loss.data_centre)
    }
    tenants = sorted(
        (t for t in estate.tenants.values() if t.status != "decommissioning"),
        key=lambda t: (RANK[t.category], t.name),
    )
    verdicts = [
        Verdict(tenant=t.name, loss=loss, cluster="", state="not", short={})
        for t in tenants
        if not any(name in left for name in t.clusters)
    ]
    for cluster in left.values():
        verdicts += _on(estate, cluster, [t for t in tenants if cluster.name in t.clusters], left, loss)
    return sorted(verdicts, key=lambda v: v.tenant)


def _on(
    estate: Estate, cluster: Cluster, tenants: list[Tenant], left: dict[str, Cluster], loss: Loss
) -> Iterator[Verdict]:
    room, machine = room_of(estate, cluster, loss), machine_of(estate)
    whole, least = Size(), Size()
    for tenant in tenants:
        carries = next(name for name in tenant.clusters if name in left) == cluster.name
        runs = runs_of(tenant)
        least += runs
        whole += agreed(tenant) if carries else runs
        if not carries:
            continue
        short = whole.beyond(room)
        state: State = "not" if least.beyond(room) else "degraded" if short else "fits"
        if any(pod.beyond(machine) for pod in pods_of(tenant)):
            yield Verdict(tenant=tenant.name, loss=loss, cluster=cluster.name, state="not", short=short)
            continue
        more = max((math.ceil(n / asdict(machine)[part]) for part, n in short.items()), default=0)
        yield Verdict(tenant=tenant.name, loss=loss, cluster=cluster.name, state=state, short=short, machines=more)


def machine_of(estate: Estate) -> Size:
    """Return what one machine of the tenants' class has for pods."""
    made, share = estate.machines[CLASS], 100 - estate.headroom_percent
    return Size(
        cpu=(made.cpu - made.reserved_cpu) * 1000 * share // 100,
        memory=(made.memory_gib - made.reserved_memory_gib) * 1024 * share // 100,
        pods=made.pods * share // 100,
    )


def words(verdict: Verdict) -> str:
    """Return a verdict as one sentence, with what would help."""
    case = say("fit_without", what=verdict.loss) if str(verdict.loss) else say("fit_now")
    if not verdict.cluster:
        return say("fit_nowhere", case=case, tenant=verdict.tenant)
    if not verdict.machines:
        return say("fit_too_large", case=case, tenant=verdict.tenant)
    key = "fit_is_degraded" if verdict.state == "degraded" else "fit_does_not"
    units = {"cpu": "m", "memory": " MiB", "pods": " pods"}
    short = ", ".join(f"{part} {amount}{units[part]}" for part, amount in verdict.short.items())
    return say(key, case=case, tenant=verdict.tenant, cluster=verdict.cluster, short=short, machines=verdict.machines)


def room_of(estate: Estate, cluster: Cluster, loss: Loss) -> Size:
    """Return what a cluster has for tenants' pods in a case."""
    hit = loss.rack if loss.data_centre == cluster.data_centre else ""
    count = sum(n for pool in cluster.pools if pool.machines == CLASS for rack, n in pool.racks.items() if rack != hit)
    return machine_of(estate).times(count)
