"""The central team and its tenants on the running data centre."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import urllib3

pytestmark = pytest.mark.lab

HOST_NETWORK = """apiVersion: apps/v1
kind: Deployment
metadata: {name: sniffer}
spec:
  selector: {matchLabels: {app: sniffer}}
  template:
    metadata: {labels: {app: sniffer}}
    spec:
      hostNetwork: true
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: app
          image: registry.balai.internal/lab/page@sha256:0000000000000000000000000000000000000000000000000000000000000000
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 10m, memory: 16Mi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
"""
RULE = "no_host_namespaces"


def bring(inventories: Path, manifest: str) -> Path:
    """Let tenant hukum bring a manifest of its own; return the file."""
    path = inventories / "manifests" / "hukum.yml"
    path.parent.mkdir()
    path.write_text(manifest)
    tenant = inventories / "tenants" / "hukum.yml"
    tenant.write_text(tenant.read_text() + "manifests: [manifests/hukum.yml]\n")
    return path


def test_a_page_of_the_public_service_portal_is_served_through_its_service(run) -> None:
    address = run(
        "kubectl", "get", "service", "web", "-n", "tenant-portal-layanan", "-o", "jsonpath={.spec.clusterIP}"
    ).stdout

    page = urllib3.request("GET", f"http://{address}/", timeout=10, retries=False)

    assert page.status == 200
    assert '<h1 lang="id">Portal pelayanan publik</h1>' in page.data.decode()
    pods = run("kubectl", "get", "pods", "-n", "tenant-portal-layanan", "-o", "name").stdout
    assert page.data.decode().split("portal-layanan: ")[1].split("<")[0] in pods, "the page names the pod that made it"


def test_a_tenant_whose_file_is_gone_is_left_alone_and_said_by_balai_and_by_pulumi(
    balai, run, root: Path, inventories: Path
) -> None:
    (inventories / "tenants/portal-asn.yml").unlink()
    flows = inventories / "flows.yml"
    flows.write_text(flows.read_text().replace("portal-asn/web, ", ""))
    pods = ("kubectl", "get", "pods", "-n", "tenant-portal-asn", "-o", "name")
    before = run(*pods).stdout

    shown = balai("preview", "--cluster", "cikarang", BALAI_INVENTORIES=str(inventories))
    done = balai("up", "--cluster", "cikarang", "--json", BALAI_INVENTORIES=str(inventories))
    plain = run(
        "pulumi",
        "up",
        "-s",
        "tenant.cikarang.portal-asn",
        "--yes",
        "--skip-preview",
        cwd=root,
        BALAI_INVENTORIES=str(inventories),
    )

    balai("up", "--cluster", "cikarang")  # the foundation's walls as they were
    assert (shown.returncode, done.returncode) == (1, 1)
    (gone,) = [stack for stack in json.loads(done.stdout) if stack["error"]]
    assert gone["stack"] == "tenant.cikarang.portal-asn"
    assert "nothing was deleted. Restore the file" in gone["error"]
    assert "nothing was deleted" in shown.stderr
    assert plain.returncode != 0
    assert "A tenant whose file is gone is never removed" in plain.stdout + plain.stderr
    assert run(*pods).stdout == before != ""


def test_a_second_run_over_everything_changes_nothing_and_keeps_the_order(balai) -> None:
    done = balai("up", "--json")

    stacks = json.loads(done.stdout)
    layers = [stack["stack"].partition(".")[0] for stack in stacks]
    assert done.returncode == 0, done.stderr
    assert layers == sorted(layers, key=["fleet", "foundation", "tenant"].index)
    assert {stack["stack"] for stack in stacks} >= {"fleet.batam", "foundation.batam", "tenant.batam.pajak"}
    assert {operation for stack in stacks for operation in stack["changes"]} == {"same"}


def test_the_standby_has_the_tenants_that_name_it_and_no_other(run) -> None:
    def namespaces(context: str) -> set[str]:
        names = run("kubectl", "--context", context, "get", "namespaces", "-o", "name").stdout.split()
        return {name.removeprefix("namespace/tenant-") for name in names if "/tenant-" in name}

    ready = ("-n", "tenant-pajak", "get", "deployment", "web", "-o", "jsonpath={.status.availableReplicas}")

    assert namespaces("cikarang") - namespaces("batam") == {"hukum", "pajak-banyuwangi", "pemda-banyuwangi"}
    assert namespaces("batam") <= namespaces("cikarang")
    assert run("kubectl", "--context", "batam", *ready).stdout == "2"


def test_plain_pulumi_agrees_that_there_is_nothing_to_do(run) -> None:
    done = run(
        "pulumi",
        "preview",
        "--stack",
        "tenant.cikarang.portal-layanan",
        "--expect-no-changes",
        "--refresh",
        "--non-interactive",
        "--color",
        "never",
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_host_network_pod_is_refused_at_plan_on_files_and_by_kubectl_with_one_rule_id(
    run, balai, inventories: Path, tmp_path: Path
) -> None:
    manifest = bring(inventories, HOST_NETWORK)

    plan = run(
        "pulumi",
        "preview",
        "--stack",
        "tenant.cikarang.hukum",
        "--non-interactive",
        "--color",
        "never",
        BALAI_INVENTORIES=str(inventories),
    )
    up = run(
        "pulumi",
        "up",
        "--yes",
        "--skip-preview",
        "--stack",
        "tenant.cikarang.hukum",
        "--non-interactive",
        "--color",
        "never",
        BALAI_INVENTORIES=str(inventories),
    )
    files = balai("check", str(manifest))
    kubectl = run("kubectl", "apply", "-n", "tenant-hukum", "-f", str(manifest))

    assert plan.returncode != 0
    assert f"[{RULE}] Deployment tenant-hukum/sniffer" in plan.stdout + plan.stderr
    assert "Traceback" not in plan.stdout + plan.stderr
    assert up.returncode != 0
    assert f"[{RULE}]" in up.stdout + up.stderr
    assert (files.returncode, f"[{RULE}]" in files.stdout) == (1, True)
    assert kubectl.returncode != 0
    assert f"[{RULE}]" in kubectl.stderr
    assert run("kubectl", "get", "deployment", "sniffer", "-n", "tenant-hukum").returncode != 0


def test_a_bare_host_network_pod_meets_the_second_wall_too(run) -> None:
    """Pod Security judges a bare pod before any policy does, in its own words."""
    done = run(
        "kubectl", "run", "sniffer", "-n", "tenant-hukum", "--image=x", "--overrides", '{"spec": {"hostNetwork": true}}'
    )

    assert done.returncode != 0
    assert "violates PodSecurity" in done.stderr
    assert "hostNetwork=true" in done.stderr


def test_the_policy_pack_refuses_it_as_well(run, inventories: Path, root: Path) -> None:
    """The same rules for those who use packs: seen with the program's own guard out of the way."""
    program = inventories.parent / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: packed\nruntime: python\n")
    (program / "__main__.py").write_text(
        f"import pulumi_kubernetes as k8s\nk8s.yaml.ConfigGroup('own', yaml=[{HOST_NETWORK!r}])\n"
    )
    settings = {"PULUMI_BACKEND_URL": f"file://{inventories.parent}?metadata=skip"}
    run("pulumi", "stack", "init", "t", "--non-interactive", cwd=program, **settings)

    done = run(
        "pulumi",
        "preview",
        "--stack",
        "t",
        "--non-interactive",
        "--color",
        "never",
        "--policy-pack",
        str(root / "policies"),
        cwd=program,
        **settings,
    )

    assert done.returncode != 0
    assert f"[{RULE}]" in done.stdout + done.stderr
    assert "mandatory" in (done.stdout + done.stderr).lower()


def test_a_tenants_file_cannot_make_what_is_not_a_tenants(run, inventories: Path) -> None:
    bring(inventories, "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n")

    done = run(
        "pulumi",
        "preview",
        "--stack",
        "tenant.cikarang.hukum",
        "--non-interactive",
        "--color",
        "never",
        BALAI_INVENTORIES=str(inventories),
    )

    assert done.returncode != 0
    assert "Namespace other is not a tenant's to make" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("verb", ["get", "create"])
def test_a_tenants_identity_is_refused_in_another_tenants_namespace(run, lab: Path, verb: str) -> None:
    own = {"KUBECONFIG": str(lab / "tenants" / "pajak.kubeconfig")}
    words = {"get": ["get", "pods"], "create": ["create", "configmap", "x", "--dry-run=server"]}[verb]

    here = run("kubectl", *words, "-n", "tenant-pajak", **own)
    there = run("kubectl", *words, "-n", "tenant-kependudukan", **own)

    assert here.returncode == 0, here.stderr
    assert there.returncode != 0
    assert "forbidden" in there.stderr.lower()
    assert "operator-pajak" in there.stderr


@pytest.mark.parametrize("kind", ["networkpolicies", "resourcequotas", "rolebindings"])
def test_a_tenant_cannot_move_its_own_walls(run, lab: Path, kind: str) -> None:
    done = run(
        "kubectl",
        "auth",
        "can-i",
        "delete",
        kind,
        "-n",
        "tenant-pajak",
        KUBECONFIG=str(lab / "tenants" / "pajak.kubeconfig"),
    )

    assert done.stdout.strip() == "no"


def test_secrets_are_encrypted_where_they_are_stored(run, lab: Path) -> None:
    """Looked for in etcd's own files, not in the configuration that asks for it."""
    marker = "penanda-rahasia-uji"
    run("kubectl", "create", "secret", "generic", "probe", f"--from-literal=k={marker}", "-n", "balai-system")
    run("kubectl", "create", "configmap", "probe", f"--from-literal=k={marker}-terbuka", "-n", "balai-system")
    try:
        stored = b"".join(p.read_bytes() for p in (lab / "etcd").rglob("*") if p.is_file())
        assert f"{marker}-terbuka".encode() in stored, "the search finds what is not encrypted"
        assert marker.encode() not in stored.replace(f"{marker}-terbuka".encode(), b"")
    finally:
        run("kubectl", "delete", "secret/probe", "configmap/probe", "-n", "balai-system")


def test_a_node_may_not_read_the_secrets_of_a_tenant(run, lab: Path) -> None:
    node = {"KUBECONFIG": str(lab / "pki" / "kubelet.kubeconfig")}

    assert "forbidden" in run("kubectl", "get", "secrets", "-n", "tenant-pajak", **node).stderr.lower()
    assert "forbidden" in run("kubectl", "label", "node", "cikarang-kwok-1", "x=y", **node).stderr.lower()


def test_the_audit_log_tells_who_was_refused(run, lab: Path) -> None:
    run("kubectl", "get", "secrets", "-n", "tenant-kependudukan", KUBECONFIG=str(lab / "tenants" / "hukum.kubeconfig"))

    lines = [json.loads(line) for line in (lab / "logs" / "api-audit.log").read_text().splitlines()[-200:]]
    assert any(
        line["user"]["username"] == "operator-hukum" and line["responseStatus"].get("code") == 403 for line in lines
    )
