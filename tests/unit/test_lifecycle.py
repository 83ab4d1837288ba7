"""A tenant's life: who may be changed today, who is told what, and that nothing but a person ends it."""

from __future__ import annotations

import datetime

import pulumi
import pytest

from balai.deploy import remarks, stacks_of
from balai.estate import Estate, load_estate
from balai.lifecycle import HOLDS, REMINDS, standing
from balai.models import Tenant
from stacks import layers

ESTATE = load_estate()
TENANT = ESTATE.tenants["pajak"]
TODAY = datetime.date(2026, 11, 24)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALAI_LANG", "en")


def due(days: int) -> Tenant:
    return TENANT.model_copy(update={"review": (TODAY + datetime.timedelta(days=days)).isoformat()})


@pytest.mark.parametrize(
    ("days", "may_change", "words"),
    [
        (REMINDS + 1, True, ""),
        (REMINDS, True, "is due for review by"),
        (0, True, "in 0 days"),
        (-1, True, f"in {HOLDS - 1} days it is held still"),
        (-HOLDS, True, "in 0 days it is held still"),
        (-HOLDS - 1, False, "is held still: its review is 91 days overdue"),
    ],
)
def test_a_review_reminds_then_warns_then_holds_still(days: int, may_change: bool, words: str) -> None:
    found = standing(due(days), TODAY)

    assert (found.may_change, words in found.words) == (may_change, True)
    assert bool(found.words) == bool(words)


@pytest.mark.parametrize("status", ["requested", "cordoned", "frozen", "decommissioning"])
def test_a_status_that_stops_work_stops_balai_and_pulumi_with_its_reason(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = {"status_reason": "panen pajak", "status_until": "2099-03-31"}
    tenant = TENANT.model_copy(update={"status": status, **why})
    estate = Estate(**{**vars(ESTATE), "tenants": {**ESTATE.tenants, "pajak": tenant}})
    monkeypatch.setattr(layers, "load_estate", lambda: estate)

    with pytest.raises(pulumi.RunError, match="pajak"):
        layers.program("tenant.cikarang.pajak")

    assert "tenant.cikarang.pajak" not in stacks_of(estate, "cikarang")[1]
    (words,) = remarks(estate, "cikarang")
    assert status == "requested" or "panen pajak" in words
    assert ("2099-03-31" in words) == (status == "frozen")


def test_only_what_was_made_is_looked_for_on_a_cluster() -> None:
    placed = {s: TENANT.model_copy(update={"status": s}).placed for s in ("requested", "active", "cordoned", "frozen")}

    assert placed == {"requested": False, "active": True, "cordoned": True, "frozen": True}
    assert not TENANT.model_copy(update={"status": "decommissioning"}).placed


def test_a_freeze_that_is_over_is_said_and_lifted_by_a_person_alone() -> None:
    frozen = {"status": "frozen", "status_reason": "SPT", "status_until": "2026-11-23"}

    found = standing(TENANT.model_copy(update=frozen), TODAY)

    assert not found.may_change
    assert "ended on 2026-11-23" in found.words
    assert standing(TENANT.model_copy(update={**frozen, "status_until": "2026-11-24"}), TODAY).words.endswith("SPT")
