"""A mall: what a person writes about it, and the equipment that its size gives it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from balai.models.base import Governed, Model, Name, OrUnknown, RegionCode, Text, Verification
from balai.models.duty import Attestation
from balai.models.screen import Printer, UsbDevice

Opening = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
Days = Annotated[str, StringConstraints(pattern=r"^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$")]
When = Annotated[
    str, StringConstraints(pattern=r"^((mon|tue|wed|thu|fri|sat|sun)(#[1-5])?|[0-9]{4}-[0-9]{2}-[0-9]{2})$")
]
Release = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}\.[0-9]{2}$")]
# As a person dials it; nobody's number is guessed.
Phone = Annotated[str, StringConstraints(pattern=r"^(unknown|\+?[0-9][0-9 -]{1,18}[0-9])$")]
SLOTS = 64


class Devices(Model):
    """How many machines of each kind; planning defaults, not counts of a real mall."""

    router: int = Field(ge=1, le=2)
    server: int = Field(ge=1, le=4)
    kiosk: int = Field(ge=0, le=40)
    display: int = Field(ge=0, le=40)
    counters: int = Field(ge=1, le=128)


class Sizes(Model):
    """inventories/site_sizes.yml: the equipment of a small, medium and large mall."""

    basis: Text
    small: Devices
    medium: Devices
    large: Devices


class Uplink(Model):
    """One way out of the building."""

    name: Name
    kind: Literal["fibre", "mobile", "satellite", "radio"]
    mbps: int = Field(ge=1, le=10_000)


class Office(Model):
    """An agency's branch at the site, with the slot of the address plan that stays its own."""

    agency: Name
    slot: int = Field(ge=0, lt=SLOTS)


Counter = Annotated[int, Field(ge=1, le=128)]


class Assignment(Model):
    """A counter given to an office: always, or on the days of `on`."""

    counter: Counter
    office: Name
    on: list[When] = []


Cable = Annotated[
    str,
    StringConstraints(
        pattern=r"^(router|trunk|management|cameras|guests|(router|(router|server|kiosk|display|counter)-[1-9][0-9]*)\.[a-z][a-z0-9-]*)$"
    ),
]


# A key of a YAML file is a text; in one form only, or `2` and `02` would be the same socket twice.
Port = Annotated[int, BeforeValidator(lambda text: int(text) if re.fullmatch("[1-9][0-9]?", str(text)) else text)]


class Switch(Model):
    """
    A switch of the mall and what is plugged into it; it is configured by whoever installs it, from the wiring sheet.

    Attributes:
        wiring: What is in which socket: `router` or `trunk` (every network, tagged), a card of a machine
            (`kiosk-1.kio`), a counter of an office (`counter-2.imigrasi`), or a socket of a network (`management`,
            `cameras`, `guests`).
    """

    name: Name
    ports: int = Field(ge=5, le=96)
    wiring: dict[Port, Cable]


class Record(Model):
    """What is known of the real mall, from where, and how surely."""

    opened: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
    opened_as: Text
    by_2022_06_17: Literal["counted", "possibly counted"]
    counted_by: Text | None = None
    verification: Verification
    sources: list[str] = Field(min_length=1)
    services: int | None = None
    agencies: int | None = None
    counters: int | None = None
    visitors_per_day: int | None = None
    floor_area_m2: int | None = None
    facts: str | None = None
    note: str | None = None


class Site(Governed):
    """inventories/sites/<name>.yml, an Ansible inventory and the whole truth about one mall."""

    plugin: Literal["balai.mall.site"]
    name: Name
    title: Text
    regions: list[RegionCode] = Field(min_length=1)
    owner: Name
    building: Name
    size: Literal["small", "medium", "large"]
    size_basis: Text
    devices: dict[Literal["router", "server", "kiosk", "display", "counters"], int] = {}
    release: Release
    ring: Literal["lab", "pilot", "early", "broad"]
    status: Literal["active", "cordoned", "frozen", "decommissioning"]
    hours: OrUnknown[dict[Days, Opening]]
    helpdesk: Phone = "unknown"  # whom a technician at the mall calls
    uplinks: OrUnknown[list[Uplink]]
    offices: list[Office] = []
    assignments: list[Assignment] = []
    switches: list[Switch] = []
    screens: dict[Name, Name] = {}  # profiles by kiosk or display, where the usual one does not fit
    callers: dict[Name, Counter] = {}  # the counter that a screen stands at which calls numbers
    printers: dict[Name, Printer] = {}  # of tickets, by kiosk; a mall has none until somebody has counted them
    usb: dict[Name, list[UsbDevice]] = {}  # what may be plugged into a kiosk or display besides its printer
    facilities: dict[Name, OrUnknown[Attestation]] = {}  # by name of facilities.yml; one that is not there is unknown
    record: Record | None = None
