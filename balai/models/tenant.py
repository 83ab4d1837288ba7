"""An agency's space on the clusters. Every field is required and acted on; see docs/estate.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from balai.models.base import (
    Date,
    Duration,
    Governed,
    Model,
    Name,
    OrUnknown,
    Quantity,
    RegionCode,
    Text,
    Verification,
)
from balai.models.lifecycle import Decommissioning, QuotaRequest

Category = Literal["rendah", "tinggi", "strategis"]
Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$")]
MIN_REPLICAS: dict[str, int] = {"rendah": 1, "tinggi": 2, "strategis": 2}


class LegalGround(Model):
    """On what law the agency runs the service, and whether anybody read it."""

    text: Text
    verification: Verification


class Users(Model):
    """How many people use it, by what was read where."""

    count: int = Field(ge=1)
    what: Text
    source: Text
    verification: Verification


class Recovery(Model):
    """How much may be lost and how long it may be away."""

    rpo: Duration
    rto: Duration


class Quota(Model):
    """What the tenant may ask for on one cluster."""

    cpu: Quantity
    memory: Quantity
    pods: int = Field(ge=1, le=2000)


class Resources(Model):
    """One container's share; the limit of memory is its request, so that nobody is killed for a neighbour."""

    cpu: Quantity
    memory: Quantity


class Service(Model):
    """Something that runs and answers HTTP."""

    name: Name
    title_en: Text
    image: Image
    port: int = Field(ge=1024, le=65535)
    replicas: int = Field(ge=1, le=50)
    health: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9/_-]*$")]
    resources: Resources
    public: bool


class Reach(Model):
    """Another tenant's service that this one needs, and why."""

    tenant: Name
    service: Name
    reason: Text
    when_dark: Literal["refuse", "local", "store"]


class Tenant(Governed):
    """inventories/tenants/<name>.yml."""

    name: Name
    title: Text
    title_en: Text
    owner: Name
    region: RegionCode | None = None
    legal_ground: LegalGround
    category: Category
    category_basis: Text
    data_class: Literal["public", "internal", "restricted", "confidential"]
    retention: Duration
    review: Date
    users: OrUnknown[Users]
    recovery: Recovery
    clusters: list[Name] = Field(min_length=1)
    quota: Quota
    group: Text
    services: list[Service] = Field(min_length=1)
    reaches: list[Reach] = []
    manifests: list[Text] = []  # files of the tenant's own Kubernetes objects, below the inventories
    requests: list[QuotaRequest] = []
    status: Literal["requested", "active", "cordoned", "frozen", "decommissioning"]
    decommissioning: Decommissioning | None = None

    @property
    def placed(self) -> bool:
        """Whether it is to be found on its clusters: it was made once, and is not being ended."""
        return self.status not in ("requested", "decommissioning")

    @property
    def namespace(self) -> str:
        """Name of the tenant's namespace on each of its clusters."""
        return f"tenant-{self.name}"

    @model_validator(mode="after")
    def _replicas_fit_the_category(self) -> Tenant:
        if self.group != f"balai:tenant:{self.name}":
            raise ValueError(f"group should be balai:tenant:{self.name}, so that no tenant can name another's people")
        least = MIN_REPLICAS[self.category]
        if few := [s.name for s in self.services if s.replicas < least]:
            raise ValueError(
                f"services {', '.join(few)} need at least {least} replicas in category {self.category}, "
                "so that one can be moved while another answers"
            )
        return self

    @model_validator(mode="after")
    def _its_end_is_said(self) -> Tenant:
        if (self.decommissioning is None) == (self.status == "decommissioning"):
            raise ValueError("status decommissioning, and no other, needs the key `decommissioning`: how it is ended")
        return self
