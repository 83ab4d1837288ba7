"""Kubernetes objects as Pulumi's protocol carries them: values, differences, drift, readiness."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from google.protobuf import struct_pb2

Json = dict[str, Any]
Path = tuple[str | int, ...]

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
WAIT_FOR = "pulumi.com/waitFor"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
MANAGER = "__fm"  # hidden input: the field manager, kept in state so that a rename keeps it
SERVER_METADATA = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
# Fields that the API server refuses to change; "" stands for every kind.
IMMUTABLE: dict[str, list[Path]] = {
    "": [("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")],
    "Deployment": [("spec", "selector")],
    "DaemonSet": [("spec", "selector")],
    "StatefulSet": [
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "volumeClaimTemplates"),
    ],
    "Job": [("spec", "template"), ("spec", "selector"), ("spec", "completionMode")],
    "RoleBinding": [("roleRef",)],
    "ClusterRoleBinding": [("roleRef",)],
    "Secret": [("type",), ("immutable",)],
    "PersistentVolumeClaim": [("spec", "storageClassName"), ("spec", "accessModes"), ("spec", "volumeName")],
    "StorageClass": [("provisioner",), ("parameters",), ("reclaimPolicy",), ("volumeBindingMode",)],
    "PriorityClass": [("value",)],
    "Pod": [("spec",)],
    "Service": [("spec", "clusterIP")],
    "CustomResourceDefinition": [("spec", "group"), ("spec", "names", "kind"), ("spec", "scope")],
}


def decode(struct: struct_pb2.Struct) -> tuple[Json, set[Path]]:
    """Return plain data and the paths in it that were secret; whole numbers become int."""
    secrets: set[Path] = set()

    def value(v: struct_pb2.Value, path: Path) -> Any:
        kind = v.WhichOneof("kind")
        if kind == "number_value":
            return int(v.number_value) if v.number_value.is_integer() else v.number_value
        if kind == "struct_value":
            fields = v.struct_value.fields
            if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET:
                secrets.add(path)
                return value(fields["value"], path)
            return {key: value(item, (*path, key)) for key, item in fields.items()}
        if kind == "list_value":
            return [value(item, (*path, n)) for n, item in enumerate(v.list_value.values)]
        return None if kind in (None, "null_value") else getattr(v, kind)

    return {key: value(item, (key,)) for key, item in struct.fields.items()}, secrets


def encode(data: Json, secrets: set[Path] = frozenset()) -> struct_pb2.Struct:  # type: ignore[assignment]
    """Return data as the protocol carries it, with the secret paths marked as such."""

    def mark(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            value = {key: mark(item, (*path, key)) for key, item in value.items()}
        elif isinstance(value, list):
            value = [mark(item, (*path, n)) for n, item in enumerate(value)]
        return {SIGNATURE: SECRET, "value": value} if path in secrets else value

    struct = struct_pb2.Struct()
    struct.update(mark(data, ()))
    return struct


def secret_paths(data: Json, inherited: set[Path]) -> set[Path]:
    """Return what must be secret in an output: what the inputs hid, and a Secret's content."""
    content = {("data",), ("stringData",)} if data.get("kind") == "Secret" else set()
    return inherited | {path for path in content if path[0] in data}


def has_unknown(value: Any) -> bool:
    """Tell whether a value that the preview does not know yet is anywhere inside."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return bool(value == UNKNOWN)


def name_from(urn: str) -> str:
    """Return a name that depends on the URN alone: a crash before it was recorded finds it again."""
    readable = urn.rsplit("::", 1)[-1].lower()
    return f"{readable[:50].strip('-')}-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def manager_from(urn: str) -> str:
    """Return the field manager of one resource: two resources never share an object in silence."""
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:10]}"


def manifest(inputs: Json) -> Json:
    """Return the object to send: the inputs without what is only ours."""
    return {key: value for key, value in inputs.items() if key != MANAGER}


def without_server_fields(live: Json) -> Json:
    """Return a live object as a person would have written it."""
    kept = {key: value for key, value in live.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in live["metadata"].items() if key not in SERVER_METADATA}
    return kept


def output(live: Json, manager: str) -> Json:
    """Return a live object as an output: the managed fields are long, and nobody's input."""
    result = copy.deepcopy(live)
    result["metadata"].pop("managedFields", None)
    return {**result, MANAGER: manager}


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield each path that differs, as (path, "add" | "delete" | "update")."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if path == () and key == MANAGER:
                continue
            if key not in old:
                yield (*path, key), "add"
            elif key not in new:
                yield (*path, key), "delete"
            else:
                yield from differences(old[key], new[key], (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for n in range(max(len(old), len(new))):
            if n >= len(old) or n >= len(new):
                yield (*path, n), "add" if n >= len(old) else "delete"
            else:
                yield from differences(old[n], new[n], (*path, n))
    elif old != new:
        yield path, "update"


def is_immutable(kind: str, path: Path) -> bool:
    """Tell whether the API server would refuse a change at a path."""
    fixed = IMMUTABLE[""] + IMMUTABLE.get(kind, [])
    data = kind in ("ConfigMap", "Secret") and path == ("immutable",)
    return data or any(path[: len(p)] == p or p[: len(path)] == path for p in fixed)


def pulumi_path(path: Path) -> str:
    """Return a path as the engine writes property paths."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "a").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def drifted(inputs: Any, live: Any, wanted: Any) -> Any:
    """
    Return the inputs with the live value at every leaf where the cluster has really drifted.

    `wanted` is what the API server would make of the inputs (a dry run), so that defaults and
    rewritten quantities are no drift. Keys the inputs do not name are somebody else's.
    """
    if live == wanted:
        return inputs
    if isinstance(inputs, dict) and isinstance(live, dict) and isinstance(wanted, dict):
        result = {}
        for key, value in inputs.items():
            if key == MANAGER or key not in wanted:  # stringData and the like never come back
                result[key] = value
            elif key in live:
                result[key] = drifted(value, live[key], wanted[key])
        return result
    if (
        isinstance(inputs, list)
        and isinstance(live, list)
        and isinstance(wanted, list)
        and len(inputs) == len(live) == len(wanted)
    ):
        return [drifted(i, a, b) for i, a, b in zip(inputs, live, wanted, strict=True)]
    return live


def not_ready(live: Json) -> str:
    """Return why an object is not ready, "" when it is or has no readiness; may raise ValueError."""
    kind, status, spec = live["kind"], live.get("status") or {}, live.get("spec") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    if wanted := (live["metadata"].get("annotations") or {}).get(WAIT_FOR):
        return _unmet(live, conditions, wanted)
    if kind == "Namespace":
        return "" if status.get("phase") == "Active" else f"phase is {status.get('phase')}"
    if kind == "CustomResourceDefinition":
        return "" if conditions.get("Established", {}).get("status") == "True" else "it is not established"
    if kind == "Job":
        failed = conditions.get("Failed", {})
        if failed.get("status") == "True":
            raise ValueError(f"the job failed: {failed.get('message', '')}")
        return "" if conditions.get("Complete", {}).get("status") == "True" else "it is not complete"
    if kind in ("Deployment", "StatefulSet"):
        wanted = spec.get("replicas", 1)
        if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
            return "its controller has not seen the change"
        ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
        if ready < wanted or updated < wanted or status.get("replicas", 0) > wanted:
            reason = conditions.get("ReplicaFailure", {}).get("message", "")
            return f"{ready} of {wanted} replicas are ready{', ' + reason if reason else ''}"
    return ""


def _unmet(live: Json, conditions: dict[str, Json], wanted: str) -> str:
    """Return the first expression of a `waitFor` that does not hold; a condition must have seen the last change."""
    for text in json.loads(wanted) if wanted.startswith("[") else [wanted]:
        kind, name, value = [*text.split("=", 2), ""][:3]
        if kind == "jsonpath":
            found: Any = live
            for part in name.strip("{}.").split("."):
                found = found.get(part) if isinstance(found, dict) else None
            if found is None or (value and str(found) != value):
                return f"{name} is {found}, not {value or 'there'}"
            continue
        condition = conditions.get(name, {})
        seen = condition.get("observedGeneration", 0) >= live["metadata"]["generation"]
        if not seen or condition.get("status") != (value or "True"):
            state = condition.get("status", "unknown") if seen else "not told yet"
            return f"{name} is {state} {' '.join(str(condition.get('message', '')).split())}".rstrip()
    return ""
