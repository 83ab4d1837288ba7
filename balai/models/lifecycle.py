"""What is decided in a tenant's life: what it asks for and is given, and how it is ended."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from balai.models.base import Date, Model, OrNone, OrNotYet, OrOpen, OrUnknown, Quantity, Text

PEOPLE = 2  # who can open an export: the loss of one key is not the loss of all
Recipient = Annotated[str, StringConstraints(pattern=r"^age1[0-9a-z]{58}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Folder = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]+$")]


class Amounts(Model):
    """Those parts of a quota that a request is about."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    pods: int | None = Field(default=None, ge=1, le=2000)
    storage: Quantity | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Return the parts that are said."""
        return self.model_dump(exclude_none=True)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.given:
            raise ValueError(f"should say at least one of {', '.join(type(self).model_fields)}")
        if not in_units(self.cpu or "", self.memory or "", self.storage or ""):
            raise ValueError("cores are 2 or 500m, memory and storage are 512Mi or 4Gi: each has units of its own")
        return self


class Used(Model):
    """The most that was used, when, and by what reading: what a request is judged by."""

    cpu: Quantity
    memory: Quantity
    date: Date
    source: Text

    @model_validator(mode="after")
    def _in_units_of_its_own(self) -> Self:
        if not in_units(self.cpu, self.memory):
            raise ValueError("cores are 2 or 500m, memory is 512Mi or 4Gi: each has units of its own")
        return self


class Decision(Model):
    """What somebody else than the asker gave, which may be less than was asked, or what it was before."""

    by: Text
    date: Date
    values: Amounts
    reason: Text


class QuotaRequest(Model):
    """
    A request for a quota; it keeps what it was, what was asked and what was given.

    Attributes:
        by: Who asks.
        original: The quota before, in the parts that are asked for; `none` for a tenant's first.
        used: What it is judged by.
        decided: What was decided; `open` until then.
    """

    by: Text
    date: Date
    original: OrNone[Amounts]
    requested: Amounts
    reason: Text
    used: OrUnknown[Used]
    decided: OrOpen[Decision]

    @model_validator(mode="after")
    def _is_of_one_quota_and_two_people(self) -> Self:
        parts = [self.requested]
        parts += [self.original] if isinstance(self.original, Amounts) else []
        if isinstance(self.decided, Decision):
            parts.append(self.decided.values)
            if self.decided.by == self.by:
                raise ValueError(f"{self.by} asked and decided: somebody else should decide")
            if self.decided.date < self.date:
                raise ValueError(f"decided on {self.decided.date}, before it was asked on {self.date}")
        if len({frozenset(part.given) for part in parts}) > 1:
            raise ValueError("original, requested and decided should name the same parts of the quota")
        if isinstance(self.used, Used) and self.used.date > self.date:
            raise ValueError(f"used.date {self.used.date} should not be after the request's {self.date}")
        return self


class Export(Model):
    """
    Where what can be exported goes before a tenant is erased.

    Attributes:
        folder: On the machine that runs the stack; certificates of erasure are written there too.
        recipients: age's public keys of those who can open it.
    """

    folder: Folder
    recipients: list[Recipient] = Field(min_length=PEOPLE)


class Escrow(Model):
    """Who keeps the keys of what outlives a tenant (backups, the export), and until when; never the keys themselves."""

    reference: Text
    holder: Text
    until: Date


class Erased(Model):
    """That a tenant is gone: the day, and for each of its clusters the hash of the certificate."""

    date: Date
    proof: dict[Text, Sha256] = Field(min_length=1)


class Decommissioning(Model):
    """
    How a tenant is ended.

    Attributes:
        since: When it was decided.
        last_day: Last day on which it is used; nothing is erased before it is over.
        keys_escrow: `unknown` while nobody has them in keeping; nothing is erased then.
        erased: `not_yet`, until certificates prove it.
    """

    since: Date
    last_day: Date
    export_to: Export
    keys_escrow: OrUnknown[Escrow]
    erased: OrNotYet[Erased]

    @model_validator(mode="after")
    def _days_follow_each_other(self) -> Self:
        if self.last_day < self.since:
            raise ValueError(f"last_day {self.last_day} should not be before since, {self.since}")
        if len(set(self.export_to.recipients)) < PEOPLE:
            raise ValueError(f"export_to.recipients should be {PEOPLE} different people at least")
        if isinstance(self.erased, Erased):
            if self.erased.date <= self.last_day:
                raise ValueError(f"erased.date {self.erased.date} should be after last_day, {self.last_day}")
            if self.keys_escrow == "unknown":
                raise ValueError("keys_escrow should say who keeps the keys of what was erased")
        return self


def in_units(cpu: str, *memory: str) -> bool:
    """Tell whether cores are not given in a unit of memory, nor memory or storage in one of cores."""
    return not cpu.endswith("i") and not any(amount.endswith("m") for amount in memory)


def kept_until(last_day: str, retention: str) -> str:
    """Return the day until which what a tenant leaves must stay readable."""
    hours = {"d": 24.0, "h": 1.0, "m": 1 / 60}[retention[-1]] * int(retention[:-1])
    return (datetime.date.fromisoformat(last_day) + datetime.timedelta(hours=hours)).isoformat()
