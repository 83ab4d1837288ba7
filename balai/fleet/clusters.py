"""A data centre's clusters as Cluster API's objects: a topology each, of the data centre's class."""

from __future__ import annotations

import json
from typing import Any

from balai import addressing
from balai.estate import Estate
from balai.fleet.cluster_class import API, class_objects
from balai.fleet.infrastructure import INFRASTRUCTURES, infrastructure_of
from balai.models import Cluster, DataCentre

Json = dict[str, Any]
# Done is what Cluster API says: the topology is what was asked for, no machine is on its way in or out, all answer.
DONE = ("TopologyReconciled=True", "RollingOut=False", "ScalingUp=False", "ScalingDown=False", "Available=True")
WAIT = {"pulumi.com/waitFor": json.dumps([f"condition={condition}" for condition in DONE])}


def namespace_of(place: DataCentre) -> str:
    """Return the namespace of a data centre's objects on its management cluster."""
    return f"fleet-{place.name}"


def fleet_objects(estate: Estate, place: DataCentre) -> tuple[list[Json], list[Json]]:
    """
    Return the objects of a data centre's class and of its clusters.

    Raises:
        DataError: A cluster needs something that the inventories say is unknown.
    """
    made = infrastructure_of(place)
    parts = class_objects(estate, place, made, namespace_of(place))
    clusters = [c for _, c in sorted(estate.clusters.items()) if c.data_centre == place.name and c.status == "active"]
    return parts, [topology(estate, c, place, parts[-1]["metadata"]["name"], made) for c in clusters]


def topology(estate: Estate, cluster: Cluster, place: DataCentre, class_name: str, made: str) -> Json:
    """Return the Cluster object of one cluster."""
    workers = [
        {
            "class": pool.machines,
            "name": f"{pool.name}-{rack}",
            "replicas": count,
            "failureDomain": rack,
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
    return {
        "apiVersion": API,
        "kind": "Cluster",
        "metadata": {"name": cluster.name, "namespace": namespace_of(place), "annotations": WAIT},
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
