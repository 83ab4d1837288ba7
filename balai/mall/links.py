"""The cards of a machine: which network each is in, and what it is called there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import Literal

from balai import addressing
from balai.addressing import Zone
from balai.sites import CARDS, ZONE_OF, Machine, SiteView

OVERLAY = "overlay"
# Tags for a trunk to switches: zones from 10, guests 90, office slots from 100.
_FIRST_ZONE_TAG, _GUEST_TAG, _FIRST_SLOT_TAG = 10, 90, 100


@dataclass(frozen=True, kw_only=True)
class Link:
    """
    One card, or one tag of a trunk.

    Attributes:
        name: What the machine calls it.
        network: End of flows that it is in; "uplink" for a way out.
        owner: Agency of an office's network, name of an uplink; "" otherwise.
        tag: VLAN of the network on a trunk; 0 for an uplink.
        addresses: The machine's own, IPv4 first; none where a provider gives them.
        gateway: Way out through this link, by version of IP; empty where there is none.
        advertises: IPv6 network that a router announces on it.
    """

    name: str
    network: Literal["management", "servers", "kiosks", "displays", "cameras", "offices", "guests", "uplink"]
    owner: str = ""
    tag: int = 0
    addresses: tuple[IPv4Interface | IPv6Interface, ...] = ()
    gateways: tuple[str, ...] = ()
    advertises: IPv6Network | None = None

    @property
    def title(self) -> str:
        """Its network for people: with the agency or line that it is of."""
        return " ".join(filter(None, (self.network, self.owner)))

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data, for an Ansible role."""
        return {
            "name": self.name,
            "addresses": [str(address) for address in self.addresses],
            "gateways": list(self.gateways),
            "advertises": str(self.advertises or ""),
            "from_provider": self.network == "uplink",
        }


def links_of(machine: Machine, view: SiteView) -> list[Link]:
    """Return the links of one machine of a mall."""
    return list(_router(view) if machine.kind == "router" and machine.number == 1 else _other(machine, view))


def _router(view: SiteView) -> Iterator[Link]:
    plan = view.plan
    for n, zone in enumerate(Zone):
        yield Link(
            name=CARDS[zone],
            network=zone.value,
            tag=_FIRST_ZONE_TAG + n,
            addresses=_addresses(plan.zones[zone], plan.zones_v6[zone], 1),
            # Machines with roles have fixed addresses, and cameras need none: only visitors are told a network.
            advertises=plan.zones_v6[zone] if zone is Zone.MANAGEMENT else None,
        )
    for office in sorted(view.site.offices, key=lambda office: office.slot):
        v4, v6 = plan.slots[office.slot], plan.slots_v6[office.slot]
        yield Link(
            name=f"off{office.slot}",
            network="offices",
            owner=office.agency,
            tag=_FIRST_SLOT_TAG + office.slot,
            addresses=_addresses(v4, v6, 1),
            advertises=v6,
        )
    yield Link(
        name=CARDS["guests"],
        network="guests",
        tag=_GUEST_TAG,
        addresses=_addresses(addressing.GUEST_NETWORK, plan.guests_v6, 1),
        advertises=plan.guests_v6,
    )
    for n, uplink in enumerate(() if view.site.uplinks == "unknown" else view.site.uplinks, start=1):
        yield Link(name=f"wan{n}", network="uplink", owner=uplink.name)


def _other(machine: Machine, view: SiteView) -> Iterator[Link]:
    plan, zone = view.plan, ZONE_OF.get(machine.kind)
    for place in (Zone.MANAGEMENT, zone) if zone else (Zone.MANAGEMENT,):
        v4, v6 = plan.zones[place], plan.zones_v6[place]
        out = place is (zone or Zone.MANAGEMENT)
        yield Link(
            name=CARDS[place],
            network=place.value,
            tag=_FIRST_ZONE_TAG + list(Zone).index(place),
            addresses=_addresses(v4, v6, machine.place),
            gateways=(str(v4[1]), str(v6[1])) if out else (),
        )


def _addresses(v4: IPv4Network, v6: IPv6Network, number: int) -> tuple[IPv4Interface, IPv6Interface]:
    return IPv4Interface((v4[number], v4.prefixlen)), IPv6Interface((v6[number], v6.prefixlen))
