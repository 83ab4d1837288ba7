"""The inventory of one mall: its site file is the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from balai.addressing import GUEST_NETWORK
from balai.errors import DataError
from balai.flows import allow_list, compile_for
from balai.flows.compiled import PRIVATE
from balai.mall import TIME, asking, calendar_of, dhcp_of, links_of, merged, overlay_of, resolver_of, uplinks_of
from balai.sites import INVENTORIES, SiteView, enrolment_folder, load_site

DOCUMENTATION = """
name: site
short_description: The hosts of a public service mall, from its site file
description:
  - Reads a file of inventories/sites/ and makes a host of each managed machine, with addresses from the plan.
  - One site a run. A file with a problem is refused with all its problems.
options:
  plugin:
    description: Must be C(balai.mall.site).
    required: true
    choices: [balai.mall.site]
"""

EXAMPLES = """
plugin: balai.mall.site
name: mpp-banyuwangi
"""

GROUPS = {"router": "routers", "server": "servers", "kiosk": "kiosks", "display": "displays"}


class InventoryModule(BaseInventoryPlugin):
    """Hosts, groups and variables of one site."""

    NAME = "balai.mall.site"

    def verify_file(self, path: str) -> bool:
        """Accept YAML files; `parse` says what is wrong with one that is no site."""
        return bool(super().verify_file(path)) and path.endswith(".yml")

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory, or raise with every problem of the file."""
        super().parse(inventory, loader, path, cache)
        try:
            view = load_site(Path(path))
        except DataError as error:
            raise AnsibleParserError(f"{len(error.problems)} problem(s) in the site's files:\n{error}") from None
        others = {host.vars.get("balai_site_file") for host in inventory.hosts.values()} - {None, path}
        if others:
            raise AnsibleParserError(f"one site a run: {path} was named beside {', '.join(sorted(others))}")
        site_group = view.site.name.replace("-", "_")
        for group in [*GROUPS.values(), site_group]:
            inventory.add_group(group)
        for machine in view.machines:
            inventory.add_host(machine.name, group=GROUPS[machine.kind])
            inventory.add_host(machine.name, group=site_group)
            inventory.set_variable(machine.name, "ansible_host", machine.address)
            inventory.set_variable(machine.name, "balai_site_file", path)
            rules = compile_for(machine.kind, view.flows, view.plan)
            inventory.set_variable(machine.name, "firewall_rules", [rule.as_dict() for rule in rules])
            links = links_of(machine, view)
            inventory.set_variable(machine.name, "network_links", [link.as_dict() for link in links])
            gateways = [gateway for link in links for gateway in link.gateways]
            inventory.set_variable(machine.name, "network_name_servers", gateways or ["127.0.0.1"])
        for name, value in variables(view).items():
            inventory.set_variable("all", name, value)
        for group in ("kiosks", "displays"):
            inventory.set_variable(group, "kiosk_origins", allow_list(view.flows, group))
        for name, value in of_routers(view).items():
            inventory.set_variable("routers", name, value)


def variables(view: SiteView) -> dict[str, Any]:
    """Return what every machine of the site is told."""
    site = view.site
    router = view.machines[0].address
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
        "time_sync_servers": [{"host": router}],
        "firewall_private": [str(network) for network in PRIVATE],
        "network_search": resolver_of(view)["zone"],
    }


def of_routers(view: SiteView) -> dict[str, Any]:
    """Return what differs for the router: it asks the world for the time and gives it to whom a flow lets ask."""
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
        "overlay_enrolment": str(enrolment_folder(INVENTORIES) / "keys"),
        "overlay_proof": reached,
        "uplinks_settings": uplinks_of(view),
        "uplinks_proof": reached,
        "offices_settings": calendar_of(view),
    }
