"""How a cluster is really configured: what its API server and kubelets say of themselves, not what was written."""

from __future__ import annotations

import re
from typing import Any

from balai.errors import EnvironmentFault
from balai.kube import ApiError, Cluster

Json = dict[str, Any]
# The text form changes its separator from start to start, so that nobody parses it.
_FLAGZ = "application/json;v=v1beta1;g=config.k8s.io;as=Flagz"
# What may hold a secret or only names a file of the machine is not kept as evidence.
_KEPT = re.compile(
    r"^(anonymous-auth|authorization-mode|audit-(log|policy|webhook)|enable-admission|disable-admission|encryption-provider"
    r"|etcd-(cafile|certfile)|kubelet-certificate|profiling|service-account-lookup|tls-(min|cipher)|token-auth-file)"
)


def read(api: Cluster) -> Json:
    """
    Return what can be had, by name; what cannot is left out, and is judged as no evidence.

    - `api_server`: its flags as it runs with them (/flagz), lists as lists.
    - `kubelets`: the configuration of each node's kubelet; `virtual`: nodes that have none.
    - `nodes`: labels of each node. `version`: of the API server. `cluster_admins`: who has every right.
    """
    found: Json = {}
    nodes = api.list("v1", "Node")
    found["nodes"] = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in nodes}
    real = [n["metadata"]["name"] for n in nodes if n["status"]["nodeInfo"]["kubeletVersion"].startswith("v")]
    found["virtual"] = sorted(set(found["nodes"]) - set(real))
    found["cluster_admins"] = sorted(
        subject["name"]
        for binding in api.list("rbac.authorization.k8s.io/v1", "ClusterRoleBinding")
        if binding["roleRef"]["name"] == "cluster-admin"
        for subject in binding.get("subjects") or []
    )
    if isinstance(version := _get(api, "/version"), dict):
        found["version"] = f"{version['major']}.{version['minor'].rstrip('+')}"
    if isinstance(page := _get(api, "/flagz", _FLAGZ), dict):
        found["api_server"] = flags(page["flags"])
    kubelets = {name: _get(api, f"/api/v1/nodes/{name}/proxy/configz") for name in real}
    if kubelets and all(isinstance(answer, dict) for answer in kubelets.values()):
        found["kubelets"] = {name: kubelet(answer["kubeletconfig"]) for name, answer in kubelets.items()}
    return found


def flags(page: dict[str, str]) -> Json:
    """Return the flags of a /flagz page that the checks ask for."""
    return {
        name: re.findall(r"[^\[\], ]+", value) if value.startswith("[") else value
        for name, value in page.items()
        if _KEPT.match(name)
    }


def kubelet(config: Json) -> Json:
    """Return what the checks ask of a kubelet's configuration."""
    authentication = config.get("authentication") or {}
    return {
        "anonymous": (authentication.get("anonymous") or {}).get("enabled", True),
        "webhook": (authentication.get("webhook") or {}).get("enabled", False),
        "authorization": (config.get("authorization") or {}).get("mode", "AlwaysAllow"),
        "read_only_port": config.get("readOnlyPort", 0),
        "seccomp_default": config.get("seccompDefault", False),
        "static_pods": config.get("staticPodPath", "") + config.get("staticPodURL", ""),
    }


def _get(api: Cluster, path: str, accept: str = "application/json") -> Any:
    try:
        return api.request("GET", path, accept=accept)
    except (ApiError, EnvironmentFault):
        return None
