"""The network of one mall, computed from its file: what the roles of its machines are told."""

from __future__ import annotations

from balai.mall.links import Link, links_of
from balai.mall.services import (
    RESOLVER,
    TIME,
    asking,
    calendar_of,
    dhcp_of,
    hub_peer,
    merged,
    overlay_of,
    resolver_of,
    sockets_of,
    uplinks_of,
)

__all__ = [
    "RESOLVER",
    "TIME",
    "Link",
    "asking",
    "calendar_of",
    "dhcp_of",
    "hub_peer",
    "links_of",
    "merged",
    "overlay_of",
    "resolver_of",
    "sockets_of",
    "uplinks_of",
]
