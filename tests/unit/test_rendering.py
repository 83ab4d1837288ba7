"""What would be applied as files: the same twice, a diff when something changed, and nothing else in the folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from balai.estate import load_estate
from balai.rules import Judge
from balai.sites import INVENTORIES

ESTATE = load_estate()
BOTH = ("--cluster", "cikarang", "--site", "mpp-banyuwangi")


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    return Path(shutil.copytree(INVENTORIES, tmp_path / "inventories"))


def test_a_second_time_changes_nothing_and_a_change_is_where_it_belongs(
    balai, inventories: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rendered"
    command = ("render", "--out", str(out), *BOTH)

    first = balai(*command, BALAI_INVENTORIES=str(inventories))
    second = balai(*command, BALAI_INVENTORIES=str(inventories))
    site, tenant = inventories / "sites/mpp-banyuwangi.yml", inventories / "tenants/pajak.yml"
    site.write_text(site.read_text().replace("- wed#3", "- thu#3"))
    tenant.write_text(tenant.read_text().replace("pods: 20", "pods: 30"))
    third = balai(*command, BALAI_INVENTORIES=str(inventories))

    assert first.returncode == 0, first.stderr
    assert "0 changed" in second.stdout
    assert sorted(third.stdout.split()[-3:]) == [
        "clusters/cikarang/tenants/pajak.yml",
        "sites/mpp-banyuwangi/mpp-banyuwangi-router-1.json",
        "sites/mpp-banyuwangi/mpp-banyuwangi-server-1.json",
    ]
    quotas = [
        o
        for o in yaml.safe_load_all((out / "clusters/cikarang/tenants/pajak.yml").read_text())
        if o["kind"] == "ResourceQuota"
    ]
    assert quotas[0]["spec"]["hard"]["pods"] == "30"
    told = json.loads((out / "sites/mpp-banyuwangi/mpp-banyuwangi-router-1.json").read_text())
    assert told["offices_settings"]["assignments"][1]["on"] == ["wed#1", "thu#3"]


def test_what_is_no_longer_declared_goes_and_a_folder_of_somebody_s_is_left_alone(
    balai, inventories: Path, tmp_path: Path
) -> None:
    out, foreign = tmp_path / "rendered", tmp_path / "foreign"
    balai("render", "--out", str(out), *BOTH)
    foreign.mkdir()
    (foreign / "letter.txt").write_text("kept")

    smaller = balai("render", "--out", str(out), "--site", "mpp-banyuwangi")
    refused = balai("render", "--out", str(foreign), *BOTH)

    assert "clusters/cikarang/foundation.yml" in smaller.stdout
    assert not (out / "clusters/cikarang/foundation.yml").exists()
    assert refused.returncode == 2
    assert [p.name for p in foreign.iterdir()] == ["letter.txt"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """All that is declared for one cluster, by a process of its own: Pulumi's runtime keeps its sockets until the end."""
    out = tmp_path_factory.mktemp("rendered") / "out"
    argv = [sys.executable, "-m", "balai", "render", "--out", str(out), "--cluster", "cikarang"]
    subprocess.run(argv, check=True, cwd=root, capture_output=True)
    return out


def objects(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("tenant", ESTATE.tenants_of("cikarang"), ids=lambda tenant: tenant.name)
def test_what_is_rendered_of_a_tenant_breaks_no_rule(tenant, rendered: Path) -> None:
    items = objects(rendered / f"clusters/cikarang/tenants/{tenant.name}.yml")
    (namespace,) = [item for item in items if item["kind"] == "Namespace"]
    together: dict[str, list[Any]] = {}
    for item in items:
        together.setdefault(item["kind"], []).append(item)

    assert {"Namespace", "Deployment", "Service", "NetworkPolicy", "ResourceQuota"} <= {item["kind"] for item in items}
    for point in ("plan", "file"):
        judge = Judge(point, ESTATE.clusters["cikarang"].given)
        assert [str(f) for item in items for f in judge.judge(item, None, namespace)] == []
        assert [str(f) for f in judge.judge_together(namespace, together)] == []


def test_every_kind_of_service_is_rendered_somewhere_and_so_is_judged(rendered: Path) -> None:
    folder = rendered / "clusters/cikarang/tenants"
    kinds = {item["kind"] for path in folder.glob("*.yml") for item in objects(path)}

    assert {"CronJob", "HorizontalPodAutoscaler", "PodDisruptionBudget"} <= kinds
    assert {"Cluster", "ScheduledBackup"} <= kinds, "a database and its copies"
    assert {"HTTPRoute", "BackendTrafficPolicy", "ReferenceGrant"} <= kinds, "an API behind the gateway"
    assert "SecurityPolicy" in kinds, "a page for malls"


def test_routes_and_what_bounds_them_stand_where_no_tenant_changes_anything(rendered: Path) -> None:
    found = objects(rendered / "clusters/cikarang/tenants/kependudukan.yml")
    bounds = {"HTTPRoute", "BackendTrafficPolicy", "SecurityPolicy"}
    grants = [item for item in found if item["kind"] == "ReferenceGrant"]

    assert {item["kind"] for item in found if item["metadata"].get("namespace") == "balai-gateway"} >= bounds
    assert {item["metadata"]["namespace"] for item in found if item["kind"] in bounds} == {"balai-gateway"}
    assert {grant["metadata"]["namespace"] for grant in grants} == {"tenant-kependudukan"}
    bound_to = {
        item["kind"]: [ref["name"] for ref in item["spec"]["targetRefs"]]
        for item in found
        if item["kind"] in bounds - {"HTTPRoute"}
    }
    assert bound_to == {
        "BackendTrafficPolicy": ["kependudukan-verifikasi"],
        "SecurityPolicy": ["kependudukan-web-malls"],
    }
    led_to = {grant["metadata"]["name"]: [to["name"] for to in grant["spec"]["to"]] for grant in grants}
    assert led_to == {"verifikasi": ["verifikasi"], "web-malls": ["web"]}, "each to one Service"


def test_a_page_that_malls_open_is_closed_to_all_but_the_networks_of_its_flows(rendered: Path) -> None:
    def callers(tenant: str, route: str) -> list[str]:
        found = objects(rendered / f"clusters/cikarang/tenants/{tenant}.yml")
        (said,) = [
            item["spec"] for item in found if item["kind"] == "SecurityPolicy" and item["metadata"]["name"] == route
        ]
        assert said["targetRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route}]
        assert said["authorization"]["defaultAction"] == "Deny"
        (rule,) = said["authorization"]["rules"]
        assert rule["action"] == "Allow"
        return rule["principal"]["clientCIDRs"]

    # Banyuwangi's kiosks and the second half of its network, where the offices are.
    assert {"10.64.2.0/24", "10.64.8.0/21"} <= set(callers("pajak-banyuwangi", "pajak-banyuwangi-web-malls"))
    assert all(n.startswith(("10.64.", "fd")) for n in callers("pajak-banyuwangi", "pajak-banyuwangi-web-malls"))
    assert "10.64.2.0/24" not in callers("kependudukan", "kependudukan-web-malls"), "kiosks do not open the registry"
    assert len(callers("hukum", "hukum-web-malls")) > len(ESTATE.sites)


def test_a_tenant_s_own_files_are_rendered_with_the_rest(balai, inventories: Path, tmp_path: Path) -> None:
    (inventories / "manifests").mkdir()
    (inventories / "manifests/own.yml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: tenant-hukum}\ndata: {a: b}\n"
    )
    tenant = inventories / "tenants/hukum.yml"
    tenant.write_text(tenant.read_text() + "manifests: [manifests/own.yml]\n")

    done = balai("render", "--out", str(tmp_path / "out"), "--cluster", "cikarang", BALAI_INVENTORIES=str(inventories))

    assert done.returncode == 0, done.stderr
    found = objects(tmp_path / "out/clusters/cikarang/tenants/hukum.yml")
    assert [item["data"] for item in found if item["kind"] == "ConfigMap"] == [{"a": "b"}]
