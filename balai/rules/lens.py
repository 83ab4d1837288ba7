"""
Lenses: what a rule of a subject sees, as CEL that Python and the API server both evaluate.

`podspec` is one lens over the eight kinds that carry a pod spec. A path that depends on the kind
stands here and nowhere else, because the API server does not type-check through variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

POD_KINDS: dict[str, tuple[str, str, str]] = {  # kind: (group, version, resource)
    "Pod": ("", "v1", "pods"),
    "ReplicationController": ("", "v1", "replicationcontrollers"),
    "Deployment": ("apps", "v1", "deployments"),
    "ReplicaSet": ("apps", "v1", "replicasets"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "Job": ("batch", "v1", "jobs"),
    "CronJob": ("batch", "v1", "cronjobs"),
}
KINDS: dict[str, dict[str, tuple[str, str, str]]] = {
    "podspec": POD_KINDS,
    "namespace": {"Namespace": ("", "v1", "namespaces")},
}
VARIABLES: dict[str, dict[str, str]] = {
    "podspec": {
        "podSpec": (
            "object.kind == 'Pod' ? object.?spec.orValue({}) : "
            "object.kind == 'CronJob' ? object.?spec.?jobTemplate.?spec.?template.?spec.orValue({}) : "
            "object.?spec.?template.?spec.orValue({})"
        ),
        "containers": (
            "variables.podSpec.?containers.orValue([]) + variables.podSpec.?initContainers.orValue([])"
            " + variables.podSpec.?ephemeralContainers.orValue([])"
        ),
    },
    "namespace": {},
}
LABEL = "balai.internal/"
# A namespace that a tenant's name claims is a tenant's, whether or not its labels say so.
CONDITIONS: dict[str, str] = {
    "podspec": "",
    "namespace": (
        f"object.metadata.name.startsWith('tenant-') || ('{LABEL}tenant' in object.metadata.?labels.orValue({{}}))"
    ),
}


def normalised(value: Any) -> Any:
    """Return an object as the API server sees it: no nulls, no empty texts or lists, plain types."""
    if isinstance(value, Mapping):  # the policy SDK hands proxies in, which are no dicts
        pruned = {str(key): normalised(item) for key, item in value.items()}
        kept = {key: item for key, item in pruned.items() if item is not None and item not in ("", [])}
        return {key: _with_default_volumes(item) if key == "volumes" else item for key, item in kept.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [normalised(item) for item in value]
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return str(value)  # dates and the like, which YAML makes of text and JSON does not know


def _with_default_volumes(volumes: Any) -> Any:
    if not isinstance(volumes, list):
        return volumes
    return [{**v, "emptyDir": {}} if isinstance(v, dict) and set(v) == {"name"} else v for v in volumes]
