"""What the router's services are told: leases, names, the calendar, the overlay, the ways out."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from balai.flows import DOMAIN, compile_for
from balai.flows.compiled import Kind, Network, collapsed
from balai.mall.links import links_of
from balai.models.enrolment import LAST_NUMBER
from balai.models.flow import DARK_DAYS
from balai.sites import Machine, SiteView

# Host numbers in a data centre's network of gateways.
RESOLVER, TIME = 53, 123
OVERLAY_PORT = 51820
# Seconds: a visitor's place is free again soon, a kiosk keeps its own through a long power cut.
SHORT_LEASE, LONG_LEASE = 3600, DARK_DAYS * 86400
_ZONE_POOL = (200, 239)  # host numbers for what is not enrolled; the machines of the plan have the lower ones


def merged(networks: Iterable[Network]) -> list[str]:
    """Return networks as text, as few as they can be, IPv4 first."""
    return list(map(str, collapsed(networks)))


def zone_of(view: SiteView) -> str:
    """Return the zone of a mall's own names."""
    return f"{view.site.name}.{DOMAIN}"


def verdicts_host(view: SiteView) -> str:
    """Return the name by which a technician opens the verdicts of a mall's machines."""
    return f"periksa.{zone_of(view)}"


def asking(view: SiteView, port: int) -> list[Network]:
    """Return the networks that may ask the router on a UDP port."""
    rules = compile_for("router", view.flows, view.plan)
    return [n for r in rules if (r.chain, r.protocol, r.port) == ("input", "udp", port) for n in r.sources]


def sockets_of(machine: Machine, view: SiteView) -> list[str]:
    """Return the ports on which a machine is meant to listen: what flows let in, and its own conversations."""
    kind: Kind = machine.kind  # type: ignore[assignment]
    rules = compile_for(kind, view.flows, view.plan)
    declared = {f"{r.protocol}/{r.port}" for r in rules if r.chain == "input" and r.port}
    # A client of DHCP and the overlay's end have a socket of their own; the firewall lets nobody begin with them.
    return sorted(declared | ({f"udp/{OVERLAY_PORT}", "udp/68"} if kind == "router" else set()))


def dhcp_of(view: SiteView) -> list[dict[str, Any]]:
    """
    Return the networks in which addresses are leased.

    A network without a pool serves enrolled machines only: a strange one in the kiosks' network gets nothing.
    """
    by_name = {machine.name: machine for machine in view.machines}
    result: list[dict[str, Any]] = []
    for link in links_of(view.machines[0], view):
        if not link.addresses:
            continue
        network = link.addresses[0].network
        pool: tuple[Any, Any] | None = None
        reserved = []
        for machine in view.enrolled:
            planned = by_name.get(machine.name)
            if machine.office is not None and machine.office == link.owner:
                place = machine.number or 0
            elif planned and link.network == f"{planned.kind}s":
                place = planned.place
            else:
                continue
            reserved.append({"mac": machine.mac, "address": str(network[place]), "name": machine.name})
        if link.network == "offices":
            pool = (network[LAST_NUMBER + 1], network[-2])
        elif link.network == "guests":
            pool = (network[16], network[-2])
        elif link.network == "management":
            pool = (network[_ZONE_POOL[0]], network[_ZONE_POOL[1]])
        result.append(
            {
                "id": len(result) + 1,
                "link": link.name,
                "network": str(network),
                "router": str(network[1]),
                "pool": f"{pool[0]} - {pool[1]}" if pool else "",
                "seconds": SHORT_LEASE if pool else LONG_LEASE,
                "names": link.network != "cameras",
                "reserved": reserved,
            }
        )
    return result


def resolver_of(view: SiteView) -> dict[str, Any]:
    """Return whom the resolver answers, the names it knows by itself, and where it asks for the nation's."""
    own_zone = zone_of(view)
    records: list[dict[str, str]] = []
    for machine in view.machines:
        links = links_of(machine, view)
        short = machine.name.removeprefix(f"{view.site.name}-")
        reached = links[0] if machine.kind == "router" else links[-1]
        records += [{"name": f"{short}.{own_zone}", "address": str(a.ip)} for a in reached.addresses]
        if short == "server-1":
            # From the management network a server is met on its card there: its other one takes no such packet.
            records += [{"name": verdicts_host(view), "address": str(a.ip)} for a in links[0].addresses]
    return {
        "zone": own_zone,
        "records": records,
        "listens": [str(a.ip) for link in links_of(view.machines[0], view) for a in link.addresses],
        "serves": merged(asking(view, 53)),
        "national": DOMAIN,
        "national_servers": [str(plan.gateways[RESOLVER]) for _, plan in view.hubs],
    }


def overlay_of(view: SiteView) -> dict[str, Any]:
    """Return the mall's end of the overlay: its addresses and the data centres behind it."""
    plan = view.plan
    return {
        "addresses": [f"{plan.overlay}/32", f"{plan.overlay_v6}/128"],
        "port": OVERLAY_PORT,
        "peers": [
            {
                "name": hub.data_centre,
                "endpoint": f"{hub.endpoint}:{hub.port}",
                "public_key": hub.public_key,
                "networks": [f"{dc.overlay}/32", f"{dc.overlay_v6}/128", str(dc.whole), str(dc.v6)],
                "address": str(dc.overlay),
            }
            for hub, dc in view.hubs
        ],
    }


def hub_peer(view: SiteView, public_key: str) -> dict[str, Any]:
    """Return the data centre's side of the same: what it has to know of a mall's router."""
    plan = view.plan
    networks = [f"{plan.overlay}/32", f"{plan.overlay_v6}/128", str(plan.whole), str(plan.v6)]
    return {"public_key": public_key, "networks": networks}


def uplinks_of(view: SiteView) -> dict[str, Any]:
    """Return the ways out in order of preference, whom probes ask (the data centres' ends), and what is beyond."""
    links = [link.name for link in links_of(view.machines[0], view) if link.network == "uplink"]
    beyond = [str(network) for _, dc in view.hubs for network in (dc.whole, dc.v6)]
    return {"devices": links, "targets": [hub.endpoint for hub, _ in view.hubs], "beyond": beyond}


def calendar_of(view: SiteView) -> dict[str, Any]:
    """Return what `balai.onsite.calendar` is told; no time before the week of the release can be true."""
    year, week = map(int, view.site.release.split("."))
    return {
        "timezone": view.timezone,
        "not_before": datetime.date.fromisocalendar(year, week, 1).isoformat(),
        "holidays": list(view.holidays),
        "assignments": [a.model_dump() for a in view.site.assignments],
        "offices": {
            link.owner: {
                "link": link.name,
                "networks": [str(address.network) for address in link.addresses],
                "machines": sorted(m.mac for m in view.enrolled if m.office == link.owner),
            }
            for link in links_of(view.machines[0], view)
            if link.network == "offices"
        },
    }
