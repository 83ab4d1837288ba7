"""What is known of single machines: whose they are, their cards, the public keys that they made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from balai.models.base import Model, Name

FIRST_NUMBER, LAST_NUMBER = 2, 15  # host numbers of enrolled machines in a slot's /27; the others are leased
Mac = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
PublicKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
Endpoint = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.:-]*$", max_length=253)]


class EnrolledMachine(Model):
    """
    A machine with its network card.

    Attributes:
        managed: full has roles (a machine of the address plan); network-only has a network, never a role;
            observed may be read as well, and never changed.
        office: Whose it is; None for a machine of the address plan.
        number: Its place in the office's network.
    """

    name: Name
    mac: Mac
    managed: Literal["full", "network-only", "observed"]
    office: Name | None = None
    number: int | None = Field(default=None, ge=FIRST_NUMBER, le=LAST_NUMBER)

    @model_validator(mode="after")
    def _an_office_s_machine_has_a_place(self) -> EnrolledMachine:
        if (self.office is None) != (self.managed == "full"):
            raise ValueError("a machine of an office is network-only or observed, and one of the mall's own is full")
        if (self.office is None) != (self.number is None):
            raise ValueError(f"a machine of an office, and no other, has a number ({FIRST_NUMBER} to {LAST_NUMBER})")
        return self


class Enrolment(Model):
    """enrolment/<site>.yml: the machines of one mall whose cards are known."""

    site: Name
    machines: list[EnrolledMachine]


class Hub(Model):
    """A data centre's end of the overlay, as malls reach it."""

    data_centre: Name
    endpoint: Endpoint
    port: int = Field(ge=1, le=65535)
    public_key: PublicKey


class Hubs(Model):
    """enrolment/hubs.yml."""

    hubs: list[Hub]
