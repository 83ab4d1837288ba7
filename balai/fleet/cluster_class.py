"""
The ClusterClass of a data centre: what every cluster in it is made of, hardened.

Its objects are named by their content. A changed class is therefore a new one beside the old, each cluster goes over
to it by its own change, in its own window, and going back is the same change the other way.

Sources: CIS Kubernetes Benchmark for the settings of API server, etcd, controllers and kubelet; the fields are those of
Cluster API's v1beta2 and of the Metal3 provider's api module v1.9.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from balai.estate import Estate
from balai.fleet.infrastructure import INFRASTRUCTURES
from balai.fleet.naming import add, named, patch, ref, variable
from balai.models import DataCentre
from balai.models.fleet import CONTROL_PLANE, SignIn

Json = dict[str, Any]
NODE = Path(__file__).with_name("node")
API = "cluster.x-k8s.io/v1beta2"
BOOTSTRAP = "bootstrap.cluster.x-k8s.io/v1beta2"
KUBEADM = "controlplane.cluster.x-k8s.io/v1beta2"
# For TLS 1.2, by either kind of certificate: kubeadm's own keys are RSA. TLS 1.3 has ciphers of its own.
CIPHERS = ",".join(
    f"TLS_ECDHE_{key}_WITH_AES_{size}" for size in ("128_GCM_SHA256", "256_GCM_SHA384") for key in ("ECDSA", "RSA")
)
ON_MACHINE = "/etc/kubernetes/balai"
PATCHES = "/etc/kubernetes/patches"
FILES = {  # on a machine of a control plane, by the file beside this module
    "audit-policy.yml": f"{ON_MACHINE}/audit-policy.yml",
    "admission.yml": f"{ON_MACHINE}/admission.yml",
    "authentication.yml": f"{ON_MACHINE}/authentication.yml",
}
ENCRYPTION = f"{ON_MACHINE}/encryption.yml"
KUBELET_PATCH = f"{PATCHES}/kubeletconfiguration0+strategic.yaml"  # kubeadm passes over what ends in .yml
STARTUP = 1200  # seconds that a machine may take to join before it is replaced
RACK_LABELS = "topology.kubernetes.io/region={{ .region }},topology.kubernetes.io/zone={{ .region }}-{{ .rack }}"


def class_objects(estate: Estate, place: DataCentre, infrastructure: str, namespace: str) -> list[Json]:
    """
    Return the templates of a data centre and, last, the ClusterClass that ties them together.

    Args:
        estate: What is declared.
        place: The data centre.
        infrastructure: What makes the machines: the data centre's own, or `in-memory` in a lab.
        namespace: Where the objects lie, on the management cluster.
    """
    kinds = sorted({p.machines for c in estate.clusters.values() if c.data_centre == place.name for p in c.pools})
    made = INFRASTRUCTURES[infrastructure]
    cluster = made.cluster(namespace)
    machines = {kind: made.machine(kind, namespace) for kind in (CONTROL_PLANE, *kinds)}
    control = named("KubeadmControlPlaneTemplate", KUBEADM, "control-plane", namespace, _control_plane_spec(place))
    joining = named("KubeadmConfigTemplate", BOOTSTRAP, "worker", namespace, _worker_spec())
    spec = {
        "controlPlane": {
            "templateRef": ref(control),
            "machineInfrastructure": {"templateRef": ref(machines[CONTROL_PLANE])},
            "healthCheck": {"checks": checks_of(made.unhealthy)},
        },
        "infrastructure": {"templateRef": ref(cluster)},
        "workers": {
            "machineDeployments": [
                {
                    "class": kind,
                    "bootstrap": {"templateRef": ref(joining)},
                    "infrastructure": {"templateRef": ref(machines[kind])},
                }
                for kind in kinds
            ]
        },
        "variables": [variable("region"), variable("rack"), *made.variables],
        "patches": [*_patches(kinds), *made.patches(kinds)],
    }
    return [cluster, *machines.values(), control, joining, named("ClusterClass", API, "balai", namespace, spec)]


def cluster_configuration() -> Json:
    """Return what kubeadm is told of every control plane, in the form that its v1beta4 and Cluster API share."""
    volumes = [
        {"name": "balai", "hostPath": ON_MACHINE, "mountPath": ON_MACHINE, "readOnly": True, "pathType": "Directory"},
        {"name": "audit", "hostPath": "/var/log/kubernetes", "mountPath": "/var/log/kubernetes", "readOnly": False,
         "pathType": "DirectoryOrCreate"},
    ]  # fmt: skip
    api_server = {
        "audit-policy-file": FILES["audit-policy.yml"],
        "audit-log-path": "/var/log/kubernetes/audit.log",
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100",
        "admission-control-config-file": FILES["admission.yml"],
        "authentication-config": FILES["authentication.yml"],
        "encryption-provider-config": ENCRYPTION,
        "enable-admission-plugins": "NodeRestriction",
        "authorization-mode": "Node,RBAC",
        "profiling": "false",
        "tls-min-version": "VersionTLS12",
        "tls-cipher-suites": CIPHERS,
    }
    quiet = _arguments({"profiling": "false", "bind-address": "127.0.0.1"})
    return {
        "apiServer": {"extraArgs": _arguments(api_server), "extraVolumes": volumes},
        "controllerManager": {"extraArgs": quiet},
        "scheduler": {"extraArgs": quiet},
        "etcd": {"local": {"extraArgs": _arguments({"cipher-suites": CIPHERS, "auto-tls": "false"})}},
    }


def _control_plane_spec(place: DataCentre) -> Json:
    kubeadm = {
        "clusterConfiguration": cluster_configuration(),
        "initConfiguration": {"patches": {"directory": PATCHES}},
        "joinConfiguration": {"patches": {"directory": PATCHES}},
        "files": [_file(path, content) for path, content in files_of(place).items()],
    }
    return {"template": {"spec": {"kubeadmConfigSpec": kubeadm}}}


def _worker_spec() -> Json:
    spec = {
        "joinConfiguration": {"patches": {"directory": PATCHES}},
        "files": [_file(KUBELET_PATCH, _text("kubelet.yml"))],
    }
    return {"template": {"spec": spec}}


def _patches(kinds: list[str]) -> list[Json]:
    key = {
        "path": ENCRYPTION,
        "owner": "root:root",
        "permissions": "0600",
        "contentFrom": {"secret": {"name": "{{ .builtin.cluster.name }}-encryption", "key": "encryption.yml"}},
    }
    labels = {"kubeletExtraArgs": [{"name": "node-labels", "value": RACK_LABELS}]}
    workers = {"machineDeploymentClass": {"names": kinds}}
    return [
        patch(
            "encryption-at-rest",
            "KubeadmControlPlaneTemplate",
            KUBEADM,
            {"controlPlane": True},
            [add("/spec/template/spec/kubeadmConfigSpec/files/-", key)],
        ),
        patch(
            "region-and-rack",
            "KubeadmConfigTemplate",
            BOOTSTRAP,
            workers,
            [add("/spec/template/spec/joinConfiguration/nodeRegistration", labels)],
        ),
    ]


def checks_of(seconds: int) -> Json:
    """
    Return the checks by which a machine that is unwell for so many seconds is to be replaced.

    Pools have theirs from their cluster, with how many may be replaced at a time: Cluster API takes all of a health
    check from the cluster as soon as any of it stands there.
    """
    conditions = [{"type": "Ready", "status": s, "timeoutSeconds": seconds} for s in ("Unknown", "False")]
    return {"nodeStartupTimeoutSeconds": STARTUP, "unhealthyNodeConditions": conditions}


def files_of(place: DataCentre) -> dict[str, str]:
    """Return the files of a machine of a control plane, by path; the key of encryption at rest is not among them."""
    files = {path: _text(name) for name, path in FILES.items()}
    if place.sign_in != "unknown":
        files[FILES["authentication.yml"]] += yaml.safe_dump({"jwt": [_trusted(place.sign_in)]}, sort_keys=False)
    return files | {KUBELET_PATCH: _text("kubelet.yml")}


def _trusted(sign_in: SignIn) -> Json:
    """Nobody can be given a name or a group of the cluster's own, or another group than those that balai knows."""
    return {
        "issuer": {"url": sign_in.issuer, "audiences": [sign_in.audience]},
        "claimMappings": {
            "username": {"claim": "sub", "prefix": "person:"},
            "groups": {"expression": f"dyn(claims.?{sign_in.groups}.orValue([])).filter(g, g.startsWith('balai:'))"},
        },
        "claimValidationRules": [
            {"expression": "claims.exp - claims.iat <= 3600", "message": "a token lasts an hour at most"}
        ],
    }


def _text(name: str) -> str:
    return (NODE / name).read_text(encoding="utf-8")


def _file(path: str, content: str) -> Json:
    return {"path": path, "owner": "root:root", "permissions": "0600", "content": content}


def _arguments(values: dict[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]
