"""The end of a tenant: two people and a day, an export before anything goes, and a certificate after all of it has."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from click.testing import CliRunner

from balai.cli import tenant as cli
from balai.components.gate import NAMESPACE
from balai.components.guard import Refused
from balai.components.tenant_end import tenant_gate
from balai.deploy import remarks, stacks_of
from balai.errors import DataError
from balai.estate import Estate, load_estate
from balai.fleet import approvals, erasure
from balai.fleet.erasure import Erasure, NotErased, refusals
from balai.kube import ApiError
from balai.sites import INVENTORIES
from stacks import layers

NAME = "portal-asn"
STACK = f"tenant.cikarang.{NAME}"
END = """decommissioning:
  since: "2026-10-01"
  last_day: "2026-11-20"
  export_to: {{folder: {folder}, recipients: [{recipients}]}}
  keys_escrow: {{reference: kms/portal-asn, holder: Arsip Nasional, until: "2099-12-31"}}
  erased: not_yet
"""
SECRET = {"metadata": {"name": "session"}, "data": {"key": "c2VjcmV0"}}
VOLUME = {
    "metadata": {"name": "pv-1"},
    "spec": {"claimRef": {"namespace": f"tenant-{NAME}", "name": "files"}, "persistentVolumeReclaimPolicy": "Retain"},
}


class Server:
    """An API server with one secret and one volume in the namespace."""

    def __init__(self) -> None:
        self.namespaces = {f"tenant-{NAME}"}

    def request(self, _method: str, path: str) -> dict[str, Any]:
        if path.startswith("/api/v1/namespaces/"):
            if path.rpartition("/")[2] not in self.namespaces:
                raise ApiError(404, {})
            return {}
        if path == "/apis":
            return {"groups": []}
        kinds = [
            ("Secret", "secrets", True),
            ("Event", "events", True),
            ("PersistentVolume", "persistentvolumes", False),
        ]
        return {"resources": [{"kind": k, "name": n, "namespaced": own, "verbs": ["list"]} for k, n, own in kinds]}

    def list(self, _version: str, kind: str, namespace: str = "") -> list[dict[str, Any]]:
        return {"Secret": [SECRET], "PersistentVolume": [VOLUME]}[kind] if namespace in ("", f"tenant-{NAME}") else []


@pytest.fixture
def keys(tmp_path: Path) -> list[Path]:
    """Keys of two people who can open an export."""
    found = [tmp_path / "age-1", tmp_path / "age-2"]
    for path in found:
        subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    return found


@pytest.fixture
def inventories(tmp_path: Path, keys: list[Path]) -> Path:
    """Inventories in which a tenant that nobody needs any more is being ended."""
    root = Path(shutil.copytree(INVENTORIES, tmp_path / "inventories"))
    (tmp_path / "exports").mkdir()
    people = [subprocess.run(["age-keygen", "-y", k], capture_output=True, text=True).stdout.strip() for k in keys]
    path = root / f"tenants/{NAME}.yml"
    status = "status: decommissioning\nstatus_reason: replaced by another portal"
    end = END.format(folder=tmp_path / "exports", recipients=", ".join(people))
    path.write_text(path.read_text().replace("status: active", status) + end)
    flows = root / "flows.yml"
    flows.write_text(flows.read_text().replace(f"{NAME}/web", "portal-layanan/web"))
    return root


@pytest.fixture
def approve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write an approval of people whose keys are made here."""
    folder = tmp_path / "approvals"
    folder.mkdir()
    monkeypatch.setattr(approvals, "FOLDER", folder)
    monkeypatch.setenv("BALAI_LANG", "en")

    def write(*people: str, stack: str = STACK, allows: str = "deletion", owner: str = "bkn") -> None:
        """The first signs for the platform, the others for the owner."""
        today = datetime.datetime.now(approvals.WIB).date()
        home = folder / "end-portal"
        home.mkdir()
        (home / "approval.yml").write_text(
            f"id: end-portal\nstack: {stack}\nallows: [{allows}]\nreason: replaced by another portal\n"
            f"{f'owner: {owner}' if 'deletion' in allows else ''}\n"
            f'requested: "{today}"\nexpires: "{today + datetime.timedelta(days=3)}"\n'
        )
        for n, name in enumerate(people):
            role = approvals.role_of(owner) if n and "deletion" in allows else approvals.NAMESPACE
            key = tmp_path / f"key-{name}"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
            with (folder / "allowed_signers").open("a") as file:
                file.write(f"{name} {key.with_suffix('.pub').read_text()}")
            argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", role, "-f", key, home / "approval.yml"]
            subprocess.run(argv, check=True, capture_output=True)
            (home / "approval.yml.sig").rename(home / f"{name}.sig")

    return write


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[pulumi.ResourceHookArgs], None]]:
    """Collect what a program would be asked and told by the engine."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "ResourceHook", lambda name, func, opts=None: found.update({name: func}))
    monkeypatch.setattr(pulumi.runtime, "register_resource_transform", lambda _: None)
    return found


def of(type_: str) -> pulumi.ResourceHookArgs:
    return pulumi.ResourceHookArgs(urn="", id="", name="x", type=type_)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(erasure.Api, "from_kubeconfig", lambda **_: made)
    return made


def changed(inventories: Path, old: str, new: str, file: str = f"tenants/{NAME}.yml") -> Estate:
    path = inventories / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return load_estate(inventories)


def going(estate: Estate) -> Erasure:
    return Erasure(tenant=estate.tenants[NAME], cluster=estate.clusters["cikarang"])


def test_two_people_and_a_day_that_is_over_let_a_tenant_go(inventories: Path, approve) -> None:
    approve("ani", "budi")

    estate = load_estate(inventories)

    assert refusals(estate, estate.tenants[NAME], STACK) == []
    assert STACK in stacks_of(estate, "cikarang")[1]
    (words,) = remarks(estate, "cikarang")
    assert words.endswith(f"afterwards, balai tenant erased {NAME}.")


def test_without_an_approval_balai_and_pulumi_leave_it_and_say_so(
    inventories: Path, approve, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = load_estate(inventories)
    monkeypatch.setattr(layers, "load_estate", lambda: estate)

    with pytest.raises(pulumi.RunError, match="needs the approval of two people"):
        layers.program(STACK)

    assert STACK not in stacks_of(estate, "cikarang")[1]
    (words,) = remarks(estate, "cikarang")
    assert "needs the approval of two people" in words
    assert "replaced by another portal" in words


def test_one_signature_or_an_approval_for_something_else_is_none(inventories: Path, approve) -> None:
    approve("ani", "budi", allows="freeze")
    estate = load_estate(inventories)

    assert "needs the approval of two people" in " ".join(refusals(estate, estate.tenants[NAME], STACK))
    shutil.rmtree(approvals.FOLDER / "end-portal")
    approve("citra")
    with pytest.raises(DataError, match="needs the signatures of 2 people"):
        refusals(estate, estate.tenants[NAME], STACK)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("", '"2026-11-20"', '"2099-11-20"', "is in use until 2099-11-20"),
        ("", '{reference: kms/portal-asn, holder: Arsip Nasional, until: "2099-12-31"}', "unknown", "keys_escrow is unknown"),
        ("", "/exports", "/nowhere", "There is no folder"),
        ("tenants/hukum.yml", "reaches: []", "reaches: [{tenant: portal-asn, service: web, reason: news, when_dark: local}]", "hukum still reach"),
        ("flows.yml", "portal-layanan/web", "portal-asn/web", "flows.yml still names portal-asn/web"),
    ],
)  # fmt: skip
def test_what_is_still_in_the_way_of_an_end_is_said(
    file: str, old: str, new: str, words: str, inventories: Path, approve
) -> None:
    approve("ani", "budi")
    if words.startswith("is in use"):
        changed(inventories, '"2099-12-31"', '"2199-12-31"')

    estate = changed(inventories, old, new, file or f"tenants/{NAME}.yml")

    (found,) = refusals(estate, estate.tenants[NAME], STACK)
    assert words in found
    assert STACK not in stacks_of(estate, "cikarang")[1]


def test_the_last_day_is_over_at_midnight_in_jakarta(inventories: Path, approve) -> None:
    estate = load_estate(inventories)
    at = datetime.datetime(2026, 11, 20, 16, 59, tzinfo=datetime.UTC)

    early, late = (
        " ".join(refusals(estate, estate.tenants[NAME], STACK, at + datetime.timedelta(minutes=m))) for m in (0, 1)
    )

    assert ("in use until" in early, "in use until" in late) == (True, False)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("status: decommissioning", "status: frozen\nstatus_until: \"2099-01-01\"", "and no other, needs the key"),
        ("status: decommissioning", "status: cordoned", "and no other, needs the key"),
        ('last_day: "2026-11-20"', 'last_day: "2026-09-20"', "should not be before since"),
        ('until: "2099-12-31"', 'until: "2026-12-31"', "Have the keys kept until 2036-11-17"),
        ("recipients: [age1", "recipients: [xage1", "should match"),
        ("erased: not_yet", "erased: not yet", "erased: should be 'not_yet'"),
        ("erased: not_yet", 'erased: {date: "2026-11-20", proof: {cikarang: ' + "0" * 64 + "}}", "should be after last_day"),
        ("erased: not_yet", 'erased: {date: "2026-11-21", proof: {bitung: ' + "0" * 64 + "}}", "a certificate for each of"),
    ],
)  # fmt: skip
def test_an_end_that_is_not_said_whole_is_refused(old: str, new: str, words: str, inventories: Path) -> None:
    with pytest.raises(DataError) as refused:
        changed(inventories, old, new)

    assert words in str(refused.value)


def test_the_engine_is_let_on_after_an_export_and_the_certificate_says_what_went(
    inventories: Path, approve, server: Server, hooks, keys: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve("ani", "budi")
    monkeypatch.setattr(layers, "tenant_stack", None)  # it declares nothing, so that what it made goes
    layers.declare(STACK, load_estate(inventories))
    folder = tmp_path / "exports"

    assert list(folder.iterdir()) == [], "a program that runs has not deleted anything yet"
    hooks["balai-gate-delete"](of("kubernetes:apps/v1:Deployment"))
    hooks["balai-gate-delete"](of(NAMESPACE))
    (export,) = folder.glob("*.age")
    begun = json.loads((folder / f"{STACK}.erasure.json").read_text())
    with pytest.raises(Refused, match="is still there"):
        hooks["balai-gate-deleted"](of(NAMESPACE))
    server.namespaces.clear()
    hooks["balai-gate-deleted"](of("kubernetes:apps/v1:Deployment"))
    hooks["balai-gate-deleted"](of(NAMESPACE))

    record = json.loads((folder / f"{STACK}.erasure.json").read_text())
    text = (folder / f"{STACK}.erasure.txt").read_text()
    assert begun == {**record, "erased": None}
    assert record["erased"]
    assert record["exports"][0]["sha256"] == hashlib.sha256(export.read_bytes()).hexdigest()
    assert [(a["id"], a["signers"]) for a in record["approvals"]] == [
        ("end-portal", ["ani (balai-approval)", "budi (balai-approval-bkn)"])
    ]
    assert record["volumes"] == [{"claim": "files", "volume": "pv-1", "policy": "Retain"}]
    assert record["backups"] == [{"store": "data", "copies": "daily > batam", "proof": "MISS"}]
    assert text.count(": data (daily > batam): MISS\n") == 2
    assert {"BERITA ACARA PENGHAPUSAN", "CERTIFICATE OF ERASURE"} <= set(text.replace(f" {STACK}", "").splitlines())
    assert record["exports"][0]["sha256"] in text
    assert b"c2VjcmV0" not in export.read_bytes()
    for key in keys:
        opened = subprocess.run(["age", "-d", "-i", key, export], check=True, capture_output=True).stdout
        assert json.loads(gzip.decompress(opened))["objects"] == [SECRET]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_certificate_names_no_copies_of_a_cluster_that_keeps_no_store(
    inventories: Path, approve, server: Server
) -> None:
    approve("ani", "budi")
    estate = load_estate(inventories)
    standby = replace(going(estate), cluster=estate.clusters["batam"])

    standby.export()

    assert json.loads(standby.certificate.read_text())["backups"] == []
    assert "proof that one was restored: MISS\n" in standby.certificate.with_suffix(".txt").read_text()


def test_what_cannot_be_exported_is_not_erased(
    inventories: Path, approve, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = load_estate(inventories)
    approve("ani", "budi")
    one = going(estate)

    def away(*_: object) -> None:
        raise ApiError(503, {"message": "no endpoints"})

    monkeypatch.setattr(server, "list", away)
    with pytest.raises(ApiError):
        one.export()
    with pytest.raises(NotErased, match="There is no record"):
        one.finish()

    assert list((tmp_path / "exports").iterdir()) == []


def test_a_run_that_was_killed_exports_again_and_never_over_the_first(
    inventories: Path, approve, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve("ani", "budi")
    estate = load_estate(inventories)
    going(estate).export()
    (first,) = (tmp_path / "exports").glob("*.age")
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
    clock = type("Clock", (datetime.datetime,), {"now": classmethod(lambda _, tz=None: later)})
    monkeypatch.setattr(erasure.datetime, "datetime", clock)

    again = going(estate)
    again.export()
    again.export()

    record = json.loads(again.certificate.read_text())
    assert record["exports"][0]["file"] == first.name
    assert len(record["exports"]) == len(list((tmp_path / "exports").glob("*.age"))) == 2
    server.namespaces.clear()
    first.write_bytes(b"")
    with pytest.raises(NotErased, match="or not what was made"):
        again.finish()


def test_the_end_is_put_on_record_once_every_cluster_has_its_certificate(
    inventories: Path, approve, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve("ani", "budi")
    monkeypatch.setattr(cli, "INVENTORIES", inventories)
    estate = load_estate(inventories)
    clusters = [estate.clusters[name] for name in estate.tenants[NAME].clusters]

    early = CliRunner().invoke(cli.tenant, ["erased", NAME])
    for cluster in clusters:
        replace(going(estate), cluster=cluster).export()
    server.namespaces.clear()
    done = CliRunner().invoke(cli.tenant, ["erased", NAME], catch_exceptions=False)

    assert "There is no record of the erasure" in str(early.exception)
    assert done.exit_code == 0
    after = load_estate(inventories)
    erased = after.tenants[NAME].model_dump()["decommissioning"]["erased"]
    assert set(erased["proof"]) == set(after.tenants[NAME].clusters)
    assert erased["proof"]["cikarang"] == hashlib.sha256(going(after).certificate.read_bytes()).hexdigest()
    assert STACK not in stacks_of(after, "cikarang")[1]
    (words,) = remarks(after, "cikarang")
    assert words.count("was erased on") == 1


def test_an_active_tenant_s_namespace_is_never_taken_away(inventories: Path, approve, hooks) -> None:
    stack = "tenant.cikarang.pajak"
    approve("ani", "budi", stack=stack, allows="deletion, freeze")  # in its season too
    estate = load_estate(inventories)

    tenant_gate(estate, estate.tenants["pajak"], stack)

    hooks["balai-gate-delete"](of("kubernetes:apps/v1:Deployment"))
    with pytest.raises(Refused, match="its status is not decommissioning"):
        hooks["balai-gate-delete"](of(NAMESPACE))


def test_a_preview_is_asked_and_exports_nothing(
    inventories: Path, approve, server: Server, hooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve("ani", "budi")
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    layers.declare(STACK, load_estate(inventories))

    hooks["balai-gate-delete"](of(NAMESPACE))

    assert list((tmp_path / "exports").iterdir()) == []
    shutil.rmtree(approvals.FOLDER / "end-portal")
    with pytest.raises(Refused, match="needs the approval of two people"):
        hooks["balai-gate-delete"](of(NAMESPACE))
