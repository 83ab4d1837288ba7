"""
Which certificates a machine of a mall lives by, and how long before its end each is named.

Of the mall's own each has a month's notice: it may be dark for half of it, and the other half is for mending. What
Caddy makes anew by itself, each few hours, and what a data centre answers for, are named when they have ended.
"""

from __future__ import annotations

from typing import Any

from balai.mall.screens import site_server
from balai.mall.services import verdicts_host
from balai.mall.verdicts import server_of
from balai.models.flow import DARK_DAYS
from balai.sites import Machine, SiteView

NOTICE = 2 * DARK_DAYS  # days
CADDY = "/var/lib/caddy/.local/share/caddy"
SHARE = "/usr/local/share/balai"


def certificates_of(machine: Machine, view: SiteView) -> list[dict[str, Any]]:
    """Return what `balai.onsite.status` is told: a name, a path (with `*`, all that are there), and days of notice."""
    server = machine == server_of(view)
    own = [("authority of the server", f"{CADDY}/pki/authorities/local/root.crt", NOTICE)] if server else []
    if server:
        own.append(("authority for logs", f"{SHARE}/logs/authority.crt", NOTICE))
        own.append(("server's intermediate", f"{CADDY}/pki/authorities/local/intermediate.crt", 0))
        for host in (site_server(view), verdicts_host(view)):
            own.append((host, f"{CADDY}/certificates/local/{host}/{host}.crt", 0))
    else:
        own.append(("sender of logs", f"{SHARE}/logs/upload.crt", NOTICE))
    trusting = {"server": "intake", "kiosk": "screen", "display": "screen"}.get(machine.kind)
    trusted = [("", f"{SHARE}/{trusting}/authorities/*.crt", 0)] if trusting else []
    return [{"name": name, "path": path, "days": days} for name, path, days in [*own, *trusted]]
