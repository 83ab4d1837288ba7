"""A mall's network as a picture: its networks around the router, what is in them, and what they may begin."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from balai.mall.links import Link, links_of
from balai.mall.services import overlay_of
from balai.models.flow import End
from balai.pages import render
from balai.sites import SiteView

COLUMNS, WIDTH, GAP, TOP, LINE = 3, 380, 24, 50, 15
LISTED = 6  # machines by name in a box; more are counted


@dataclass(frozen=True, kw_only=True)
class _Box:
    name: str
    kind: str
    lines: list[str]
    x: int = 0
    y: int = 0

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def height(self) -> int:
        return 36 + LINE * len(self.lines)


def draw(view: SiteView) -> str:
    """Return the picture as SVG."""
    links = links_of(view.machines[0], view)
    outside = [_Box(name=link.owner, kind="out", lines=[link.name]) for link in links if link.network == "uplink"]
    for peer in overlay_of(view)["peers"]:
        outside.append(_Box(name=peer["name"], kind="out", lines=["overlay", *peer["networks"][2:]]))
    router = _Box(name=view.machines[0].name, kind="own", lines=[", ".join(overlay_of(view)["addresses"])])
    inside = [_network(link, view) for link in links if link.network != "uplink"]
    placed, y = _rows(outside, TOP)
    (middle,), after = _rows([router], y, first=1)
    below, height = _rows(inside, after)
    wires = [_wire(box, middle) for box in (*placed, *below)]
    return render(
        "mall/network.svg.j2",
        title=view.site.title,
        width=COLUMNS * (WIDTH + GAP) + GAP,
        height=height,
        boxes=[*placed, middle, *below],
        wires=wires,
    )


def _network(link: Link, view: SiteView) -> _Box:
    lines = [", ".join(str(address.network) for address in link.addresses), f"{link.name}, VLAN {link.tag}"]
    found = []
    for machine in view.machines[1:]:
        for own in links_of(machine, view):
            if own.name == link.name:
                found.append(f"{machine.name} {own.addresses[0].ip}")
    found += [f"{m.name} {m.mac}" for m in view.enrolled if m.office and m.office == link.owner]
    lines += found[:LISTED] + ([f"+ {len(found) - LISTED}"] if len(found) > LISTED else [])
    begins: dict[str, list[str]] = defaultdict(list)
    end: End = link.network  # type: ignore[assignment]
    for flow in view.flows:
        for to in flow.to if end in flow.sources else ():
            if to != end:
                begins[to] += flow.ports
    lines += [f"→ {to}: {' '.join(dict.fromkeys(ports))}" for to, ports in begins.items()]
    return _Box(name=link.title, kind="own", lines=lines)


def _rows(boxes: list[_Box], y: int, first: int = 0) -> tuple[list[_Box], int]:
    """Place boxes in rows; return them and where the next row begins."""
    placed = []
    for start in range(0, len(boxes), COLUMNS):
        row = boxes[start : start + COLUMNS]
        for n, box in enumerate(row, start=first):
            x = GAP + n * (WIDTH + GAP)
            placed.append(_Box(name=box.name, kind=box.kind, lines=box.lines, x=x, y=y))
        y += max(box.height for box in row) + 2 * GAP
    return placed, y


def _wire(box: _Box, router: _Box) -> str:
    """Return the points of a wire: by a trunk between two columns, so that it crosses no box."""
    middle, there = box.x + WIDTH // 2, router.x + WIDTH // 2
    if box.y < router.y:
        stub = router.y - GAP // 2
        points = [(middle, box.y + box.height), (middle, stub), (there, stub), (there, router.y)]
    else:
        foot, trunk, stub = router.y + router.height, router.x - GAP // 2, box.y - GAP // 2
        points = [(middle, box.y), (middle, stub), (trunk, stub)]
        points += [(trunk, foot + GAP // 2), (there, foot + GAP // 2), (there, foot)]
    return " ".join(f"{x},{y}" for x, y in points)
