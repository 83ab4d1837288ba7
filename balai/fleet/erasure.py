"""
The end of a tenant on one cluster: whether it may go now, what is kept of it, and the certificate that it is gone.

What can be exported is objects. The content of volumes is not: the certificate names them, and what their backups are.
Nothing here deletes. The stack of a tenant that may go declares nothing, so Pulumi deletes what it made; this is asked
before the first object goes, and told when the namespace has gone.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from balai.errors import BalaiError
from balai.estate import Estate
from balai.fleet import approvals, gates
from balai.fleet.seed import require, seal
from balai.kube import ApiError, group_path
from balai.kube import Cluster as Api
from balai.models import Cluster, Tenant
from balai.models.lifecycle import Decommissioning, Erased, Escrow
from balai.rules.exceptions import WIB
from balai.text import LANGUAGES, say

Json = dict[str, Any]
RECORD, TEXT, EXPORT = "erasure.json", "erasure.txt", "json.gz.age"
UNPROVEN = "MISS"  # copies are declared; nothing has restored one yet, and a copy that was made is no proof
PASSING = {"Event"}  # kinds that are of the moment


class NotErased(BalaiError):  # noqa: N818 - the words are what it refuses
    """A tenant is not gone, or nothing proves it; says what to do."""


def refusals(estate: Estate, tenant: Tenant, stack: str, now: datetime.datetime | None = None) -> list[str]:
    """
    Return why a tenant may not be erased from the cluster of a stack now, each in words; none when it may.

    Raises:
        DataError: An approval is wrong.
    """
    ending, now = tenant.decommissioning, now or datetime.datetime.now(datetime.UTC)
    if tenant.status != "decommissioning" or ending is None:
        return [say("end_not_declared", tenant=tenant.name)]
    if isinstance(ending.erased, Erased):
        return [say("tenant_erased", tenant=tenant.name, date=ending.erased.date)]
    given = approvals.load_approvals(approvals.FOLDER, stack, now)
    found = gates.refusals(estate, stack, now=now, approvals=given)
    if now.astimezone(WIB).date().isoformat() <= ending.last_day:
        found.append(say("end_early", tenant=tenant.name, day=ending.last_day))
    if not isinstance(ending.keys_escrow, Escrow):
        found.append(say("end_no_escrow", tenant=tenant.name))
    if not Path(ending.export_to.folder).is_dir():
        found.append(say("end_no_folder", folder=ending.export_to.folder))
    others = [t for t in estate.tenants.values() if t.status != "decommissioning"]
    if needed := sorted(t.name for t in others if any(reach.tenant == tenant.name for reach in t.reaches)):
        found.append(say("end_needed", tenant=tenant.name, others=", ".join(needed)))
    own = {f"{tenant.name}/{service.name}" for service in tenant.services}
    if called := sorted(own & {service for flow in estate.flows for service in flow.services}):
        found.append(say("end_called", services=", ".join(called)))
    if not approvals.deletions(stack, tenant.owner, now, given):
        found.append(say("end_unapproved", tenant=tenant.name, stack=stack, owner=tenant.owner))
    return found


def may_go(estate: Estate, tenant: Tenant, stack: str) -> bool:
    """Tell whether a stack is that of a tenant that may be erased now."""
    return tenant.status == "decommissioning" and not refusals(estate, tenant, stack)


@dataclass(kw_only=True)
class Erasure:
    """One tenant's way out of one cluster, in one run of its stack."""

    tenant: Tenant
    cluster: Cluster
    exported: bool = field(default=False, init=False)

    @property
    def stack(self) -> str:
        """Name of the stack that goes."""
        return f"tenant.{self.cluster.name}.{self.tenant.name}"

    @property
    def _ending(self) -> Decommissioning:
        if self.tenant.decommissioning is None:
            raise NotErased(say("end_not_declared", tenant=self.tenant.name))
        return self.tenant.decommissioning

    @property
    def certificate(self) -> Path:
        """Where the record of the erasure is, and at last its certificate."""
        return Path(self._ending.export_to.folder) / f"{self.stack}.{RECORD}"

    def export(self) -> None:
        """
        Seal the objects of the namespace into a file, once in a run and never over another, and begin the record.

        Raises:
            NotErased: Nothing can be sealed, or the file cannot be written.
            EnvironmentFault: age is missing, or the cluster does not answer.
        """
        if self.exported:
            return
        require("age")
        api, now = self._api(), datetime.datetime.now(datetime.UTC)
        objects, volumes = _objects(api, self.tenant.namespace), _volumes(api, self.tenant.namespace)
        content = json.dumps({"stack": self.stack, "made": _stamp(now), "objects": objects}, sort_keys=True)
        sealed = seal(gzip.compress(content.encode()), self._ending.export_to.recipients)
        path = self.certificate.with_name(f"{self.stack}.{now:%Y%m%dT%H%M%SZ}.{EXPORT}")
        _write(path, sealed)
        record = self._record() or self._begun(now)
        export = {"file": path.name, "sha256": _sha256(sealed), "made": _stamp(now), "objects": len(objects)}
        record["exports"].append(export)
        record["volumes"] = volumes or record.get("volumes") or []  # the first to look saw them all
        record["approvals"] = _approvals(self.stack, self.tenant.owner, now) or record["approvals"]
        self._keep(record)
        self.exported = True

    def finish(self) -> str:
        """
        Make the record a certificate when the namespace is gone; return its hash.

        Raises:
            NotErased: The namespace is there, nothing was exported, or an export is not what it was.
            EnvironmentFault: The cluster does not answer.
        """
        record = self._record()
        if record is None:
            raise NotErased(say("end_no_record", stack=self.stack, folder=self._ending.export_to.folder))
        for export in record["exports"]:
            path = self.certificate.with_name(export["file"])
            if not path.is_file() or _sha256(path.read_bytes()) != export["sha256"]:
                raise NotErased(say("end_export_lost", file=path))
        if record["erased"] is None:
            try:
                self._api().request("GET", f"/api/v1/namespaces/{self.tenant.namespace}")
            except ApiError as error:
                if error.status != 404:
                    raise NotErased(say("end_unseen", cluster=self.cluster.name, why=error)) from error
            else:
                raise NotErased(say("end_still_there", tenant=self.tenant.name, stack=self.stack))
            record["erased"] = _stamp(datetime.datetime.now(datetime.UTC))
            self._keep(record)
        return _sha256(self.certificate.read_bytes())

    def erased_on(self) -> str:
        """Return the day of the certificate, in Jakarta."""
        record = self._record() or {}
        return datetime.datetime.fromisoformat(record["erased"]).astimezone(WIB).date().isoformat()

    def _api(self) -> Api:
        return Api.from_kubeconfig(context=self.cluster.kubeconfig_context)

    def _record(self) -> Json | None:
        return json.loads(self.certificate.read_text()) if self.certificate.is_file() else None

    def _begun(self, now: datetime.datetime) -> Json:
        ending, tenant = self._ending, self.tenant
        return {
            "stack": self.stack,
            "tenant": tenant.name,
            "title": tenant.title,
            "owner": tenant.owner,
            "cluster": self.cluster.name,
            "namespace": tenant.namespace,
            "data_class": tenant.data_class,
            "retention": tenant.retention,
            "last_day": ending.last_day,
            "keys_escrow": ending.keys_escrow.model_dump() if isinstance(ending.keys_escrow, Escrow) else "unknown",
            "backups": self._backups(),
            "approvals": [],
            "exports": [],
            "volumes": [],
            "began": _stamp(now),
            "erased": None,
        }

    def _backups(self) -> list[Json]:
        """Return where copies of each store are declared to go, and their proof; stores are on the first cluster."""
        stores = self.tenant.data_stores if self.cluster.name == self.tenant.clusters[0] else []
        return [{"store": store.name, "copies": store.backup.words, "proof": UNPROVEN} for store in stores]

    def _keep(self, record: Json) -> None:
        """Write the record, and for people the same in each language; the text first, so that it is never missing."""
        texts = [_text(record, lang) for lang in LANGUAGES]
        _write(self.certificate.with_name(f"{self.stack}.{TEXT}"), "\n\n".join(texts).encode() + b"\n")
        _write(self.certificate, json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n")


def _text(record: Json, lang: str) -> str:
    escrow = record["keys_escrow"]
    return say(
        "erasure_text",
        lang,
        **{key: record[key] for key in ("stack", "title", "owner", "cluster", "namespace", "began")},
        erased=record["erased"] or say("erasure_not_yet", lang),
        approvals="; ".join(f"{a['id']}: {', '.join(a['signers'])}" for a in record["approvals"]),
        exports="; ".join(f"{e['file']} ({e['objects']}, sha256 {e['sha256']})" for e in record["exports"]),
        volumes="; ".join(f"{v['claim']} → {v['volume']} ({v['policy']})" for v in record["volumes"]) or "-",
        backups="; ".join(f"{b['store']} ({b['copies']}): {b['proof']}" for b in record["backups"]) or UNPROVEN,
        escrow=f"{escrow['reference']} ({escrow['holder']}, {escrow['until']})" if escrow != "unknown" else escrow,
    )


def _approvals(stack: str, owner: str, now: datetime.datetime) -> list[Json]:
    """Return what the erasure is allowed by: each approval with its hash and who signed it, in which role."""
    found = []
    for approval in approvals.deletions(stack, owner, now):
        path = approvals.FOLDER / approval.id / "approval.yml"
        signed = [f"{name} ({role})" for role, names in approvals.signed_by(approval, path).items() for name in names]
        found.append({"id": approval.id, "sha256": _sha256(path.read_bytes()), "signers": signed})
    return found


def _objects(api: Api, namespace: str) -> list[Json]:
    """Return everything in a namespace, of every kind that the server knows."""
    groups = api.request("GET", "/apis")["groups"]
    found = []
    for version in ("v1", *(group["preferredVersion"]["groupVersion"] for group in groups)):
        for entry in api.request("GET", group_path(version)).get("resources") or []:
            listed = entry["namespaced"] and "list" in entry["verbs"] and "/" not in entry["name"]
            if listed and entry["kind"] not in PASSING:
                found += api.list(version, entry["kind"], namespace)
    return found


def _volumes(api: Api, namespace: str) -> list[Json]:
    """Return the volumes that a namespace claims: what is in them is in no export, and `Retain` outlives it."""
    return [
        {
            "claim": spec["claimRef"]["name"],
            "volume": item["metadata"]["name"],
            "policy": spec.get("persistentVolumeReclaimPolicy", "Retain"),
        }
        for item in api.list("v1", "PersistentVolume")
        if ((spec := item["spec"]).get("claimRef") or {}).get("namespace") == namespace
    ]


def _write(path: Path, content: bytes) -> None:
    """Write a file of this user's alone, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise NotErased(say("end_not_written", file=path, why=error.strerror)) from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stamp(when: datetime.datetime) -> str:
    return when.isoformat(timespec="seconds")
