"""
Whether everybody still fits: now, without a rack, without a data centre, with the standby promoted.

A tenant fits when it, and everybody whose services matter as much or more, can use the whole of what was agreed; it is
degraded when only what they declare to run has room. A tenant's first cluster carries all of it; the others keep what
it runs, until the first is gone. Who declares more than was agreed is counted with what it declares. Sums, not a
packing: the share `headroom_percent` of machines.yml stands for what does not pack, and a container that is larger than
a machine fits nowhere. So more machines can never make it worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any, Literal

from balai.capacity import Size, agreed, machine_size, machines_of, pods_of, rounded_up, runs_of
from balai.estate import Estate
from balai.models import Cluster, Tenant
from balai.models.fleet import GENERAL
from balai.text import say

State = Literal["fits", "degraded", "not"]
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
    for _, equals in groupby(tenants, key=lambda t: RANK[t.category]):
        carried = []
        for tenant in equals:
            runs = runs_of(tenant)
            carries = next(name for name in tenant.clusters if name in left) == cluster.name
            least += runs
            whole += agreed(tenant).or_more(runs) if carries else runs
            carried += [tenant] if carries else []
        short = whole.beyond(room)
        state: State = "not" if least.beyond(room) else "degraded" if short else "fits"
        more = max((rounded_up(n, asdict(machine)[part]) for part, n in short.items()), default=0)
        for tenant in carried:
            fares = Verdict(
                tenant=tenant.name, loss=loss, cluster=cluster.name, state=state, short=short, machines=more
            )
            too_large = any(pod.beyond(machine) for pod in pods_of(tenant))
            yield replace(fares, state="not", machines=0) if too_large else fares


def machine_of(estate: Estate) -> Size:
    """Return what one machine of the tenants' class has for pods."""
    return machine_size(estate.machines[GENERAL], estate.headroom_percent)


def words(verdict: Verdict) -> str:
    """Return a verdict as one sentence, with what would help."""
    case = say("fit_without", what=verdict.loss) if str(verdict.loss) else say("fit_now")
    if not verdict.cluster:
        return say("fit_nowhere", case=case, tenant=verdict.tenant)
    if not verdict.machines:
        return say("fit_too_large", case=case, tenant=verdict.tenant)
    units = {"cpu": "m", "memory": " MiB", "pods": " pods"}
    short = ", ".join(f"{part} {amount}{units[part]}" for part, amount in verdict.short.items())
    values = {"case": case, "tenant": verdict.tenant, "cluster": verdict.cluster, "short": short}
    if verdict.state == "degraded":
        return say("fit_is_degraded", **values, machines=verdict.machines)
    return say("fit_does_not", **values, machines=verdict.machines)


def room_of(estate: Estate, cluster: Cluster, loss: Loss) -> Size:
    """Return what a cluster has for tenants' pods in a case."""
    hit = loss.rack if loss.data_centre == cluster.data_centre else ""
    return machine_of(estate).times(machines_of(cluster, hit))
