"""An agency's space on the clusters. Every field is required and acted on; see docs/estate.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

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
from balai.models.service import Api, DataStore, Service, Web
from balai.models.service import Image as Image

Category = Literal["rendah", "tinggi", "strategis"]
Factor = Annotated[int, Field(ge=2, le=1000)]
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


class Peak(Model):
    """
    Days on which more people come than on others, by what was read where.

    Attributes:
        factor: How many times the usual number come.
    """

    when: Text
    factor: OrUnknown[Factor]
    source: Text
    verification: Verification


class Downtime(Model):
    """Hours for which the owner takes the service away and says so before, by what was read where."""

    when: Text
    source: Text
    verification: Verification


class Fact(Model):
    """Something that was read of the real service."""

    text: Text
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
    storage: Quantity


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
    peaks: OrUnknown[list[Peak]]
    planned_downtime: OrUnknown[list[Downtime]]
    facts: list[Fact]
    recovery: Recovery
    clusters: list[Name] = Field(min_length=1)
    quota: Quota
    group: Text
    services: list[Service] = Field(min_length=1)
    data_stores: list[DataStore] = []
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

    @property
    def answering(self) -> list[Web | Api]:
        """The services that answer HTTP."""
        return [service for service in self.services if isinstance(service, Web | Api)]

    @model_validator(mode="after")
    def _copies_fit_the_category(self) -> Tenant:
        if self.group != f"balai:tenant:{self.name}":
            raise ValueError(f"group should be balai:tenant:{self.name}, so that no tenant can name another's people")
        least = MIN_REPLICAS[self.category]
        copies = {s.name: s.replicas for s in self.services if s.kind != "job"}
        copies |= {store.name: store.instances for store in self.data_stores}
        if few := [name for name, count in copies.items() if count < least]:
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
