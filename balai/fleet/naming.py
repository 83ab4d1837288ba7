"""Cluster API's objects, named by their content, and the parts that they are put together from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml

Json = dict[str, Any]


def named(kind: str, version: str, name: str, namespace: str, spec: Json) -> Json:
    """Return an object whose name ends in a hash of its content: another content is another object."""
    digest = hashlib.sha256(json.dumps([kind, version, spec], sort_keys=True).encode()).hexdigest()[:8]
    metadata = {"name": f"{name}-{digest}", "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def ref(item: Json) -> Json:
    """Return what points to an object of the same namespace."""
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "name": item["metadata"]["name"]}


def variable(name: str, pattern: str = "^[a-z0-9-]{1,63}$") -> Json:
    """Return the definition of a ClusterClass's variable that every cluster must set."""
    return {"name": name, "required": True, "schema": {"openAPIV3Schema": {"type": "string", "pattern": pattern}}}


def add(path: str, value: Any) -> Json:
    """Return the patch that puts a value, with variables in it, at a path."""
    return {"op": "add", "path": path, "valueFrom": {"template": yaml.safe_dump(value, sort_keys=True, width=1000)}}


def patch(name: str, kind: str, version: str, where: Json, changes: list[Json]) -> Json:
    """Return a ClusterClass's patch of the templates of one kind."""
    selector = {"apiVersion": version, "kind": kind, "matchResources": where}
    return {"name": name, "definitions": [{"selector": selector, "jsonPatches": changes}]}
