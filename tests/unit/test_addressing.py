"""The address plan: no two networks meet, and growth moves nothing."""

from __future__ import annotations

import csv
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balai import addressing

malls = st.integers(0, addressing.LAST_MALL)


@settings(deadline=None)
@given(a=malls, b=malls)
def test_two_malls_never_share_an_address(a: int, b: int) -> None:
    first, second = addressing.mall(a), addressing.mall(b)

    assert first.whole.overlaps(second.whole) == (a == b)
    assert first.v6.overlaps(second.v6) == (a == b)


@settings(deadline=None)
@given(index=malls)
def test_the_networks_of_a_mall_lie_in_it_and_apart(index: int) -> None:
    plan = addressing.mall(index)
    networks = [*plan.zones.values(), *plan.slots]
    networks_v6 = [*plan.zones_v6.values(), *plan.slots_v6, plan.guests_v6]

    assert len(plan.slots) == len(plan.slots_v6) == addressing.SLOTS
    assert all(network.subnet_of(plan.v6) for network in networks_v6)
    assert len(set(networks_v6)) == len(networks_v6)
    assert plan.overlay in addressing.OVERLAY
    assert plan.overlay_v6 in addressing.OVERLAY_V6
    assert all(network.subnet_of(plan.whole) for network in networks)
    assert not any(a.overlaps(b) for a, b in combinations(networks, 2))


def test_the_pools_of_the_country_do_not_meet() -> None:
    pools = [
        addressing.DATA_CENTRES,
        addressing.MALLS,
        addressing.OVERLAY,
        addressing.PODS,
        addressing.SERVICES,
        addressing.GUESTS,
    ]

    pools_v6 = [addressing.DATA_CENTRES_V6, addressing.MALLS_V6, addressing.OVERLAY_V6]

    assert not any(a.overlaps(b) for a, b in combinations(pools, 2))
    assert not any(a.overlaps(b) for a, b in combinations(pools_v6, 2))
    ends = {addressing.data_centre(n).overlay for n in range(addressing.LAST_DATA_CENTRE + 1)}
    assert not ends & {addressing.mall(n).overlay for n in (0, addressing.LAST_MALL)}


@pytest.mark.parametrize("index", [-1, addressing.LAST_MALL + 1])
def test_an_index_outside_the_pool_is_refused_with_its_bounds(index: int) -> None:
    with pytest.raises(ValueError, match=rf"index {index} is outside 0\.\.1023"):
        addressing.mall(index)


def test_the_first_mall_has_the_addresses_it_was_given_at_the_start() -> None:
    plan = addressing.mall(0)

    assert str(plan.zones[addressing.Zone.MANAGEMENT]) == "10.64.0.0/24"
    assert str(plan.slots[0]) == "10.64.8.0/27"
    assert str(plan.v6) == "fd62:616c:6100::/56"


def test_no_line_of_the_ledger_ever_changed(root: Path) -> None:
    """A line of the ledger is an address plan in the field: it may be added, never edited or removed."""
    log = subprocess.run(
        ["git", "log", "--format=", "-p", "--", "inventories/addresses.csv"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    removed = [line for line in log.splitlines() if line.startswith("-") and not line.startswith("---")]
    rows = list(csv.DictReader((root / "inventories/addresses.csv").read_text().splitlines()))

    assert removed == []
    assert [int(row["index"]) for row in rows] == list(range(len(rows)))
