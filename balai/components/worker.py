"""One worker of a tenant: it takes its work from a store or another service, and answers nobody."""

from __future__ import annotations

import pulumi

from balai.components.workloads import declare_copies
from balai.models import Tenant
from balai.models import service as models


class Worker(pulumi.ComponentResource):
    """Deployment, disruption budget and, where it may grow, autoscaler; no Service: nothing is asked of it."""

    def __init__(
        self, name: str, tenant: Tenant, service: models.Worker, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("balai:tenancy:Worker", name, None, opts)
        declare_copies(name, tenant, service, self)
        self.register_outputs({"copies": service.replicas})
