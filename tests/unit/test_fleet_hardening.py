"""What a cluster's machines are told: audit, encryption at rest, admission, TLS and kubelets, in files kubeadm reads."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from balai.estate import load_estate
from balai.fleet import keys
from balai.fleet.cluster_class import FILES as ON_MACHINE
from balai.fleet.cluster_class import files_of
from balai.fleet.clusters import fleet_objects
from balai.fleet.infrastructure import SETTING
from balai.kube import ApiError
from balai.models.fleet import Image, SignIn

Json = dict[str, Any]
IMAGE = Image(url="https://images.balai.internal/1.37.2.qcow2", sha256="1" * 64)
FILES = load_estate()
ESTATE = replace(FILES, releases={v: r.model_copy(update={"image": IMAGE}) for v, r in FILES.releases.items()})
PLACE = ESTATE.data_centres["cikarang"]


@pytest.fixture(autouse=True, params=["metal3", "in-memory"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What makes the machines; what they are told is the same."""
    monkeypatch.setenv(SETTING, request.param)
    return str(request.param)


def control_plane(parts: list[Json]) -> Json:
    (template,) = [p for p in parts if p["kind"] == "KubeadmControlPlaneTemplate"]
    return dict(template["spec"]["template"]["spec"]["kubeadmConfigSpec"])


def arguments(part: Json) -> dict[str, str]:
    names = [argument["name"] for argument in part["extraArgs"]]
    assert len(set(names)) == len(names)
    return {argument["name"]: argument["value"] for argument in part["extraArgs"]}


def test_an_api_server_is_hardened_and_every_file_that_it_is_told_of_is_put_there() -> None:
    parts, _ = fleet_objects(ESTATE, PLACE)
    spec = control_plane(parts)
    server = arguments(spec["clusterConfiguration"]["apiServer"])
    files = {file["path"]: file for file in spec["files"]}

    assert server["authorization-mode"] == "Node,RBAC"
    assert server["enable-admission-plugins"] == "NodeRestriction"
    assert server["profiling"] == "false"
    assert server["tls-min-version"] == "VersionTLS12"
    assert all("GCM" in cipher and "ECDHE" in cipher for cipher in server["tls-cipher-suites"].split(","))
    assert int(server["audit-log-maxage"]) >= 30
    named_files = {value for value in server.values() if value.startswith("/etc/kubernetes/balai/")}
    assert len(named_files) == 4
    assert named_files - files.keys() == {server["encryption-provider-config"]}, (
        "the key comes from a Secret, by a patch"
    )
    assert {file["permissions"] for file in files.values()} == {"0600"}
    mounts = {v["mountPath"]: v for v in spec["clusterConfiguration"]["apiServer"]["extraVolumes"]}
    assert all(any(path.startswith(f"{mount}/") for mount in mounts) for path in named_files)
    assert mounts["/etc/kubernetes/balai"]["readOnly"]
    assert server["audit-log-path"].startswith("/var/log/kubernetes/")
    assert not mounts["/var/log/kubernetes"]["readOnly"]


def test_controllers_scheduler_and_etcd_are_hardened() -> None:
    settings = control_plane(fleet_objects(ESTATE, PLACE)[0])["clusterConfiguration"]

    for name in ("controllerManager", "scheduler"):
        assert arguments(settings[name]) == {"profiling": "false", "bind-address": "127.0.0.1"}
    etcd = arguments(settings["etcd"]["local"])
    assert etcd["auto-tls"] == "false"
    assert "ECDHE" in etcd["cipher-suites"]


def written(parts: list[Json], name: str) -> Json:
    (found,) = [f["content"] for f in control_plane(parts)["files"] if f["path"] == f"/etc/kubernetes/balai/{name}"]
    return dict(yaml.safe_load(found))


def test_secrets_and_tokens_are_never_written_into_the_audit_log() -> None:
    policy = written(fleet_objects(ESTATE, PLACE)[0], "audit-policy.yml")

    first = policy["rules"][0]
    assert first["level"] == "Metadata"
    assert first["resources"] == [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]
    assert policy["rules"][-1] == {"level": "Metadata"}, "whatever no rule names is written down too"


def test_a_namespace_without_labels_is_held_to_the_strictest_pod_security() -> None:
    (plugin,) = written(fleet_objects(ESTATE, PLACE)[0], "admission.yml")["plugins"]

    assert plugin["name"] == "PodSecurity"
    levels = {k: v for k, v in plugin["configuration"]["defaults"].items() if not k.endswith("-version")}
    assert levels == dict.fromkeys(("enforce", "audit", "warn"), "restricted")
    assert plugin["configuration"]["exemptions"] == {
        "usernames": [],
        "runtimeClasses": [],
        "namespaces": ["kube-system"],
    }


def test_nobody_without_a_name_reads_more_than_probes_and_what_a_joining_machine_needs() -> None:
    """kubeadm asks for cluster-info without a name: without this path no machine would ever join."""
    anonymous = written(fleet_objects(ESTATE, PLACE)[0], "authentication.yml")["anonymous"]

    assert {condition["path"] for condition in anonymous["conditions"]} == {
        "/livez", "/readyz", "/healthz", "/api/v1/namespaces/kube-public/configmaps/cluster-info"
    }  # fmt: skip


def test_every_kubelet_is_hardened_by_a_patch_that_kubeadm_reads() -> None:
    """kubeadm's patches are `target[suffix][+type].json|yaml`; a file of another name it passes over in silence."""
    parts, _ = fleet_objects(ESTATE, PLACE)
    (joining,) = [p for p in parts if p["kind"] == "KubeadmConfigTemplate"]
    for spec in (control_plane(parts), joining["spec"]["template"]["spec"]):
        folder = spec["joinConfiguration"]["patches"]["directory"]
        (file,) = [f for f in spec["files"] if f["path"].startswith(f"{folder}/")]
        assert re.fullmatch(r"kubeletconfiguration[^.+]*\+strategic\.(json|yaml)", file["path"].rsplit("/", 1)[1])
        kubelet = yaml.safe_load(file["content"])
        assert kubelet["authentication"] == {"anonymous": {"enabled": False}, "webhook": {"enabled": True}}
        assert kubelet["authorization"] == {"mode": "Webhook"}
        assert kubelet["readOnlyPort"] == 0
        assert kubelet["protectKernelDefaults"] is True
        assert kubelet["tlsMinVersion"] == "VersionTLS12"
        assert kubelet["rotateCertificates"] is True
    assert control_plane(parts)["initConfiguration"] == {"patches": {"directory": folder}}


class Api:
    """A management cluster that has a Secret, or not."""

    def __init__(self, status: int) -> None:
        self.status, self.sent = status, []

    def request(self, method: str, path: str, body: Json | None = None) -> Json:
        if method == "GET" and self.status != 200:
            raise ApiError(self.status, {})
        if method == "POST":
            self.sent.append((path, body))
        return {}


def use(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys.Cluster, "from_kubeconfig", lambda *_, **__: api)


def test_a_cluster_s_key_is_made_once_random_and_moves_with_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(404)
    use(api, monkeypatch)

    assert keys.ensure("management-cikarang", "fleet-cikarang", "cikarang")
    assert keys.ensure("management-cikarang", "fleet-cikarang", "cikarang")

    secrets = []
    for path, secret in api.sent:
        assert path == "/api/v1/namespaces/fleet-cikarang/secrets"
        assert secret["metadata"]["name"] == "cikarang-encryption"
        assert "clusterctl.cluster.x-k8s.io/move" in secret["metadata"]["labels"]
        (rule,) = yaml.safe_load(secret["stringData"][keys.FILE])["resources"]
        assert rule["resources"] == ["secrets"]
        first, *others = rule["providers"]
        secrets.append(base64.b64decode(first["secretbox"]["keys"][0]["secret"]))
        assert others == [{"identity": {}}], "what is encrypted is written first, what is not is still read"
    assert {len(secret) for secret in secrets} == {32}
    assert len(set(secrets)) == 2


def test_a_key_that_is_there_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(200)
    use(api, monkeypatch)

    assert not keys.ensure("management-cikarang", "fleet-cikarang", "cikarang")
    assert api.sent == []


def test_a_key_is_not_made_anew_because_nobody_could_look(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(403)
    use(api, monkeypatch)

    with pytest.raises(ApiError):
        keys.ensure("management-cikarang", "fleet-cikarang", "cikarang")
    assert api.sent == []


def test_people_sign_in_where_a_data_centre_says_and_as_nobody_of_the_cluster_s_own() -> None:
    place = load_estate().data_centres["cikarang"]
    sign_in = SignIn(issuer="https://masuk.balai.internal/pegawai", audience="kubernetes", groups="groups")

    without = yaml.safe_load(files_of(place)[ON_MACHINE["authentication.yml"]])
    (jwt,) = yaml.safe_load(files_of(place.model_copy(update={"sign_in": sign_in}))[ON_MACHINE["authentication.yml"]])[
        "jwt"
    ]

    assert "jwt" not in without, "what nobody has published is not made up"
    assert jwt["issuer"] == {"url": sign_in.issuer, "audiences": ["kubernetes"]}
    assert jwt["claimMappings"]["username"]["prefix"] == "person:"
    assert "startsWith('balai:')" in jwt["claimMappings"]["groups"]["expression"]
