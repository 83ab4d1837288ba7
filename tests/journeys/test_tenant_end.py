"""A tenant from its first day to its last, on the second data centre's real API server: nothing goes unsaid or unsealed."""

from __future__ import annotations

import datetime
import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balai.fleet.approvals import NAMESPACE, WIB, role_of
from balai.kube import ApiError, Cluster

pytestmark = pytest.mark.lab

PLACE, NAME, OWNER = "batam", "pemda-percobaan", "pemkab-banyuwangi"
STACK, SPACE = f"tenant.{PLACE}.{NAME}", f"/api/v1/namespaces/tenant-{NAME}"
END = """status: decommissioning
status_reason: a test has ended
decommissioning:
  since: "2026-10-01"
  last_day: "2026-11-20"
  export_to: {{folder: {folder}, recipients: [{recipients}]}}
  keys_escrow: {{reference: kms/test, holder: Arsip Nasional, until: "2099-12-31"}}
  erased: not_yet
"""


@pytest.fixture
def api() -> Cluster:
    return Cluster.from_kubeconfig(context=PLACE)


@pytest.fixture
def ended(inventories: Path, tmp_path: Path, root: Path, api: Cluster) -> Iterator[Path]:
    """The file of a tenant that this test alone has; what a test that failed left of it is removed."""
    model = (inventories / "tenants/pemda-banyuwangi.yml").read_text()
    path = inventories / f"tenants/{NAME}.yml"
    text = model.replace("pemda-banyuwangi", NAME).replace("clusters: [cikarang]", f"clusters: [{PLACE}]")
    assert f"clusters: [{PLACE}]" in text
    path.write_text(text)
    (tmp_path / "exports").mkdir()
    yield path
    if there(api):
        api.request("DELETE", SPACE)
    argv = ["pulumi", "stack", "rm", STACK, "--yes", "--force", "--remove-backups"]
    subprocess.run(argv, cwd=root, check=False, capture_output=True)


def there(api: Cluster) -> bool:
    try:
        return "deletionTimestamp" not in api.request("GET", SPACE)["metadata"]
    except ApiError as error:
        if error.status != 404:
            raise
        return False


def key(path: Path) -> str:
    """Make a key that opens exports; return its public half."""
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    return subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True).stdout.strip()


def approve(folder: Path, people: dict[str, str]) -> None:
    """Write an approval of the end, signed by people in their roles."""
    today = datetime.datetime.now(WIB).date()
    home = folder / "end"
    home.mkdir(parents=True, exist_ok=True)
    (home / "approval.yml").write_text(
        f"id: end\nstack: {STACK}\nallows: [deletion]\nowner: {OWNER}\nreason: a test has ended\n"
        f'requested: "{today}"\nexpires: "{today + datetime.timedelta(days=3)}"\n'
    )
    allowed = []
    for name, role in people.items():
        private = folder.parent / f"ssh-{name}"
        if not private.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", private], check=True)
        allowed.append(f'{name} namespaces="{role}" {private.with_suffix(".pub").read_text()}')
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", role, "-f", private, home / "approval.yml"]
        subprocess.run(argv, check=True, capture_output=True)
        (home / "approval.yml.sig").rename(home / f"{name}.sig")
    (folder / "allowed_signers").write_text("".join(allowed))


def test_a_tenant_ends_when_the_platform_and_its_owner_have_signed_and_its_objects_are_sealed_before(
    balai: Any, run: Any, ended: Path, api: Cluster, inventories: Path, tmp_path: Path
) -> None:
    approvals = tmp_path / "approvals"
    env = {"BALAI_INVENTORIES": str(inventories), "BALAI_APPROVALS": str(approvals), "BALAI_LANG": "en"}
    up = ("up", "--cluster", PLACE, "--tenant", NAME, "--json")
    made = balai(*up, **env)
    assert made.returncode == 0, made.stderr + made.stdout
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kept"}, "stringData": {"word": "rahasia"}}
    api.request("POST", f"{SPACE}/secrets", secret)
    people = [key(tmp_path / f"age-{n}") for n in (1, 2)]
    text = ended.read_text().replace("status: active\n", "")
    ended.write_text(text + END.format(folder=tmp_path / "exports", recipients=", ".join(people)))

    plain = ("pulumi", "up", "--yes", "--skip-preview", "--refresh", "--non-interactive", "--stack", STACK)
    refused = run(*plain, **env)
    assert refused.returncode != 0
    assert f"one of them for {OWNER}" in refused.stdout + refused.stderr
    approve(approvals, {"ani": NAMESPACE, "budi": NAMESPACE})
    refused = run(*plain, **env)
    assert refused.returncode != 0
    assert f"none was made with -n {role_of(OWNER)}" in refused.stdout + refused.stderr
    assert there(api)

    approve(approvals, {"ani": NAMESPACE, "sari": role_of(OWNER)})
    (approvals / "end/budi.sig").unlink()
    done = balai(*up, **env)
    assert done.returncode == 0, done.stderr + done.stdout
    assert not there(api)
    record = json.loads((tmp_path / "exports" / f"{STACK}.erasure.json").read_text())
    assert record["erased"]
    assert record["approvals"][0]["signers"] == [f"ani ({NAMESPACE})", f"sari ({role_of(OWNER)})"]
    (export,) = record["exports"]
    sealed = (tmp_path / "exports" / export["file"]).read_bytes()
    assert b"rahasia" not in sealed
    argv = ["age", "-d", "-i", tmp_path / "age-2"]
    opened = subprocess.run(argv, input=sealed, check=True, capture_output=True).stdout
    objects = json.loads(gzip.decompress(opened))["objects"]
    kinds = {item["kind"] for item in objects if "kind" in item}
    assert {"Deployment", "Service", "NetworkPolicy"} <= kinds
    assert [item["data"] for item in objects if item["metadata"]["name"] == "kept"]

    again = balai(*up, **env)
    assert again.returncode == 0, again.stderr
    (stack,) = json.loads(again.stdout)
    assert not {op for op in stack["changes"] if op != "same"}
