"""
The lab's two container images, built without a registry, the same bytes on every machine.

Go builds the same binary from the same source and toolchain, and the archive below has no clock and
no compression in it, so the digest is a constant that tenants' files can name. They stand for a government registry.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from balai.errors import EnvironmentFault
from lab.toolchain import cache_root, find_go

HERE = Path(__file__).parent
REGISTRY = "registry.balai.internal/lab"
PINNED_GO = "go1.26.8"  # another compiler makes other bytes, and so another digest
USER = "65532:65532"


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in an OCI archive, and the reference by which pods name it."""

    archive: Path
    reference: str


def build() -> dict[str, Image]:
    """Return the images `page` and `pause`, building what is not in the cache."""
    source = hashlib.sha256(
        b"".join((HERE / "page" / name).read_bytes() for name in ("go.mod", "main.go")) + Path(__file__).read_bytes()
    ).hexdigest()[:12]
    folder = cache_root() / "images" / source
    binary = folder / "page"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compile(binary)
    return {
        "page": _image(folder, binary, "page", ["/page"]),
        "pause": _image(folder, binary, "pause", ["/page", "pause"]),
    }


def _compile(binary: Path) -> None:
    partial = binary.with_name(f".page.{os.getpid()}")
    run = subprocess.run(
        [find_go() or "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", partial, "."],
        cwd=HERE / "page",
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "CGO_ENABLED": "0",
            "GOARCH": "amd64",
            "GOAMD64": "v1",
            "GOOS": "linux",
            "GOTOOLCHAIN": PINNED_GO,
            "GOFLAGS": "",
        },
    )
    if run.returncode != 0:
        raise EnvironmentFault(f"The lab's page image cannot be built: {run.stderr.strip()[-300:]}")
    partial.replace(binary)


def _image(folder: Path, binary: Path, name: str, entrypoint: list[str]) -> Image:
    layer = _tar({"page": (binary.read_bytes(), 0o555)})
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": entrypoint, "User": USER},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar", layer)],
        }
    )
    reference = f"{REGISTRY}/{name}@{_digest(manifest)}"
    index = _json(
        {
            "schemaVersion": 2,
            "manifests": [
                {**_descriptor("manifest.v1+json", manifest), "annotations": {"io.containerd.image.name": reference}}
            ],
        }
    )
    blobs = {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": (blob, 0o444) for blob in (layer, config, manifest)}
    archive = folder / f"{name}.tar"
    content = _tar({"oci-layout": (b'{"imageLayoutVersion":"1.0.0"}', 0o444), "index.json": (index, 0o444), **blobs})
    if not archive.exists() or archive.read_bytes() != content:
        archive.write_bytes(content)
    return Image(archive=archive, reference=reference)


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": _digest(blob), "size": len(blob)}
