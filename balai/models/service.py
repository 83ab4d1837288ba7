"""What a tenant runs: services by kind, and the stores of its data. Every field is acted on; see docs/estate.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from balai.models.base import Duration, Model, Name, Quantity, Text

Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
TimeZone = Literal["Asia/Jakarta", "Asia/Pontianak", "Asia/Makassar", "Asia/Jayapura"]
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
# Of the five fields of a schedule: name, first and last value.
_CRON = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 6))
_CRON_PART = re.compile(r"(\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([1-9][0-9]?))?")


def minutes(duration: str) -> int:
    """Return a duration in minutes: `2h` is 120."""
    return int(duration[:-1]) * _MINUTES[duration[-1]]


def _is_cron(value: str) -> str:
    """Take five fields of numbers, ranges, lists and steps, which every cron knows; names and @daily it does not."""
    fields = value.split(" ")
    if len(fields) != len(_CRON):
        raise ValueError("should have five fields: minute, hour, day of the month, month, day of the week")
    for field, (name, first, last) in zip(fields, _CRON, strict=True):
        for part in field.split(","):
            found = _CRON_PART.fullmatch(part)
            ends = [int(end) for end in (found[2], found[3]) if end] if found else []
            steps_from_one = bool(found and found[4] and found[2] and not found[3])
            if not found or ends != sorted(ends) or steps_from_one or not all(first <= n <= last for n in ends):
                raise ValueError(f"{part!r} is no {name}: write numbers of {first} to {last}, ranges, lists or steps")
    return value


Cron = Annotated[str, AfterValidator(_is_cron)]


class Resources(Model):
    """One container's share; the limit of memory is its request, so that nobody is killed for a neighbour."""

    cpu: Quantity
    memory: Quantity


class Scaling(Model):
    """How far copies may be added, and at how much of the share of cpu in use; `replicas` is the least of them."""

    max: int = Field(ge=2, le=50)
    cpu_percent: int = Field(ge=20, le=90)


class RateLimit(Model):
    """How many requests all callers together may make; each copy of the gateway counts for itself."""

    requests: int = Field(ge=1, le=1_000_000)
    per: Literal["second", "minute", "hour"]


class _Runs(Model):
    """What services of every kind have."""

    name: Name
    title_en: Text
    image: Image
    args: list[Word] = []
    resources: Resources
    stores: list[Name] = []  # data stores of the same tenant that it talks to


class _Lasting(_Runs):
    """What runs for good, in copies."""

    replicas: int = Field(ge=1, le=50)
    scaling: Scaling | None = None

    @property
    def most(self) -> int:
        """How many copies there may be at the most."""
        return self.scaling.max if self.scaling else self.replicas

    @model_validator(mode="after")
    def _scales_upwards(self) -> _Lasting:
        if self.scaling and self.scaling.max <= self.replicas:
            raise ValueError(f"scaling.max should be above the {self.replicas} replicas that there are at the least")
        return self


class _Answering(_Lasting):
    """
    What answers HTTP.

    Attributes:
        may_queue: Whether a request that cannot be had now may be kept and sent later.
    """

    port: int = Field(ge=1024, le=65535)
    health: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9/_-]*$")]
    may_queue: bool


class Web(_Answering):
    """Pages and forms that people open."""

    kind: Literal["web"]
    public: bool


class Api(_Answering):
    """What other tenants' services call, through the gateway and no faster than agreed."""

    kind: Literal["api"]
    rate_limit: RateLimit

    @property
    def public(self) -> bool:
        """Whether citizens may begin with it: they never do."""
        return False


class Worker(_Lasting):
    """
    What takes its work from a store or another service, and answers nobody.

    Attributes:
        alive: Command in its container that ends with 0 while it works.
    """

    kind: Literal["worker"]
    alive: list[Word] = Field(min_length=1)


class Job(_Runs):
    """
    What runs at a time, to its end.

    Attributes:
        schedule: Five fields of cron, in `time_zone`.
        deadline: When a run that has not ended is ended.
    """

    kind: Literal["job"]
    schedule: Cron
    time_zone: TimeZone
    deadline: Duration


if TYPE_CHECKING:
    Service = Union[Web, Worker, Job, Api]  # noqa: UP007 - only this form is an alias to mypy
else:
    # The tags are no keys of a file: `models.base` takes them out of what is told.
    Service = Annotated[
        Annotated[Web, Tag("<web>")]
        | Annotated[Worker, Tag("<worker>")]
        | Annotated[Job, Tag("<job>")]
        | Annotated[Api, Tag("<api>")],
        Discriminator(lambda value: f"<{_kind(value)}>"),
    ]


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


class Backup(Model):
    """
    Copies of a store: how often a whole one, how long they are kept, and where.

    Attributes:
        to: Data centre whose object store has them; never the one that the store runs in.
    """

    schedule: Literal["hourly", "daily", "weekly"]
    keep: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*d$")]
    to: Name

    @property
    def words(self) -> str:
        """How often and where to, in short."""
        return f"{self.schedule} > {self.to}"


class DataStore(Model):
    """A database of the tenant, on its first cluster; another cluster restores it from the copies."""

    name: Name
    kind: Literal["postgresql"]
    major: int = Field(ge=14, le=99)
    storage: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
    instances: int = Field(ge=1, le=5)
    resources: Resources
    backup: Backup

    @property
    def names(self) -> list[str]:
        """Names that its operator takes in the namespace: its own, and those of its three Services."""
        return [self.name, *(f"{self.name}-{way}" for way in ("rw", "ro", "r"))]
