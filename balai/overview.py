"""Services of the estate as one table: whose, where, how much may be lost, who needs them, and whether they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from balai.errors import EnvironmentFault
from balai.estate import Estate
from balai.flows import host_of
from balai.kube import ApiError, Cluster


@dataclass(frozen=True, kw_only=True)
class ServiceRow:
    """
    One service of a tenant.

    Attributes:
        name: `tenant/service`.
        host: The name that malls call it by; "" when no flow lets them.
        recovery: How much may be lost and how long it may be away (RPO/RTO).
        backup: Last proof that it can be restored; "MISS" while there is none.
        needed_by: Tenants whose files reach it, and zones of malls whose flows do.
        running: Ready of declared replicas by cluster that was asked; "?" where it could not be read.
    """

    name: str
    title: str
    owner: str
    status: str
    category: str
    host: str
    clusters: tuple[str, ...]
    recovery: str
    backup: str
    needed_by: tuple[str, ...]
    running: dict[str, str]


def services(estate: Estate, apis: Mapping[str, Cluster]) -> list[ServiceRow]:
    """Return every service of every tenant by name; `apis` are the clusters that are asked what really runs."""
    rows = []
    for tenant in sorted(estate.tenants.values(), key=lambda tenant: tenant.name):
        for service in tenant.services:
            name = f"{tenant.name}/{service.name}"
            zones = {end for flow in estate.flows if name in flow.services for end in flow.sources}
            others = {
                other.name
                for other in estate.tenants.values()
                for reach in other.reaches
                if (reach.tenant, reach.service) == (tenant.name, service.name)
            }
            rows.append(
                ServiceRow(
                    name=name,
                    title=tenant.title,
                    owner=tenant.owner,
                    status=tenant.status,
                    category=tenant.category,
                    host=host_of(name) if zones else "",
                    clusters=tuple(tenant.clusters),
                    recovery=f"{tenant.recovery.rpo}/{tenant.recovery.rto}",
                    backup="MISS",  # nothing declares a backup yet, so nothing can have proven one
                    needed_by=(*sorted(others), *sorted(zones)),
                    running={
                        cluster: _running(api, tenant.namespace, service.name)
                        for cluster, api in apis.items()
                        if cluster in tenant.clusters
                    },
                )
            )
    return rows


def _running(api: Cluster, namespace: str, name: str) -> str:
    try:
        found = api.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    except (ApiError, EnvironmentFault) as error:
        return "0/0" if isinstance(error, ApiError) and error.status == 404 else "?"
    return f"{(found.get('status') or {}).get('readyReplicas', 0)}/{found['spec'].get('replicas', 1)}"
