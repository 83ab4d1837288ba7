"""Clusters as the management cluster has them, beside what is declared."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from balai.estate import Estate
from balai.fleet.cluster_class import API
from balai.fleet.clusters import done_when, namespace_of
from balai.fleet.gates import is_open, next_opening
from balai.kube import Cluster as Api
from balai.models import Cluster, DataCentre
from balai.text import say

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ClusterRow:
    """
    One cluster.

    Attributes:
        declared: Kubernetes version of its file; `version` is the one it has, "" while it is not there.
        release: Where the declared version stands in the catalogue.
        control_planes: Ready of wanted machines; `workers` likewise.
        window: Open, or when it opens.
        missing: Why Cluster API does not call it done, in its words; empty when it does.
    """

    name: str
    data_centre: str
    declared: str
    version: str
    release: str
    state: str
    control_planes: str
    workers: str
    window: str
    missing: list[str]

    @property
    def progress(self) -> str:
        """One line of it: machines, and the first thing that is missing."""
        counts = say("fleet_progress", name=self.name, control_planes=self.control_planes, workers=self.workers)
        return f"{counts} {self.missing[0]}" if self.missing else counts

    @property
    def done(self) -> bool:
        """Whether it is what its file says."""
        return not self.missing and self.declared == self.version


def rows(estate: Estate, places: Iterable[DataCentre], now: datetime.datetime | None = None) -> list[ClusterRow]:
    """
    Return every declared cluster of data centres, as their management clusters have them.

    Raises:
        EnvironmentFault: A management cluster does not answer.
        ApiError: One refuses.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    found = []
    for place in places:
        local = now.astimezone(ZoneInfo(place.timezone))
        api = Api.from_kubeconfig(context=place.management_context)
        live = {item["metadata"]["name"]: item for item in api.list(API, "Cluster", namespace_of(place))}
        for cluster in (c for c in estate.clusters.values() if c.data_centre == place.name):
            item = live.get(cluster.name, {})
            status = item.get("status") or {}
            missing = _missing(cluster, item) if item else [say("fleet_not_there")]
            opened = any(is_open(window, local) for window in cluster.windows)
            found.append(
                ClusterRow(
                    name=cluster.name,
                    data_centre=place.name,
                    declared=cluster.kubernetes,
                    version=_version(item),
                    release=estate.releases[cluster.kubernetes].state(local.date()),
                    state=status.get("phase", "-") if missing else "Available",
                    control_planes=_ready(status.get("controlPlane") or {}),
                    workers=_ready(status.get("workers") or {}),
                    window=say("fleet_open") if opened else f"{next_opening(cluster, local):%Y-%m-%d %H:%M}",
                    missing=missing,
                )
            )
    return found


def kubeconfig(estate: Estate, cluster: Cluster) -> str:
    """
    Return the administrator's kubeconfig of a cluster, as its management cluster has it, with the context of its file.

    It is for the hour in which nobody can sign in: people have contexts of their own.

    Raises:
        EnvironmentFault: The management cluster does not answer.
        ApiError: It refuses, or has no such cluster yet.
    """
    place = estate.data_centres[cluster.data_centre]
    api = Api.from_kubeconfig(context=place.management_context)
    path = f"/api/v1/namespaces/{namespace_of(place)}/secrets/{cluster.name}-kubeconfig"
    given = yaml.safe_load(base64.b64decode(api.request("GET", path)["data"]["value"]))
    given["contexts"][0]["name"] = given["current-context"] = cluster.kubeconfig_context
    return str(yaml.safe_dump(given))


def _version(item: Json) -> str:
    wanted = ((item.get("spec") or {}).get("topology") or {}).get("version", "")
    return str(wanted).removeprefix("v")


def _ready(part: Json) -> str:
    return f"{part.get('readyReplicas', 0)}/{part.get('desiredReplicas', 0)}"


def _missing(cluster: Cluster, item: Json) -> list[str]:
    status = item.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    wrong = []
    for text in done_when(cluster):
        kind, _, what = text.partition("=")
        name, _, wanted = what.partition("=")
        if kind == "condition":
            condition = conditions.get(name) or {}
            seen = condition.get("observedGeneration", 0) >= item["metadata"]["generation"]
            if not seen or condition.get("status") != (wanted or "True"):
                wrong.append(f"{name}: {' '.join(str(condition.get('message', '')).split())}".removesuffix(": "))
            continue
        _, part, count = name.strip("{}.").split(".")
        found = (status.get(part) or {}).get(count, 0)
        if str(found) != wanted:
            wrong.append(say("fleet_count", part=part, count=count, found=found, wanted=wanted))
    return wrong
