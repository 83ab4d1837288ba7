"""
A route at a gateway to one service, and what bounds it.

Both stand in the gateway's namespace, where no tenant changes anything; that the route may lead to the tenant's Service
is said in the tenant's (Gateway API v1.6, Envoy Gateway v1.9).
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.foundation import GATEWAY
from balai.components.tenant_space import tenant_labels
from balai.components.workloads import metadata_of
from balai.models import Tenant
from balai.models.service import Api, Web

Json = dict[str, Any]
ROUTES, BOUNDS = "gateway.networking.k8s.io", "gateway.envoyproxy.io"


def declare_route(
    name: str,
    tenant: Tenant,
    service: Web | Api,
    spec: Json,
    bound: tuple[str, str, Json],
    parent: pulumi.Resource,
    *,
    suffix: str = "",
    after: tuple[pulumi.Resource, ...] = (),
) -> None:
    """Declare an HTTPRoute, the grant that it needs, and its bound: the resource's name, the kind and the spec."""
    child = pulumi.ResourceOptions(parent=parent)
    grant = k8s.apiextensions.CustomResource(
        f"{name}-grant",
        api_version=f"{ROUTES}/v1",
        kind="ReferenceGrant",
        metadata=metadata_of(tenant, service.name) | {"name": f"{service.name}{suffix}"},
        spec=grant_of(service),
        opts=child,
    )
    label, kind, bounds = bound
    route = f"{tenant.name}-{service.name}{suffix}"
    at_gateway = {"name": route, "namespace": GATEWAY, "labels": tenant_labels(tenant)}
    bounded = k8s.apiextensions.CustomResource(
        f"{name}-{label}",
        api_version=f"{BOUNDS}/v1alpha1",
        kind=kind,
        metadata=at_gateway,
        spec={"targetRefs": [{"group": ROUTES, "kind": "HTTPRoute", "name": route}], **bounds},
        opts=child,
    )
    k8s.apiextensions.CustomResource(
        f"{name}-route",
        api_version=f"{ROUTES}/v1",
        kind="HTTPRoute",
        metadata=at_gateway,
        spec=spec,
        # The bound first: a route without it is open to whoever reaches the gateway.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[*after, grant, bounded]),
    )


def grant_of(service: Web | Api) -> Json:
    """Return the spec of a ReferenceGrant: routes of the gateway's namespace may lead to this Service alone."""
    return {
        "from": [{"group": ROUTES, "kind": "HTTPRoute", "namespace": GATEWAY}],
        "to": [{"group": "", "kind": "Service", "name": service.name}],
    }
