"""
Flows as rules of one machine's firewall: networks, not names of interfaces.

The router forwards between zones and answers for itself; every other machine lets in what is meant
for its zone. That a packet comes from the network that its address claims is the reverse-path check's
to say, so that the rules are the same whatever a mall's sockets are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from balai import addressing
from balai.addressing import MallPlan, Zone
from balai.models.flow import End, Flow

Kind = Literal["router", "server", "kiosk", "display"]
# What no packet to or from the internet carries as the other end's address (RFC 6890).
PRIVATE = [
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8")
]
DATA_CENTRE = [addressing.DATA_CENTRES]
_ZONE_OF: dict[Kind, End] = {"server": "servers", "kiosk": "kiosks", "display": "displays"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """
    One line of a firewall.

    Attributes:
        flow: Name of the flow that it comes from.
        chain: `input` for what is meant for the machine itself, `forward` for what passes through it.
        sources: Networks that may begin; empty for the internet.
        destinations: Networks that it may be begun with; empty for the machine itself or the internet.
        outside: Which end is the internet: everything but the private networks.
        protocol: tcp, udp or icmp.
        port: Destination port; None for icmp.
    """

    flow: str
    chain: Literal["input", "forward"]
    sources: tuple[IPv4Network, ...]
    destinations: tuple[IPv4Network, ...]
    outside: Literal["", "source", "destination"]
    protocol: str
    port: int | None

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data, for an Ansible role."""
        return {
            "flow": self.flow,
            "chain": self.chain,
            "sources": [str(network) for network in self.sources],
            "destinations": [str(network) for network in self.destinations],
            "outside": self.outside,
            "protocol": self.protocol,
            "port": self.port,
        }


def networks_of(end: End, plan: MallPlan) -> list[IPv4Network]:
    """Return the networks of one end of a flow; none for the router and the internet."""
    if end == "offices":
        return list(plan.slots)
    if end == "guests":
        return [addressing.GUESTS]
    if end == "data-centre":
        return DATA_CENTRE
    return [plan.zones[Zone(end)]] if end in set(Zone) else []


def compile_for(kind: Kind, flows: Sequence[Flow], plan: MallPlan) -> list[Rule]:
    """Return the rules of one kind of machine of a mall, in the order of the flows."""
    rules = []
    for flow in flows:
        for port in flow.ports:
            protocol, _, number = port.partition("/")
            for source in flow.sources:
                for to in flow.to:
                    chain = _chain(kind, source, to)
                    if chain is None:
                        continue
                    rules.append(
                        Rule(
                            flow=flow.name,
                            chain=chain,
                            sources=tuple(networks_of(source, plan)),
                            destinations=() if chain == "input" else tuple(networks_of(to, plan)),
                            outside="source" if source == "internet" else "destination" if to == "internet" else "",
                            protocol=protocol,
                            port=int(number) if number else None,
                        )
                    )
    return rules


def _chain(kind: Kind, source: End, to: End) -> Literal["input", "forward"] | None:
    if kind == "router":
        if to == "router":
            return "input"
        return "forward" if source != "router" and source != to else None
    return "input" if to == _ZONE_OF[kind] else None
