"""What Ansible is told of each machine of a mall: groups and variables, from the site's file alone."""

from __future__ import annotations

from typing import Any

from balai.addressing import GUEST_NETWORK
from balai.flows import compile_for
from balai.flows.compiled import PRIVATE, Kind
from balai.mall.certificates import certificates_of
from balai.mall.intake import intake_of
from balai.mall.links import links_of
from balai.mall.packages import cache_of, source_of
from balai.mall.screens import policies_of, printer_of, queue_of, screen_of
from balai.mall.services import (
    TIME,
    asking,
    calendar_of,
    dhcp_of,
    merged,
    overlay_of,
    resolver_of,
    uplinks_of,
    verdicts_host,
    zone_of,
)
from balai.mall.updates import updates_of
from balai.mall.usb import usb_rules_of
from balai.mall.verdicts import helpdesk_of, server_addresses, server_of, verdicts_of
from balai.sites import Machine, SiteView
from balai.text import catalogue

UNITS = ("ssh", "systemd-networkd", "chrony")
SCREEN_UNITS = ("balai-screen", "kiosk")
SERVER_UNITS = ("balai-queue", "balai-intake", "caddy", "balai-verdicts", "balai-packages")
ROUTER_UNITS = ("unbound", "kea-dhcp4-server", "balai-uplinks", "balai-offices", "wg-quick@overlay")
TELLS = "balai-tell.timer"
GROUPS = {"router": "routers", "server": "servers", "kiosk": "kiosks", "display": "displays"}


def of_machine(machine: Machine, view: SiteView) -> dict[str, Any]:
    """Return what one machine is told that no other is."""
    kind: Kind = machine.kind  # type: ignore[assignment]
    links = links_of(machine, view)
    gateways = [gateway for link in links for gateway in link.gateways]
    screen: dict[str, Any] = {}
    if kind in ("kiosk", "display"):
        screen = {
            "kiosk_settings": screen_of(machine, view),
            "kiosk_policies": policies_of(machine, view),
            "usb_guard_rules": usb_rules_of(machine, view),
        }
    return {
        "ansible_host": machine.address,
        "firewall_rules": [rule.as_dict() for rule in compile_for(kind, view.flows, view.plan)],
        "network_links": [link.as_dict() for link in links],
        "network_name_servers": gateways or ["127.0.0.1"],
        "status_settings": status_of(machine, view),
        "log_upload_name": machine.name,
        "package_source_address": source_of(machine, view),
        "updates_settings": updates_of(machine, view),
        **screen,
    }


def status_of(machine: Machine, view: SiteView) -> dict[str, Any]:
    """Return what `balai.onsite.status` is told: what the machine must have, and the sentences when it has not."""
    first = machine == view.machines[0]
    links = links_of(machine, view)
    printer = printer_of(machine, view)
    wired = [link for link in links if link.network == "management" or link.gateways or link.network == "uplink"]
    return {
        "machine": machine.name,
        # A router's other cards have a signal only while something of somebody's is plugged in.
        "cards": [{"name": k.name, "network": k.owner or k.network} for k in wired],
        "units": [*UNITS, *_units(machine), TELLS],
        "places": ["/", "/var", "/var/log"],
        "certificates": certificates_of(machine, view),
        "lines": [{"card": k.name, "name": k.owner} for k in links if k.network == "uplink"],
        "centres": [peer["address"] for peer in overlay_of(view)["peers"]] if first else [],
        "name": f"router-1.{zone_of(view)}",
        "screen": machine.kind in ("kiosk", "display"),
        "sends": machine != server_of(view),
        "printer": printer.at if printer else "",
        "helpdesk": helpdesk_of(view),
        "tell": {"name": verdicts_host(view), "addresses": server_addresses(view)},
        "page": f"https://{verdicts_host(view)}/periksa/",
        "texts": catalogue("status_"),
    }


def _units(machine: Machine) -> tuple[str, ...]:
    if machine.kind in ("kiosk", "display"):
        return SCREEN_UNITS
    # A second router or server is a spare.
    return {"router": ROUTER_UNITS, "server": SERVER_UNITS}[machine.kind] if machine.number == 1 else ()


def of_group(group: str, view: SiteView) -> dict[str, Any]:
    """Return what differs for a group of machines."""
    if group == "routers":
        return _of_routers(view)
    if group == "servers":
        return {
            "queue_settings": queue_of(view),
            "intake_settings": intake_of(view),
            "verdicts_settings": verdicts_of(view),
            **cache_of(view),
            "log_receive_site": view.site.name,
            "log_receive_host": verdicts_host(view),
            "log_receive_machines": [m.name for m in view.machines if m != server_of(view)],
        }
    return {}


def of_site(view: SiteView) -> dict[str, Any]:
    """Return what every machine of the site is told."""
    site = view.site
    return {
        "ansible_user": "balai",
        "ansible_python_interpreter": "/usr/bin/python3",
        # A session that is cut in its middle is noticed in seconds, and not when TCP gives up.
        "ansible_ssh_common_args": "-o ServerAliveInterval=3 -o ServerAliveCountMax=3",
        "balai_site": site.name,
        "balai_site_title": site.title,
        "balai_site_status": site.status,
        "balai_release": site.release,
        "balai_timezone": view.timezone,
        "balai_networks": {zone.value: str(network) for zone, network in view.plan.zones.items()},
        "baseline_timezone": view.timezone,
        "baseline_site": site.name,
        "time_sync_servers": [{"host": view.machines[0].address}],
        "firewall_private": [str(network) for network in PRIVATE],
        "network_search": zone_of(view),
        "log_upload_host": verdicts_host(view),
        "log_upload_signer": server_of(view).name,
    }


def _of_routers(view: SiteView) -> dict[str, Any]:
    """The router asks the world for the time and gives it to whom a flow lets ask."""
    names = ["ntp.bmkg.go.id", "ntp.bsn.go.id", "id.pool.ntp.org"]
    national = [str(dc.gateways[TIME]) for _, dc in view.hubs]
    resolver, overlay = resolver_of(view), overlay_of(view)
    reached = " || ".join(f"ping -n -q -c1 -W2 {peer['address']}" for peer in overlay["peers"])
    return {
        "time_sync_servers": [{"host": name} for name in [*national, *names]],
        "time_sync_serves": merged(asking(view, 123)),
        # A data centre's clock is enough: the overlay vouches for who it is.
        "time_sync_min_sources": 1 if national else 2,
        "firewall_guests": [str(GUEST_NETWORK), str(view.plan.guests_v6)],
        "dhcp_networks": dhcp_of(view),
        "dhcp_domain": resolver["zone"],
        **{f"resolver_{key}": value for key, value in resolver.items()},
        "resolver_private": [str(network) for network in PRIVATE],
        "overlay_settings": overlay,
        "overlay_proof": reached,
        "uplinks_settings": uplinks_of(view),
        "uplinks_proof": reached,
        "offices_settings": calendar_of(view),
    }
