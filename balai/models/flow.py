"""A flow: one permitted conversation between the networks of a mall, and what lies outside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from balai.models.base import Model, Name, RegionCode, Text

# Zones of the mall; `offices` are all office slots, `router` the router itself, `internet` what no address plan
# knows, `data-centre` what lies behind the overlay.
End = Literal[
    "management",
    "servers",
    "kiosks",
    "displays",
    "cameras",
    "offices",
    "guests",
    "router",
    "internet",
    "data-centre",
]
ENDS: tuple[End, ...] = get_args(End)
MOST_SHARE = 50  # hundredths of a line that all intakes together may take when a mall comes back
DARK_DAYS = 14  # a mall goes on for so long without a way out: nothing that it lives by ends sooner


def is_port(value: str) -> str:
    """Return what names a port; raise ValueError otherwise."""
    protocol, _, number = value.partition("/")
    if value == "icmp":
        return value
    if protocol not in ("tcp", "udp") or not number.isdigit() or not 1 <= int(number) <= 65535 or number[0] == "0":
        raise ValueError("should be tcp/<1-65535>, udp/<1-65535> or icmp")
    return value


Port = Annotated[str, AfterValidator(is_port)]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*/[a-z][a-z0-9-]*$")]


class Intake(Model):
    """
    What a mall takes in for a service while it cannot reach it, and sends on later.

    Attributes:
        days: How old the oldest may get before no more is taken: on the last dark day it still is.
        mib: How much may wait, sealed.
        kib: How large one may be.
        share: Hundredths of a mall's slowest line that sending on may take: people come first.
    """

    title: Text
    title_en: Text
    days: int = Field(ge=DARK_DAYS + 1, le=60)
    mib: int = Field(ge=1, le=4096)
    kib: int = Field(ge=1, le=256)
    share: int = Field(ge=1, le=MOST_SHARE)


class Flow(Model):
    """
    One entry of inventories/flows.yml.

    Attributes:
        sources: Who may begin the conversation (`from` in the file).
        to: With whom.
        ports: tcp/<n>, udp/<n> or icmp (echo).
        services: Which services of tenants (`tenant/service`) it is about; only of flows to the data centres.
        regions: Malls of these regions only; empty for all.
        when_dark: What becomes of it while the mall has no way out.
        intake: For a service whose papers the mall's own server takes in and sends on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    name: Name
    sources: list[End] = Field(alias="from", min_length=1)
    to: list[End] = Field(min_length=1)
    ports: list[Port] = Field(min_length=1)
    services: list[ServiceName] = []
    regions: list[RegionCode] = []
    why: Text
    when_dark: Literal["refuse", "local", "store"]
    intake: Intake | None = None

    def holds_in(self, regions: Collection[str]) -> bool:
        """Tell whether it is a flow of a mall of these regions."""
        return not self.regions or not set(self.regions).isdisjoint(regions)

    @model_validator(mode="after")
    def _services_are_in_data_centres(self) -> Flow:
        if self.services and self.to != ["data-centre"]:
            raise ValueError("services are reached in a data centre: `to` should be [data-centre] where they are named")
        if self.intake and (self.when_dark != "store" or self.sources != ["servers"] or len(self.services) != 1):
            raise ValueError("an intake needs when_dark: store, from: [servers] and exactly one service")
        return self


class Flows(Model):
    """inventories/flows.yml: everything that is let through; nothing else is."""

    note: Text
    flows: list[Flow]

    @model_validator(mode="after")
    def _intakes_leave_the_line_to_people(self) -> Flows:
        total = sum(flow.intake.share for flow in self.flows if flow.intake)
        if total > MOST_SHARE:
            raise ValueError(
                f"the shares of all intakes are {total} hundredths of a line and should be {MOST_SHARE} at most"
            )
        return self
