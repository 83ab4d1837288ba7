"""What a mall's server takes in for services that it cannot always reach: sealed to whom, and within which bounds."""

from __future__ import annotations

from typing import Any

from balai.flows.compiled import networks_of
from balai.flows.services import host_of
from balai.sites import SiteView
from balai.text import catalogue

Json = dict[str, Any]
UNKNOWN_LINE = 4  # Mbit/s of a line that nobody has written down: a satellite's


def intake_of(view: SiteView) -> Json:
    """
    Return what `balai.onsite.intake` is told.

    A service whose tenant has enrolled no public key takes nothing in: what cannot be sealed is not kept.
    """
    uplinks = view.site.uplinks
    slowest = UNKNOWN_LINE if uplinks == "unknown" else min((u.mbps for u in uplinks), default=UNKNOWN_LINE)
    return {
        "mall": view.site.title,
        "site": view.site.name,
        "kiosks": list(map(str, networks_of("kiosks", view.plan))),
        "places": [
            {
                "service": flow.services[0],
                "title": {"id": flow.intake.title, "en": flow.intake.title_en},
                "url": f"https://{host_of(flow.services[0])}/",
                "recipient": view.recipients.get(flow.services[0].partition("/")[0], ""),
                "kbit": 10 * slowest * flow.intake.share,
                **flow.intake.model_dump(include={"days", "mib", "kib"}),
            }
            for flow in view.flows
            if flow.intake
        ],
        "texts": catalogue("intake_"),
    }
