"""Ports that flows are asked about: every declared one, and some that none declares."""

from __future__ import annotations

PORTS = [
    "tcp/22",
    "tcp/53",
    "tcp/80",
    "tcp/443",
    "tcp/554",
    "tcp/5432",
    "tcp/6514",
    "tcp/19532",
    "udp/53",
    "udp/123",
    "udp/443",
    "icmp",
]
