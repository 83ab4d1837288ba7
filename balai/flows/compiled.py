"""
Flows as rules of one machine's firewall: networks, not names of interfaces.

The router forwards between zones and answers for itself; every other machine lets in what is meant
for its zone. That a packet comes from the network that its address claims is the reverse-path check's
to say, so that the rules are the same whatever a mall's sockets are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Literal

from balai import addressing
from balai.addressing import MallPlan, Zone
from balai.models.flow import End, Flow

Kind = Literal["router", "server", "kiosk", "display"]
Network = IPv4Network | IPv6Network
# What no packet to or from the internet carries as the other end's address (RFC 6890).
PRIVATE: list[Network] = [
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
]
DATA_CENTRE: list[Network] = [addressing.DATA_CENTRES, addressing.DATA_CENTRES_V6]
_ZONE_OF: dict[Kind, End] = {"server": "servers", "kiosk": "kiosks", "display": "displays"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """
    One line of a firewall.

    Attributes:
        flow: Name of the flow that it comes from.
        chain: `input` for what is meant for the machine itself, `forward` for what passes through it.
        family: 4 or 6, the version of IP.
        sources: Networks that may begin; empty for the internet.
        destinations: Networks that it may be begun with; empty for the machine itself or the internet.
        outside: Which end is the internet: everything but the private networks.
        gated: Whether it holds only for an office's enrolled machines, on the days that the office has a counter.
        protocol: tcp, udp or icmp.
        port: Destination port; None for icmp.
    """

    flow: str
    chain: Literal["input", "forward"]
    family: Literal[4, 6]
    sources: tuple[Network, ...]
    destinations: tuple[Network, ...]
    outside: Literal["", "source", "destination"]
    gated: bool
    protocol: str
    port: int | None

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data, for an Ansible role."""
        return {
            "flow": self.flow,
            "chain": self.chain,
            "family": self.family,
            "sources": [str(network) for network in self.sources],
            "destinations": [str(network) for network in self.destinations],
            "outside": self.outside,
            "gated": self.gated,
            "protocol": self.protocol,
            "port": self.port,
        }


def networks_of(end: End, plan: MallPlan) -> list[Network]:
    """Return the networks of one end of a flow, IPv4 first; none for the router and the internet."""
    if end == "offices":
        return [plan.offices, plan.offices_v6]
    if end == "guests":
        return [addressing.GUESTS, plan.guests_v6]
    if end == "data-centre":
        return DATA_CENTRE
    return [plan.zones[Zone(end)], plan.zones_v6[Zone(end)]] if end in set(Zone) else []


def collapsed(networks: Iterable[Network]) -> list[Network]:
    """Return networks as few as they can be, IPv4 first."""
    given = list(networks)
    v4 = collapse_addresses(n for n in given if isinstance(n, IPv4Network))
    v6 = collapse_addresses(n for n in given if isinstance(n, IPv6Network))
    return [*sorted(v4), *sorted(v6)]


def compile_for(kind: Kind, flows: Sequence[Flow], plan: MallPlan) -> list[Rule]:
    """Return the rules of one kind of machine of a mall, in the order of the flows; none says what one before says."""
    rules: dict[Rule, Rule] = {}
    for flow in flows:
        for port in flow.ports:
            for source in flow.sources:
                for to in flow.to:
                    for rule in _rules(kind, flow, port, source, to, plan):
                        rules.setdefault(replace(rule, flow=""), rule)
    return list(rules.values())


def _rules(kind: Kind, flow: Flow, port: str, source: End, to: End, plan: MallPlan) -> Iterator[Rule]:
    chain = _chain(kind, source, to)
    if chain is None:
        return
    protocol, _, number = port.partition("/")
    families: tuple[Literal[4, 6], ...] = (4, 6)
    for family in families:
        yield Rule(
            flow=flow.name,
            chain=chain,
            family=family,
            sources=tuple(n for n in begins_with(source, plan) if n.version == family),
            destinations=() if chain == "input" else tuple(n for n in networks_of(to, plan) if n.version == family),
            outside="source" if source == "internet" else "destination" if to == "internet" else "",
            gated=chain == "forward" and source == "offices",
            protocol=protocol,
            port=int(number) if number else None,
        )


def begins_with(end: End, plan: MallPlan) -> list[Network]:
    """Return where an end's packets come from: the router has no network of its own, and an address in each zone."""
    if end == "router":
        zones: list[Network] = [*plan.zones.values(), *plan.zones_v6.values()]
        return [ip_network(network[1]) for network in zones]
    return networks_of(end, plan)


def _chain(kind: Kind, source: End, to: End) -> Literal["input", "forward"] | None:
    if kind == "router":
        if to == "router":
            return "input"
        return "forward" if source != "router" and source != to else None
    return "input" if to == _ZONE_OF[kind] else None
