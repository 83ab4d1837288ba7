"""
Whether a stack may be changed now: freezes of the calendar, windows of clusters, and versions that are over.

What is refused says whom the change would reach, when it will be possible, and that two people can allow it before.
Nothing here keeps a stack from being made for the first time: what nobody stands on yet touches nobody.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from balai.estate import Estate
from balai.fleet.approvals import Approval, approved
from balai.fleet.touch import tenants_under, touch
from balai.models import Cluster, DataCentre, Freeze
from balai.models.fleet import DAYS, Window
from balai.text import say

JAKARTA = ZoneInfo("Asia/Jakarta")
DAY = datetime.timedelta(days=1)


def freezes_on(estate: Estate, stack: str, day: datetime.date) -> Iterator[tuple[Freeze, list[str]]]:
    """Yield each freeze that holds on a day for tenants on a stack, with those tenants."""
    names = [tenant.name for tenant in tenants_under(estate, stack)]
    for freeze in estate.calendar.freezes:
        held = [name for name in names if name in freeze.tenants]
        if held and holds(freeze, day):
            yield freeze, held


def holds(freeze: Freeze, day: datetime.date) -> bool:
    """Tell whether a freeze holds on a day."""
    today = f"{day:%m-%d}"
    if freeze.first <= freeze.last:
        return freeze.first <= today <= freeze.last
    return today >= freeze.first or today <= freeze.last


def ends(freeze: Freeze, day: datetime.date) -> datetime.date:
    """Return the first day, from one on which a freeze holds, on which it does not."""
    while holds(freeze, day):
        day += DAY
    return day


def is_open(window: Window, now: datetime.datetime) -> bool:
    """Tell whether a window is open at a local time."""
    return any(start <= now < start + datetime.timedelta(hours=window.hours) for start in _openings(window, now))


def next_opening(cluster: Cluster, now: datetime.datetime) -> datetime.datetime:
    """Return when the first window of a cluster opens after a local time."""
    return min(start for window in cluster.windows for start in _openings(window, now) if start > now)


def _openings(window: Window, now: datetime.datetime) -> Iterator[datetime.datetime]:
    hour, minute = map(int, window.start.split(":"))
    for offset in range(-1, 8):
        day = now.date() + offset * DAY
        if DAYS[day.weekday()] in window.days:
            yield datetime.datetime.combine(day, datetime.time(hour, minute), now.tzinfo)


def refusals(
    estate: Estate,
    stack: str,
    cluster: str = "",
    *,
    now: datetime.datetime | None = None,
    approvals: tuple[Approval, ...] | None = None,
) -> list[str]:
    """
    Return why a stack may not be changed now, each in words; none when it may.

    Args:
        estate: What is declared.
        stack: Name of the stack.
        cluster: For a change of a cluster's machines: the cluster, whose windows and version then count too.
        now: The time, with its zone; the machine's own by default.
        approvals: What people have allowed; those of the project by default.

    Raises:
        DataError: An approval is wrong.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    place = place_of(estate, stack)
    if place.isolated:
        # Its walls go up on any day; nothing else is changed behind them.
        words = say(
            "gate_isolated", stack=stack, place=place.name, since=place.isolated.since, why=place.isolated.reason
        )
        return [] if stack.startswith("foundation.") else [words]
    allowed = approved(stack, now, approvals)
    found = []
    for freeze, held in freezes_on(estate, stack, now.astimezone(JAKARTA).date()):
        if "freeze" not in allowed:
            found.append(
                say(
                    "gate_freeze",
                    freeze=freeze.title,
                    first=freeze.first,
                    last=freeze.last,
                    held=", ".join(held),
                    stack=stack,
                    touch=touch(estate, [stack]).words,
                    day=ends(freeze, now.astimezone(JAKARTA).date()).isoformat(),
                )
            )
    if cluster:
        found += _machines(estate, stack, estate.clusters[cluster], now, allowed)
    return found


def place_of(estate: Estate, stack: str) -> DataCentre:
    """Return the data centre of a stack."""
    layer, _, rest = stack.partition(".")
    return estate.data_centres[rest if layer == "fleet" else estate.clusters[rest.partition(".")[0]].data_centre]


def _machines(
    estate: Estate, stack: str, cluster: Cluster, now: datetime.datetime, allowed: frozenset[str]
) -> Iterator[str]:
    zone = ZoneInfo(estate.data_centres[cluster.data_centre].timezone)
    local = now.astimezone(zone)
    if "window" not in allowed and not any(is_open(window, local) for window in cluster.windows):
        opens = f"{next_opening(cluster, local):%Y-%m-%d %H:%M} {zone.key}"
        yield say("gate_window", cluster=cluster.name, opens=opens, stack=stack, touch=touch(estate, [stack]).words)
    release = estate.releases[cluster.kubernetes]
    if release.state(local.date()) == "expired":
        better = [v for v, r in estate.releases.items() if r.state(local.date()) == "supported"]
        yield say(
            "gate_expired",
            cluster=cluster.name,
            version=cluster.kubernetes,
            day=release.expires,
            better=", ".join(better) or "-",
        )


def skips(old: str, new: str) -> bool:
    """Tell whether a change of version (v1.35.4) goes over a minor version, or back."""
    before, after = (tuple(map(int, version.removeprefix("v").split("."))) for version in (old, new))
    return after < before or after[1] > before[1] + 1
