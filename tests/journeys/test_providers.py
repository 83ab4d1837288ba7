"""
What is rendered for real data centres, taken by the real Cluster API with the providers' own resource definitions.

No provider runs: Cluster API makes what it would hand to one, and the API server judges each object by its definition.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balai import addressing
from balai.estate import Estate, load_estate
from balai.fleet import keys
from balai.fleet.cluster_class import API, FILES, files_of
from balai.fleet.clusters import fleet_objects
from balai.kube import APPLY, ApiError, Cluster, group_path
from balai.models.fleet import SignIn
from lab import management, providers, toolchain
from lab.pki import signing_key

pytestmark = pytest.mark.lab

NAME = f"berkas-{os.getpid()}"
SPACE = f"fleet-{NAME}"
CLUSTERS = f"/apis/{API}/namespaces/{SPACE}/clusters"
SHA256 = "3b" * 32
DATA_CENTRE = """---
name: {name}
title: Pusat data uji
index: 60
timezone: Asia/Jakarta
management_context: management-{name}
infrastructure: {infrastructure}
sign_in: unknown
racks:
  a: {{control-plane: 2, general: 4}}
  b: {{control-plane: 2, general: 4}}
facts: [Of a test alone]
verification: unknown
"""
CLUSTER = """---
name: {name}
title: Klaster uji
data_centre: {name}
index: 3
kubernetes: 1.36.2
kubeconfig_context: {name}
control_planes: 3
pools:
  - {{name: general, machines: general, racks: {{a: 2, b: 1}}}}
windows:
  - {{days: [sat], start: "22:00", hours: 6}}
registries: [registry.balai.internal]
api_domain: unknown
status: active
"""


@pytest.fixture(scope="module")
def api() -> Cluster:
    return Cluster.from_kubeconfig(management.plane().kubeconfig)


@pytest.fixture
def space(api: Cluster) -> Iterator[str]:
    """A namespace on the management cluster; it and what is in it go afterwards."""
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": SPACE}})
    yield SPACE
    for item in api.list(API, "Cluster", SPACE):
        api.request("DELETE", f"{CLUSTERS}/{item['metadata']['name']}")
    api.request("DELETE", f"/api/v1/namespaces/{SPACE}")
    deadline = time.monotonic() + 90
    while _is_there(api, f"/api/v1/namespaces/{SPACE}"):
        assert time.monotonic() < deadline, "the namespace goes"
        time.sleep(0.5)


def _is_there(api: Cluster, path: str) -> bool:
    try:
        api.request("GET", path)
    except ApiError as error:
        assert error.status == 404, error
        return False
    return True


def estate_with(infrastructure: str, inventories: Path) -> Estate:
    text = (inventories / "kubernetes.yml").read_text()
    image = f"{{url: 'https://images.balai.internal/kubernetes.raw', sha256: '{SHA256}'}}"
    (inventories / "kubernetes.yml").write_text(text.replace("image: unknown", f"image: {image}"))
    for folder, content in (("data_centres", DATA_CENTRE), ("clusters", CLUSTER)):
        (inventories / folder / f"{NAME}.yml").write_text(content.format(name=NAME, infrastructure=infrastructure))
    return load_estate(inventories)


def apply(api: Cluster, item: dict[str, Any]) -> None:
    kind = item["kind"].lower()
    plural = f"{kind}es" if kind.endswith("s") else f"{kind}s"
    path = f"{group_path(item['apiVersion'])}/namespaces/{SPACE}/{plural}/{item['metadata']['name']}"
    api.request("PATCH", f"{path}?fieldManager=test&force=true", item, APPLY)


def condition(api: Cluster, kind: str, name: str, wanted: str) -> None:
    """Wait until a condition holds; what is said instead is what a failure tells."""
    deadline, said = time.monotonic() + 60, ""
    while time.monotonic() < deadline:
        item = next(i for i in api.list(API, kind, SPACE) if i["metadata"]["name"] == name)
        found = {c["type"]: c for c in (item.get("status") or {}).get("conditions") or []}.get(wanted, {})
        if found.get("status") == "True":
            return
        said = str(found.get("message", ""))
        time.sleep(0.5)
    raise AssertionError(f"{kind} {name}: {wanted} is not True: {said}")


@pytest.mark.parametrize("infrastructure", ["metal3", "openstack"])
@pytest.mark.usefixtures("space")
def test_cluster_api_makes_of_the_class_what_a_provider_would_be_handed(
    infrastructure: str, api: Cluster, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BALAI_INFRASTRUCTURE", raising=False)
    estate = estate_with(infrastructure, Path(shutil.copytree(root / "inventories", tmp_path / "inventories")))
    providers.install(api, providers.definitions(infrastructure))
    keys.ensure("management-cikarang", SPACE, NAME)
    parts, (cluster,) = fleet_objects(estate, estate.data_centres[NAME])

    for item in parts:
        apply(api, item)
    condition(api, "ClusterClass", parts[-1]["metadata"]["name"], "VariablesReady")
    apply(api, cluster)
    condition(api, "Cluster", NAME, "TopologyReconciled")

    group = group_path("infrastructure.cluster.x-k8s.io/v1beta1")
    machines = [
        item["spec"]["template"]["spec"]
        for item in api.request("GET", f"{group}/namespaces/{SPACE}/{infrastructure}machinetemplates")["items"]
        if item["metadata"]["name"].startswith(NAME)
    ]
    (whole,) = [
        item["spec"] for item in api.request("GET", f"{group}/namespaces/{SPACE}/{infrastructure}clusters")["items"]
    ]
    assert len(machines) == 3, "of the control plane, and of the pool in each rack"
    if infrastructure == "metal3":
        assert {m["image"]["checksum"] for m in machines} == {SHA256}
        assert sorted(m["hostSelector"]["matchLabels"].get("balai/rack", "-") for m in machines) == ["-", "a", "b"]
        assert whole["controlPlaneEndpoint"] == {"host": str(addressing.endpoint(60, 3)), "port": 6443}
    else:
        assert {m["image"]["filter"]["name"] for m in machines} == {f"kubernetes-1.36.2-{SHA256[:12]}"}
        assert {m["flavor"] for m in machines} == {"balai-control-plane", "balai-general"}
        assert whole["apiServerFixedIP"] == str(addressing.endpoint(60, 3))


@pytest.mark.parametrize(("spoilt", "says"), [("", "etcd"), ("claims.[", "invalid authentication configuration")])
def test_the_api_server_takes_who_vouches_for_people(spoilt: str, says: str, root: Path, tmp_path: Path, run) -> None:
    place = load_estate(root / "inventories").data_centres["cikarang"]
    sign_in = SignIn(issuer="https://localhost/pegawai", audience="kubernetes", groups="groups")
    written = files_of(place.model_copy(update={"sign_in": sign_in}))[FILES["authentication.yml"]]
    (tmp_path / "authentication.yml").write_text(written.replace("claims.exp", spoilt or "claims.exp"))
    key = signing_key(tmp_path / "key")

    said = run(
        str(toolchain.path_of("kube-apiserver")),
        f"--authentication-config={tmp_path}/authentication.yml",
        "--etcd-servers=http://127.0.0.1:1",  # where it ends, once everything before it was right
        "--service-account-issuer=https://localhost",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.208.0.0/24",
        "--bind-address=127.0.0.1",
        "--secure-port=16443",
        f"--cert-dir={tmp_path}/certificates",
    ).stderr

    assert says in said
    assert ("invalid authentication configuration" in said) == bool(spoilt)


def test_kubeadm_takes_what_a_first_management_cluster_is_made_of(balai, run, tmp_path: Path) -> None:
    out = tmp_path / "seed"

    written = balai("fleet", "seed", "cikarang", "--out", str(out))
    kubeadm = str(toolchain.path_of("kubeadm"))
    taken = run(kubeadm, "config", "validate", "--config", str(out / "kubeadm.yml"))
    (out / "kubeadm.yml").write_text((out / "kubeadm.yml").read_text().replace("extraArgs", "extraArguments"))
    refused = run(kubeadm, "config", "validate", "--config", str(out / "kubeadm.yml"))

    assert written.returncode == 0, written.stderr
    assert taken.returncode == 0, taken.stderr
    assert "warning" not in taken.stderr.lower(), taken.stderr
    assert "extraArguments" in refused.stderr


@pytest.mark.parametrize("infrastructure", ["metal3", "openstack"])
@pytest.mark.usefixtures("space")
def test_a_field_that_a_provider_does_not_have_is_refused(
    infrastructure: str, api: Cluster, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the test above would hold whatever is rendered."""
    monkeypatch.delenv("BALAI_INFRASTRUCTURE", raising=False)
    estate = estate_with(infrastructure, Path(shutil.copytree(root / "inventories", tmp_path / "inventories")))
    providers.install(api, providers.definitions(infrastructure))
    parts, _ = fleet_objects(estate, estate.data_centres[NAME])
    machine = next(item for item in parts if item["kind"].endswith("MachineTemplate"))
    machine["spec"]["template"]["spec"]["flavour"] = "balai-general"

    with pytest.raises(ApiError, match="flavour"):
        apply(api, machine)
