"""
Network namespaces of the lab, and the two cables that lead into them.

The data centre and the mall each live in a namespace of their own; the machine reaches them over
one veth pair each, on addresses of the estate's plan. No packet leaves the machine.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path

from balai.errors import EnvironmentFault
from lab.processes import run

SENTENCE = "The lab's network cannot be made"


def ip(*words: str, netns: str = "") -> str:
    """Run `ip` (in a namespace) and return what it printed."""
    return run(["ip", *(["-n", netns] if netns else []), *words], sentence=SENTENCE)


def exists(netns: str) -> bool:
    """Tell whether a namespace is there."""
    return Path(f"/run/netns/{netns}").exists()


def make(netns: str, *, forwards: bool = True) -> None:
    """Make a namespace; nothing happens where it is there already."""
    if not exists(netns):
        ip("netns", "add", netns)
    ip("link", "set", "lo", "up", netns=netns)
    if forwards:
        settings = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
        run(["nsenter", f"--net=/run/netns/{netns}", "sysctl", "-qw", *settings], sentence=SENTENCE)


def cable(outside: str, netns: str, inside: str, address: str) -> None:
    """Lay a veth pair from the machine into a namespace and give the machine's end its address."""
    # Each step may have been the last of a killed run: only what exists is not made again. The other end may still
    # be in a namespace of the same name that is gone: the kernel takes its time with one that was in use.
    if inside not in ip("-br", "link", netns=netns):
        if outside in links():
            ip("link", "del", outside)
        ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", netns)
    ip("addr", "replace", address, "dev", outside)
    ip("link", "set", outside, "up")


def join(name: str, netns: str, other: str, other_netns: str, *addresses: str, bridge: str = "") -> None:
    """Lay a veth pair between two namespaces; the first end gets the addresses, the other joins a bridge."""
    if name not in ip("-br", "link", netns=netns):
        unplug(other, other_netns)
        ip("link", "add", name, "type", "veth", "peer", "name", other, "netns", other_netns, netns=netns)
    for address in addresses:
        ip("addr", "replace", address, "dev", name, *(["nodad"] if ":" in address else []), netns=netns)
    ip("link", "set", other, *(["master", bridge] if bridge else []), "up", netns=other_netns)
    ip("link", "set", name, "up", netns=netns)


def unplug(name: str, netns: str) -> None:
    """Take a cable's end away; it may be gone, or go by itself at this moment."""
    subprocess.run(["ip", "-n", netns, "link", "del", name], check=False, capture_output=True)


def links() -> list[str]:
    """Return the names of the machine's own interfaces."""
    return [link["ifname"] for link in json.loads(ip("-j", "link"))]


def refuse_overlap(ours: list[str], own: str) -> None:
    """Refuse to lay a cable whose addresses the machine already uses for something else."""
    routes = json.loads(ip("-j", "route"))
    for route in routes:
        if route["dst"] == "default" or route.get("dev", "").startswith(own):
            continue
        there = ipaddress.ip_network(route["dst"], strict=False)
        for mine in map(ipaddress.ip_network, ours):
            if there.version == mine.version and there.overlaps(mine):
                raise EnvironmentFault(
                    f"The lab needs {mine}, and this machine already routes {there} by {route.get('dev')}: "
                    "run the lab on a machine (or in a network namespace) without that route."
                )


def remove(netns: str) -> None:
    """Remove a namespace with everything in it; the machine's end of the cable goes too."""
    if exists(netns):
        subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True)
