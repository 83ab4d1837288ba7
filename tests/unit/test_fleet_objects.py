"""A data centre's class and clusters as Cluster API is sent them: named by content, hardened, every rack once."""

from __future__ import annotations

import json
import re
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import yaml

from balai import addressing
from balai.errors import DataError
from balai.estate import Estate, load_estate
from balai.fleet import cluster_class, infrastructure, keys
from balai.fleet.clusters import done_when, fleet_objects, namespace_of, topology
from balai.fleet.infrastructure import SETTING
from balai.fleet.naming import named
from balai.models import Cluster, DataCentre
from balai.models.fleet import Image

Json = dict[str, Any]
IMAGE = Image(url="https://images.balai.internal/1.37.2.qcow2", sha256="1" * 64)


def with_images(estate: Estate) -> Estate:
    releases = {v: r.model_copy(update={"image": IMAGE}) for v, r in estate.releases.items()}
    return replace(estate, releases=releases)


ESTATE = with_images(load_estate())
PLACE, CLUSTER = ESTATE.data_centres["cikarang"], ESTATE.clusters["cikarang"]


def changed(estate: Estate = ESTATE, **changes: Any) -> Estate:
    cluster = estate.clusters["cikarang"].model_copy(update=changes)
    return replace(estate, clusters={**estate.clusters, "cikarang": cluster})


@pytest.fixture(autouse=True)
def of_the_data_centre_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)


def by_kind(parts: list[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for part in parts:
        found.setdefault(part["kind"], []).append(part)
    return found


@pytest.fixture(params=["metal3", "in-memory"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What makes the machines."""
    monkeypatch.setenv(SETTING, request.param)
    return str(request.param)


def test_an_object_is_named_by_its_content() -> None:
    one = named("Kind", "group/v1", "name", "space", {"a": 1, "b": [2]})

    assert re.fullmatch(r"name-[0-9a-f]{8}", one["metadata"]["name"])
    assert named("Kind", "group/v1", "name", "space", {"b": [2], "a": 1}) == one
    others = [
        ("Kind", "group/v1", {"a": 1, "b": [3]}),
        ("Kind", "group/v2", one["spec"]),
        ("Kin", "group/v1", one["spec"]),
    ]
    names = {named(kind, version, "name", "space", spec)["metadata"]["name"] for kind, version, spec in others}
    assert len(names | {one["metadata"]["name"]}) == 4


def test_the_class_comes_last_and_ties_together_what_came_before(made: str) -> None:
    parts, _ = fleet_objects(ESTATE, PLACE)
    refs: list[Json] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            refs.extend([value["templateRef"]] if "templateRef" in value else [])
            list(map(walk, value.values()))
        elif isinstance(value, list):
            list(map(walk, value))

    walk(parts[-1]["spec"])
    there = {(p["apiVersion"], p["kind"], p["metadata"]["name"]) for p in parts[:-1]}

    assert parts[-1]["kind"] == "ClusterClass"
    assert {(r["apiVersion"], r["kind"], r["name"]) for r in refs} == there
    assert {p["metadata"]["namespace"] for p in parts} == {"fleet-cikarang"}
    assert len(there) == len(parts) - 1, "no two objects have one name"


def test_another_setting_is_another_class_and_the_same_one_is_the_same(
    made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, clusters = fleet_objects(ESTATE, PLACE)
    again, _ = fleet_objects(load_and_image(), PLACE)
    monkeypatch.setattr(cluster_class, "RACK_LABELS", "topology.kubernetes.io/zone={{ .rack }}")

    after, changed_clusters = fleet_objects(ESTATE, PLACE)

    assert again == before
    assert after[-1]["metadata"]["name"] != before[-1]["metadata"]["name"]
    assert after[:-1] == before[:-1], "what did not change keeps its name, so that no machine is replaced for it"
    (old,), (new,) = clusters, changed_clusters
    assert new["spec"]["topology"]["classRef"] != old["spec"]["topology"]["classRef"]
    new["spec"]["topology"]["classRef"] = old["spec"]["topology"]["classRef"]
    assert new == old


def load_and_image() -> Estate:
    return with_images(load_estate())


def test_more_machines_are_no_other_class(made: str) -> None:
    more = [p.model_copy(update={"racks": {"a": 5, "b": 5, "c": 5}}) for p in CLUSTER.pools]

    assert fleet_objects(changed(pools=more), PLACE)[0] == fleet_objects(ESTATE, PLACE)[0]


def arguments(part: Json) -> dict[str, str]:
    names = [argument["name"] for argument in part["extraArgs"]]
    assert len(set(names)) == len(names)
    return {argument["name"]: argument["value"] for argument in part["extraArgs"]}


# What Cluster API does with a class's patches, as far as ours go.


def render(template: str, values: dict[str, str]) -> Any:
    def value(match: re.Match[str]) -> str:
        return values[match[1]]

    return yaml.safe_load(re.sub(r"\{\{ \.([A-Za-z0-9.]+) \}\}", value, template))


def patched(parts: list[Json], template: Json, where: str, kind: str, values: dict[str, str]) -> Json:
    """Return a template as Cluster API makes it for control planes, a class of workers, or a cluster's own."""
    result = deepcopy(template)
    for definition in (d for p in parts[-1]["spec"]["patches"] for d in p["definitions"]):
        selector = definition["selector"]
        match = selector["matchResources"]
        chosen = (
            kind in match.get("machineDeploymentClass", {}).get("names", []) if where == "worker" else match.get(where)
        )
        if not chosen or (selector["kind"], selector["apiVersion"]) != (template["kind"], template["apiVersion"]):
            continue
        for change in definition["jsonPatches"]:
            *steps, last = [s.replace("~1", "/").replace("~0", "~") for s in change["path"].split("/")[1:]]
            target = result
            for step in steps:
                target = target[step]
            value = render(change["valueFrom"]["template"], values)
            if last == "-":
                target.append(value)
            else:
                target[last] = value
    return result


def variables(cluster: Json, worker: Json | None = None) -> dict[str, str]:
    own = {v["name"]: v["value"] for v in cluster["spec"]["topology"]["variables"]}
    overrides = (worker or {}).get("variables", {}).get("overrides", [])
    return {**own, **{v["name"]: v["value"] for v in overrides}, "builtin.cluster.name": cluster["metadata"]["name"]}


def test_metal3_takes_machines_of_the_class_and_the_rack_with_the_version_s_image() -> None:
    parts, (cluster,) = fleet_objects(ESTATE, PLACE)
    templates = {t["spec"]["template"]["spec"]["hostSelector"]["matchLabels"]["balai/class"]: t
                 for t in by_kind(parts)["Metal3MachineTemplate"]}  # fmt: skip

    taken = []
    for worker in cluster["spec"]["topology"]["workers"]["machineDeployments"]:
        values = variables(cluster, worker)
        spec = patched(parts, templates[worker["class"]], "worker", worker["class"], values)["spec"]["template"]["spec"]
        taken.append((worker["failureDomain"], spec["hostSelector"]["matchLabels"], worker["replicas"]))
        assert spec["image"] == {"url": IMAGE.url, "checksum": "1" * 64, "checksumType": "sha256"}

    assert taken == [
        (rack, {"balai/class": pool.machines, "balai/rack": rack}, count)
        for pool in CLUSTER.pools
        for rack, count in sorted(pool.racks.items())
    ]
    control = patched(parts, templates["control-plane"], "controlPlane", "", variables(cluster))["spec"]["template"][
        "spec"
    ]
    assert control["hostSelector"]["matchLabels"] == {"balai/class": "control-plane"}
    assert control["image"]["checksum"] == "1" * 64, "a hash of digits alone stays text"


def test_metal3_is_told_the_address_of_each_cluster_s_api_server_from_the_address_plan() -> None:
    parts, (cluster,) = fleet_objects(ESTATE, PLACE)
    (template,) = by_kind(parts)["Metal3ClusterTemplate"]

    spec = patched(parts, template, "infrastructureCluster", "", variables(cluster))["spec"]["template"]["spec"]

    assert spec["controlPlaneEndpoint"] == {"host": str(addressing.endpoint(PLACE.index, CLUSTER.index)), "port": 6443}


def test_a_control_plane_is_given_the_key_of_its_own_cluster(made: str) -> None:
    parts, (cluster,) = fleet_objects(ESTATE, PLACE)
    (template,) = by_kind(parts)["KubeadmControlPlaneTemplate"]

    spec = patched(parts, template, "controlPlane", "", variables(cluster))["spec"]["template"]["spec"]

    encryption = arguments(spec["kubeadmConfigSpec"]["clusterConfiguration"]["apiServer"])["encryption-provider-config"]
    (key,) = [file for file in spec["kubeadmConfigSpec"]["files"] if file["path"] == encryption]
    assert key["contentFrom"] == {"secret": {"name": "cikarang-encryption", "key": keys.FILE}}
    assert (key["owner"], key["permissions"]) == ("root:root", "0600")


def test_a_worker_is_labelled_with_its_region_and_its_rack(made: str) -> None:
    parts, (cluster,) = fleet_objects(ESTATE, PLACE)
    (template,) = by_kind(parts)["KubeadmConfigTemplate"]

    for worker in cluster["spec"]["topology"]["workers"]["machineDeployments"]:
        spec = patched(parts, template, "worker", worker["class"], variables(cluster, worker))["spec"]["template"][
            "spec"
        ]
        (labels,) = spec["joinConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
        assert labels["value"] == (
            "topology.kubernetes.io/region=id-cikarang,"
            f"topology.kubernetes.io/zone=id-cikarang-{worker['failureDomain']}"
        )


def test_every_value_fits_the_variable_s_definition_however_long_a_data_centre_s_name(made: str) -> None:
    long = DataCentre.model_validate({**PLACE.model_dump(), "name": "a" * 40})
    cluster = Cluster.model_validate({**CLUSTER.model_dump(), "data_centre": long.name})
    estate = replace(ESTATE, data_centres={long.name: long}, clusters={"cikarang": cluster})

    parts, (topology,) = fleet_objects(estate, long)

    patterns = {v["name"]: v["schema"]["openAPIV3Schema"]["pattern"] for v in parts[-1]["spec"]["variables"]}
    given = {v["name"]: v["value"] for v in topology["spec"]["topology"]["variables"]}
    assert given.keys() == patterns.keys()
    assert [name for name, value in given.items() if not re.fullmatch(patterns[name], value)] == []


def test_every_pool_s_rack_is_one_deployment_of_machines_and_an_empty_one_is_none(made: str) -> None:
    pools = [*CLUSTER.pools, CLUSTER.pools[0].model_copy(update={"name": "more", "racks": {"c": 1, "a": 0, "b": 3}})]

    _, (cluster,) = fleet_objects(changed(pools=pools), PLACE)

    workers = cluster["spec"]["topology"]["workers"]["machineDeployments"]
    assert Counter((w["name"], w["class"], w["failureDomain"], w["replicas"]) for w in workers) == Counter(
        (f"{pool.name}-{rack}", pool.machines, rack, count)
        for pool in pools
        for rack, count in pool.racks.items()
        if count
    )
    assert [w["name"] for w in workers if w["name"].startswith("more")] == ["more-b", "more-c"]
    assert all(w["variables"]["overrides"] == [{"name": "rack", "value": w["failureDomain"]}] for w in workers)


@pytest.mark.parametrize(("count", "at_most"), [(1, 1), (2, 1), (3, 1), (5, 2), (10, 4), (100, 40)])
def test_so_many_unwell_machines_of_a_rack_are_replaced_and_with_more_the_rack_itself_is_ill(
    count: int, at_most: int
) -> None:
    pools = [CLUSTER.pools[0].model_copy(update={"racks": {"a": count}})]

    _, (cluster,) = fleet_objects(changed(pools=pools), PLACE)

    (worker,) = cluster["spec"]["topology"]["workers"]["machineDeployments"]
    assert worker["healthCheck"]["remediation"] == {"triggerIf": {"unhealthyLessThanOrEqualTo": at_most}}
    assert worker["healthCheck"]["checks"]["unhealthyNodeConditions"], "a cluster's own health check is the whole of it"


def test_a_cluster_is_done_when_as_many_machines_as_declared_are_as_they_should_be() -> None:
    _, (cluster,) = fleet_objects(ESTATE, PLACE)

    wait = json.loads(cluster["metadata"]["annotations"]["pulumi.com/waitFor"])

    assert wait == done_when(CLUSTER)
    workers = sum(w["replicas"] for w in cluster["spec"]["topology"]["workers"]["machineDeployments"])
    for part, wanted in (("controlPlane", 3), ("workers", workers)):
        for count in ("replicas", "upToDateReplicas", "availableReplicas"):
            assert f"jsonpath={{.status.{part}.{count}}}={wanted}" in wait


def test_a_cluster_has_its_version_and_the_networks_of_the_address_plan(made: str) -> None:
    _, (cluster,) = fleet_objects(ESTATE, PLACE)

    assert cluster["spec"]["topology"]["version"] == "v1.37.2"
    assert cluster["spec"]["topology"]["controlPlane"] == {"replicas": 3}
    assert cluster["spec"]["clusterNetwork"] == {
        "pods": {"cidrBlocks": [str(addressing.PODS)]},
        "services": {"cidrBlocks": [str(addressing.SERVICES)]},
        "serviceDomain": "cluster.local",
    }


def test_a_data_centre_s_objects_are_its_own_clusters_and_none_that_is_being_ended() -> None:
    ending = changed(status="decommissioning", status_reason="for the test")

    assert [c["metadata"]["name"] for c in fleet_objects(ESTATE, ESTATE.data_centres["batam"])[1]] == ["batam"]
    assert fleet_objects(ending, PLACE) == ([], [])
    assert [namespace_of(place) for place in ESTATE.data_centres.values()] == ["fleet-batam", "fleet-cikarang"]


def test_machines_of_a_version_without_an_image_are_refused_where_it_is_to_be_written() -> None:
    """The project's own catalogue has none yet."""
    with pytest.raises(DataError) as refused:
        fleet_objects(load_estate(), PLACE)

    (problem,) = refused.value.problems
    assert problem.file.endswith("inventories/kubernetes.yml")
    assert (problem.key, problem.given) == ("releases.image", "unknown")
    assert "machines of cikarang need the image of 1.37.2" in problem.bound
    assert "SHA-256" in problem.fix


def test_machines_that_are_simulated_need_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "in-memory")

    parts, (cluster,) = fleet_objects(load_estate(), PLACE)

    assert "DevClusterTemplate" in by_kind(parts)
    assert {v["name"] for v in cluster["spec"]["topology"]["variables"]} == {"region", "rack"}


def test_a_data_centre_s_infrastructure_is_one_that_there_is() -> None:
    kinds = set(DataCentre.model_json_schema()["properties"]["infrastructure"].get("enum", [])) or {
        DataCentre.model_json_schema()["properties"]["infrastructure"]["const"]
    }

    assert kinds <= infrastructure.INFRASTRUCTURES.keys()
    assert "in-memory" not in kinds, "a data centre's machines are never simulated"


def test_a_machine_of_a_full_rack_goes_before_its_successor_comes() -> None:
    full = PLACE.model_copy(update={"racks": {**PLACE.racks, "a": {**PLACE.racks["a"], "general": 2}}})
    estate = replace(ESTATE, data_centres={**ESTATE.data_centres, PLACE.name: full})

    made = topology(estate, ESTATE.clusters["cikarang"], full, "balai-1", "in-memory")

    pools = made["spec"]["topology"]["workers"]["machineDeployments"]
    rolling = {pool["name"]: pool["rollout"]["strategy"]["rollingUpdate"] for pool in pools}
    assert rolling["general-a"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert rolling["general-b"] == {"maxSurge": 1, "maxUnavailable": 0}
