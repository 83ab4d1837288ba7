"""
A cluster's life on the real Cluster API: made, upgraded, mended, moved, kept from harm, and rebuilt from an export.

The cluster is one of its own in a data centre of its own, so that the lab's stay as they are; its machines are in
memory, and all that decides about them is not.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from balai.estate import load_estate
from balai.kube import Cluster
from lab import approvals, management, processes, toolchain
from tests.journeys.fleets import API, CLUSTER, DATA_CENTRE, PLACE, SPACE, STACK, Fleet, eventually, gone

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def fleet(root: Path, tmp_path_factory: pytest.TempPathFactory, balai, run) -> Iterator[Fleet]:
    """The estate with a data centre of its own, whose cluster is there."""
    folder = tmp_path_factory.mktemp("fleet")
    shutil.copytree(root / "inventories", folder / "inventories")
    (folder / "inventories/data_centres/uji.yml").write_text(DATA_CENTRE)
    (folder / "inventories/clusters/uji.yml").write_text(CLUSTER)
    made = Fleet(root, folder, balai, run)
    gone(made)
    first = made.up()
    assert first.returncode == 0, first.stdout + first.stderr
    yield made
    gone(made)


@pytest.fixture
def unchanged(fleet: Fleet) -> Iterator[None]:
    """Put the test's inventories back, and see that the cluster is the same object as before, unchanged."""
    kept = {path: path.read_bytes() for path in fleet.inventories.rglob("*.yml")}
    before = fleet.cluster()["metadata"]
    yield
    for path, content in kept.items():
        path.write_bytes(content)
    after = fleet.cluster()["metadata"]
    assert (after["uid"], after["generation"]) == (before["uid"], before["generation"])


def up_with_approval(fleet: Fleet, *allows: str) -> subprocess.CompletedProcess[str]:
    """Bring the clusters up once with what the lab's two people allow, and take their word back."""
    approvals.give([STACK], allows)
    try:
        done: subprocess.CompletedProcess[str] = fleet.up(BALAI_APPROVALS=str(approvals.FOLDER))
    finally:
        shutil.rmtree(approvals.FOLDER / "fleet-uji")
    return done


def test_make_up_has_brought_both_data_centres_clusters_up(balai) -> None:
    done = balai("fleet", "show", "--json")

    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 0
    assert {name: (row["state"], row["control_planes"], row["workers"]) for name, row in rows.items()} == {
        "batam": ("Available", "3/3", "8/8"),
        "cikarang": ("Available", "3/3", "8/8"),
    }


def test_a_cluster_is_what_its_file_says_and_a_second_run_changes_nothing(fleet: Fleet) -> None:
    again = fleet.up()

    assert set(json.loads(again.stdout)[0]["changes"]) == {"same"}
    assert {m["spec"]["version"] for m in fleet.machines().values()} == {"v1.36.2"}
    racks = sorted(m["spec"].get("failureDomain", "-") for m in fleet.machines().values())
    assert racks == ["-", "a", "b"], "a machine of the control plane, and one in each rack"
    assert len(fleet.nodes()) == 3


def test_what_a_machine_is_told_hardens_it(fleet: Fleet) -> None:
    told = {}
    for name, machine in fleet.machines().items():
        found = machine["spec"]["bootstrap"]["dataSecretName"]
        secret = fleet.api.request("GET", f"/api/v1/namespaces/{SPACE}/secrets/{found}")
        told[name] = base64.b64decode(secret["data"]["value"]).decode()
    workers = [text for name, text in told.items() if "-general-" in name]
    (control,) = [text for name, text in told.items() if "-general-" not in name]
    labels = sorted(text.split("topology.kubernetes.io/zone=")[1][:8] for text in workers)

    assert labels == ["id-uji-a", "id-uji-b"]
    assert "audit-policy-file" in control
    assert "secretbox" in control, "the key by which Secrets are encrypted reaches the control plane"
    assert not any("secretbox" in text for text in workers)
    assert all("protectKernelDefaults: true" in text for text in told.values())


def test_no_key_is_in_the_state_or_in_a_log(fleet: Fleet, lab: Path) -> None:
    found = fleet.api.request("GET", f"/api/v1/namespaces/{SPACE}/secrets/uji-encryption")["data"]["encryption.yml"]
    key = yaml.safe_load(base64.b64decode(found))["resources"][0]["providers"][0]["secretbox"]["keys"][0]["secret"]
    inside = fleet.api.request("GET", f"/api/v1/namespaces/{SPACE}/secrets/uji-kubeconfig")["data"]["value"]

    for path in [*(lab / "pulumi").rglob("*.json*"), *(lab / "logs").glob("*.log")]:
        text = path.read_text(errors="replace")
        assert key not in text, path
        assert found not in text, path
        assert inside not in text, path


def test_the_administrator_s_way_in_is_written_for_its_owner_alone_and_once(fleet: Fleet, tmp_path: Path) -> None:
    out = tmp_path / "kubeconfig"

    written = fleet.balai("fleet", "kubeconfig", PLACE, "--out", str(out))
    again = fleet.balai("fleet", "kubeconfig", PLACE, "--out", str(out))

    assert written.returncode == 0, written.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    assert len(Cluster.from_kubeconfig(out, "uji").request("GET", "/api/v1/nodes")["items"]) == 3
    assert again.returncode == 2
    assert "File exists" in again.stderr


@pytest.mark.usefixtures("unchanged")
def test_a_version_is_not_skipped_and_never_goes_back(fleet: Fleet) -> None:
    fleet.change("clusters/uji.yml", "kubernetes: 1.36.2", "kubernetes: 1.35.4")

    done, plain = fleet.up(), fleet.pulumi("up", "--yes", "--refresh")

    assert (done.returncode, plain.returncode != 0) == (1, True)
    for words in (done.stdout, plain.stdout + plain.stderr):
        assert "v1.36.2 cannot become v1.35.4 at once" in words


@pytest.mark.usefixtures("unchanged")
def test_machines_are_replaced_in_the_cluster_s_windows_only(fleet: Fleet) -> None:
    day = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)).strftime("%a").lower()
    fleet.change("clusters/uji.yml", "days: [mon, tue, wed, thu, fri, sat, sun]", f"days: [{day}]")
    fleet.change("clusters/uji.yml", "hours: 24", "hours: 1")
    fleet.change("clusters/uji.yml", "a: 1", "a: 2")

    done, plain = fleet.up(), fleet.pulumi("up", "--yes", "--refresh")

    assert (done.returncode, plain.returncode != 0) == (1, True)
    for words in (done.stdout, plain.stdout + plain.stderr):
        assert "replaced in its windows only" in words


@pytest.mark.usefixtures("unchanged")
def test_a_change_in_a_freeze_is_refused_and_says_whom_it_would_touch(fleet: Fleet, root: Path) -> None:
    today = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=7)))
    fleet.change("calendar.yml", 'first: "03-01"', f'first: "{today:%m-%d}"')
    fleet.change("calendar.yml", 'last: "03-31"', f'last: "{today + datetime.timedelta(days=1):%m-%d}"')
    fleet.change("tenants/pajak.yml", "clusters: [cikarang, batam]", "clusters: [cikarang, batam, uji]")
    fleet.change("clusters/uji.yml", "a: 1", "a: 2")

    done = fleet.up()
    preview = fleet.balai("preview", "--data-centre", PLACE)
    plain = fleet.pulumi("up", "--yes", "--refresh")
    hasty = fleet.pulumi("up", "--yes", "--refresh", "--skip-preview")

    assert done.returncode == 1
    assert plain.returncode != 0
    assert hasty.returncode != 0
    for words in (done.stdout, preview.stderr, plain.stdout + plain.stderr, hasty.stdout + hasty.stderr):
        assert "Masa pelaporan SPT tahunan" in words
        assert "1 tenant(s) (pajak)" in words
        assert "7,700,000 taxpayers with an active account" in words
        assert f"{len(load_estate(fleet.inventories).sites)} mall(s)" in words


@pytest.mark.usefixtures("unchanged")
def test_a_cluster_whose_file_is_gone_is_left_alone(fleet: Fleet) -> None:
    (fleet.inventories / "clusters/uji.yml").unlink()

    done, plain = fleet.up(), fleet.pulumi("up", "--yes", "--refresh", "--skip-preview")

    assert (done.returncode, plain.returncode != 0) == (1, True)
    for words in (done.stdout, plain.stdout + plain.stderr):
        assert "a file that is gone is no order to delete" in words


@pytest.mark.usefixtures("unchanged")
def test_a_cluster_is_not_ended_by_one_word_in_its_file(fleet: Fleet) -> None:
    fleet.change("clusters/uji.yml", "status: active", "status: decommissioning\nstatus_reason: a test asks for it")

    done, plain = fleet.up(), fleet.pulumi("up", "--yes", "--refresh")

    assert (done.returncode, plain.returncode != 0) == (1, True)
    for words in (done.stdout, plain.stdout + plain.stderr):
        assert "needs the approval of two people" in words


@pytest.mark.usefixtures("unchanged")
def test_a_management_cluster_that_is_away_is_said(fleet: Fleet) -> None:
    processes.stop("management-kube-apiserver")
    try:
        done = fleet.up()
    finally:
        management.start(toolchain.ensure())

    assert done.returncode == 1
    assert "does not answer" in done.stdout
    assert set(json.loads(fleet.up().stdout)[0]["changes"]) == {"same"}


def test_an_upgrade_by_one_minor_replaces_every_machine(fleet: Fleet) -> None:
    before = set(fleet.machines())
    fleet.change("clusters/uji.yml", "kubernetes: 1.36.2", "kubernetes: 1.37.2")

    done = fleet.up()

    assert done.returncode == 0, done.stdout
    after = fleet.machines()
    assert {m["spec"]["version"] for m in after.values()} == {"v1.37.2"}
    assert len(after) == len(before) == len(fleet.ready())
    assert not before & set(after)
    assert set(fleet.nodes()) == {m["status"]["nodeRef"]["name"] for m in after.values()}


def test_two_people_can_allow_what_a_window_refuses(fleet: Fleet) -> None:
    day = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)).strftime("%a").lower()
    fleet.change("clusters/uji.yml", "days: [mon, tue, wed, thu, fri, sat, sun]", f"days: [{day}]")
    fleet.change("clusters/uji.yml", "a: 1", "a: 2")
    done = up_with_approval(fleet, "window")
    fleet.change("clusters/uji.yml", f"days: [{day}]", "days: [mon, tue, wed, thu, fri, sat, sun]")

    assert done.returncode == 0, done.stdout
    assert len(fleet.ready()) == 4


def test_controllers_killed_and_an_api_server_away_while_a_machine_is_half_made_are_carried_through(
    fleet: Fleet,
) -> None:
    before = len(fleet.machines())
    fleet.change("clusters/uji.yml", "b: 1", "b: 2")
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(fleet.up)
        eventually("the new machine begins", lambda: len(fleet.machines()) == before + 1)
        half_made = len(fleet.ready())
        for name in ("management-kube-apiserver", "capi-core", "capi-control-plane", "capi-bootstrap"):
            pid = processes.pid_of(name)
            assert pid
            os.kill(pid, signal.SIGKILL)
        time.sleep(10)
        management.start(toolchain.ensure())
        done = going.result()
    again = fleet.up()

    assert half_made == before
    assert done.returncode == 0 or "does not answer" in done.stdout, done.stdout
    assert again.returncode == 0, again.stdout
    assert len(fleet.ready()) == before + 1


def test_a_killed_machine_is_replaced(fleet: Fleet) -> None:
    victim = next(name for name in sorted(fleet.machines()) if "-general-" in name)
    node = fleet.machines()[victim]["status"]["nodeRef"]["name"]
    dead = [
        {
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ]

    fleet.inside().request(
        "PATCH", f"/api/v1/nodes/{node}", {"status": {"conditions": dead}}, "application/merge-patch+json"
    )

    eventually("the machine is taken away", lambda: victim not in fleet.machines())
    eventually("another one stands in", lambda: len(fleet.ready()) == 5)
    assert node not in fleet.nodes()
    assert set(json.loads(fleet.up().stdout)[0]["changes"]) == {"same"}


def test_a_rack_that_is_taken_out_is_emptied_and_what_no_longer_fits_is_said(fleet: Fleet) -> None:
    fleet.change("data_centres/uji.yml", "  b: {control-plane: 2, general: 4}\n", "")
    refused = fleet.up()
    fleet.change("clusters/uji.yml", "racks: {a: 2, b: 2}", "racks: {a: 3}")
    fleet.change("tenants/hukum.yml", "clusters: [cikarang]", "clusters: [uji]")
    fleet.change("tenants/hukum.yml", 'cpu: "4"', 'cpu: "70"')

    done = fleet.up()
    told = fleet.balai("fleet", "fit", "--without", "uji/a", "--json")

    assert refused.returncode == 2
    assert "there is no such rack of uji" in refused.stderr
    assert done.returncode == 0, done.stdout
    assert {m["spec"].get("failureDomain", "-") for m in fleet.machines().values()} == {"-", "a"}
    hukum = next(v for v in json.loads(told.stdout) if v["tenant"] == "hukum")
    assert (hukum["state"], hukum["short"]["cpu"], hukum["machines"]) == ("not", 70_000, 3)


def test_a_management_cluster_is_rebuilt_from_its_export_and_no_cluster_is_made_again(
    fleet: Fleet, balai, run, tmp_path: Path
) -> None:
    keys, people = [], []
    for name in ("first", "second"):
        run("age-keygen", "-o", str(tmp_path / name))
        keys.append(tmp_path / name)
        people.append(run("age-keygen", "-y", str(tmp_path / name)).stdout.strip())
    sealed = ["--recipient", people[0], "--recipient", people[1], "--out"]
    for place in load_estate(fleet.inventories).data_centres:
        made = fleet.balai("fleet", "export", place, *sealed, str(tmp_path / f"{place}.age"))
        assert made.returncode == 0, made.stderr
    nodes, machines, uid = fleet.nodes(), set(fleet.machines()), fleet.cluster()["metadata"]["uid"]

    management.wipe(toolchain.ensure())
    assert not fleet.machines()
    removed = fleet.pulumi("stack", "rm", "--yes", "--force", "--remove-backups")
    wrong = fleet.balai("fleet", "restore", PLACE, str(tmp_path / "batam.age"), "--identity", str(keys[0]))
    for n, place in enumerate(load_estate(fleet.inventories).data_centres):
        source = str(tmp_path / f"{place}.age")
        back = fleet.balai("fleet", "restore", place, source, "--identity", str(keys[n % 2]))
        assert back.returncode == 0, back.stderr

    assert removed.returncode == 0
    assert wrong.returncode == 2
    assert "an export of batam, not of uji" in wrong.stderr
    eventually("every cluster is Available", lambda: fleet.balai("fleet", "show").returncode == 0)
    assert fleet.cluster()["metadata"]["uid"] != uid, "the management cluster is another one"
    assert fleet.nodes() == nodes, "and the cluster is not: each node joined when it did"
    assert set(fleet.machines()) == machines
    assert set(json.loads(fleet.up().stdout)[0]["changes"]) == {"same"}
    assert balai("fleet", "show").returncode == 0


def test_an_export_that_was_killed_leaves_no_cluster_held_still(fleet: Fleet, run, tmp_path: Path) -> None:
    where = f"{API}/namespaces/{SPACE}/clusters/uji?fieldManager=balai-export"
    mark = {"metadata": {"annotations": {"balai.internal/exporting": "true"}}}
    fleet.api.request("PATCH", where, mark | {"spec": {"paused": True}}, "application/merge-patch+json")
    people = []
    for name in ("first", "second"):
        run("age-keygen", "-o", str(tmp_path / name))
        people.append(run("age-keygen", "-y", str(tmp_path / name)).stdout.strip())
    sealed = ["--recipient", people[0], "--recipient", people[1], "--out", str(tmp_path / "again.age")]

    done = fleet.balai("fleet", "export", PLACE, *sealed)

    assert done.returncode == 0, done.stderr
    assert "paused" not in fleet.cluster()["spec"]
    assert not list(Path("/dev/shm").glob("balai-seed-*")), "nothing of it is left in memory"


def test_a_cluster_ends_by_its_status_and_two_people_when_nobody_stands_on_it_any_more(fleet: Fleet) -> None:
    destroyed = fleet.pulumi("destroy", "--yes", "--skip-preview")
    fleet.change("clusters/uji.yml", "status: active", "status: decommissioning\nstatus_reason: a test asks for it")
    stood_on = up_with_approval(fleet, "deletion")
    before = len(fleet.machines())
    fleet.change("tenants/hukum.yml", "clusters: [uji]", "clusters: [cikarang]")

    done, again = up_with_approval(fleet, "deletion"), fleet.up()

    assert destroyed.returncode != 0, "a run without the program has no gate"
    assert stood_on.returncode == 1
    assert "hukum still stand on it" in stood_on.stdout
    assert before > 0
    assert done.returncode == 0, done.stdout
    assert not fleet.machines()
    assert again.returncode == 0, "its file may stay"
