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

from balai.components.foundation import MALLS
from balai.components.gateway_route import declare_route
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
        bound = ("callers", "SecurityPolicy", callers_policy(callers))
        declare_route(name, tenant, service, route_to(tenant, service), bound, self, suffix="-malls")
        self.register_outputs({"host": self.host})


def route_to(tenant: Tenant, service: Web | Api) -> Json:
    """Return the spec of an HTTPRoute: what is asked under the service's name goes to its Service as it is."""
    return {
        "parentRefs": [{"name": MALLS}],
        "hostnames": [host_of(f"{tenant.name}/{service.name}")],
        "rules": [{"backendRefs": [{"name": service.name, "namespace": tenant.namespace, "port": 80}]}],
    }


def callers_policy(callers: Sequence[str]) -> Json:
    """Return what a SecurityPolicy says of a route: whoever comes from none of the networks is answered 403."""
    rule = {"name": "flows", "action": "Allow", "principal": {"clientCIDRs": list(callers)}}
    return {"authorization": {"defaultAction": "Deny", "rules": [rule] if callers else []}}
