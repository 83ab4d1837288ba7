"""
The address plan: pure functions of an index in a ledger.

Nothing here is chosen by hand and nothing depends on how many sites there are, so that adding a
site never moves another. The indices come from `inventories/addresses.csv` and, for data centres,
from their files.

::

    10.0.0.0/10     data centres, a /16 each
    10.64.0.0/10    malls, a /20 each: five zones of a /24, then 64 office slots of a /27
    10.128.0.0/12   overlay between malls and data centres
    10.192.0.0/11   pods (first half) and services (second half), reused in each cluster
    192.168.0.0/16  guests of a mall, translated, never routed, the same everywhere
    fd62:616c:6100::/40   the same malls in IPv6, a /56 each
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

DATA_CENTRES = IPv4Network("10.0.0.0/10")
MALLS = IPv4Network("10.64.0.0/10")
OVERLAY = IPv4Network("10.128.0.0/12")
PODS = IPv4Network("10.192.0.0/12")
SERVICES = IPv4Network("10.208.0.0/12")
GUESTS = IPv4Network("192.168.0.0/16")
MALLS_V6 = IPv6Network("fd62:616c:6100::/40")

MALL_PREFIX, DATA_CENTRE_PREFIX = 20, 16
LAST_MALL = 2 ** (MALL_PREFIX - MALLS.prefixlen) - 1
LAST_DATA_CENTRE = 2 ** (DATA_CENTRE_PREFIX - DATA_CENTRES.prefixlen) - 1
SLOTS = 64


class Zone(StrEnum):
    """The networks of a mall that are its own, in the order of their /24s."""

    MANAGEMENT = "management"
    SERVERS = "servers"
    KIOSKS = "kiosks"
    DISPLAYS = "displays"
    CAMERAS = "cameras"


@dataclass(frozen=True, kw_only=True)
class MallPlan:
    """Every network of one mall."""

    whole: IPv4Network
    zones: dict[Zone, IPv4Network]
    slots: tuple[IPv4Network, ...]
    v6: IPv6Network


@dataclass(frozen=True, kw_only=True)
class DataCentrePlan:
    """The networks of one data centre."""

    whole: IPv4Network
    nodes: IPv4Network


def mall(index: int) -> MallPlan:
    """
    Return the plan of the mall with an index of the ledger.

    Raises:
        ValueError: The index is outside 0..1023, what a /10 has room for.
    """
    whole = _nth(MALLS, MALL_PREFIX, index)
    first, second = whole.subnets(prefixlen_diff=1)
    zones = dict(zip(Zone, first.subnets(new_prefix=24), strict=False))
    base = int(MALLS_V6.network_address) + (index << (128 - 56))
    return MallPlan(whole=whole, zones=zones, slots=tuple(second.subnets(new_prefix=27)), v6=IPv6Network((base, 56)))


def data_centre(index: int) -> DataCentrePlan:
    """Return the plan of the data centre with an index (0..63); nodes have its first /24."""
    whole = _nth(DATA_CENTRES, DATA_CENTRE_PREFIX, index)
    return DataCentrePlan(whole=whole, nodes=next(whole.subnets(new_prefix=24)))


def _nth(pool: IPv4Network, prefix: int, index: int) -> IPv4Network:
    last = 2 ** (prefix - pool.prefixlen) - 1
    if not 0 <= index <= last:
        raise ValueError(f"index {index} is outside 0..{last}, the /{prefix}s of {pool}")
    return IPv4Network((int(pool.network_address) + (index << (32 - prefix)), prefix))
