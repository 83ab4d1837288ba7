"""
One API of a tenant: what other tenants' services call, through the gateway and no faster than agreed.

The limit is each gateway copy's own.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.foundation import APIS
from balai.components.gateway_route import declare_route
from balai.components.public_service import front_of
from balai.components.workloads import declare_copies, metadata_of
from balai.models import Tenant
from balai.models.service import Api

Json = dict[str, Any]


class InternalApi(pulumi.ComponentResource):
    """
    What a public service has, and its route through the gateway with a limit.

    Attributes:
        path: Where it is found on the gateway.
    """

    path: str

    def __init__(self, name: str, tenant: Tenant, api: Api, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("balai:tenancy:InternalApi", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        declare_copies(name, tenant, api, self)
        front = k8s.core.v1.Service(
            f"{name}-service", metadata=metadata_of(tenant, api.name), spec=front_of(api), opts=child
        )
        bound = ("limit", "BackendTrafficPolicy", limit_of(api))
        declare_route(name, tenant, api, route_of(tenant, api), bound, self, after=(front,))
        self.path = path_of(tenant, api)
        self.register_outputs({"path": self.path})


def path_of(tenant: Tenant, api: Api) -> str:
    """Return where an API is found on the gateway."""
    return f"/{tenant.name}/{api.name}"


def route_of(tenant: Tenant, api: Api) -> Json:
    """Return the spec of an HTTPRoute: requests below the API's path, which the API itself sees from its own root."""
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return {
        "parentRefs": [{"name": APIS}],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": path_of(tenant, api)}}],
                "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
                "backendRefs": [{"name": api.name, "namespace": tenant.namespace, "port": 80}],
            }
        ],
    }


def limit_of(api: Api) -> Json:
    """Return what a BackendTrafficPolicy says of a route: what is above the limit is answered 429 at the gateway."""
    limit = {"requests": api.rate_limit.requests, "unit": api.rate_limit.per.capitalize()}
    return {"rateLimit": {"local": {"rules": [{"limit": limit}]}}}
