"""JSON Schemas of the estate's files, made of the models that judge them, so that an editor completes and checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from balai.models import (
    Calendar,
    Cluster,
    DataCentre,
    Enrolment,
    Facilities,
    Flows,
    Hubs,
    Kubernetes,
    Machines,
    Model,
    Packages,
    Reports,
    Satisfaction,
    Screens,
    Site,
    Sizes,
    Tenant,
)
from balai.models.place import Agencies

# By the schema's name: the model, and the files below the inventories that it is of.
SCHEMAS: dict[str, tuple[type[Model], str]] = {
    "agencies": (Agencies, "agencies.yml"),
    "calendar": (Calendar, "calendar.yml"),
    "cluster": (Cluster, "clusters/*.yml"),
    "data_centre": (DataCentre, "data_centres/*.yml"),
    "enrolment": (Enrolment, "enrolment/mpp-*.yml"),
    "facilities": (Facilities, "facilities.yml"),
    "flows": (Flows, "flows.yml"),
    "hubs": (Hubs, "enrolment/hubs.yml"),
    "kubernetes": (Kubernetes, "kubernetes.yml"),
    "machines": (Machines, "machines.yml"),
    "reports": (Reports, "reports.yml"),
    "packages": (Packages, "packages.yml"),
    "satisfaction": (Satisfaction, "satisfaction.yml"),
    "screens": (Screens, "screens.yml"),
    "site": (Site, "sites/*.yml"),
    "site_sizes": (Sizes, "site_sizes.yml"),
    "tenant": (Tenant, "tenants/*.yml"),
}
FOLDER = "schemas"


def schema(name: str) -> str:
    """Return one schema as text; what spans files (a name that another file has to know) is `balai validate`'s."""
    made = _closed(SCHEMAS[name][0].model_json_schema(by_alias=True))
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
    return json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _closed(part: Any) -> Any:
    """Return a schema in which a mapping with keys of one form has no others, as the models have it."""
    if isinstance(part, dict):
        more = {"additionalProperties": False} if "patternProperties" in part else {}
        return {**more, **{key: _closed(value) for key, value in part.items()}}
    return [_closed(item) for item in part] if isinstance(part, list) else part


def modeline(name: str, below: int) -> str:
    """Return the comment by which an editor finds the schema of a file so many folders below the inventories."""
    return f"# yaml-language-server: $schema={'../' * below}{FOLDER}/{name}.json"


def write(root: Path) -> list[Path]:
    """Write every schema below the inventories; return those that changed."""
    (root / FOLDER).mkdir(exist_ok=True)
    changed = []
    for name in SCHEMAS:
        path, text = root / FOLDER / f"{name}.json", schema(name)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            changed.append(path)
    return changed
