"""Answer whether a conversation is permitted, and by which flow, from the flows as they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from balai.addressing import MallPlan
from balai.flows.compiled import PRIVATE, networks_of
from balai.models.flow import ENDS, End, Flow


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a conversation may begin, and the flow that says so ("" when none does)."""

    permitted: bool
    flow: str
    why: str


def end_of(address: IPv4Address | IPv6Address, plan: MallPlan) -> End | None:
    """Return which end an address belongs to; None for a private one that no plan knows."""
    for end in ENDS:
        for network in networks_of(end, plan):
            if address in network:  # the first address of each zone is the router's
                return "router" if end != "data-centre" and address == network[1] else end
    return None if any(address in network for network in PRIVATE) else "internet"


def may(flows: Sequence[Flow], source: End, to: End, port: str, service: str = "") -> Verdict:
    """
    Return whether `source` may begin a conversation with `to` on a port (tcp/443, udp/53, icmp).

    With `service`, whether that service (`tenant/service`) of a data centre is what the conversation may be with.
    """
    for flow in flows:
        meant = not service or service in flow.services
        if source in flow.sources and to in flow.to and port in flow.ports and meant:
            return Verdict(permitted=True, flow=flow.name, why=flow.why)
    return Verdict(permitted=False, flow="", why="")
