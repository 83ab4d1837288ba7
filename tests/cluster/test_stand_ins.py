"""The plugin stand-ins under the real engine, judged by what is in the cluster and in the state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from tests.cluster.conftest import Project

pytestmark = pytest.mark.lab

BASE = """
ns = k8s.core.v1.Namespace("ns", metadata={"name": NS})
child = pulumi.ResourceOptions(depends_on=[ns])
cm = k8s.core.v1.ConfigMap("cm", metadata={"name": "cm", "namespace": NS}, data={"a": "1"}, opts=child)
"""
CM = "/api/v1/namespaces/NS/configmaps/cm"


def test_preview_changes_nothing_and_up_makes_what_it_said(project: Project) -> None:
    project.write(BASE)

    said = project.pulumi("preview")
    assert "+ 3 to create" in said
    assert project.live("/api/v1/namespaces/NS") is None

    assert "+ 3 created" in project.up()
    assert project.live(CM)["data"] == {"a": "1"}
    assert "3 unchanged" in project.up("--refresh")


def test_an_update_changes_fields_and_removes_those_no_longer_named(project: Project) -> None:
    project.write(BASE.replace('{"a": "1"}', '{"a": "1", "b": "2"}'))
    project.up()

    project.write(BASE.replace('{"a": "1"}', '{"a": "3"}'))
    assert "~ 1 updated" in project.up()

    assert project.live(CM)["data"] == {"a": "3"}


def test_an_immutable_field_replaces_the_object(project: Project) -> None:
    job = """
    ns = k8s.core.v1.Namespace("ns", metadata={"name": NS})
    k8s.rbac.v1.RoleBinding("rb", metadata={"name": "rb", "namespace": NS}, opts=pulumi.ResourceOptions(depends_on=[ns]),
        role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        subjects=[{"kind": "Group", "name": "g", "apiGroup": "rbac.authorization.k8s.io"}])
    """
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings/rb"
    project.write(job)
    project.up()
    before = project.live(path)["metadata"]["uid"]

    project.write(job.replace('"view"', '"edit"'))
    assert "+-1 replaced" in project.up()

    after = project.live(path)
    assert after["roleRef"]["name"] == "edit"
    assert after["metadata"]["uid"] != before


def test_drift_is_found_by_refresh_and_repaired_by_up(project: Project) -> None:
    project.write(BASE)
    project.up()
    project.api.request(
        "PATCH",
        CM.replace("NS", project.namespace),
        {"data": {"a": "tampered", "other": "x"}},
        "application/merge-patch+json",
    )

    assert "~ 1 to update" in project.pulumi("preview", "--refresh")
    project.up("--refresh")

    assert project.live(CM)["data"]["a"] == "1"
    project.pulumi("preview", "--refresh", "--expect-no-changes")


def test_an_object_deleted_behind_our_back_is_made_again(project: Project) -> None:
    project.write(BASE)
    project.up()
    project.api.request("DELETE", CM.replace("NS", project.namespace))

    project.up("--refresh")

    assert project.live(CM) is not None


def test_destroy_waits_until_everything_is_gone(project: Project) -> None:
    project.write(BASE)
    project.up()

    project.pulumi("destroy", "--yes", "--skip-preview")

    assert project.live("/api/v1/namespaces/NS") is None


def test_a_secret_is_nowhere_in_the_state_and_right_in_the_cluster(project: Project) -> None:
    project.pulumi("config", "set", "--secret", "pin", "tujuh-delapan")
    project.write("""
    ns = k8s.core.v1.Namespace("ns", metadata={"name": NS})
    pin = pulumi.Config().require_secret("pin")
    child = pulumi.ResourceOptions(depends_on=[ns])
    k8s.core.v1.Secret("s", metadata={"name": "s", "namespace": NS}, string_data={"pin": pin}, opts=child)
    k8s.core.v1.ConfigMap("c", metadata={"name": "c", "namespace": NS}, data={"pin": pin}, opts=child)
    """)
    project.up()

    assert project.live("/api/v1/namespaces/NS/configmaps/c")["data"]["pin"] == "tujuh-delapan"
    assert "tujuh-delapan" not in project.state()
    assert "dHVqdWgtZGVsYXBhbg" not in project.state(), "nor encoded"
    assert "PRIVATE KEY" not in project.state()
    assert "0 to" not in project.pulumi("preview", "--refresh", "--expect-no-changes")


def test_protect_keeps_an_object_from_destroy(project: Project) -> None:
    project.write(BASE.replace("opts=child", "opts=pulumi.ResourceOptions(depends_on=[ns], protect=True)"))
    project.up()

    assert "protected" in project.pulumi("destroy", "--yes", "--skip-preview", fails=True)
    assert project.live(CM) is not None
    project.pulumi("state", "unprotect", "--all", "--yes")


def test_a_rename_with_an_alias_keeps_the_object(project: Project) -> None:
    project.write(BASE)
    project.up()
    before = project.live(CM)["metadata"]["uid"]

    project.write(
        BASE.replace('ConfigMap("cm"', 'ConfigMap("renamed"').replace(
            "opts=child", 'opts=pulumi.ResourceOptions(depends_on=[ns], aliases=[pulumi.Alias(name="cm")])'
        )
    )
    project.up()

    assert project.live(CM)["metadata"]["uid"] == before
    project.pulumi("preview", "--refresh", "--expect-no-changes")


def test_an_existing_object_is_imported(project: Project) -> None:
    project.write('ns = k8s.core.v1.Namespace("ns", metadata={"name": NS})')
    project.up()
    project.api.request(
        "POST",
        f"/api/v1/namespaces/{project.namespace}/configmaps",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"a": "1"}},
    )
    uid = project.live(CM)["metadata"]["uid"]

    project.write(BASE.replace("opts=child", 'opts=pulumi.ResourceOptions(depends_on=[ns], import_=f"{NS}/cm")'))
    assert "= 1 imported" in project.up()

    assert project.live(CM)["metadata"]["uid"] == uid


def test_two_resources_never_share_an_object_in_silence(project: Project) -> None:
    project.write(BASE)
    project.up()

    project.write(
        BASE
        + """
second = k8s.core.v1.ConfigMap("second", metadata={"name": "cm", "namespace": NS}, data={"a": "2"}, opts=child)
"""
    )
    said = project.pulumi("preview", fails=True)

    assert "ConfigMap" in said
    assert "is managed by another Pulumi resource" in said
    assert project.live(CM)["data"] == {"a": "1"}


def test_an_invalid_object_fails_in_preview_with_the_servers_words(project: Project) -> None:
    project.write("""
    k8s.core.v1.Namespace("ns", metadata={"name": "Not_A_Name"})
    """)

    said = project.pulumi("preview", fails=True)

    assert "Namespace Not_A_Name: " in said
    assert "RFC 1123" in said
    assert "Traceback" not in said


def test_a_custom_resource_works_in_the_run_that_brings_its_definition(project: Project) -> None:
    project.write("""
    group = f"{NS}.test"
    ns = k8s.core.v1.Namespace("ns", metadata={"name": NS})
    crd = k8s.apiextensions.v1.CustomResourceDefinition("crd", metadata={"name": f"papers.{group}"}, spec={
        "group": group, "scope": "Namespaced", "names": {"kind": "Paper", "plural": "papers", "singular": "paper"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]})
    k8s.apiextensions.CustomResource("cr", api_version=f"{group}/v1", kind="Paper",
        metadata={"name": "one", "namespace": NS}, spec={"pages": 3}, opts=pulumi.ResourceOptions(depends_on=[crd, ns]))
    """)
    project.up()

    assert project.live(f"/apis/{project.namespace}.test/v1/namespaces/NS/papers/one")["spec"] == {"pages": 3}
    project.pulumi("preview", "--refresh", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")


def test_a_job_that_fails_is_said_and_kept_in_the_state(project: Project) -> None:
    image = _page_image(project)
    project.write(f"""
    ns = k8s.core.v1.Namespace("ns", metadata={{"name": NS, "labels": {{"balai.internal/role": "test"}}}})
    k8s.batch.v1.Job("job", metadata={{"name": "job", "namespace": NS}}, opts=pulumi.ResourceOptions(depends_on=[ns]), spec={{
        "backoffLimit": 0, "template": {{"spec": {{"restartPolicy": "Never", "containers": [
            {{"name": "c", "image": {image!r}, "imagePullPolicy": "Never", "command": ["/page-that-is-not-there"]}}]}}}}}})
    """)

    said = project.up(fails=True)

    assert "Job" in said
    assert "was made and is not ready" in said
    assert any(r["type"].endswith(":Job") for r in project.resources())


def test_a_deployment_counts_as_made_when_its_pods_answer(project: Project) -> None:
    image = _page_image(project)
    program = f"""
    ns = k8s.core.v1.Namespace("ns", metadata={{"name": NS, "labels": {{"balai.internal/role": "test"}}}})
    k8s.apps.v1.Deployment("d", metadata={{"name": "d", "namespace": NS}}, spec={{"replicas": 1,
        "selector": {{"matchLabels": {{"app": "d"}}}}, "template": {{"metadata": {{"labels": {{"app": "d"}}}}, "spec": {{
            "containers": [{{"name": "c", "image": {image!r}, "imagePullPolicy": "Never",
                "readinessProbe": {{"httpGet": {{"path": "/healthz", "port": 8080}}}}}}]}}}}}},
        opts=pulumi.ResourceOptions(depends_on=[ns], custom_timeouts=pulumi.CustomTimeouts(create="60s")))
    """
    project.write(program)
    project.up()
    assert project.live("/apis/apps/v1/namespaces/NS/deployments/d")["status"]["readyReplicas"] == 1

    project.write(program.replace("/healthz", "/not-there").replace('create="60s"', 'update="4s"'))
    assert "replicas are ready" in project.up(fails=True)
    assert "update" in project.pulumi("preview"), "what is not ready is tried again"


@pytest.mark.parametrize("named", [True, False], ids=["named by the program", "named from the URN"])
def test_kill_9_loses_nothing_and_leaves_no_orphan(project: Project, named: bool) -> None:
    """The engine, its plugins and its program are all killed in the middle; the next run carries on."""
    metadata = '{"name": f"cm-{n}", "namespace": NS}' if named else '{"namespace": NS}'
    project.write(f"""
    ns = k8s.core.v1.Namespace("ns", metadata={{"name": NS}})
    for n in range(40):
        k8s.core.v1.ConfigMap(f"cm-{{n}}", metadata={metadata}, data={{"n": str(n)}},
                              opts=pulumi.ResourceOptions(depends_on=[ns]))
    """)
    listing = f"/api/v1/namespaces/{project.namespace}/configmaps?labelSelector=&limit=500"
    run = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--stack", "t", "--non-interactive"],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(_ours(project, listing)) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()

    project.pulumi("cancel", "--yes")
    project.up("--refresh")

    assert len(_ours(project, listing)) == 40
    project.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    project.pulumi("preview", "--refresh", "--expect-no-changes")


def _ours(project: Project, listing: str) -> list[str]:
    found = project.live(listing) or {"items": []}
    return [item["metadata"]["name"] for item in found["items"] if item["metadata"]["name"] != "kube-root-ca.crt"]


def _page_image(project: Project) -> str:
    pods = project.live("/api/v1/namespaces/tenant-portal-layanan/pods")
    assert pods
    return str(pods["items"][0]["spec"]["containers"][0]["image"])


def test_the_plugins_end_with_the_engine_that_started_them(project: Project) -> None:
    project.write("import time\ntime.sleep(60)")
    run = subprocess.Popen(
        ["pulumi", "preview", "--stack", "t", "--non-interactive"],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while len(family := _descendants(run.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    family = _descendants(run.pid)

    os.kill(run.pid, signal.SIGKILL)
    run.wait()

    deadline = time.monotonic() + 10
    while left := [pid for pid in family if _alive(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _descendants(pid: int) -> list[int]:
    children = json.loads(
        "["
        + ",".join(
            subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
        )
        + "]"
    )
    return children + [deeper for child in children for deeper in _descendants(child)]


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
