"""
The layers of the data centre, as functions of a stack's name.

- `fleet.<data centre>`: its clusters, on its management cluster.
- `foundation.<cluster>`: what a cluster has before its first tenant.
- `tenant.<cluster>.<tenant>`: one tenant on one cluster.
"""

from __future__ import annotations

import json
from collections import defaultdict
from ipaddress import ip_network
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai import addressing
from balai.components import (
    DataStore,
    Foundation,
    InternalApi,
    MallRoute,
    PublicService,
    ScheduledJob,
    TenantSpace,
    Worker,
)
from balai.components.fleet import Fleet, fleet_gate
from balai.components.gate import gate
from balai.components.guard import guard
from balai.components.tenant_end import farewell, tenant_gate
from balai.components.tenant_space import TenantSpaceArgs, tenant_namespace
from balai.errors import DataError, shown
from balai.estate import Estate, load_estate
from balai.fleet.fit import fit, losses
from balai.fleet.gates import refusals
from balai.flows import callers, gateway_policies, named, store_policies
from balai.lifecycle import standing
from balai.models import Cluster, DataCentre, Tenant
from balai.models import service as models
from balai.rules import files
from balai.rules.lens import POD_KINDS
from balai.text import say

STAMP = "foundation-params"  # the day's stamp: it changes by itself every day
TENANT_KINDS = {*POD_KINDS, "ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim"}


def program(stack: str, estate: Estate | None = None) -> None:
    """
    Declare everything of one stack, of the estate in the project's files when none is given.

    Raises:
        pulumi.RunError: The estate is wrong, or it has no such stack.
    """
    try:
        declare(stack, estate or load_estate())
    except DataError as error:
        raise pulumi.RunError(f"{len(error.problems)} problem(s):\n{error}") from None


def declare(stack: str, estate: Estate) -> None:
    """Declare everything of one stack of an estate."""
    layer, _, rest = stack.partition(".")
    cluster_name, _, tenant_name = rest.partition(".")
    cluster, tenant = estate.clusters.get(cluster_name), estate.tenants.get(tenant_name)
    place = estate.data_centres.get(rest)
    if layer == "fleet" and place:
        fleet(estate, place, stack)
    elif layer == "foundation" and cluster and not tenant_name:
        gate(lambda _action, _resource: refusals(estate, stack), always=frozenset({STAMP}))
        foundation(estate, cluster)
    elif layer == "tenant" and cluster and tenant and tenant.status == "decommissioning":
        farewell(estate, cluster, tenant, stack)
    elif layer == "tenant" and cluster and tenant and not (stands := standing(tenant)).may_change:
        raise pulumi.RunError(stands.words)
    elif layer == "tenant" and cluster and tenant:
        tenant_gate(estate, tenant, stack)
        tenant_stack(estate, cluster, tenant)
    else:
        raise pulumi.RunError(
            f"there is no stack {stack!r}: stacks are fleet.<data centre>, foundation.<cluster> and "
            f"tenant.<cluster>.<tenant>; data centres: {', '.join(estate.data_centres)}; clusters: "
            f"{', '.join(estate.clusters)}; tenants: {', '.join(estate.tenants)}. A tenant whose file is gone is "
            "never removed: set its status to decommissioning."
        )


def fleet(estate: Estate, place: DataCentre, stack: str) -> None:
    """Declare the clusters of one data centre."""
    for loss in losses(estate):
        if lost := [verdict.tenant for verdict in fit(estate, loss) if verdict.state == "not"]:
            case = say("fit_without", what=loss) if str(loss) else say("fit_now")
            pulumi.log.warn(say("fit_warning", case=case, tenants=", ".join(lost)))
    fleet_gate(estate, place, stack)
    Fleet(estate, place, pulumi.ResourceOptions(provider=_provider(place.name, place.management_context)))


def foundation(estate: Estate, cluster: Cluster) -> None:
    """Declare the baseline of one cluster."""
    guard(cluster.given)
    here = addressing.data_centre(estate.data_centres[cluster.data_centre].index)
    Foundation(
        "foundation",
        cluster,
        _front(estate, cluster),
        [str(network[addressing.PORTAL]) for network in (here.gateways, here.gateways_v6)],
        pulumi.ResourceOptions(provider=_provider(cluster.name, cluster.kubeconfig_context)),
    )


def tenant_stack(estate: Estate, cluster: Cluster, tenant: Tenant) -> None:
    """Declare one tenant's space and services on one cluster."""
    watch = guard(cluster.given, tenant_namespace(tenant))
    provider = _provider(cluster.name, cluster.kubeconfig_context)
    args = _space_args(estate, cluster, tenant)
    space = TenantSpace(tenant.name, args, pulumi.ResourceOptions(provider=provider))
    options = pulumi.ResourceOptions(provider=provider, depends_on=[space])
    if at_home(cluster, tenant):
        for store in tenant.data_stores:
            DataStore(f"{tenant.name}-{store.name}", tenant, store, cluster.name, options)
    for service in tenant.services:
        name = f"{tenant.name}-{service.name}"
        match service:
            case models.Web():
                pulumi.export(f"{service.name}-address", PublicService(name, tenant, service, options).address)
            case models.Api():
                pulumi.export(f"{service.name}-path", InternalApi(name, tenant, service, options).path)
            case models.Worker():
                Worker(name, tenant, service, options)
            case models.Job():
                ScheduledJob(name, tenant, service, options)
        if isinstance(service, models.Web | models.Api) and service.name in args.callers:
            MallRoute(f"{name}-malls", tenant, service, args.callers[service.name], options)
    objects = _own_objects(estate, tenant)
    for item in objects:  # the engine shows them to no one before they are on their way
        watch.keep(item)
    watch.close()
    if objects:
        k8s.yaml.ConfigGroup(
            f"{tenant.name}-own",
            yaml=list(map(json.dumps, objects)),
            opts=pulumi.ResourceOptions(provider=provider, depends_on=[space]),
        )


def _own_objects(estate: Estate, tenant: Tenant) -> list[dict[str, Any]]:
    """Return the objects that the tenant brings as files, each in the tenant's namespace and in no other."""
    found: list[dict[str, Any]] = []
    for name in tenant.manifests:
        path = estate.root / name
        for item in files.read(path.read_text(encoding="utf-8"), shown(path)):
            metadata, kind = item.manifest["metadata"], item.manifest["kind"]
            if kind not in TENANT_KINDS:
                raise pulumi.RunError(
                    f"{item.file}:{item.line}: {kind} {metadata.get('name')} is not a tenant's to make. "
                    f"A tenant's files may hold {', '.join(sorted(TENANT_KINDS))}."
                )
            if metadata.get("namespace", tenant.namespace) != tenant.namespace:
                raise pulumi.RunError(
                    f"{item.file}:{item.line}: {kind} {metadata.get('name')} names the namespace "
                    f"{metadata['namespace']}. Leave it out: objects of a tenant go to {tenant.namespace}."
                )
            found.append({**item.manifest, "metadata": {**metadata, "namespace": tenant.namespace}})
    return found


def _front(estate: Estate, cluster: Cluster) -> dict[str, Any]:
    here = addressing.data_centre(estate.data_centres[cluster.data_centre].index)
    plans = [addressing.mall(index) for _, index in _malls(estate, cluster)]
    malls = [network for plan in plans for network in (plan.whole, plan.v6)]
    return gateway_policies(estate.flows, malls, [here.gateways, here.gateways_v6])


def _malls(estate: Estate, cluster: Cluster) -> list[tuple[list[str], int]]:
    """Return regions and index of the malls that have a way to a cluster: none while its data centre is isolated."""
    isolated = estate.data_centres[cluster.data_centre].isolated
    return [] if isolated else [(site.regions, estate.ledger[name]) for name, site in estate.sites.items()]


def at_home(cluster: Cluster, tenant: Tenant) -> bool:
    """Tell whether a cluster is the one that keeps the tenant's data: the first that it names."""
    return cluster.name == tenant.clusters[0]


def _space_args(estate: Estate, cluster: Cluster, tenant: Tenant) -> TenantSpaceArgs:
    # An API is reached through the gateway, which counts; everything else from pod to pod.
    ports = {
        t.name: {s.name: s.port for s in t.answering if not isinstance(s, models.Api)} for t in estate.tenants.values()
    }
    reached: dict[str, dict[str, int]] = defaultdict(dict)
    for reach in tenant.reaches:
        if port := ports[reach.tenant].get(reach.service):
            reached[reach.tenant][reach.service] = port
    reached_by: dict[str, list[str]] = defaultdict(list)
    for other in estate.tenants_of(cluster.name):
        for reach in other.reaches:
            if reach.tenant == tenant.name and reach.service in ports[tenant.name]:
                reached_by[reach.service].append(other.name)
    to_malls, malls = named(estate.flows), _malls(estate, cluster)
    mine = {s.name: f"{tenant.name}/{s.name}" for s in tenant.answering}
    return TenantSpaceArgs(
        tenant=tenant,
        cluster=cluster.name,
        reached=dict(reached),
        reached_by=dict(reached_by),
        calls=any(reach.service not in ports[reach.tenant] for reach in tenant.reaches),
        callers={
            name: list(map(str, callers(service, estate.flows, malls)))
            for name, service in mine.items()
            if service in to_malls
        },
        stores=_store_policies(estate, cluster, tenant) if at_home(cluster, tenant) else {},
    )


def _store_policies(estate: Estate, cluster: Cluster, tenant: Tenant) -> dict[str, Any]:
    plans = {name: addressing.data_centre(place.index) for name, place in estate.data_centres.items()}
    copies = {
        store.name: [
            ip_network(plans[store.backup.to].gateways[addressing.OBJECT_STORE]),
            ip_network(plans[store.backup.to].gateways_v6[addressing.OBJECT_STORE]),
        ]
        for store in tenant.data_stores
    }
    return store_policies(tenant, plans[cluster.data_centre].nodes, copies)


def _provider(name: str, context: str) -> k8s.Provider:
    # The path or text comes from $KUBECONFIG, so that no client key is ever in the state; the context
    # is the cluster's, so that a stack cannot land on another cluster.
    return k8s.Provider(f"cluster-{name}", context=context)
