"""
What makes the machines of a data centre: Metal3 on its own hardware, OpenStack, or a lab's development provider.

Fields are those of Metal3's api module v1.9.2 and of the OpenStack provider v0.13.0; an API server takes them by those
providers' own resource definitions, and no provider that runs has seen them. Only a lab sets `in-memory`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

from balai import addressing
from balai.errors import DataError, Problem, shown
from balai.estate import Estate
from balai.fleet.naming import add, named, patch, variable
from balai.models import Cluster, DataCentre, Image

Json = dict[str, Any]
API = "infrastructure.cluster.x-k8s.io/v1beta2"
PROVIDERS = "infrastructure.cluster.x-k8s.io/v1beta1"
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
        return named("Metal3ClusterTemplate", PROVIDERS, "cluster", namespace, _template({"noCloudProvider": True}))

    def machine(self, kind: str, namespace: str) -> Json:
        """Return a Metal3MachineTemplate."""
        spec = {"hostSelector": {"matchLabels": {"balai/class": kind}}, "automatedCleaningMode": "metadata"}
        return named("Metal3MachineTemplate", PROVIDERS, kind, namespace, _template(spec))

    def patches(self, kinds: list[str]) -> list[Json]:
        """Return what sets image, rack and endpoint."""
        workers = {"machineDeploymentClass": {"names": kinds}}
        host, image = "/spec/template/spec/hostSelector/matchLabels/balai~1rack", "/spec/template/spec/image"
        from_image = {"url": "{{ .imageUrl }}", "checksum": "{{ .imageSha256 }}", "checksumType": "sha256"}
        whole = {"host": "{{ .endpoint }}", "port": API_PORT}
        return [
            patch(
                "image", "Metal3MachineTemplate", PROVIDERS, {**workers, "controlPlane": True}, [add(image, from_image)]
            ),
            patch("rack", "Metal3MachineTemplate", PROVIDERS, workers, [add(host, "{{ .rack }}")]),
            patch(
                "endpoint",
                "Metal3ClusterTemplate",
                PROVIDERS,
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
        image = _image_of(estate, cluster)
        address = addressing.endpoint(place.index, cluster.index)
        return {"imageUrl": image.url, "imageSha256": image.sha256, "endpoint": str(address)}


@dataclass(frozen=True)
class OpenStack:
    """
    Servers of an OpenStack, one flavour a class (`balai-general`), one availability zone a rack.

    Its credentials are the Secret `openstack` of the clusters' namespace, with a clouds.yaml whose cloud is `balai`;
    its network is called `nodes`. The name of an image ends in its hash, so that another image is another name.
    """

    unhealthy: int = 300

    @property
    def variables(self) -> list[Json]:
        """The name of the machines' image, and the address of the API server."""
        return [variable(name, "^[A-Za-z0-9:._-]{1,200}$") for name in ("imageName", "endpoint")]

    def cluster(self, namespace: str) -> Json:
        """Return an OpenStackClusterTemplate."""
        spec = {
            "identityRef": {"name": "openstack", "cloudName": "balai"},
            "network": {"filter": {"name": "nodes"}},
            "apiServerLoadBalancer": {"enabled": True},
            "disableAPIServerFloatingIP": True,
            "disableExternalNetwork": True,
            "managedSecurityGroups": {"allowAllInClusterTraffic": True},
        }
        return named("OpenStackClusterTemplate", PROVIDERS, "cluster", namespace, _template(spec))

    def machine(self, kind: str, namespace: str) -> Json:
        """Return an OpenStackMachineTemplate; its image is of each cluster's version."""
        spec = {"flavor": f"balai-{kind}", "image": {"filter": {"name": "set-by-the-class"}}}
        return named("OpenStackMachineTemplate", PROVIDERS, kind, namespace, _template(spec))

    def patches(self, kinds: list[str]) -> list[Json]:
        """Return what sets image and endpoint."""
        image = add("/spec/template/spec/image/filter/name", "{{ .imageName }}")
        fixed = add("/spec/template/spec/apiServerFixedIP", "{{ .endpoint }}")
        machines = {"machineDeploymentClass": {"names": kinds}, "controlPlane": True}
        return [
            patch("image", "OpenStackMachineTemplate", PROVIDERS, machines, [image]),
            patch("endpoint", "OpenStackClusterTemplate", PROVIDERS, {"infrastructureCluster": True}, [fixed]),
        ]

    def values(self, estate: Estate, cluster: Cluster, place: DataCentre) -> dict[str, str]:
        """
        Return the variables of one cluster.

        Raises:
            DataError: The catalogue of versions has no image for the cluster's.
        """
        image = _image_of(estate, cluster)
        name = f"kubernetes-{cluster.kubernetes}-{image.sha256[:12]}"
        return {"imageName": name, "endpoint": str(addressing.endpoint(place.index, cluster.index))}


INFRASTRUCTURES: dict[str, Infrastructure] = {
    "in-memory": InMemory(),
    "metal3": Metal3(),
    "openstack": OpenStack(),
}


def infrastructure_of(place: DataCentre) -> str:
    """Return what makes a data centre's machines; a lab says `in-memory` in its environment."""
    return os.environ.get(SETTING) or place.infrastructure


def _image_of(estate: Estate, cluster: Cluster) -> Image:
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
    return image


def _template(spec: Json) -> Json:
    return {"template": {"spec": spec}}
