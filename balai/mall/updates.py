"""
When the machines of a mall install security updates: outside its hours, one stage a night, restarts in the same window.

Once a week all of them fetch, at one time, and each then installs what it has fetched on the night of its stage. So
every stage gets the very packages that the stages before it have run on for a day, and not newer ones:

    first    one kiosk, which is missed least (without kiosks, one display)
    screens  all other kiosks and displays, and the spare routers and servers
    server   the mall's server
    router   the mall's router, without which nobody could look at the others

A window lies in a rest of its day (`balai.onsite.hours`), an hour away from any opening. Where nobody knows the hours
the rest is that of a planning default, and whoever asks is told so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from balai.mall.packages import source_of
from balai.onsite.hours import REST, WEEKDAYS, clock, openings, rest
from balai.sites import Machine, SiteView

Stage = Literal["first", "screens", "server", "router"]
# The night is named by the day whose early hours it has; the mall then works a day before the next stage.
NIGHTS: dict[Stage, int] = {"first": 1, "screens": 2, "server": 3, "router": 4}
MARGIN = 60  # minutes between a window and an opening: time to mend what did not come back
WINDOW = REST - 2 * MARGIN
# Minutes of a window: where each work begins, for how long it may begin, and over how much of that chance spreads it.
PARTS = {"fetch": (0, 60, 30), "install": (60, 45, 15), "restart": (165, 15, 0)}


@dataclass(frozen=True, kw_only=True)
class Window:
    """Minutes of a week, which begins on Monday, in which a stage works."""

    stage: Stage
    start: int

    @property
    def end(self) -> int:
        """Return the first minute after it."""
        return self.start + WINDOW

    @property
    def day(self) -> str:
        """Return its weekday."""
        return WEEKDAYS[NIGHTS[self.stage]]

    @property
    def words(self) -> str:
        """Return it as a person reads it."""
        return f"{self.day} {clock(self.start)}-{clock(self.end)}"

    def part(self, name: str) -> dict[str, Any]:
        """Return one of its PARTS as the machine is told it."""
        offset, minutes, _ = PARTS[name]
        return {"day": self.day, "start": clock(self.start + offset), "minutes": minutes}


def windows(hours: dict[str, str] | Literal["unknown"]) -> dict[Stage, Window]:
    """
    Return the window of each stage.

    Unknown hours are taken for a mall that is closed in the first hours of each day: a planning default.
    """
    spans = [] if hours == "unknown" else openings(hours)
    found = {stage: rest(spans, day) for stage, day in NIGHTS.items()}
    # A site's file whose hours leave a day without a rest was refused when it was read.
    return {stage: Window(stage=stage, start=start + MARGIN) for stage, start in found.items() if start is not None}


def stage_of(machine: Machine, view: SiteView) -> Stage:
    """Return the stage of a machine."""
    screens = [m for m in view.machines if m.kind in ("kiosk", "display")]
    if machine in screens[:1]:
        return "first"
    if machine in screens or machine.number > 1:
        return "screens"
    return "router" if machine.kind == "router" else "server"


def window_of(machine: Machine, view: SiteView) -> Window:
    """Return the window of a machine."""
    return windows(view.site.hours)[stage_of(machine, view)]


def updates_of(machine: Machine, view: SiteView) -> dict[str, Any]:
    """Return what the role `updates` is told of a machine."""
    nights = windows(view.site.hours)
    stage = stage_of(machine, view)
    parts = {
        "fetch": nights["first"].part("fetch"),
        "install": nights[stage].part("install"),
        "restart": nights[stage].part("restart"),
    }
    return {
        "stage": stage,
        "hours_known": view.site.hours != "unknown",
        "timezone": view.timezone,
        "windows": parts,
        "timers": {
            name: {
                "calendar": f"{part['day'].title()} *-*-* {part['start']}:00 {view.timezone}",
                "spread_minutes": PARTS[name][2],
            }
            for name, part in parts.items()
        },
        "source": source_of(machine, view),
        "freezes": [{"title": f.title, "first": f.first, "last": f.last} for f in view.freezes],
    }
