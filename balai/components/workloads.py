"""Pods of tenants that break none of the rules, and the copies of what lasts; pure functions, and one that declares."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.tenant_space import tenant_labels
from balai.flows.services import APP_NAME
from balai.models import Tenant
from balai.models.service import Api, Job, Service, Web, Worker

Json = dict[str, Any]
SCRATCH = "64Mi"  # what a container may write to its node: logs, and nothing that matters
STORES = "/run/stores"  # below it, a folder for each store with its address, user and password, a file each
PROBE_SECONDS = 5
COMMAND_SECONDS = 30  # a command is a process in the container: asked less often than HTTP


def metadata_of(tenant: Tenant, name: str) -> Json:
    """Return the metadata of an object of a service."""
    return {"name": name, "namespace": tenant.namespace, "labels": tenant_labels(tenant) | {APP_NAME: name}}


def declare_copies(name: str, tenant: Tenant, service: Web | Api | Worker, parent: pulumi.Resource) -> None:
    """Declare a Deployment with its disruption budget and, where it may grow, its autoscaler."""
    metadata = metadata_of(tenant, service.name)
    child = pulumi.ResourceOptions(parent=parent)
    budget = k8s.policy.v1.PodDisruptionBudget(
        f"{name}-budget",
        metadata=metadata,
        opts=child,
        spec={"maxUnavailable": 1, "selector": {"matchLabels": {APP_NAME: service.name}}},
    )
    # The least of copies is said to begin with, as the rules ask for; from then on the autoscaler says how many.
    theirs = ["spec.replicas"] if service.scaling else []
    k8s.apps.v1.Deployment(
        f"{name}-deployment",
        metadata=metadata,
        spec=deployment(tenant, service),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[budget], ignore_changes=theirs),
    )
    if service.scaling:
        k8s.autoscaling.v2.HorizontalPodAutoscaler(
            f"{name}-autoscaler", metadata=metadata, spec=autoscaler(service), opts=child
        )


def deployment(tenant: Tenant, service: Web | Api | Worker) -> Json:
    """Return the spec of a Deployment."""
    labels = {APP_NAME: service.name}
    return {
        "replicas": service.replicas,
        "revisionHistoryLimit": 3,
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": labels},
        "template": template(tenant, service),
    }


def autoscaler(service: Web | Api | Worker) -> Json:
    """Return the spec of a HorizontalPodAutoscaler; there are no fewer copies than the service declares."""
    target = {"type": "Utilization", "averageUtilization": service.scaling.cpu_percent if service.scaling else 100}
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name},
        "minReplicas": service.replicas,
        "maxReplicas": service.most,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }


def template(tenant: Tenant, service: Service) -> Json:
    """Return the template of a service's pods."""
    labels = {APP_NAME: service.name}
    return {
        "metadata": {"labels": tenant_labels(tenant) | labels},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "priorityClassName": f"balai-{tenant.category}",
            **_lasting(service, labels),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(tenant, service)],
            **_volumes(service),
        },
    }


def _lasting(service: Service, labels: dict[str, str]) -> Json:
    if isinstance(service, Job):
        return {"restartPolicy": "Never"}
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    return {"topologySpreadConstraints": [spread]}


def _container(tenant: Tenant, service: Service) -> Json:
    share = {"cpu": service.resources.cpu, "memory": service.resources.memory, "ephemeral-storage": SCRATCH}
    made: Json = {
        "name": service.name,
        "image": service.image,
        "imagePullPolicy": "IfNotPresent",
        "env": [
            {"name": "TITLE_ID", "value": tenant.title},
            {"name": "TITLE_EN", "value": service.title_en},
            {"name": "TENANT", "value": tenant.name},
        ],
        "resources": {"requests": share, "limits": share},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if service.args:
        made["args"] = service.args
    if service.stores:
        made["volumeMounts"] = [
            {"name": f"store-{store}", "mountPath": f"{STORES}/{store}", "readOnly": True} for store in service.stores
        ]
    if isinstance(service, Web | Api):
        probe = {"httpGet": {"path": service.health, "port": service.port}, "periodSeconds": PROBE_SECONDS}
        made["ports"] = [{"containerPort": service.port}]
        made |= {"readinessProbe": probe, "livenessProbe": probe | {"periodSeconds": 4 * PROBE_SECONDS}}
    elif isinstance(service, Worker):
        probe = {"exec": {"command": service.alive}, "periodSeconds": COMMAND_SECONDS, "timeoutSeconds": PROBE_SECONDS}
        made |= {"readinessProbe": probe, "livenessProbe": probe}
    return made


def _volumes(service: Service) -> Json:
    # Optional: a store that is not made yet, or is being restored elsewhere, keeps no service from starting.
    found = [
        {"name": f"store-{store}", "secret": {"secretName": f"{store}-app", "optional": True}}
        for store in service.stores
    ]
    return {"volumes": found} if found else {}
