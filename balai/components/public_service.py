"""One service of a tenant: it runs, answers over HTTP, and keeps answering while nodes are moved."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.tenant_space import tenant_labels
from balai.models import Tenant
from balai.models.tenant import Service

Json = dict[str, Any]
SCRATCH = "64Mi"  # what a container may write to its node: logs, and nothing that matters


class PublicService(pulumi.ComponentResource):
    """
    Deployment, Service and disruption budget.

    Attributes:
        address: Cluster address of the Service.
    """

    address: pulumi.Output[str]

    def __init__(self, name: str, tenant: Tenant, service: Service, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("balai:tenancy:PublicService", name, None, opts)
        labels = {"app.kubernetes.io/name": service.name}
        metadata = {"name": service.name, "namespace": tenant.namespace, "labels": tenant_labels(tenant) | labels}
        child = pulumi.ResourceOptions(parent=self)
        budget = k8s.policy.v1.PodDisruptionBudget(
            f"{name}-budget",
            metadata=metadata,
            opts=child,
            spec={"maxUnavailable": 1, "selector": {"matchLabels": labels}},
        )
        k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata=metadata,
            spec=deployment(tenant, service, labels),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[budget]),
        )
        front = k8s.core.v1.Service(
            f"{name}-service",
            metadata=metadata,
            opts=child,
            spec={"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": service.port}]},
        )
        self.address = front.spec.cluster_ip
        self.register_outputs({"address": self.address})


def deployment(tenant: Tenant, service: Service, labels: dict[str, str]) -> Json:
    """Return the spec of a Deployment that breaks none of the rules."""
    share = {"cpu": service.resources.cpu, "memory": service.resources.memory, "ephemeral-storage": SCRATCH}
    probe = {"httpGet": {"path": service.health, "port": service.port}, "periodSeconds": 5}
    return {
        "replicas": service.replicas,
        "revisionHistoryLimit": 3,
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": tenant_labels(tenant) | labels},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "priorityClassName": f"balai-{tenant.category}",
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "topology.kubernetes.io/zone",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": labels},
                    }
                ],
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "runAsGroup": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": service.name,
                        "image": service.image,
                        "imagePullPolicy": "IfNotPresent",
                        "ports": [{"containerPort": service.port}],
                        "env": [
                            {"name": "TITLE_ID", "value": tenant.title},
                            {"name": "TITLE_EN", "value": service.title_en},
                            {"name": "TENANT", "value": tenant.name},
                        ],
                        "resources": {"requests": share, "limits": share},
                        "readinessProbe": probe,
                        "livenessProbe": probe | {"periodSeconds": 20},
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        },
    }
