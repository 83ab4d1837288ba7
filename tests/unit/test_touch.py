"""Whom a change reaches: tenants, services, malls and people, and what nobody knows is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from balai.estate import Estate, load_estate
from balai.fleet.touch import tenants_under, touch
from balai.models.tenant import Users

ESTATE = load_estate()


def with_tenant(name: str, estate: Estate = ESTATE, **changes: Any) -> Estate:
    return replace(estate, tenants={**estate.tenants, name: estate.tenants[name].model_copy(update=changes)})


def users(count: int, what: str = "taxpayers") -> Users:
    return Users.model_validate({"count": count, "what": what, "source": "a test", "verification": "unknown"})


@pytest.mark.parametrize(
    ("stack", "tenants"),
    [
        ("tenant.cikarang.hukum", ["hukum"]),
        ("tenant.cikarang.hukuman", []),
        ("foundation.cikarang", sorted(ESTATE.tenants)),
        ("fleet.cikarang", sorted(ESTATE.tenants)),
        ("foundation.batam", sorted(t.name for t in ESTATE.tenants.values() if "batam" in t.clusters)),
        ("fleet.batam", sorted(t.name for t in ESTATE.tenants.values() if "batam" in t.clusters)),
        ("fleet.bandung", []),
        ("", []),
    ],
)
def test_tenants_stand_on_their_stack_their_clusters_and_those_clusters_data_centres(
    stack: str, tenants: list[str]
) -> None:
    assert [tenant.name for tenant in tenants_under(ESTATE, stack)] == tenants


@pytest.mark.parametrize("status", ["requested", "decommissioning"])
def test_a_tenant_that_is_not_there_yet_or_being_ended_stands_on_no_cluster(status: str) -> None:
    estate = with_tenant("hukum", status=status)

    assert "hukum" not in touch(estate, ["foundation.cikarang"]).tenants


@pytest.mark.parametrize("status", ["active", "frozen", "cordoned"])
def test_a_tenant_that_is_held_still_is_still_used(status: str) -> None:
    estate = with_tenant("hukum", status=status)

    assert "hukum" in touch(estate, ["foundation.cikarang"]).tenants


def test_who_reaches_what_is_touched_is_told_and_is_not_counted_twice() -> None:
    found = touch(ESTATE, ["tenant.cikarang.identitas"])

    assert found.tenants == ("identitas",)
    assert "pajak" in found.dependents
    both = touch(ESTATE, ["tenant.cikarang.identitas", "tenant.batam.identitas", "tenant.cikarang.pajak"])
    assert both.tenants == ("identitas", "pajak")
    assert "pajak" not in both.dependents


def test_a_national_service_reaches_every_mall_and_a_region_s_those_of_the_region() -> None:
    assert touch(ESTATE, ["tenant.cikarang.pajak"]).sites == tuple(sorted(ESTATE.sites))
    assert touch(ESTATE, ["tenant.cikarang.pajak-banyuwangi"]).sites == ("mpp-banyuwangi",)


def test_what_no_flow_names_reaches_no_mall() -> None:
    found = touch(replace(ESTATE, flows=()), ["tenant.cikarang.pajak"])

    assert (found.sites, found.visitors_per_day, found.sites_unknown) == ((), 0, 0)
    assert found.services == ("pajak/web",)


def test_people_are_told_by_what_they_are_and_of_whom_nobody_knows() -> None:
    found = touch(ESTATE, ["tenant.cikarang.pajak", "tenant.cikarang.hukum"])

    assert found.users == {"taxpayers with an active account": 7_700_000}
    assert found.users_unknown == ("hukum",)
    assert "7,700,000 taxpayers with an active account; their number is unknown for 1 tenant(s)" in found.words


@pytest.mark.parametrize(("hukum", "pajak"), [(5, 9), (9, 5), (9, 9)])
def test_two_tenants_of_the_same_people_are_neither_added_nor_does_the_smaller_count_win(
    hukum: int, pajak: int
) -> None:
    estate = with_tenant("hukum", with_tenant("pajak", users=users(pajak)), users=users(hukum))

    assert touch(estate, ["tenant.cikarang.hukum", "tenant.cikarang.pajak"]).users == {"taxpayers": 9}


def test_visitors_are_those_on_record_and_malls_without_a_record_are_counted() -> None:
    found = touch(ESTATE, [], ESTATE.sites)

    records = [site.record for site in ESTATE.sites.values()]
    known = [r.visitors_per_day for r in records if r and r.visitors_per_day is not None]
    assert found.visitors_per_day == sum(known) > 0
    assert found.sites_unknown == len(ESTATE.sites) - len(known) > 0


def test_a_mall_whose_file_is_gone_is_told_and_unknown() -> None:
    found = touch(ESTATE, [], ["mpp-banyuwangi", "mpp-gone"])

    assert found.sites == ("mpp-banyuwangi", "mpp-gone")
    assert found.sites_unknown == touch(ESTATE, [], ["mpp-banyuwangi"]).sites_unknown + 1


def test_nothing_reaches_nobody() -> None:
    found = touch(ESTATE, [])

    assert found.as_json() == {
        "tenants": (), "dependents": (), "services": (), "sites": (), "users": {}, "users_unknown": (),
        "visitors_per_day": 0, "sites_unknown": 0,
    }  # fmt: skip
    assert "0 tenant(s) (-)" in found.words
    assert found.words.endswith("users: -")
