"""
One PostgreSQL of a tenant, made and backed up by CloudNativePG (its API of v1.29).

The operator and its catalogue of images are the platform's. The copies go to the object store of another data centre,
with a key that can write and not delete; the key lies in the Secret `<store>-backup`, which no program here ever sees.
`spec.backup.barmanObjectStore` is what CloudNativePG itself has for that; it is deprecated there in favour of a plugin.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.foundation import STORAGE_CLASS
from balai.components.tenant_space import tenant_labels
from balai.flows import DOMAIN
from balai.models import Tenant
from balai.models import service as models
from balai.rules.lens import LABEL

Json = dict[str, Any]
API = "postgresql.cnpg.io"
DATABASE = f"kubernetes:{API}/v1:Cluster"  # what the engine calls its type
CATALOGUE = "balai"  # the platform's ClusterImageCatalog: which image a major version is
SCRATCH = {"shm": "128Mi", "temporaryData": "256Mi"}
EPHEMERAL = "1Gi"  # both, and what the operator's process writes beside the data
FIRST_HOUR, HOURS = 18, 5  # whole copies begin at night: from 01:00 WIB on, in the operator's UTC


class DataStore(pulumi.ComponentResource):
    """Cluster of PostgreSQL and the schedule of its whole copies; its log is sent away all the time."""

    def __init__(
        self,
        name: str,
        tenant: Tenant,
        store: models.DataStore,
        cluster: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("balai:tenancy:DataStore", name, None, opts)
        metadata = {"name": store.name, "namespace": tenant.namespace, "labels": _labels(tenant, store)}
        database = k8s.apiextensions.CustomResource(
            f"{name}-cluster",
            api_version=f"{API}/v1",
            kind="Cluster",
            metadata=metadata,
            spec=postgresql(tenant, store, cluster),
            # Not protected, or no tenant could end. Deleting it deletes the data, also when it is replaced: the gate is
            # asked before (`tenant_end`), and a run without this program has no gate and is stopped.
            opts=pulumi.ResourceOptions(parent=self),
        )
        k8s.apiextensions.CustomResource(
            f"{name}-backup",
            api_version=f"{API}/v1",
            kind="ScheduledBackup",
            metadata=metadata,
            spec=copies(tenant, store),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[database]),
        )
        self.register_outputs({"copies": place_of(tenant, cluster)})


def postgresql(tenant: Tenant, store: models.DataStore, cluster: str) -> Json:
    """Return the spec of a Cluster."""
    share = {"cpu": store.resources.cpu, "memory": store.resources.memory, "ephemeral-storage": EPHEMERAL}
    several = {"method": "any", "number": 1, "dataDurability": "preferred"}  # what is confirmed is on two machines
    return {
        "instances": store.instances,
        "imageCatalogRef": {"apiGroup": API, "kind": "ClusterImageCatalog", "name": CATALOGUE, "major": store.major},
        "enableSuperuserAccess": False,
        "inheritedMetadata": {"labels": _labels(tenant, store)},
        "priorityClassName": f"balai-{tenant.category}",
        "resources": {"requests": share, "limits": share},
        "ephemeralVolumesSizeLimit": SCRATCH,
        "storage": {"size": store.storage, "storageClass": STORAGE_CLASS},
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "preferred",
            "topologyKey": "topology.kubernetes.io/zone",
        },
        "bootstrap": {"initdb": {"database": "app", "owner": "app", "dataChecksums": True}},
        **({"postgresql": {"synchronous": several}} if store.instances > 1 else {}),
        "backup": {
            "target": "prefer-standby",
            "retentionPolicy": store.backup.keep,
            "barmanObjectStore": {
                "destinationPath": place_of(tenant, cluster),
                "endpointURL": f"https://{objects_of(store.backup.to)}",
                "endpointCA": _key(store, "ca.crt"),
                "s3Credentials": {
                    "accessKeyId": _key(store, "access-key-id"),
                    "secretAccessKey": _key(store, "secret-access-key"),
                },
                "data": {"compression": "gzip", "encryption": "AES256"},
                "wal": {"compression": "gzip", "encryption": "AES256"},
            },
        },
    }


def copies(tenant: Tenant, store: models.DataStore) -> Json:
    """Return the spec of a ScheduledBackup; its schedule begins with seconds, and not all stores begin at once."""
    lot = int(hashlib.sha256(f"{tenant.name}/{store.name}".encode()).hexdigest()[:8], 16)
    minute, hour, day = lot % 60, FIRST_HOUR + lot // 60 % HOURS, lot // 300 % 7
    begins = {"hourly": "* * * *", "daily": f"{hour} * * *", "weekly": f"{hour} * * {day}"}
    return {
        "schedule": f"0 {minute} {begins[store.backup.schedule]}",
        "cluster": {"name": store.name},
        "method": "barmanObjectStore",
        "target": "prefer-standby",
        "immediate": True,
    }


def objects_of(data_centre: str) -> str:
    """Return the name of a data centre's object store."""
    return f"objects.{data_centre}.{DOMAIN}"


def place_of(tenant: Tenant, cluster: str) -> str:
    """Return where the copies of a tenant's stores on a cluster lie."""
    return f"s3://{tenant.namespace}/{cluster}"


def _labels(tenant: Tenant, store: models.DataStore) -> dict[str, str]:
    return tenant_labels(tenant) | {f"{LABEL}backup": store.backup.schedule}  # the operator hands them on to volumes


def _key(store: models.DataStore, key: str) -> dict[str, str]:
    return {"name": f"{store.name}-backup", "key": key}
