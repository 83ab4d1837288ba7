"""
Where a tenant stands in its life, and whether its stacks may be changed today.

A status says what people decided; the review date says what nobody may forget. It reminds, then warns, and at last
holds still, so that a tenant that nobody looks after is not changed any more. Nothing here ever deletes.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from balai.models import Tenant
from balai.models.lifecycle import Erased
from balai.text import say

REMINDS, HOLDS = 60, 90  # days before its review that a tenant is reminded of it, and after that it is held still


@dataclass(frozen=True)
class Standing:
    """Whether a tenant's stacks may be changed, and what has to be said of it; "" when there is nothing to say."""

    may_change: bool
    words: str = ""


def standing(tenant: Tenant, today: datetime.date | None = None) -> Standing:
    """Return where a tenant stands on a day, today in Jakarta by default."""
    today = today or datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=7))).date()
    name, why, until = tenant.name, tenant.status_reason or "", tenant.status_until or ""
    if tenant.status == "requested":
        return Standing(False, say("tenant_requested", tenant=name))
    if tenant.status == "cordoned":
        return Standing(False, say("tenant_cordoned", tenant=name, why=why))
    if tenant.decommissioning and isinstance(tenant.decommissioning.erased, Erased):
        return Standing(False, say("tenant_erased", tenant=name, date=tenant.decommissioning.erased.date))
    if tenant.status == "decommissioning":
        return Standing(False, say("tenant_decommissioning", tenant=name, why=why))
    if tenant.status == "frozen":
        over = datetime.date.fromisoformat(until) < today
        words = say("tenant_thaws", tenant=name, until=until) if over else ""
        return Standing(False, words or say("tenant_frozen", tenant=name, until=until, why=why))
    days = (datetime.date.fromisoformat(tenant.review) - today).days
    if days < -HOLDS:
        return Standing(False, say("tenant_unreviewed", tenant=name, review=tenant.review, days=-days))
    if days < 0:
        return Standing(True, say("tenant_overdue", tenant=name, review=tenant.review, days=HOLDS + days))
    if days <= REMINDS:
        return Standing(True, say("tenant_review", tenant=name, review=tenant.review, days=days))
    return Standing(True)
