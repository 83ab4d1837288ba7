"""One service of a tenant: it runs, answers over HTTP, and keeps answering while nodes are moved."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.workloads import declare_copies, metadata_of
from balai.flows.services import APP_NAME
from balai.models import Tenant
from balai.models.service import Api, Web

Json = dict[str, Any]


class PublicService(pulumi.ComponentResource):
    """
    Deployment, Service, disruption budget and, where it may grow, autoscaler.

    Attributes:
        address: Cluster address of the Service.
    """

    address: pulumi.Output[str]

    def __init__(self, name: str, tenant: Tenant, service: Web, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("balai:tenancy:PublicService", name, None, opts)
        declare_copies(name, tenant, service, self)
        front = k8s.core.v1.Service(
            f"{name}-service",
            metadata=metadata_of(tenant, service.name),
            opts=pulumi.ResourceOptions(parent=self),
            spec=front_of(service),
        )
        self.address = front.spec.cluster_ip
        self.register_outputs({"address": self.address})


def front_of(service: Web | Api) -> Json:
    """Return the spec of the Service before the copies."""
    return {"selector": {APP_NAME: service.name}, "ports": [{"name": "http", "port": 80, "targetPort": service.port}]}
