"""
What makes the machines of a data centre: Metal3 on its own hardware, or the development provider in a lab.

Metal3's fields are those of its api module v1.9.2, read in its source; they have not been seen against a Metal3 that
runs. `in-memory` is no choice of a data centre: only a lab sets it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

from balai import addressing
from balai.errors import DataError, Problem, shown
from balai.estate import Estate
from balai.fleet.naming import add, named, patch, variable
from balai.models import Cluster, DataCentre

Json = dict[str, Any]
API = "infrastructure.cluster.x-k8s.io/v1beta2"
METAL3 = "infrastructure.cluster.x-k8s.io/v1beta1"
SETTING = "BALAI_INFRASTRUCTURE"
API_PORT = 6443


class Infrastructure(Protocol):
    """How machines and the cluster around them are asked for."""

    @property
    def variables(self) -> list[Json]:
        """Definitions of the variables that its patches read."""

    @property
    def unhealthy(self) -> int:
        """Seconds that a machine may be unwell before it is replaced."""

    def cluster(self, namespace: str) -> Json:
        """Return the template of what is one cluster's."""

    def machine(self, kind: str, namespace: str) -> Json:
        """Return the template of machines of a class."""

    def patches(self, kinds: list[str]) -> list[Json]:
        """Return the patches of a ClusterClass with workers of these classes."""

    def values(self, estate: Estate, cluster: Cluster, place: DataCentre) -> dict[str, str]:
        """Return the variables of one cluster."""


@dataclass(frozen=True)
class InMemory:
    """Machines that are simulated, in seconds that a lab can wait for."""

    startup: str = "2s"
    unhealthy: int = 5

    @property
    def variables(self) -> list[Json]:
        """None."""
        return []

    def cluster(self, namespace: str) -> Json:
        """Return a DevClusterTemplate."""
        return named("DevClusterTemplate", API, "cluster", namespace, _template({"backend": {"inMemory": {}}}))

    def machine(self, kind: str, namespace: str) -> Json:
        """Return a DevMachineTemplate."""
        parts = ("vm", "node", "apiServer", "etcd")
        after = {part: {"provisioning": {"startupDuration": self.startup, "startupJitter": "0.2"}} for part in parts}
        return named("DevMachineTemplate", API, kind, namespace, _template({"backend": {"inMemory": after}}))

    def patches(self, kinds: list[str]) -> list[Json]:
        """Return none."""
        return []

    def values(self, estate: Estate, cluster: Cluster, place: DataCentre) -> dict[str, str]:
        """Return none."""
        return {}


@dataclass(frozen=True)
class Metal3:
    """Machines of a data centre's own, found by the labels `balai/class` and `balai/rack` of their BareMetalHosts."""

    unhealthy: int = 300

    @property
    def variables(self) -> list[Json]:
        """The image of the machines, its SHA-256, and the address of the API server."""
        names = ("imageUrl", "imageSha256", "endpoint")
        return [variable(name, "^[A-Za-z0-9:/._-]{1,200}$") for name in names]

    def cluster(self, namespace: str) -> Json:
        """Return a Metal3ClusterTemplate."""
        return named("Metal3ClusterTemplate", METAL3, "cluster", namespace, _template({"noCloudProvider": True}))

    def machine(self, kind: str, namespace: str) -> Json:
        """Return a Metal3MachineTemplate."""
        spec = {"hostSelector": {"matchLabels": {"balai/class": kind}}, "automatedCleaningMode": "metadata"}
        return named("Metal3MachineTemplate", METAL3, kind, namespace, _template(spec))

    def patches(self, kinds: list[str]) -> list[Json]:
        """Return what sets image, rack and endpoint."""
        workers = {"machineDeploymentClass": {"names": kinds}}
        host, image = "/spec/template/spec/hostSelector/matchLabels/balai~1rack", "/spec/template/spec/image"
        from_image = {"url": "{{ .imageUrl }}", "checksum": "{{ .imageSha256 }}", "checksumType": "sha256"}
        whole = {"host": "{{ .endpoint }}", "port": API_PORT}
        return [
            patch(
                "image", "Metal3MachineTemplate", METAL3, {**workers, "controlPlane": True}, [add(image, from_image)]
            ),
            patch("rack", "Metal3MachineTemplate", METAL3, workers, [add(host, "{{ .rack }}")]),
            patch(
                "endpoint",
                "Metal3ClusterTemplate",
                METAL3,
                {"infrastructureCluster": True},
                [add("/spec/template/spec/controlPlaneEndpoint", whole)],
            ),
        ]

    def values(self, estate: Estate, cluster: Cluster, place: DataCentre) -> dict[str, str]:
        """
        Return the variables of one cluster.

        Raises:
            DataError: The catalogue of versions has no image for the cluster's.
        """
        image = estate.releases[cluster.kubernetes].image
        if image == "unknown":
            raise DataError(
                [
                    Problem(
                        file=shown(estate.root / "kubernetes.yml"),
                        line=0,
                        key="releases.image",
                        given="unknown",
                        bound=f"machines of {cluster.name} need the image of {cluster.kubernetes}",
                        fix="Build it, put it where the machines can fetch it, and write its address and SHA-256 here.",
                    )
                ]
            )
        address = addressing.endpoint(place.index, cluster.index)
        return {"imageUrl": image.url, "imageSha256": image.sha256, "endpoint": str(address)}


INFRASTRUCTURES: dict[str, Infrastructure] = {"in-memory": InMemory(), "metal3": Metal3()}


def infrastructure_of(place: DataCentre) -> str:
    """Return what makes a data centre's machines; a lab says `in-memory` in its environment."""
    return os.environ.get(SETTING) or place.infrastructure


def _template(spec: Json) -> Json:
    return {"template": {"spec": spec}}
