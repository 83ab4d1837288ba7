"""Services of the estate as one table: whose, where, how much may be lost, who needs them, and whether they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from balai.errors import EnvironmentFault
from balai.estate import Estate
from balai.flows import host_of
from balai.kube import ApiError, Cluster
from balai.models import Tenant
from balai.models.service import DataStore, Service

Json = dict[str, Any]
DATABASES = "/apis/postgresql.cnpg.io/v1"


@dataclass(frozen=True, kw_only=True)
class ServiceRow:
    """
    One service of a tenant, or one of its data stores.

    Attributes:
        name: `tenant/service`.
        kind: web, api, worker, job; or that of a store: postgresql.
        host: The name that malls call it by; "" when no flow lets them.
        recovery: How much may be lost and how long it may be away (RPO/RTO).
        backup: Last proof that it can be restored; "MISS" while there is none. A copy that was made is no proof.
        copies: How often a store is copied, and to which data centre; "" for a service.
        needed_by: Services and tenants that reach it, and zones of malls whose flows do.
        running: What was seen, by cluster that was asked: ready of declared copies, when a job last succeeded, "-"
            where a store is not kept, "?" where it could not be read.
    """

    name: str
    kind: str
    title: str
    owner: str
    status: str
    category: str
    host: str
    clusters: tuple[str, ...]
    recovery: str
    backup: str
    copies: str
    needed_by: tuple[str, ...]
    running: dict[str, str]


def services(estate: Estate, apis: Mapping[str, Cluster]) -> list[ServiceRow]:
    """Return every service and store of every tenant by name; `apis` are the clusters that are asked what runs."""
    rows = []
    for tenant in sorted(estate.tenants.values(), key=lambda tenant: tenant.name):
        for item in (*tenant.services, *tenant.data_stores):
            name, store = f"{tenant.name}/{item.name}", isinstance(item, DataStore)
            zones = {end for flow in estate.flows if name in flow.services for end in flow.sources}
            rows.append(
                ServiceRow(
                    name=name,
                    kind=item.kind,
                    title=tenant.title,
                    owner=tenant.owner,
                    status=tenant.status,
                    category=tenant.category,
                    host=host_of(name) if zones else "",
                    clusters=tuple(tenant.clusters),
                    recovery=f"{tenant.recovery.rpo}/{tenant.recovery.rto}",
                    backup="MISS",  # copies are declared; nothing has restored one yet, so nothing is proven
                    copies=item.backup.words if isinstance(item, DataStore) else "",
                    needed_by=(
                        *(_users(tenant, item.name) if store else _callers(estate, tenant, item.name)),
                        *sorted(zones),
                    ),
                    running={
                        cluster: _running(api, tenant, item, at_home=cluster == tenant.clusters[0])
                        for cluster, api in apis.items()
                        if cluster in tenant.clusters
                    },
                )
            )
    return rows


def _users(tenant: Tenant, store: str) -> list[str]:
    return sorted(f"{tenant.name}/{service.name}" for service in tenant.services if store in service.stores)


def _callers(estate: Estate, tenant: Tenant, service: str) -> list[str]:
    return sorted(
        other.name
        for other in estate.tenants.values()
        if any((reach.tenant, reach.service) == (tenant.name, service) for reach in other.reaches)
    )


def _running(api: Cluster, tenant: Tenant, item: Service | DataStore, *, at_home: bool) -> str:
    where = f"namespaces/{tenant.namespace}"
    if isinstance(item, DataStore):
        if not at_home:
            return "-"
        found = _found(api, f"{DATABASES}/{where}/clusters/{item.name}")
        return _of(found, "readyInstances", "instances")
    if item.kind == "job":
        found = _found(api, f"/apis/batch/v1/{where}/cronjobs/{item.name}")
        last: str = _status(found).get("lastSuccessfulTime", "0") if found is not None else "?"
        return last
    return _of(_found(api, f"/apis/apps/v1/{where}/deployments/{item.name}"), "readyReplicas", "replicas")


def _found(api: Cluster, path: str) -> Json | None:
    """Return an object, {} when there is none, None where it could not be read."""
    try:
        found: Json = api.request("GET", path)
    except (ApiError, EnvironmentFault) as error:
        return {} if isinstance(error, ApiError) and error.status == 404 else None
    return found


def _of(found: Json | None, ready: str, declared: str) -> str:
    if found is None:
        return "?"
    return f"{_status(found).get(ready, 0)}/{found['spec'].get(declared, 1) if found else 0}"


def _status(found: Json) -> Json:
    status: Json = found.get("status") or {}
    return status
