"""A data centre's clusters as Cluster API's objects: a topology each, of the data centre's class."""

from __future__ import annotations

import json
from typing import Any

from balai import addressing
from balai.estate import Estate
from balai.fleet.cluster_class import API, checks_of, class_objects
from balai.fleet.infrastructure import INFRASTRUCTURES, infrastructure_of
from balai.models import Cluster, DataCentre

Json = dict[str, Any]
REPLACED_PERCENT = 40
WAIT_FOR = "pulumi.com/waitFor"


def done_when(cluster: Cluster) -> list[str]:
    """
    Return when a cluster is what its file says, in the words of Pulumi's `waitFor`; all must hold.

    Cluster API's conditions alone do not tell: they may still be of the machines before the change was passed on. So
    machines are counted too: none more or less than declared, each of them available and as it should be.
    """
    workers = sum(sum(pool.racks.values()) for pool in cluster.pools)
    counted = [
        f"jsonpath={{.status.{part}.{count}}}={wanted}"
        for part, wanted in (("controlPlane", cluster.control_planes), ("workers", workers))
        for count in ("replicas", "upToDateReplicas", "availableReplicas")
    ]
    return ["condition=TopologyReconciled", "condition=RollingOut=False", "condition=Available", *counted]


def namespace_of(place: DataCentre) -> str:
    """Return the namespace of a data centre's objects on its management cluster."""
    return f"fleet-{place.name}"


def fleet_objects(estate: Estate, place: DataCentre) -> tuple[list[Json], list[Json]]:
    """
    Return the objects of a data centre's class and of its clusters; none where there is no cluster.

    Raises:
        DataError: A cluster needs something that the inventories say is unknown.
    """
    made = infrastructure_of(place)
    clusters = [c for _, c in sorted(estate.clusters.items()) if c.data_centre == place.name and c.status == "active"]
    if not clusters:
        return [], []
    parts = class_objects(estate, place, made, namespace_of(place))
    return parts, [topology(estate, c, place, parts[-1]["metadata"]["name"], made) for c in clusters]


def _at_most(count: int) -> int:
    """Return how many of a rack's machines of a pool may be replaced at a time: with more, the rack itself is ill."""
    return max(1, count * REPLACED_PERCENT // 100)


def _spare(estate: Estate, place: DataCentre, rack: str, machines: str) -> int:
    """Return how many machines of a class in a rack no cluster has."""
    pools = [pool for c in estate.clusters.values() if c.data_centre == place.name for pool in c.pools]
    taken = sum(pool.racks.get(rack, 0) for pool in pools if pool.machines == machines)
    return place.racks[rack].get(machines, 0) - taken


def _one_by_one(*, spare: int) -> Json:
    """A machine is replaced by a spare one before it goes; where the rack has none, it goes first and comes back."""
    surge = 1 if spare > 0 else 0
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 1 - surge}}


def topology(estate: Estate, cluster: Cluster, place: DataCentre, class_name: str, made: str) -> Json:
    """Return the Cluster object of one cluster."""
    workers = [
        {
            "class": pool.machines,
            "name": f"{pool.name}-{rack}",
            "replicas": count,
            "failureDomain": rack,
            "healthCheck": {
                "checks": checks_of(INFRASTRUCTURES[made].unhealthy),
                "remediation": {"triggerIf": {"unhealthyLessThanOrEqualTo": _at_most(count)}},
            },
            "rollout": {"strategy": _one_by_one(spare=_spare(estate, place, rack, pool.machines))},
            "variables": {"overrides": [{"name": "rack", "value": rack}]},
        }
        for pool in cluster.pools
        for rack, count in sorted(pool.racks.items())
        if count
    ]
    values = {
        "region": f"id-{place.name}",
        "rack": sorted(place.racks)[0],
        **INFRASTRUCTURES[made].values(estate, cluster, place),
    }
    wait = json.dumps(done_when(cluster))
    return {
        "apiVersion": API,
        "kind": "Cluster",
        "metadata": {"name": cluster.name, "namespace": namespace_of(place), "annotations": {WAIT_FOR: wait}},
        "spec": {
            "clusterNetwork": {
                "pods": {"cidrBlocks": [str(addressing.PODS)]},
                "services": {"cidrBlocks": [str(addressing.SERVICES)]},
                "serviceDomain": "cluster.local",
            },
            "topology": {
                "classRef": {"name": class_name},
                "version": f"v{cluster.kubernetes}",
                "controlPlane": {"replicas": cluster.control_planes},
                "workers": {"machineDeployments": workers},
                "variables": [{"name": name, "value": value} for name, value in values.items()],
            },
        },
    }
