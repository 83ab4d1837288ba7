"""The declared estate: what it must hold, and how a site looks to its machines."""

from __future__ import annotations

import pytest

from balai.deploy import stacks_of
from balai.estate import Estate, load_estate
from balai.sites import INVENTORIES, load_site

SERVICES = {
    "civil service portal",
    "digital identity",
    "electronic tax service",
    "law information",
    "civil registry",
    "digital government of banyuwangi",
    "regional taxes of banyuwangi",
    "public service portal",
}


@pytest.fixture(scope="module")
def estate() -> Estate:
    return load_estate()


def test_the_country_has_514_regencies_and_cities(estate: Estate) -> None:
    kinds = [region.type for region in estate.regions.values()]

    assert (len(kinds), kinds.count("kabupaten"), kinds.count("kota")) == (514, 416, 98)


def test_the_malls_counted_in_june_2022_and_bitung_are_there_with_their_sources(estate: Estate) -> None:
    records = [site.record for site in estate.sites.values() if site.record]
    counted = [record for record in records if record.by_2022_06_17 == "counted"]

    assert (len(counted), len(records)) == (52, 53)
    assert "mpp-kota-bitung" in estate.sites
    assert all(record.sources and record.verification for record in records)


def test_equipment_says_that_it_is_a_planning_default(estate: Estate) -> None:
    assert [s.name for s in estate.sites.values() if not s.size_basis.startswith("planning default")] == []


def test_each_national_service_has_a_tenant(estate: Estate) -> None:
    assert {tenant.title_en.lower() for tenant in estate.tenants.values()} == SERVICES


def test_a_cluster_is_brought_up_foundation_first(estate: Estate) -> None:
    first, second = stacks_of(estate, "cikarang")

    assert first == ["foundation.cikarang"]
    assert len(second) == len(estate.tenants)


def test_machines_of_a_site_have_addresses_of_their_own_in_its_management_network() -> None:
    view = load_site(INVENTORIES / "sites" / "mpp-banyuwangi.yml")
    addresses = [machine.address for machine in view.machines]

    assert len(set(addresses)) == len(addresses) == 6
    assert all(address.startswith("10.64.0.") for address in addresses)
    assert view.timezone == "Asia/Jakarta"
