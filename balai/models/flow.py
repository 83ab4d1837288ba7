"""A flow: one permitted conversation between the networks of a mall, and what lies outside it."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field

from balai.models.base import Model, Name, Text

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


def is_port(value: str) -> str:
    """Return what names a port; raise ValueError otherwise."""
    protocol, _, number = value.partition("/")
    if value == "icmp":
        return value
    if protocol not in ("tcp", "udp") or not number.isdigit() or not 1 <= int(number) <= 65535 or number[0] == "0":
        raise ValueError("should be tcp/<1-65535>, udp/<1-65535> or icmp")
    return value


Port = Annotated[str, AfterValidator(is_port)]


class Flow(Model):
    """
    One entry of inventories/flows.yml.

    Attributes:
        sources: Who may begin the conversation (`from` in the file).
        to: With whom.
        ports: tcp/<n>, udp/<n> or icmp (echo).
        when_dark: What becomes of it while the mall has no way out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    name: Name
    sources: list[End] = Field(alias="from", min_length=1)
    to: list[End] = Field(min_length=1)
    ports: list[Port] = Field(min_length=1)
    why: Text
    when_dark: Literal["refuse", "local", "store"]


class Flows(Model):
    """inventories/flows.yml: everything that is let through; nothing else is."""

    note: Text
    flows: list[Flow]
