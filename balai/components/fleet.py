"""The clusters of a data centre, on its management cluster, and the gate in front of them."""

from __future__ import annotations

import datetime
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.gate import gate
from balai.components.guard import Refused
from balai.estate import Estate
from balai.fleet import keys
from balai.fleet.approvals import approved
from balai.fleet.clusters import fleet_objects, namespace_of
from balai.fleet.gates import expired, refusals, skips
from balai.fleet.touch import tenants_under
from balai.models import DataCentre
from balai.text import say

Json = dict[str, Any]
PATIENCE = "40m"  # a cluster may take so long to be what was asked for


class Fleet(pulumi.ComponentResource):
    """
    The class of a data centre's clusters, and the clusters.

    Attributes:
        namespace: Where they lie on the management cluster.
    """

    namespace: pulumi.Output[str]

    def __init__(self, estate: Estate, place: DataCentre, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("balai:fleet:Fleet", f"fleet-{place.name}", None, opts)
        parts, clusters = fleet_objects(estate, place)
        space = k8s.core.v1.Namespace(
            f"{place.name}-namespace",
            metadata={"name": namespace_of(place), "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self.namespace = space.metadata.name
        before: list[pulumi.Resource] = [space]
        for part in (parts[:-1], parts[-1:]):  # the templates, then the class that names them
            before += [_resource(item, pulumi.ResourceOptions(parent=self, depends_on=list(before))) for item in part]
        for item in clusters:
            # Not protected: the gate asks before a deletion, and a run without this program has no gate and is stopped.
            options = pulumi.ResourceOptions(
                parent=self,
                depends_on=before,
                custom_timeouts=pulumi.CustomTimeouts(create=PATIENCE, update=PATIENCE, delete=PATIENCE),
            )
            _resource(item, options)
        self.register_outputs(
            {"namespace": self.namespace, "clusters": [item["metadata"]["name"] for item in clusters]}
        )


def _resource(item: Json, options: pulumi.ResourceOptions) -> k8s.apiextensions.CustomResource:
    return k8s.apiextensions.CustomResource(
        f"{item['kind']}-{item['metadata']['name']}",
        api_version=item["apiVersion"],
        kind=item["kind"],
        metadata=item["metadata"],
        spec=item["spec"],
        opts=options,
    )


def fleet_gate(estate: Estate, place: DataCentre, stack: str) -> None:
    """Hold the changes of a data centre's clusters to freezes, windows and versions, and make keys before a cluster."""

    def ask(action: str, args: pulumi.ResourceHookArgs) -> list[str]:
        kind, _, name = args.name.partition("-")
        if kind != "Cluster":
            return refusals(estate, stack) if action == "update" else []
        if action == "delete":
            return deletion(estate, stack, name)
        if action == "update":
            old, new = ((inputs or {}).get("spec") or {} for inputs in (args.old_inputs, args.new_inputs))
            why = refusals(estate, stack, name if old != new else "")
            before, after = ((spec.get("topology") or {}).get("version") for spec in (old, new))
            if before and after and skips(before, after):
                why.append(say("gate_skip", cluster=name, old=before, new=after))
            return why
        return []

    gate(ask, first=lambda args: _first(estate, place, args))


def _first(estate: Estate, place: DataCentre, args: pulumi.ResourceHookArgs) -> None:
    kind, _, name = args.name.partition("-")
    if kind != "Cluster":
        return
    if why := expired(estate, estate.clusters[name]):
        raise Refused(why)
    if not pulumi.runtime.is_dry_run():
        keys.ensure(place.management_context, namespace_of(place), name)


def deletion(estate: Estate, stack: str, name: str) -> list[str]:
    """Return why a cluster may not be deleted, in words; nothing when two people have allowed it."""
    if name not in estate.clusters:
        return [say("gate_gone", cluster=name)]
    why = refusals(estate, stack)
    if standing := [tenant.name for tenant in tenants_under(estate, f"foundation.{name}")]:
        why.append(say("gate_stood_on", cluster=name, tenants=", ".join(standing)))
    if "deletion" not in approved(stack, datetime.datetime.now(datetime.UTC)):
        why.append(say("gate_deletion", cluster=name, stack=stack))
    return why
