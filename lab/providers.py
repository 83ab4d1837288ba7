"""
Resource definitions of the infrastructure providers that a lab has no machines for: Metal3's and OpenStack's.

They are the providers' own: OpenStack's as its module carries them, Metal3's made from its types by the same generator
that its project uses. With them the lab's API server and Cluster API judge what is rendered for real data centres.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml

from balai.kube import APPLY, Cluster
from lab import processes, toolchain

Json = dict[str, Any]
OPENSTACK, METAL3 = "sigs.k8s.io/cluster-api-provider-openstack", "github.com/metal3-io/cluster-api-provider-metal3/api"
CONTRACT = {"cluster.x-k8s.io/v1beta1": "v1beta1"}  # by which Cluster API finds the version to speak


def definitions(name: str) -> list[Json]:
    """Return the CustomResourceDefinitions of a provider, `metal3` or `openstack`."""
    if name == "openstack":
        folder = toolchain.module_folder("openstack", OPENSTACK) / "config/crd/bases"
        return list(_read(folder))
    with tempfile.TemporaryDirectory() as made:
        generate: list[str | Path] = [toolchain.path_of("controller-gen"), "crd", f"paths={METAL3}/v1beta1"]
        processes.run(
            [*generate, f"output:crd:dir={made}"],
            sentence="Metal3's resource definitions cannot be made",
            cwd=toolchain.HERE / "providers",
        )
        return list(_read(Path(made)))


def install(cluster: Cluster, found: list[Json]) -> None:
    """Apply resource definitions; nothing runs that would act on their objects."""
    for item in found:
        item["spec"].pop("conversion", None)  # there is no provider that would convert
        item["metadata"].setdefault("labels", {}).update(CONTRACT)
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{item['metadata']['name']}"
        cluster.request("PATCH", f"{path}?fieldManager=lab&force=true", item, APPLY)


def _read(folder: Path) -> list[Json]:
    return [yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted(folder.glob("infrastructure*.yaml"))]
