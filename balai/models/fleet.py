"""What data centres are made of: classes of machines, racks, clusters, and the Kubernetes versions they may run."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from balai import addressing
from balai.models.base import Date, Governed, Model, Name, OrUnknown, Text, Verification
from balai.models.place import Zone

KubernetesVersion = Annotated[str, StringConstraints(pattern=r"^1\.[0-9]{1,3}\.[0-9]{1,3}$")]
GovernmentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*\.(go|desa)\.id$")]
Rack = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,8}$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
VersionState = Literal["preview", "supported", "deprecated", "expired"]
CONTROL_PLANE, GENERAL = "control-plane", "general"  # the classes that control planes and tenants' pods run on
DAYS: tuple[Weekday, ...] = get_args(Weekday)


class MachineClass(Model):
    """
    A kind of machine.

    Attributes:
        reserved_cpu: Cores of each machine that its system keeps.
        reserved_memory_gib: Memory of each machine that its system keeps.
    """

    name: Name
    cpu: int = Field(ge=1)
    memory_gib: int = Field(ge=1)
    pods: int = Field(ge=2, le=500)  # half of them may be headroom, and none left would be no machine
    reserved_cpu: int = Field(ge=0)
    reserved_memory_gib: int = Field(ge=0)

    @model_validator(mode="after")
    def _something_is_left(self) -> MachineClass:
        if self.reserved_cpu >= self.cpu or self.reserved_memory_gib >= self.memory_gib:
            raise ValueError("reserved_cpu and reserved_memory_gib should leave something of the machine to its pods")
        return self


def _given_twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


class Machines(Model):
    """
    inventories/machines.yml.

    Attributes:
        headroom_percent: Share of every machine that is planned to stay free: what does not pack, and what fails.
    """

    note: Text
    headroom_percent: int = Field(ge=0, le=50)
    classes: list[MachineClass] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_is_one_and_those_that_clusters_need_are_there(self) -> Machines:
        names = [machines.name for machines in self.classes]
        if twice := _given_twice(names):
            raise ValueError(f"class {', '.join(twice)} stands here twice, and only one can be meant")
        if missing := [name for name in (CONTROL_PLANE, GENERAL) if name not in names]:
            raise ValueError(f"class {', '.join(missing)} is missing: control planes and tenants' pods run on these")
        return self


class Image(Model):
    """What machines start from; its address has the form that Cluster API is told to take."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9:/._-]{3,190}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Release(Model):
    """One Kubernetes version, its machines' image, and the days from which it is supported, deprecated and refused."""

    image: OrUnknown[Image]
    version: KubernetesVersion
    supported: Date
    deprecated: Date
    expires: Date

    @model_validator(mode="after")
    def _days_are_in_order(self) -> Release:
        if not self.supported < self.deprecated < self.expires:
            raise ValueError("supported, deprecated and expires should follow each other")
        return self

    def state(self, today: datetime.date) -> VersionState:
        """Return where it stands on a day."""
        day = today.isoformat()
        if day >= self.expires:
            return "expired"
        if day >= self.deprecated:
            return "deprecated"
        return "supported" if day >= self.supported else "preview"


class Kubernetes(Model):
    """inventories/kubernetes.yml: the catalogue of versions."""

    note: Text
    releases: list[Release] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_version_stands_once(self) -> Kubernetes:
        if twice := _given_twice([release.version for release in self.releases]):
            raise ValueError(f"version {', '.join(twice)} stands here twice, and only one can be meant")
        return self


class SignIn(Model):
    """
    Who vouches for people at the API servers of a data centre, by OpenID Connect.

    Attributes:
        issuer: Its address; certificates are those that the machines trust.
        audience: What its tokens for these API servers are meant for.
        groups: The claim with a person's groups; only those that begin with `balai:` can mean anything here.
    """

    issuer: Annotated[str, StringConstraints(pattern=r"^https://[A-Za-z0-9./_-]{4,200}$")]
    audience: Name
    groups: Annotated[str, StringConstraints(pattern=r"^[a-z_]{2,40}$")]


class Isolated(Model):
    """Since when, and why, a data centre is cut off from malls and from changes."""

    since: Date
    reason: Text


class DataCentre(Model):
    """
    A shared government data centre.

    Attributes:
        management_context: Context of the kubeconfig of its management cluster.
        infrastructure: What makes its machines.
        sign_in: Without it only the administrator's certificate opens a cluster.
        racks: Machines that stand in each rack, by class; a rack is a failure domain.
        isolated: Written by `balai isolate`, taken out by `balai isolate --undo`.
    """

    name: Name
    title: Text
    index: int = Field(ge=0, le=addressing.LAST_DATA_CENTRE)
    timezone: Zone
    management_context: Name
    infrastructure: Literal["metal3", "openstack"]
    sign_in: OrUnknown[SignIn]
    racks: dict[Rack, dict[Name, Annotated[int, Field(ge=0, le=1000)]]] = Field(min_length=1)
    facts: list[Text]
    verification: Verification
    isolated: Isolated | None = None


class Window(Model):
    """Hours of local time in which machines may be replaced; it may go over midnight."""

    days: list[Weekday] = Field(min_length=1)
    start: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    hours: int = Field(ge=1, le=24)


class Pool(Model):
    """Machines of one class, so many in each rack."""

    name: Name
    machines: Name
    racks: dict[Rack, Annotated[int, Field(ge=0, le=1000)]] = Field(min_length=1)


class Cluster(Governed):
    """
    A Kubernetes cluster in a data centre.

    Attributes:
        index: Its place among the data centre's clusters, for ever: the address of its API server follows from it.
        control_planes: Number of control plane machines.
        windows: When machines may be replaced; local time of the data centre.
        registries: Where images may come from.
        api_domain: Name of the gateway for tenants' APIs; while it is unknown, the gateway is not made.
        parameters: Numbers and lists of the rules that differ from their defaults here.
    """

    name: Name
    title: Text
    data_centre: Name
    index: int = Field(ge=0, le=addressing.LAST_CLUSTER)
    kubernetes: KubernetesVersion
    kubeconfig_context: Name
    control_planes: Literal[1, 3, 5]
    pools: list[Pool] = Field(min_length=1)
    windows: list[Window] = Field(min_length=1)
    registries: list[Text] = Field(min_length=1)
    api_domain: OrUnknown[GovernmentName]
    parameters: dict[str, list[str]] = {}
    status: Literal["active", "decommissioning"]

    @property
    def given(self) -> dict[str, list[str]]:
        """The parameters of the rules that this cluster sets."""
        return {**self.parameters, "registries": self.registries}
