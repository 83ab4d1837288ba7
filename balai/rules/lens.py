"""
Lenses: what a rule of a subject sees, as CEL that Python and the API server both evaluate.

`podspec` is one lens over the eight kinds that carry a pod spec. A path that depends on the kind
stands here and nowhere else, because the API server does not type-check through variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LABEL = "balai.internal/"
Kinds = dict[str, tuple[str, str, str]]  # kind: (group, version, resource)

POD_KINDS: Kinds = {
    "Pod": ("", "v1", "pods"),
    "ReplicationController": ("", "v1", "replicationcontrollers"),
    "Deployment": ("apps", "v1", "deployments"),
    "ReplicaSet": ("apps", "v1", "replicasets"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "Job": ("batch", "v1", "jobs"),
    "CronJob": ("batch", "v1", "cronjobs"),
}
_RBAC, _GATEWAY = "rbac.authorization.k8s.io", "gateway.networking.k8s.io"
_DEFAULTS: dict[str, list[str]] = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "policies" / "kubernetes_defaults.yml").read_text()
)
_NAME = "object.metadata.?name.orValue('')"


def _not_default(kind: str) -> str:
    return f"!(object.kind == '{kind}' && {_NAME} in {_DEFAULTS[kind]})"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """
    What rules can be about.

    Attributes:
        kinds: The kinds of object, with where the API server keeps them.
        variables: CEL by name, in the order in which they build on each other.
        condition: CEL that is true for the objects meant; "" when every one is.
        namespaced: Whether any of them live in a namespace, whose category then decides.
        family: A wider subject whose admission policy its rules stand in, so that one refusal names all.
        together: Whether it is a namespace with everything in it.
        blanks: Points at which its rules are not asked, and why.
    """

    kinds: Kinds
    variables: dict[str, str] = field(default_factory=dict)
    condition: str = ""
    namespaced: bool = True
    family: str = ""
    together: bool = False
    blanks: dict[str, str] = field(default_factory=dict)


_POD = {
    "podSpec": (
        "object.kind == 'Pod' ? object.?spec.orValue({}) : "
        "object.kind == 'CronJob' ? object.?spec.?jobTemplate.?spec.?template.?spec.orValue({}) : "
        "object.?spec.?template.?spec.orValue({})"
    ),
    "podMetadata": (
        "object.kind == 'Pod' ? object.?metadata.orValue({}) : "
        "object.kind == 'CronJob' ? object.?spec.?jobTemplate.?spec.?template.?metadata.orValue({}) : "
        "object.?spec.?template.?metadata.orValue({})"
    ),
    "containers": (
        "variables.podSpec.?containers.orValue([]) + variables.podSpec.?initContainers.orValue([])"
        " + variables.podSpec.?ephemeralContainers.orValue([])"
    ),
}
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")

SUBJECTS: dict[str, Subject] = {
    "podspec": Subject(kinds=POD_KINDS, variables=_POD),
    "workload": Subject(kinds={kind: POD_KINDS[kind] for kind in _WORKLOADS}, variables=_POD, family="podspec"),
    "job": Subject(
        family="podspec",
        kinds={kind: POD_KINDS[kind] for kind in ("Job", "CronJob")},
        variables={
            "jobSpec": "object.kind == 'CronJob' ? object.spec.jobTemplate.?spec.orValue({}) : object.?spec.orValue({})"
        },
    ),
    "namespace": Subject(
        kinds={"Namespace": ("", "v1", "namespaces")},
        # A namespace that a tenant's name claims is a tenant's, whether or not its labels say so.
        condition=(
            f"object.metadata.name.startsWith('tenant-') || ('{LABEL}tenant' in object.metadata.?labels.orValue({{}}))"
        ),
        namespaced=False,
    ),
    "service": Subject(
        kinds={"Service": ("", "v1", "services")},
        # The API server's own, which has no selector.
        condition=f"!({_NAME} == 'kubernetes' && object.metadata.?namespace.orValue('') == 'default')",
    ),
    "ingress": Subject(kinds={"Ingress": ("networking.k8s.io", "v1", "ingresses")}),
    "gateway": Subject(kinds={"Gateway": (_GATEWAY, "v1", "gateways")}),
    "route": Subject(kinds={"HTTPRoute": (_GATEWAY, "v1", "httproutes"), "GRPCRoute": (_GATEWAY, "v1", "grpcroutes")}),
    "network_policy": Subject(kinds={"NetworkPolicy": ("networking.k8s.io", "v1", "networkpolicies")}),
    "role": Subject(
        kinds={"Role": (_RBAC, "v1", "roles"), "ClusterRole": (_RBAC, "v1", "clusterroles")},
        condition=_not_default("ClusterRole"),
    ),
    "binding": Subject(
        kinds={
            "RoleBinding": (_RBAC, "v1", "rolebindings"),
            "ClusterRoleBinding": (_RBAC, "v1", "clusterrolebindings"),
        },
        condition=_not_default("ClusterRoleBinding"),
    ),
    "account": Subject(
        kinds={"ServiceAccount": ("", "v1", "serviceaccounts")},
        condition=f"{_NAME} != 'default'",  # made by the API server, used by nobody (no_default_token)
    ),
    "config_map": Subject(
        kinds={"ConfigMap": ("", "v1", "configmaps")},
        condition=f"{_NAME} != 'kube-root-ca.crt'",
    ),
    "secret": Subject(kinds={"Secret": ("", "v1", "secrets")}, blanks={"audit": "the audit does not read secrets"}),
    "claim": Subject(kinds={"PersistentVolumeClaim": ("", "v1", "persistentvolumeclaims")}),
    "volume": Subject(kinds={"PersistentVolume": ("", "v1", "persistentvolumes")}, namespaced=False),
    "storage_class": Subject(kinds={"StorageClass": ("storage.k8s.io", "v1", "storageclasses")}, namespaced=False),
    "budget": Subject(kinds={"PodDisruptionBudget": ("policy", "v1", "poddisruptionbudgets")}),
    "autoscaler": Subject(kinds={"HorizontalPodAutoscaler": ("autoscaling", "v2", "horizontalpodautoscalers")}),
    "webhook": Subject(
        kinds={
            kind: ("admissionregistration.k8s.io", "v1", f"{kind.lower()}s")
            for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
        },
        namespaced=False,
    ),
    # object: the Namespace, and under `items` what is in it, by kind.
    "tenant": Subject(
        kinds={"Namespace": ("", "v1", "namespaces")},
        condition=(
            f"object.metadata.name.startsWith('tenant-') || ('{LABEL}tenant' in object.metadata.?labels.orValue({{}}))"
        ),
        namespaced=False,
        together=True,
        blanks={"admission": "no admission request shows a whole namespace"},
    ),
}
CLUSTER_KINDS = {
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    *(kind for subject in SUBJECTS.values() if not subject.namespaced for kind in subject.kinds),
}
# What a set rule may ask for; the audit reads these and those with a pod spec.
SET_KINDS: Kinds = {
    **POD_KINDS,
    **{
        kind: where
        for name in ("service", "ingress", "network_policy", "binding", "claim", "budget", "account", "role")
        for kind, where in SUBJECTS[name].kinds.items()
        if kind not in CLUSTER_KINDS
    },
    "ResourceQuota": ("", "v1", "resourcequotas"),
    "LimitRange": ("", "v1", "limitranges"),
}
# Every kind that a rule is about, or asks for.
ALL_KINDS: Kinds = {**{k: where for subject in SUBJECTS.values() for k, where in subject.kinds.items()}, **SET_KINDS}


def category_of(subject: Subject) -> str:
    """Return CEL for the SPBE category that an object is held to; the strictest where nobody says."""
    if "Namespace" in subject.kinds:
        known = f"object.metadata.?labels[?'{LABEL}category'].orValue('')"
    elif subject.namespaced:
        known = f"namespaceObject.metadata.?labels[?'{LABEL}category'].orValue('')"
    else:
        return "'strategis'"
    found = f"{known} in ['rendah', 'tinggi'] ? {known} : 'strategis'"
    above = sorted(CLUSTER_KINDS & set(subject.kinds) - {"Namespace"})
    return f"object.kind in {above} ? 'strategis' : ({found})" if above else found


def exceptions_of(subject: Subject, *, at_admission: bool = False) -> str:
    """
    Return CEL for the exceptions that cover an object now: lists of rule, end, namespace, kind, name, id.

    An exception ends by three clocks, of which the strictest counts: `today` among the parameters (the
    clock of whoever judges), and the times that the API server itself writes on what it is given. So
    it ends at admission on its day although CEL has no clock and nobody applies anything. An object
    whose record of times was cleared is covered by none.

    What the controller of an excepted workload makes (a ReplicaSet, its pods) is covered with it: its
    controller reference says so, and at admission only a controller itself may claim it.
    """
    namespace = "object.metadata.?namespace.orValue('')" if subject.namespaced else "''"
    theirs = "o.kind == e[3] && o.name == e[4]"
    part = "o.name.startsWith(e[4] + '-') && !o.name.substring(size(e[4]) + 1).contains('-')"
    derived = (
        "object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false) == true && ("
        f"(object.kind == 'ReplicaSet' && e[3] == 'Deployment' && {theirs}) || "
        f"(object.kind == 'Job' && e[3] == 'CronJob' && {theirs}) || "
        f"(object.kind == 'Pod' && ({theirs} || (e[3] == 'Deployment' && o.kind == 'ReplicaSet' && {part}) || "
        f"(e[3] == 'CronJob' && o.kind == 'Job' && {part})))))"
    )
    if at_admission:
        derived += (
            " && request.userInfo.username.matches('^system:(serviceaccount:kube-system:|kube-controller-manager$)')"
        )
    return (
        "params.?data[?'exceptions'].orValue('').split('\\n').filter(e, e != '').map(e, e.split('|'))"
        f".filter(e, e[2] == {namespace} && ((e[3] == object.kind && e[4] == {_NAME}) || ({derived})) "
        "&& params.?data[?'today'].orValue('') < e[1] && object.metadata.?creationTimestamp.orValue('') < e[1] "
        "&& (object.metadata.?creationTimestamp.orValue('') == '' || "
        "size(object.metadata.?managedFields.orValue([])) > 0) "
        "&& object.metadata.?managedFields.orValue([]).all(m, m.?time.orValue('9') < e[1]))"
    )


def normalised(value: Any) -> Any:
    """Return an object as the API server sees it: no nulls, no empty texts or lists, plain types."""
    kind = type(value)
    if kind is float and value.is_integer():  # Pulumi's engine knows no integers; JSON writes both alike
        return normalised(int(value))
    if kind is str or kind is bool or kind is float or value is None:
        return value
    if kind is dict or isinstance(value, Mapping):  # the policy SDK hands proxies in, which are no dicts
        kept = {}
        for key, item in value.items():
            plain = normalised(item)
            if plain is not None and (plain != "" or key == "group") and plain != []:  # "" is the core group
                kept[str(key)] = plain
        if type(kept.get("volumes")) is list:
            kept["volumes"] = [_with_default(volume) for volume in kept["volumes"]]
        return kept
    if kind is list or (isinstance(value, Sequence) and not isinstance(value, str)):
        return [normalised(item) for item in value]
    if kind is int and abs(value) < 2**63:
        return value
    return str(value)  # dates and the like, which YAML makes of text and JSON does not know


def with_node_ports(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a Pod's spec with the ports of the node that the API server gives one on the node's network."""
    if pod.get("hostNetwork") is not True:
        return pod
    taken = {}
    for key in ("containers", "initContainers"):
        if isinstance(pod.get(key), list):
            taken[key] = [_on_the_node(container) for container in pod[key]]
    return {**pod, **taken}


def _on_the_node(container: Any) -> Any:
    if not isinstance(container, dict) or not isinstance(container.get("ports"), list):
        return container
    ports = [{"hostPort": p.get("containerPort"), **p} if isinstance(p, dict) else p for p in container["ports"]]
    return {**container, "ports": ports}


def _with_default(volume: Any) -> Any:
    return {**volume, "emptyDir": {}} if isinstance(volume, dict) and set(volume) == {"name"} else volume


def pod_path(kind: str) -> tuple[str, ...]:
    """Return where an object of a kind keeps its pod spec."""
    if kind == "Pod":
        return ("spec",)
    return ("spec", "jobTemplate", "spec", "template", "spec") if kind == "CronJob" else ("spec", "template", "spec")
