"""What a mall's server is told of the machines whose verdicts it takes in, and who may read them."""

from __future__ import annotations

from typing import Any

from balai.addressing import Zone
from balai.mall.links import links_of
from balai.mall.services import verdicts_host
from balai.sites import Machine, SiteView
from balai.text import catalogue

Json = dict[str, Any]


def helpdesk_of(view: SiteView) -> str:
    """Return the number that a technician at the mall calls; "" while nobody has written one down."""
    return "" if view.site.helpdesk == "unknown" else view.site.helpdesk


def server_of(view: SiteView) -> Machine:
    """Return the machine that serves the others; further servers are spares."""
    return next(machine for machine in view.machines if machine.kind == "server")


def server_addresses(view: SiteView) -> list[str]:
    """Return where the mall's server is told verdicts: on the management network first, which needs no router."""
    return [str(link.addresses[0].ip) for link in links_of(server_of(view), view)]


def _addresses(machine: Machine, view: SiteView) -> list[str]:
    return [str(address.ip) for link in links_of(machine, view) for address in link.addresses]


def verdicts_of(view: SiteView) -> Json:
    """
    Return what `balai.onsite.verdicts` is told.

    A screen has a card in the management network as well; what stands before citizens reads no verdicts all the same.
    """
    management = [view.plan.zones[Zone.MANAGEMENT], view.plan.zones_v6[Zone.MANAGEMENT]]
    server = server_of(view)
    screens = [machine for machine in view.machines if machine.kind in ("kiosk", "display")]
    return {
        "mall": view.site.title,
        "host": verdicts_host(view),
        "machines": {machine.name: _addresses(machine, view) for machine in view.machines},
        "readers": [*map(str, management), *_addresses(server, view)],
        "never": [address for machine in screens for address in _addresses(machine, view)],
        "helpdesk": helpdesk_of(view),
        "texts": {**catalogue("status_"), **catalogue("verdicts_")},
    }
