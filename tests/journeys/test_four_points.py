"""One rule, four points, on the running data centre: the same ids everywhere, and exceptions that end by themselves."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balai.rules.cases import base, merged
from balai.rules.exceptions import WIB, Exception_

pytestmark = pytest.mark.lab

TENANT, NAMESPACE, STACK = "portal-asn", "tenant-portal-asn", "tenant.cikarang.portal-asn"
BAD = """apiVersion: apps/v1
kind: Deployment
metadata: {name: legacy, labels: {app.kubernetes.io/name: legacy}}
spec:
  replicas: 2
  selector: {matchLabels: {app: legacy}}
  template:
    metadata: {labels: {app: legacy}}
    spec:
      hostPID: true
      priorityClassName: balai-strategis
      nodeName: cikarang-node-1
      containers:
        - name: app
          image: docker.io/library/nginx:latest
          env: [{name: DATABASE_PASSWORD, value: not-a-secret}]
          ports: [{containerPort: 8080, hostPort: 8080}]
          securityContext: {privileged: true}
"""
PLAIN = ["--non-interactive", "--color", "never"]


def bring(inventories: Path, manifest: str) -> None:
    """Let the tenant bring a manifest of its own."""
    path = inventories / "manifests" / f"{TENANT}.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(manifest)
    tenant = inventories / "tenants" / f"{TENANT}.yml"
    tenant.write_text(tenant.read_text() + f"manifests: [manifests/{TENANT}.yml]\n")


def good() -> str:
    pod = {"metadata": {"name": "legacy", "labels": {"app.kubernetes.io/name": "legacy"}}}
    return json.dumps([merged(base("Deployment"), pod)])[1:-1]


def denied_ids(text: str) -> set[str]:
    """Return the rules that deny, as Pulumi and as the API server say it; warnings are not meant."""
    said = " ".join(re.findall(r"error: \[.*|denied request: .*", text))
    return set(re.findall(r"\[([a-z_]+)\]", said))


def test_a_bad_file_is_refused_with_the_same_rule_ids_by_preview_up_check_and_kubectl(
    run, balai, inventories: Path, tmp_path: Path
) -> None:
    bring(inventories, BAD)
    path = inventories / "manifests" / f"{TENANT}.yml"
    own = {"BALAI_INVENTORIES": str(inventories)}

    preview = run("pulumi", "preview", "--stack", STACK, *PLAIN, **own)
    up = run("pulumi", "up", "--yes", "--skip-preview", "--stack", STACK, *PLAIN, **own)
    found = balai("check", "--json", "--category", "tinggi", str(path))
    kubectl = run("kubectl", "apply", "-n", NAMESPACE, "-f", str(path))

    findings = json.loads(found.stdout)["findings"]
    expected = {f["rule"] for f in findings if f["mode"] == "deny"}
    assert len(expected) > 12
    assert (preview.returncode, up.returncode, found.returncode, kubectl.returncode) == (1, 1, 1, 1)
    assert denied_ids(preview.stdout + preview.stderr) == expected
    assert denied_ids(up.stdout + up.stderr) == expected
    assert denied_ids(kubectl.stderr) == expected
    assert run("kubectl", "get", "deployment", "legacy", "-n", NAMESPACE).returncode != 0


def test_a_good_file_passes_at_every_point(run, balai, inventories: Path) -> None:
    bring(inventories, good())
    path = inventories / "manifests" / f"{TENANT}.yml"

    preview = run("pulumi", "preview", "--stack", STACK, *PLAIN, BALAI_INVENTORIES=str(inventories))
    found = balai("check", "--category", "tinggi", str(path))
    kubectl = run("kubectl", "apply", "-n", NAMESPACE, "--dry-run=server", "-f", str(path))

    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "[" not in found.stdout, found.stdout
    assert (kubectl.returncode, "Warning" in kubectl.stderr) == (0, False), kubectl.stderr


def writable() -> str:
    difference = {
        "metadata": {"name": "legacy", "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": "legacy"}},
        "spec": {"replicas": 0, "template": {"spec": {}}},
    }
    manifest = merged(base("Deployment"), difference)
    manifest["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    return json.dumps(manifest)


@pytest.fixture
def excepted(tmp_path: Path) -> Path:
    """A folder with one exception, signed, that ends today in Jakarta."""
    today = datetime.datetime.now(WIB).date().isoformat()
    folder = tmp_path / "exceptions" / "legacy-1"
    folder.mkdir(parents=True)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (folder.parent / "allowed_signers").write_text(
        f'ciso namespaces="balai-exception" {key.with_suffix(".pub").read_text()}'
    )
    path = folder / "exception.yml"
    path.write_text(f"""---
id: legacy-1
rule: read_only_root
scope: [{{kind: Deployment, namespace: {NAMESPACE}, name: legacy}}]
reason: the vendor writes to its own folder
compensating: the pod is replaced every night
owner: bkn
requested: "{today}"
expires: "{today}"
""")
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", "balai-exception", "-f", key, path], check=True, capture_output=True
    )
    path.with_name("exception.yml.sig").rename(folder / "ciso.sig")
    return folder.parent


@pytest.fixture
def foundation(run, excepted: Path) -> Iterator[None]:
    """The cluster with the exception in force; without it again afterwards."""
    up = ["pulumi", "up", "--yes", "--skip-preview", "--stack", "foundation.cikarang", *PLAIN]
    done = run(*up, BALAI_EXCEPTIONS=str(excepted))
    assert done.returncode == 0, done.stdout + done.stderr
    time.sleep(2)  # the API server reads parameters anew within a second
    yield
    assert run(*up).returncode == 0


TOMORROW = ("faketime", "+1 day")


def test_an_exception_that_ends_today_lets_in_today_and_not_tomorrow_without_a_new_apply(
    run, balai, inventories: Path, tmp_path: Path, excepted: Path, foundation: None
) -> None:
    bring(inventories, writable())
    path = inventories / "manifests" / f"{TENANT}.yml"
    own = {"BALAI_INVENTORIES": str(inventories), "BALAI_EXCEPTIONS": str(excepted)}
    check = [sys.executable, "-m", "balai", "check", "--json", "--category", "tinggi", str(path)]
    preview = ["pulumi", "preview", "--stack", STACK, *PLAIN]

    for words, code in ((check, 1), (preview, 1)):
        today, tomorrow = run(*words, **own), run(*TOMORROW, *words, **own)
        assert today.returncode == 0, today.stdout + today.stderr
        assert tomorrow.returncode == code, tomorrow.stdout + tomorrow.stderr
        assert "read_only_root" in tomorrow.stdout + tomorrow.stderr
    try:
        live = run("kubectl", "create", "-f", str(path))
        assert live.returncode == 0, live.stderr
        assert audited(run, own, tmp_path) == {"EXCEPTED"}
        assert audited(run, own, tmp_path, *TOMORROW) == {"FAIL"}
    finally:
        run("kubectl", "delete", "deployment", "legacy", "-n", NAMESPACE, "--ignore-not-found")


def audited(run, own: dict[str, str], out: Path, *clock: str) -> set[str]:
    run(*clock, sys.executable, "-m", "balai", "audit", "--cluster", "cikarang", "--out", str(out), **own)
    results = json.loads((out / "results.json").read_text())["results"]
    return {r["status"] for r in results if r["check"] == "read_only_root" and r["target"].endswith("/legacy")}


def test_at_admission_an_exception_ends_by_the_api_server_s_own_clock(
    run, balai, tmp_path: Path, foundation: None
) -> None:
    """Its clock cannot be moved here, so the end is: a few seconds ahead, and nobody applies anything."""
    path = tmp_path / "legacy.json"
    path.write_text(writable())
    where = ("-n", "balai-system", "configmap", "balai-policy-params")
    line = run("kubectl", "get", *where, "-o", "jsonpath={.data.exceptions}").stdout
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=15)
    soon = "|".join([line.split("|")[0], end.strftime("%Y-%m-%dT%H:%M:%SZ"), *line.split("|")[2:]])
    run("kubectl", "patch", *where, "--type=merge", "-p", json.dumps({"data": {"exceptions": soon}}))

    def created() -> subprocess.CompletedProcess[str]:
        return run("kubectl", "create", "--dry-run=server", "-f", str(path))

    try:
        time.sleep(2)
        before = created()
        while datetime.datetime.now(datetime.UTC) <= end:
            time.sleep(0.2)
        after = created()
    finally:  # what this test wrote is not Pulumi's to remove
        run("kubectl", "patch", *where, "--type=merge", "-p", '{"data": {"exceptions": null}}')

    assert before.returncode == 0, before.stderr
    assert after.returncode != 0
    assert denied_ids(after.stderr) == {"read_only_root"}


def test_an_exception_covers_the_pods_that_its_workload_makes_and_none_that_only_claims_it(
    run, tmp_path: Path, foundation: None
) -> None:
    path = tmp_path / "legacy.json"
    one = json.loads(writable())
    one["spec"]["replicas"] = 1
    path.write_text(json.dumps(one))
    where = ("-n", NAMESPACE)
    try:
        assert run("kubectl", "create", "-f", str(path)).returncode == 0
        deadline = time.monotonic() + 30
        while not (pods := run("kubectl", "get", "pods", *where, "-l", "app=page", "-o", "name").stdout.split()):
            assert time.monotonic() < deadline, "its controllers were refused"
            time.sleep(0.5)
        made = json.loads(run("kubectl", "get", pods[0], *where, "-o", "json").stdout)
        forged = merged(
            base("Pod"), {"metadata": {"name": "forged", "ownerReferences": made["metadata"]["ownerReferences"]}}
        )
        forged["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
        (tmp_path / "forged.json").write_text(json.dumps(forged))

        claim = run("kubectl", "create", *where, "-f", str(tmp_path / "forged.json"))

        assert claim.returncode != 0
        assert denied_ids(claim.stderr) == {"read_only_root"}
    finally:
        run("kubectl", "delete", "deployment", "legacy", *where, "--ignore-not-found")


def test_an_object_on_its_way_out_may_go_but_not_change(run, tmp_path: Path) -> None:
    """A finalizer keeps it alive for as long as its owner likes."""
    path = tmp_path / "service.json"
    service = merged(base("Service"), {"metadata": {"name": "leaving", "finalizers": ["balai.internal/test"]}})
    path.write_text(json.dumps(service))
    patch = ("kubectl", "patch", "service", "leaving", "-n", NAMESPACE, "--type=merge", "-p")
    try:
        assert run("kubectl", "create", "-n", NAMESPACE, "-f", str(path)).returncode == 0
        run("kubectl", "delete", "service", "leaving", "-n", NAMESPACE, "--wait=false")

        taken = run(*patch, '{"spec": {"externalIPs": ["10.0.0.9"]}}')

        assert taken.returncode != 0
        assert denied_ids(taken.stderr) == {"no_external_ips"}
    finally:
        gone = run(*patch, '{"metadata": {"finalizers": null}}')
    assert gone.returncode == 0, gone.stderr


def test_the_compiled_line_of_an_exception_ends_at_midnight_in_jakarta() -> None:
    one = Exception_.model_validate(
        {
            "id": "e-1",
            "rule": "read_only_root",
            "scope": [{"kind": "Deployment", "namespace": NAMESPACE, "name": "legacy"}],
            "reason": "for the test",
            "compensating": "for the test",
            "owner": "bkn",
            "requested": "2026-11-24",
            "expires": "2026-11-24",
        }
    )

    assert one.lines() == [f"read_only_root|2026-11-24T17:00:00Z|{NAMESPACE}|Deployment|legacy|e-1"]
