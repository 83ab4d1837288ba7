"""Where a mall's machines get their packages: from its server, which alone goes out for them."""

from __future__ import annotations

from typing import Any

from balai.mall.links import links_of
from balai.mall.verdicts import server_of
from balai.sites import Machine, SiteView

PORT = 3142  # of the flow `packages`


def source_of(machine: Machine, view: SiteView) -> str:
    """
    Return the cache that a machine asks, as address:port; "" for the mall's server.

    The server goes out by itself: what mends a cache that is broken must not have to come out of it.
    """
    server = server_of(view)
    return "" if machine == server else f"{server.address}:{PORT}"


def cache_of(view: SiteView) -> dict[str, Any]:
    """Return what the role `package_cache` is told."""
    management, *others = links_of(server_of(view), view)
    packages = view.packages
    return {
        # On the management network alone: every machine with roles has a card there, and citizens have none.
        "package_cache_addresses": [_bracketed(str(address.ip)) for address in management.addresses],
        "package_cache_name_servers": [_bracketed(gateway) for link in others for gateway in link.gateways],
        "package_cache_mirrors": [mirror.model_dump() for mirror in packages.mirrors],
        "package_cache_mib": packages.mib,
        "package_cache_free_mib": packages.free_mib,
        "package_cache_days": packages.days,
    }


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
