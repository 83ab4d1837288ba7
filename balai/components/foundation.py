"""What every cluster has before its first tenant: the rules, roles, priorities and namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.flows.services import APIS_PORT, DOMAIN
from balai.models import Cluster
from balai.rules import admission, load_rules
from balai.rules.exceptions import load_exceptions
from balai.rules.lens import LABEL
from balai.rules.params import parameters

TENANT_ROLE = "balai-tenant-operator"
PRIORITIES = {"rendah": 1_000, "tinggi": 10_000, "strategis": 100_000}
GATEWAY = "balai-gateway"
# Gateways, for tenants' APIs and for malls, and the Secrets beside them, made by whoever issues the platform's names.
APIS, MALLS = "apis", "malls"
CERTIFICATES = {APIS: "apis-tls", MALLS: "malls-tls"}
GATEWAY_CLASS, GATEWAY_CONTROLLER = "balai", "gateway.envoyproxy.io/gatewayclass-controller"
STORAGE_CLASS = "balai-encrypted"
# What a tenant's group may do in its own namespace: run things, never change the walls.
TENANT_RULES: list[dict[str, Any]] = [
    {
        "apiGroups": [""],
        "resources": [
            "pods",
            "pods/log",
            "services",
            "configmaps",
            "secrets",
            "events",
            "persistentvolumeclaims",
            "serviceaccounts",
        ],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
    {
        "apiGroups": ["apps"],
        "resources": ["deployments", "statefulsets", "replicasets"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
    {
        "apiGroups": ["batch"],
        "resources": ["jobs", "cronjobs"],
        "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
    },
    {
        "apiGroups": ["networking.k8s.io", "policy", ""],
        "verbs": ["get", "list", "watch"],
        "resources": ["networkpolicies", "poddisruptionbudgets", "resourcequotas", "limitranges"],
    },
    {
        "apiGroups": ["autoscaling", "postgresql.cnpg.io"],
        "verbs": ["get", "list", "watch"],
        "resources": ["horizontalpodautoscalers", "clusters", "scheduledbackups", "backups"],
    },
]


class Foundation(pulumi.ComponentResource):
    """
    The baseline of one cluster.

    Builds, all as children: the namespaces of the platform, the priority classes by category, the
    role that tenants' groups are bound to, the parameter object, the admission policies compiled
    from the rules, the network policies of the gateway's namespace (`front`: specs by name,
    from `balai.flows.gateway_policies`), the gateway for malls at its `addresses`, and the one for
    tenants' APIs once its name is known.
    """

    def __init__(
        self,
        name: str,
        cluster: Cluster,
        front: dict[str, Any],
        addresses: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("balai:cluster:Foundation", name, None, opts)
        system = self._namespace(f"{name}-system", admission.PARAMS_NAMESPACE, "system")
        gateway = self._namespace(f"{name}-gateway", GATEWAY, "gateway")
        for label, spec in front.items():
            k8s.networking.v1.NetworkPolicy(
                f"{name}-gateway-{label}",
                metadata={"name": label, "namespace": GATEWAY},
                spec=spec,
                opts=self._child(gateway),
            )
        gateways = {MALLS: malls_gateway(addresses)}
        if cluster.api_domain != "unknown":
            gateways[APIS] = apis_gateway(cluster.api_domain)
        self._gateways(name, gateways, gateway)
        for category, value in PRIORITIES.items():
            k8s.scheduling.v1.PriorityClass(
                f"{name}-priority-{category}",
                metadata={"name": f"balai-{category}"},
                value=value,
                description=f"Workloads of SPBE category {category}",
                opts=self._child(),
            )
        k8s.rbac.v1.ClusterRole(
            f"{name}-tenant-role", metadata={"name": TENANT_ROLE}, rules=TENANT_RULES, opts=self._child()
        )
        shared = k8s.core.v1.ConfigMap(
            f"{name}-params",
            metadata={"name": admission.PARAMS_NAME, "namespace": admission.PARAMS_NAMESPACE},
            data=parameters(load_rules(), cluster.given, load_exceptions()),
            opts=self._child(system),
        )
        policies = {}
        for manifest in admission.compile_rules(load_rules()):
            label = manifest["metadata"]["name"]
            if manifest["kind"] == "ValidatingAdmissionPolicy":
                policies[label] = k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
                    f"{name}-{label}",
                    metadata=manifest["metadata"],
                    spec=manifest["spec"],
                    opts=self._child(shared),
                )
            else:
                k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
                    f"{name}-{label}-binding",
                    metadata=manifest["metadata"],
                    spec=manifest["spec"],
                    opts=self._child(policies[manifest["spec"]["policyName"]]),
                )
        self.register_outputs({"policies": sorted(policies)})

    def _gateways(self, name: str, specs: dict[str, Any], namespace: pulumi.Resource) -> None:
        made = k8s.apiextensions.CustomResource(
            f"{name}-gateway-class",
            api_version="gateway.networking.k8s.io/v1",
            kind="GatewayClass",
            metadata={"name": GATEWAY_CLASS},
            spec={"controllerName": GATEWAY_CONTROLLER},
            opts=self._child(),
        )
        for label, spec in specs.items():
            k8s.apiextensions.CustomResource(
                f"{name}-gateway-{label}",
                api_version="gateway.networking.k8s.io/v1",
                kind="Gateway",
                metadata={"name": label, "namespace": GATEWAY},
                spec=spec,
                opts=self._child(namespace, made),
            )

    def _namespace(self, name: str, label: str, role: str) -> k8s.core.v1.Namespace:
        return k8s.core.v1.Namespace(
            name,
            metadata={
                "name": label,
                "labels": {f"{LABEL}role": role, "pod-security.kubernetes.io/enforce": "restricted"},
            },
            opts=self._child(),
        )

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))


def apis_gateway(domain: str) -> dict[str, Any]:
    """Return the spec of the Gateway that tenants' services call each other's APIs through."""
    return {"gatewayClassName": GATEWAY_CLASS, "listeners": [_listener(domain, APIS_PORT, CERTIFICATES[APIS])]}


def malls_gateway(addresses: Sequence[str]) -> dict[str, Any]:
    """Return the spec of the Gateway that malls call services by their names at, under the addresses they ask."""
    return {
        "gatewayClassName": GATEWAY_CLASS,
        "addresses": [{"type": "IPAddress", "value": address} for address in addresses],
        "listeners": [_listener(f"*.{DOMAIN}", 443, CERTIFICATES[MALLS])],
    }


def _listener(host: str, port: int, certificate: str) -> dict[str, Any]:
    return {
        "name": "https",
        "protocol": "HTTPS",
        "port": port,
        "hostname": host,
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": certificate}]},
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
