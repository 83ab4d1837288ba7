"""
What is really there, read and never changed: who is on a mall's networks, and what one machine is.

The first is asked of the mall's router, which sees every card; so nothing is sent to a machine that is an agency's own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from balai.mall import dhcp_of, links_of
from balai.models.enrolment import FIRST_NUMBER, LAST_NUMBER
from balai.sites import SiteView

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """
    One card on one network of a mall.

    Attributes:
        addresses: What it uses, or was lent.
        told: The name that it told when it asked for an address; anybody can tell any.
        known: The machine that it is by the plan or its enrolment; "" for a stranger.
        managed: full, network-only, observed, or "" for a stranger.
    """

    network: str
    mac: str
    addresses: tuple[str, ...]
    told: str
    known: str
    managed: str


@dataclass(frozen=True, kw_only=True)
class Pool:
    """How many addresses of a network can be lent, and how many are."""

    network: str
    size: int
    lent: int


def seen(view: SiteView, facts: Json) -> list[Seen]:
    """Return every card that the router knows of, network by network; `facts` are the router's (host_facts)."""
    links = {link.name: link for link in links_of(view.machines[0], view) if link.addresses}
    title = {name: link.title for name, link in links.items()}
    networks = {address.network: name for name, link in links.items() for address in link.addresses}
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in facts.get("neighbours", []):
        if entry["card"] in links:
            found[entry["card"], entry["mac"]].add(entry["address"])
    told = {}
    for lease in facts.get("leases", []):
        address = ip_address(lease["address"])
        if card := next((name for network, name in networks.items() if address in network), None):
            found[card, lease["mac"]].add(lease["address"])
            told[lease["mac"]] = lease["name"]
    enrolled = {machine.mac: machine for machine in view.enrolled}
    cards = {machine.name: machine.mac for machine in view.enrolled}
    planned = {
        str(address.ip): machine.name
        for machine in view.machines[1:]
        for link in links_of(machine, view)
        for address in link.addresses
    }
    rows = []
    for (card, mac), addresses in sorted(found.items(), key=lambda item: (list(links).index(item[0][0]), item[0][1])):
        ordered = tuple(sorted(addresses, key=lambda a: (":" in a, a)))
        machine = enrolled.get(mac)
        # By its address alone, unless its card is enrolled: then another card with that address is a stranger.
        by_plan = next((planned[a] for a in ordered if a in planned and cards.get(planned[a], mac) == mac), "")
        rows.append(
            Seen(
                network=title[card],
                mac=mac,
                addresses=ordered,
                told=told.get(mac, ""),
                known=machine.name if machine else by_plan,
                managed=machine.managed if machine else "full" if by_plan else "",
            )
        )
    return rows


def pools(view: SiteView, facts: Json) -> list[Pool]:
    """Return how full the pools of leased addresses are."""
    titles = {link.name: link.title for link in links_of(view.machines[0], view)}
    found = []
    for item in dhcp_of(view):
        if item["pool"]:
            first, last = (ip_address(part.strip()) for part in item["pool"].split(" - "))
            lent = sum(first <= ip_address(lease["address"]) <= last for lease in facts.get("leases", []))  # type: ignore[operator]
            found.append(Pool(network=titles[item["link"]], size=int(last) - int(first) + 1, lent=lent))
    return found


def enrolments(view: SiteView, rows: list[Seen]) -> list[Json]:
    """Return what enrolment/<site>.yml would say of strangers in offices' networks, for a person to correct."""
    proposed = []
    for office in view.site.offices:
        taken = {machine.number for machine in view.enrolled if machine.office == office.agency}
        free = [number for number in range(FIRST_NUMBER, LAST_NUMBER + 1) if number not in taken]
        for row in rows:
            if row.network == f"offices {office.agency}" and not row.known and free:
                number = free.pop(0)
                name = f"{office.agency}-{number}"
                own = {"name": name, "office": office.agency, "number": number, "mac": row.mac}
                proposed.append({**own, "managed": "network-only"})
    return proposed
