"""
One API of a tenant: what other tenants' services call, through the gateway and no faster than agreed.

Route and limit stand in the gateway's namespace, where no tenant changes anything; that the route may lead to the
tenant's Service is said in the tenant's (Gateway API v1.6, Envoy Gateway v1.9). The limit is each gateway copy's own.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.foundation import APIS, GATEWAY
from balai.components.public_service import front_of
from balai.components.tenant_space import tenant_labels
from balai.components.workloads import declare_copies, metadata_of
from balai.models import Tenant
from balai.models.service import Api, Web

Json = dict[str, Any]
ROUTES, LIMITS = "gateway.networking.k8s.io", "gateway.envoyproxy.io"


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
        grant = k8s.apiextensions.CustomResource(
            f"{name}-grant",
            api_version=f"{ROUTES}/v1",
            kind="ReferenceGrant",
            metadata=metadata_of(tenant, api.name),
            spec=grant_of(api),
            opts=child,
        )
        route = f"{tenant.name}-{api.name}"
        at_gateway = {"name": route, "namespace": GATEWAY, "labels": tenant_labels(tenant)}
        limit = k8s.apiextensions.CustomResource(
            f"{name}-limit",
            api_version=f"{LIMITS}/v1alpha1",
            kind="BackendTrafficPolicy",
            metadata=at_gateway,
            spec=limit_of(route, api),
            opts=child,
        )
        k8s.apiextensions.CustomResource(
            f"{name}-route",
            api_version=f"{ROUTES}/v1",
            kind="HTTPRoute",
            metadata=at_gateway,
            spec=route_of(tenant, api),
            # The limit first: no request comes in that is not counted.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[front, grant, limit]),
        )
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


def grant_of(service: Web | Api) -> Json:
    """Return the spec of a ReferenceGrant: routes of the gateway's namespace may lead to this Service alone."""
    return {
        "from": [{"group": ROUTES, "kind": "HTTPRoute", "namespace": GATEWAY}],
        "to": [{"group": "", "kind": "Service", "name": service.name}],
    }


def limit_of(route: str, api: Api) -> Json:
    """Return the spec of a BackendTrafficPolicy: what is above the limit is answered 429 at the gateway."""
    limit = {"requests": api.rate_limit.requests, "unit": api.rate_limit.per.capitalize()}
    return {
        "targetRefs": [{"group": ROUTES, "kind": "HTTPRoute", "name": route}],
        "rateLimit": {"local": {"rules": [{"limit": limit}]}},
    }
