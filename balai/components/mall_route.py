"""
The way of malls to one service: its name at the gateway, and the networks that may begin with it.

A mall's router sees the gateway's address and port 443, and no name. What stands here is compiled from the same flows
and names addresses of zones: one mall's kiosks do not open what only another's offices may (Gateway API v1.6, Envoy
Gateway v1.9). It stands in the gateway's namespace, where no tenant changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.foundation import GATEWAY, MALLS
from balai.components.internal_api import LIMITS, ROUTES, grant_of
from balai.components.tenant_space import tenant_labels
from balai.components.workloads import metadata_of
from balai.flows import host_of
from balai.models import Tenant
from balai.models.service import Api, Web

Json = dict[str, Any]


class MallRoute(pulumi.ComponentResource):
    """
    A service's name at the gateway of malls, closed to everybody but the networks of `callers`.

    Attributes:
        host: The name.
    """

    host: str

    def __init__(
        self,
        name: str,
        tenant: Tenant,
        service: Web | Api,
        callers: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("balai:tenancy:MallRoute", name, None, opts)
        self.host = host_of(f"{tenant.name}/{service.name}")
        route = f"{tenant.name}-{service.name}-malls"
        at_gateway = {"name": route, "namespace": GATEWAY, "labels": tenant_labels(tenant)}
        grant = k8s.apiextensions.CustomResource(
            f"{name}-grant",
            api_version=f"{ROUTES}/v1",
            kind="ReferenceGrant",
            metadata=metadata_of(tenant, service.name) | {"name": f"{service.name}-malls"},
            spec=grant_of(service),
            opts=pulumi.ResourceOptions(parent=self),
        )
        closed = k8s.apiextensions.CustomResource(
            f"{name}-callers",
            api_version=f"{LIMITS}/v1alpha1",
            kind="SecurityPolicy",
            metadata=at_gateway,
            spec=callers_policy(route, callers),
            opts=pulumi.ResourceOptions(parent=self),
        )
        k8s.apiextensions.CustomResource(
            f"{name}-route",
            api_version=f"{ROUTES}/v1",
            kind="HTTPRoute",
            metadata=at_gateway,
            spec=route_to(tenant, service),
            # Closed first: a route without its policy is open to whoever reaches the gateway.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[grant, closed]),
        )
        self.register_outputs({"host": self.host})


def route_to(tenant: Tenant, service: Web | Api) -> Json:
    """Return the spec of an HTTPRoute: what is asked under the service's name goes to its Service as it is."""
    return {
        "parentRefs": [{"name": MALLS}],
        "hostnames": [host_of(f"{tenant.name}/{service.name}")],
        "rules": [{"backendRefs": [{"name": service.name, "namespace": tenant.namespace, "port": 80}]}],
    }


def callers_policy(route: str, callers: Sequence[str]) -> Json:
    """Return the spec of a SecurityPolicy: whoever comes from none of the networks is answered 403."""
    rule = {"name": "flows", "action": "Allow", "principal": {"clientCIDRs": list(callers)}}
    return {
        "targetRefs": [{"group": ROUTES, "kind": "HTTPRoute", "name": route}],
        "authorization": {"defaultAction": "Deny", "rules": [rule] if callers else []},
    }
