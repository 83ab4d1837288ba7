"""Evidence: one pass over a cluster's API, one SSH session a host. Nothing is changed anywhere."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import warnings
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from balai.audit import configuration
from balai.errors import EnvironmentFault
from balai.kube import ApiError, Cluster
from balai.rules import admission
from balai.rules.lens import ALL_KINDS, CLUSTER_KINDS, LABEL, POD_KINDS
from balai.sites import Machine, SiteView

Json = dict[str, Any]
SCRIPTS = [Path(__file__).with_name(f"{name}.py") for name in ("host_parsing", "host_facts")]
HOST_SECONDS = 60
# Every kind that a rule is about. Secrets are not read: their rules are asked before they are stored.
KINDS = {
    kind: f"{group}/{version}" if group else version
    for kind, (group, version, _) in {
        **ALL_KINDS,
        "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io", "v1", ""),
        "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io", "v1", ""),
    }.items()
    if kind != "Secret"
}


@dataclass(frozen=True, kw_only=True)
class HostEvidence:
    """Facts of one machine, or why there are none."""

    machine: Machine
    facts: Json | None
    error: str
    at: float


@dataclass(frozen=True, kw_only=True)
class ClusterEvidence:
    """
    What one pass over a cluster's API read.

    Attributes:
        facts: Of the cluster as a whole.
        tenants: Facts of each tenant's namespace, by its name.
        namespaces: The governed namespaces by name: all but the platform's.
        contents: What is in each of those, by kind.
        objects: What the rules are about, in those namespaces and above them.
    """

    facts: Json
    tenants: dict[str, Json]
    namespaces: dict[str, Json]
    contents: dict[str, dict[str, list[Json]]]
    objects: list[Json]
    at: float


def hosts(view: SiteView, ssh_config: str | None = None) -> list[HostEvidence]:
    """Gather from every managed machine of a site, several at a time; a dark one is a row as well."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda machine: host(machine, ssh_config), view.machines))


def host(machine: Machine, ssh_config: str | None = None, user: str = "balai") -> HostEvidence:
    """Gather from one machine over one SSH session; never raises: why there is nothing is in the evidence."""
    config = ssh_config or os.environ.get("BALAI_SSH_CONFIG")
    argv = [
        "ssh",
        *(["-F", config] if config else []),
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=5",
        "-o",
        f"HostName={machine.address}",
        "-l",
        user,
        machine.name,
        "sudo",
        "-n",
        "python3",
        "-",
    ]
    at = time.time()
    try:
        done = subprocess.run(argv, input=host_program(), capture_output=True, check=False, timeout=HOST_SECONDS)
        facts = json.loads(done.stdout) if done.returncode == 0 else None
        error = "" if facts else done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    except (OSError, ValueError, subprocess.TimeoutExpired) as caught:
        facts, error = None, [type(caught).__name__]
    return HostEvidence(machine=machine, facts=facts, at=at, error=(error or [""])[0])


def host_program() -> bytes:
    """Return what is sent to a machine: both modules as one program, since balai is not installed there."""
    parsing, facts = (path.read_text() for path in SCRIPTS)
    return f"""import sys, types
for name in ("balai", "balai.audit", "balai.audit.host_parsing"):
    sys.modules[name] = types.ModuleType(name)
exec(compile({parsing!r}, "host_parsing.py", "exec"), sys.modules[name].__dict__)
exec(compile({facts!r}, "host_facts.py", "exec"))
""".encode()


def cluster(api: Cluster) -> ClusterEvidence:
    """
    Gather from a cluster.

    Raises:
        EnvironmentFault: The API server does not answer, or refuses this identity.
    """
    at = time.time()
    with ThreadPoolExecutor(6) as pool:
        futures = {kind: pool.submit(api.list, version, kind) for kind, version in KINDS.items()}
        try:
            found = {kind: future.result() for kind, future in futures.items()}
        except ApiError as error:
            raise EnvironmentFault(f"The API server refused to be read: {error}") from error
    contents: dict[str, dict[str, list[Json]]] = defaultdict(lambda: defaultdict(list))
    for kind, items in found.items():
        for item in items:
            contents[item["metadata"].get("namespace", "")][kind].append(item)
    namespaces = {n["metadata"]["name"]: n for n in found["Namespace"] if _governed(n)}
    facts: Json = {
        "namespaces": sorted(n["metadata"]["name"] for n in found["Namespace"]),
        "walls": admission.walls(found["ValidatingAdmissionPolicy"] + found["ValidatingAdmissionPolicyBinding"]),
        "params": _params(api),
        **configuration.read(api),
        **_probe(api),
    }
    tenants = {
        name: _tenant(namespace, contents[name], found["ClusterRoleBinding"])
        for name, namespace in namespaces.items()
        if name.startswith("tenant-") or f"{LABEL}tenant" in (namespace["metadata"].get("labels") or {})
    }
    facts["tenants"] = sorted(tenants)
    # What another judged object controls is judged there; a mere reference to an owner hides nothing.
    judged = {item["metadata"]["uid"] for kind in POD_KINDS for item in found[kind]}
    return ClusterEvidence(
        at=at,
        facts=facts,
        tenants=tenants,
        namespaces=namespaces,
        contents=contents,
        objects=[
            item
            for kind in KINDS
            for item in found[kind]
            if (item["metadata"]["name"] in namespaces if kind == "Namespace" else _concerns(item, kind, namespaces))
            and not _controlled(item, judged)
        ],
    )


def _governed(namespace: Json) -> bool:
    metadata = namespace["metadata"]
    return f"{LABEL}role" not in (metadata.get("labels") or {}) and metadata["name"] not in admission.KUBERNETES


def _concerns(item: Json, kind: str, namespaces: Mapping[str, Json]) -> bool:
    return kind in CLUSTER_KINDS or item["metadata"].get("namespace") in namespaces


def _tenant(namespace: Json, here: Mapping[str, list[Json]], bindings: list[Json]) -> Json:
    metadata = namespace["metadata"]
    return {
        "role_bindings": here["RoleBinding"],
        "deployments": here["Deployment"],
        "labels": metadata.get("labels") or {},
        "annotations": metadata.get("annotations") or {},
        "cluster_role_bindings": bindings,
    }


def _controlled(item: Json, judged: set[str]) -> bool:
    if (item.get("spec") or {}).get("ephemeralContainers"):  # added to the pod, unknown to its controller
        return False
    owners = item["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner["uid"] in judged for owner in owners)


def _params(api: Cluster) -> Json:
    try:
        found: Json = api.request(
            "GET", f"/api/v1/namespaces/{admission.PARAMS_NAMESPACE}/configmaps/{admission.PARAMS_NAME}"
        )
    except ApiError:
        return {}
    return dict(found.get("data") or {})


def _probe(api: Cluster) -> Json:
    """Look at the API server from outside, as somebody without credentials and as an old client."""
    where = urlsplit(api.server)
    host, port = where.hostname or "", where.port or 443
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE  # nothing is trusted, only looked at
    found: Json = {}
    try:
        door = http.client.HTTPSConnection(host, port, context=stranger, timeout=5)
        door.request("GET", "/api/v1/namespaces")
        found["anonymous_status"] = door.getresponse().status
        door.close()
        found["tls"] = {
            "version": _handshake(host, port, None),
            "old_refused": _handshake(host, port, ssl.TLSVersion.TLSv1_1) is None,
        }
    except (OSError, http.client.HTTPException):
        return {}
    return found


def _handshake(host: str, port: int, most: ssl.TLSVersion | None) -> str | None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if most:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = most
        context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with socket.create_connection((host, port), timeout=5) as raw, context.wrap_socket(raw) as secure:
            return secure.version()
    except ssl.SSLError:
        return None


def reach(context: str) -> Cluster:
    """Return the API of the cluster that a kubeconfig context names."""
    return Cluster.from_kubeconfig(context=context)
