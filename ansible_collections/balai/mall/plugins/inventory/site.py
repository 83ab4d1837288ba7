"""The inventory of one mall: its site file is the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from balai.errors import DataError
from balai.mall.inventory import GROUPS, of_group, of_machine, of_site
from balai.mall.services import zone_of
from balai.sites import INVENTORIES, enrolment_folder, load_site

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
        told = {"all": of_site(view), **{group: of_group(group, view) for group in GROUPS.values()}}
        enrolment = enrolment_folder(INVENTORIES)
        told["routers"]["overlay_enrolment"] = str(enrolment / "keys")
        for group, role in (("servers", "queue"), ("servers", "intake"), ("all", "kiosk"), ("all", "tell")):
            told[group][f"{role}_authorities"] = str(enrolment / "authorities")
        told["servers"]["log_receive_authorities"] = str(enrolment / "logs")
        told["all"]["log_upload_authority"] = str(enrolment / f"logs/{view.site.name}.crt")
        told["all"]["log_upload_trust"] = str(enrolment / f"authorities/{zone_of(view)}.crt")
        for machine in view.machines:
            inventory.add_host(machine.name, group=GROUPS[machine.kind])
            inventory.add_host(machine.name, group=site_group)
            told[machine.name] = {"balai_site_file": path, **of_machine(machine, view)}
        for name, values in told.items():
            for key, value in values.items():
                inventory.set_variable(name, key, value)
