"""The inventory of one mall: its site file is the source."""

from __future__ import annotations

from ipaddress import collapse_addresses
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from balai.errors import DataError
from balai.estate import SiteView, load_site
from balai.flows import compile_for
from balai.flows.compiled import PRIVATE

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
        for name, value in variables(view).items():
            inventory.set_variable("all", name, value)
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
    }


def of_routers(view: SiteView) -> dict[str, Any]:
    """Return what differs for the router: it asks the world for the time and gives it to whom a flow lets ask."""
    rules = compile_for("router", view.flows, view.plan)
    asked = [
        n for rule in rules if (rule.chain, rule.protocol, rule.port) == ("input", "udp", 123) for n in rule.sources
    ]
    return {
        "time_sync_servers": [{"host": name} for name in ("ntp.bmkg.go.id", "ntp.bsn.go.id", "id.pool.ntp.org")],
        "time_sync_serves": [str(network) for network in sorted(collapse_addresses(asked))],
        "time_sync_min_sources": 2,
    }
