"""
Which cable goes into which socket of which switch, and what the switch has to do with it.

A mall whose switches are recorded has them in its file. For one whose are not, a proposal is computed: it says so, and
moves when equipment is added, until somebody writes down what was plugged in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from balai.mall.links import Link, links_of
from balai.models.site import Switch
from balai.pages import render
from balai.sites import SiteView, cables_of
from balai.text import say

PROPOSED_PORTS = 48
SPARE = 2  # sockets for cameras, for guests' access points and for technicians, in a proposal


@dataclass(frozen=True, kw_only=True)
class Socket:
    """
    One socket of a switch.

    Attributes:
        cable: What is plugged in; "" for nothing.
        network: Networks that its cable carries, for people.
        untagged: VLAN of frames without a tag; None where there is none.
        tagged: VLANs with a tag.
    """

    switch: str
    port: int
    cable: str
    network: str
    untagged: int | None
    tagged: tuple[int, ...]

    @property
    def label(self) -> str:
        """What is written on both ends of the cable."""
        return f"{self.switch}/{self.port:02d} {self.cable}".strip()


def switches_of(view: SiteView) -> list[Switch]:
    """Return the switches of a mall: as recorded, or as proposed."""
    return view.site.switches or list(_proposed(view))


def sockets(view: SiteView) -> list[Socket]:
    """Return every socket of every switch, used or not."""
    links = [link for link in links_of(view.machines[0], view) if link.tag]
    return [
        _socket(switch.name, port, switch.wiring.get(port, ""), links)
        for switch in switches_of(view)
        for port in range(1, switch.ports + 1)
    ]


def missing(view: SiteView) -> list[str]:
    """Return the cables of planned machines and given counters that no socket has."""
    plugged = {cable for switch in switches_of(view) for cable in switch.wiring.values()}
    wanted = [
        c
        for c in cables_of(view.site, view.devices)
        if "." in c and not ("router" in plugged and c.startswith("router."))
    ]
    return [cable for cable in wanted if cable not in plugged]


def sheet(view: SiteView) -> str:
    """Return the wiring sheet as a page to print."""
    return render(
        "mall/wiring.html.j2",
        t=say,
        title=view.site.title,
        recorded=bool(view.site.switches),
        switches=switches_of(view),
        sockets=sockets(view),
        missing=missing(view),
        uplinks=[link for link in links_of(view.machines[0], view) if link.network == "uplink"],
    )


def _socket(switch: str, port: int, cable: str, links: list[Link]) -> Socket:
    if cable in ("router", "trunk"):
        tags = tuple(sorted(link.tag for link in links))
        return Socket(switch=switch, port=port, cable=cable, network="*", untagged=None, tagged=tags)
    link = next((link for link in links if _belongs(cable, link)), None)
    network = link.title if link else ""
    return Socket(
        switch=switch, port=port, cable=cable, network=network, untagged=link.tag if link else None, tagged=()
    )


def _belongs(cable: str, link: Link) -> bool:
    what, _, card = cable.partition(".")
    if what.startswith("counter-"):
        return link.owner == card
    return link.name == card if card else link.network == what


def _proposed(view: SiteView) -> Iterator[Switch]:
    order: list[Literal["management", "cameras", "guests"]] = ["management", "cameras", "guests"]
    cables = [c for c in cables_of(view.site, view.devices) if "." in c and not c.startswith("router.")]
    cables += [name for name in order for _ in range(SPARE)]
    number = 0
    while cables:
        number += 1
        trunks = ["router"] if number == 1 else ["trunk"]
        room = PROPOSED_PORTS - 1
        if len(cables) > room:
            trunks, room = [*trunks, "trunk"], room - 1
        plugged, cables = [*trunks, *cables[:room]], cables[room:]
        yield Switch(name=f"sw-{number}", ports=PROPOSED_PORTS, wiring=dict(enumerate(plugged, start=1)))
