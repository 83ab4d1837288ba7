"""
A data centre's management cluster in one encrypted file, and back from it alone.

`clusterctl move` writes and reads Cluster API's objects with their keys; Pulumi exports the stack; the passphrase goes
along. All of it exists unencrypted in memory only (a folder of a tmpfs), and age seals it to two recipients, each of
whom can open it. Machines are not in it: a restored management cluster finds those that run, and adopts them.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from balai.errors import BalaiError, EnvironmentFault
from balai.fleet.cluster_class import API
from balai.fleet.clusters import namespace_of
from balai.kube import ApiError
from balai.kube import Cluster as Api
from balai.models import DataCentre

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
MEMORY = Path("/dev/shm")  # noqa: S108 - a tmpfs, and the folder in it is one user's
RECIPIENTS = 2
EXPORTING = "balai.internal/exporting"  # on a cluster that an export holds still
MANIFEST, OBJECTS, STATE, SETTINGS, PASSPHRASE = "manifest.json", "objects", "stack.json", "settings.yaml", "passphrase"
SECONDS = 600


class SeedRefused(BalaiError):  # noqa: N818 - the words are what it refuses
    """An export or a restore would do harm, or its input is wrong; says what to do."""


@dataclass(frozen=True, kw_only=True)
class Seed:
    """What an export holds: when it was made, of what, and how many objects and clusters."""

    data_centre: str
    made: str
    clusters: tuple[str, ...]
    objects: int


def export(place: DataCentre, recipients: list[str], out: Path) -> Seed:
    """
    Write a data centre's management cluster and its stack into one file, sealed to recipients.

    Args:
        place: The data centre.
        recipients: age's public keys of two different people at least.
        out: The file; it is written whole or not at all.

    Raises:
        SeedRefused: There are too few recipients, or age takes one for no public key.
        EnvironmentFault: A tool is missing, or the management cluster does not answer.
    """
    if len(set(recipients)) < RECIPIENTS:
        raise SeedRefused(
            f"an export needs {RECIPIENTS} different recipients, so that the loss of one key is not the loss of all"
        )
    require("clusterctl", "age", "pulumi")
    seal(b"", recipients)  # before anything is held still
    api, namespace = Api.from_kubeconfig(context=place.management_context), namespace_of(place)
    with _memory() as folder:
        (folder / OBJECTS).mkdir()
        with _held_still(api, namespace):
            _clusterctl("--to-directory", folder / OBJECTS, "--namespace", namespace, context=place.management_context)
        stack = f"fleet.{place.name}"
        _run(["pulumi", "stack", "export", "--stack", stack, "--file", folder / STATE], "The stack cannot be exported")
        settings = ROOT / "stacks" / "config" / f"Pulumi.{stack}.yaml"
        if settings.exists():
            shutil.copy(settings, folder / SETTINGS)
        if named := os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
            shutil.copy(named, folder / PASSPHRASE)
        clusters = tuple(sorted(item["metadata"]["name"] for item in api.list(API, "Cluster", namespace)))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        seed = Seed(
            data_centre=place.name,
            made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            clusters=clusters,
            objects=len(list((folder / OBJECTS).iterdir())),
        )
        hashes = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        (folder / MANIFEST).write_text(json.dumps({**vars(seed), "files": hashes}))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for path in sorted(folder.rglob("*")):
                archive.add(path, str(path.relative_to(folder)), recursive=False)
        sealed = seal(packed.getvalue(), recipients)
    partial = out.with_name(f".{out.name}.partial")
    partial.write_bytes(sealed)
    partial.replace(out)
    return seed


def restore(place: DataCentre, source: Path, identity: Path) -> Seed:
    """
    Fill an empty management cluster from an export, and the state of its stack where there is none.

    Args:
        place: The data centre.
        source: The export.
        identity: File of the age key of one recipient.

    Raises:
        SeedRefused: The file cannot be opened or is another data centre's, or the management cluster is not empty.
        EnvironmentFault: A tool is missing, or the management cluster does not answer.
    """
    require("clusterctl", "age", "pulumi")
    api, namespace = Api.from_kubeconfig(context=place.management_context), namespace_of(place)
    with _memory() as folder:
        manifest = _open(source, identity, folder)
        seed = Seed(
            **{key: manifest[key] for key in ("data_centre", "made", "objects")}, clusters=tuple(manifest["clusters"])
        )
        if seed.data_centre != place.name:
            raise SeedRefused(f"{source} is an export of {seed.data_centre}, not of {place.name}")
        there = {item["metadata"]["name"] for item in api.list(API, "Cluster", namespace)}
        unknown = there - set(seed.clusters)
        if unknown:
            raise SeedRefused(
                f"the management cluster has clusters that the export does not know ({', '.join(sorted(unknown))}): "
                "restore into an empty one"
            )
        _make_namespace(api, namespace)
        # A restore that was killed half way has made some: clusterctl leaves those and makes the others.
        config = os.environ.get("KUBECONFIG", str(Path.home() / ".kube/config"))
        _run(
            ["clusterctl", "move", "--from-directory", folder / OBJECTS, "--to-kubeconfig", config,
             "--to-kubeconfig-context", place.management_context],
            "Cluster API's objects cannot be restored",
        )  # fmt: skip
        _restore_stack(f"fleet.{place.name}", folder)
    return seed


def _restore_stack(stack: str, folder: Path) -> None:
    named = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if named and not Path(named).exists() and (folder / PASSPHRASE).exists():
        with os.fdopen(os.open(named, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write((folder / PASSPHRASE).read_bytes())
    known = json.loads(_run(["pulumi", "stack", "ls", "--json"], "The stacks cannot be listed"))
    if any(found["name"] == stack and found.get("resourceCount") for found in known):
        return  # the state outlived the cluster: it is newer than the export
    settings = ROOT / "stacks" / "config" / f"Pulumi.{stack}.yaml"
    if not any(found["name"] == stack for found in known):
        settings.unlink(missing_ok=True)
        _run(["pulumi", "stack", "init", stack], "The stack cannot be made")
    if (folder / SETTINGS).exists():
        shutil.copy(folder / SETTINGS, settings)
    _run(["pulumi", "stack", "import", "--stack", stack, "--file", folder / STATE], "The stack cannot be imported")


def _open(source: Path, identity: Path, folder: Path) -> Json:
    done = subprocess.run(
        ["age", "--decrypt", "--identity", str(identity), str(source)],
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        raise SeedRefused(f"{source} cannot be opened with {identity}: {_last(done.stderr)}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
    manifest: Json = json.loads((folder / MANIFEST).read_text())
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise SeedRefused(f"{source} is damaged: {name} is not what was exported. Use another copy.")
    return manifest


def _make_namespace(api: Api, name: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    try:
        api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    except ApiError as error:
        if error.status != 409:
            raise


@contextlib.contextmanager
def _held_still(api: Api, namespace: str) -> Iterator[None]:
    """Mark clusters that an export holds still; those that a killed one left so are let go first."""
    where = f"/apis/{API}/namespaces/{namespace}/clusters"
    for item in api.list(API, "Cluster", namespace):
        name, annotations = item["metadata"]["name"], item["metadata"].get("annotations") or {}
        if item["spec"].get("paused") and EXPORTING in annotations:
            _patch(api, f"{where}/{name}", {"spec": {"paused": None}})
        _patch(api, f"{where}/{name}", {"metadata": {"annotations": {EXPORTING: "true"}}})
    try:
        yield
    finally:
        for item in api.list(API, "Cluster", namespace):
            free = {"metadata": {"annotations": {EXPORTING: None}}, "spec": {"paused": None}}
            _patch(api, f"{where}/{item['metadata']['name']}", free)


def _patch(api: Api, path: str, change: Json) -> None:
    api.request("PATCH", f"{path}?fieldManager=balai-export", change, "application/merge-patch+json")


@contextlib.contextmanager
def _memory() -> Iterator[Path]:
    """Yield a folder that is in memory, this user's alone, and gone afterwards."""
    if not os.path.ismount(MEMORY):
        raise EnvironmentFault(f"{MEMORY} is no tmpfs: keys would be written to a disk.")
    for left in MEMORY.glob("balai-seed-*"):  # of a run that was killed
        if left.stat().st_uid == os.geteuid() and not Path(f"/proc/{left.name.split('-')[2]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"balai-seed-{os.getpid()}-", dir=MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def seal(content: bytes, recipients: list[str]) -> bytes:
    """
    Return content that each of some recipients can open with their age key, and nobody else.

    Raises:
        SeedRefused: age takes one of them for no public key.
    """
    words = [word for recipient in sorted(set(recipients)) for word in ("--recipient", recipient)]
    done = subprocess.run(["age", *words], input=content, capture_output=True, check=False, timeout=SECONDS)
    if done.returncode != 0:
        raise SeedRefused(f"nothing can be sealed to these recipients: {_last(done.stderr)}")
    return done.stdout


def _clusterctl(*words: str | Path, context: str) -> None:
    config = os.environ.get("KUBECONFIG", str(Path.home() / ".kube/config"))
    _run(
        ["clusterctl", "move", *words, "--kubeconfig", config, "--kubeconfig-context", context],
        "Cluster API's objects cannot be exported",
    )


def _run(argv: list[str | Path], sentence: str) -> str:
    done = subprocess.run(
        list(map(str, argv)), cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        raise EnvironmentFault(f"{sentence}: {_last(done.stderr.encode() or done.stdout.encode())}")
    return done.stdout


def _last(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason was given"


def require(*tools: str) -> None:
    """
    Refuse to begin without a tool.

    Raises:
        EnvironmentFault: One of them is not on PATH.
    """
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        raise EnvironmentFault(f"{', '.join(missing)} must be on PATH for this.")
