"""
The same network for a router that is not ours to put Debian on: RouterOS, which malls often have.

Rendered from the model that the roles are told, and kept by a golden test; it was never run on a device,
so a mall that uses it tries it on a bench first.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from balai import pages
from balai.flows import Rule, compile_for, networks_of
from balai.flows.compiled import PRIVATE, Network
from balai.mall.links import Link, links_of
from balai.mall.services import dhcp_of, overlay_of, resolver_of
from balai.onsite import calendar
from balai.sites import SiteView


def render(view: SiteView) -> str:
    """Return a script for RouterOS 7: default drop, and nothing passes that no flow declares."""
    links = links_of(view.machines[0], view)
    listed = [a.model_dump() for a in view.site.assignments]
    # What holds with a clock that nobody trusts: RouterOS cannot keep the calendar.
    alone = calendar.present({"assignments": listed}, datetime.date.min, trusted=False)
    offices = [link for link in links if link.network == "offices"]
    return pages.render(
        "mall/routeros.rsc.j2",
        escape=False,  # a script, not a page; every value is of a model with a strict pattern
        site=view.site.name,
        closed=[link.owner for link in offices if link.owner not in alone],
        links=links,
        dhcp=dhcp_of(view),
        resolver=resolver_of(view),
        overlay=overlay_of(view),
        private=[str(network) for network in PRIVATE],
        offices=[str(network) for network in networks_of("offices", view.plan)],
        filters=list(_filters(view, links, [link for link in offices if link.owner in alone])),
    )


def _filters(view: SiteView, links: list[Link], offices: list[Link]) -> Iterator[str]:
    guarded = [link for link in links if link.addresses]
    for link in guarded:  # each network only from its own card
        for address in link.addresses:
            ip = "ip" if address.version == 4 else "ipv6"
            for chain in ("input", "forward"):
                yield (
                    f"/{ip} firewall filter add chain={chain} action=drop src-address={address.network} "
                    f'in-interface=!{link.name} comment="a borrowed address"'
                )
    for rule in compile_for("router", view.flows, view.plan):
        if not rule.gated:
            yield from _accept(rule)
            continue
        for link in offices:
            for machine in (m for m in view.enrolled if m.office == link.owner):
                yield from _accept(rule, f"in-interface={link.name} src-mac-address={machine.mac.upper()}")


def _accept(rule: Rule, machine: str = "") -> Iterator[str]:
    ip = "ip" if rule.family == 4 else "ipv6"
    protocol = rule.protocol if rule.port else "icmp icmp-options=8:0" if ip == "ip" else "icmpv6 icmp-options=128:0"
    service = f"protocol={protocol}" + (f" dst-port={rule.port}" if rule.port else "")
    source = machine or _end("src", rule.sources, rule.outside == "source")
    destination = _end("dst", rule.destinations, rule.outside == "destination")
    words = [f"/{ip} firewall filter add chain={rule.chain} action=accept", source, destination, service]
    yield " ".join(filter(None, [*words, f'comment="{rule.flow}"']))


def _end(which: str, networks: tuple[Network, ...], internet: bool) -> str:
    if internet:
        return f"{which}-address-list=!private"
    if len(networks) > 1:  # only offices have more than one
        return f"{which}-address-list=offices"
    return f"{which}-address={networks[0]}" if networks else ""
