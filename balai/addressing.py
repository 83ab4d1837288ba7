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
    fd62:616c:6000::/40   the same data centres in IPv6, a /48 each
    fd62:616c:6100::/40   the same malls, a /56 each: a /64 for each zone, guests and office slot
    fd62:616c:6200::/40   the same overlay
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

DATA_CENTRES = IPv4Network("10.0.0.0/10")
MALLS = IPv4Network("10.64.0.0/10")
OVERLAY = IPv4Network("10.128.0.0/12")
PODS = IPv4Network("10.192.0.0/12")
SERVICES = IPv4Network("10.208.0.0/12")
GUESTS = IPv4Network("192.168.0.0/16")
DATA_CENTRES_V6 = IPv6Network("fd62:616c:6000::/40")
MALLS_V6 = IPv6Network("fd62:616c:6100::/40")
OVERLAY_V6 = IPv6Network("fd62:616c:6200::/40")
GUEST_NETWORK = IPv4Network("192.168.0.0/22")  # what a mall uses of it

MALL_PREFIX, DATA_CENTRE_PREFIX = 20, 16
LAST_MALL = 2 ** (MALL_PREFIX - MALLS.prefixlen) - 1
FIRST_ENDPOINT, LAST_CLUSTER = 200, 49  # addresses of API servers, among those of the nodes
# Host numbers among a data centre's gateways: where malls open services, and what copies of data are sent to.
PORTAL, OBJECT_STORE = 10, 44
LAST_DATA_CENTRE = 2 ** (DATA_CENTRE_PREFIX - DATA_CENTRES.prefixlen) - 1
SLOTS = 64
FIRST_SLOT_V6, GUESTS_V6 = 64, 8  # numbers of /64s in a mall's /56; zones have the first ones
FIRST_MALL_OF_OVERLAY = 1024  # below it, the data centres' ends


class Zone(StrEnum):
    """The networks of a mall that are its own, in the order of their /24s."""

    MANAGEMENT = "management"
    SERVERS = "servers"
    KIOSKS = "kiosks"
    DISPLAYS = "displays"
    CAMERAS = "cameras"


@dataclass(frozen=True, kw_only=True)
class MallPlan:
    """Every network of one mall; `offices` is that of all slots together."""

    whole: IPv4Network
    zones: dict[Zone, IPv4Network]
    offices: IPv4Network
    slots: tuple[IPv4Network, ...]
    overlay: IPv4Address
    v6: IPv6Network
    zones_v6: dict[Zone, IPv6Network]
    offices_v6: IPv6Network
    slots_v6: tuple[IPv6Network, ...]
    guests_v6: IPv6Network
    overlay_v6: IPv6Address


@dataclass(frozen=True, kw_only=True)
class DataCentrePlan:
    """The networks of one data centre."""

    whole: IPv4Network
    nodes: IPv4Network
    gateways: IPv4Network
    overlay: IPv4Address
    v6: IPv6Network
    gateways_v6: IPv6Network
    overlay_v6: IPv6Address


@cache
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
    v6 = IPv6Network((base, 56))
    return MallPlan(
        whole=whole,
        zones=zones,
        offices=second,
        slots=tuple(second.subnets(new_prefix=27)),
        overlay=OVERLAY[FIRST_MALL_OF_OVERLAY + index],
        v6=v6,
        zones_v6={zone: _part(base, n) for n, zone in enumerate(Zone)},
        offices_v6=_part(base, FIRST_SLOT_V6).supernet(new_prefix=58),
        slots_v6=tuple(_part(base, FIRST_SLOT_V6 + n) for n in range(SLOTS)),
        guests_v6=_part(base, GUESTS_V6),
        overlay_v6=OVERLAY_V6[FIRST_MALL_OF_OVERLAY + index],
    )


def data_centre(index: int) -> DataCentrePlan:
    """Return the plan of the data centre with an index (0..63): a /24 for nodes, then one for gateways."""
    whole = _nth(DATA_CENTRES, DATA_CENTRE_PREFIX, index)
    nodes, gateways, *_ = whole.subnets(new_prefix=24)
    base = int(DATA_CENTRES_V6.network_address) + (index << (128 - 48))
    return DataCentrePlan(
        whole=whole,
        nodes=nodes,
        gateways=gateways,
        overlay=OVERLAY[1 + index],
        v6=IPv6Network((base, 48)),
        gateways_v6=IPv6Network((base + (1 << 64), 64)),
        overlay_v6=OVERLAY_V6[1 + index],
    )


def endpoint(data_centre_index: int, cluster_index: int) -> IPv4Address:
    """Return the address of the API server of a cluster (0..49) in a data centre."""
    if not 0 <= cluster_index <= LAST_CLUSTER:
        raise ValueError(f"index {cluster_index} is outside 0..{LAST_CLUSTER}")
    return data_centre(data_centre_index).nodes[FIRST_ENDPOINT + cluster_index]


def _part(base: int, number: int) -> IPv6Network:
    return IPv6Network((base + (number << 64), 64))


def _nth(pool: IPv4Network, prefix: int, index: int) -> IPv4Network:
    last = 2 ** (prefix - pool.prefixlen) - 1
    if not 0 <= index <= last:
        raise ValueError(f"index {index} is outside 0..{last}, the /{prefix}s of {pool}")
    return IPv4Network((int(pool.network_address) + (index << (32 - prefix)), prefix))
