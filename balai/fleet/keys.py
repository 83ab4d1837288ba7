"""
The key by which a cluster's API servers encrypt Secrets at rest.

It is made once, on the management cluster, before the cluster is; it is in no state, no file and no log. Cluster API
carries it to the machines of the control plane, and `clusterctl move` takes it along (its label says so).
"""

from __future__ import annotations

import base64
import secrets

import yaml

from balai.kube import ApiError, Cluster

FILE = "encryption.yml"


def ensure(context: str, namespace: str, cluster: str) -> bool:
    """
    Make the key of a cluster if there is none; return whether one was made.

    Raises:
        EnvironmentFault: The management cluster does not answer.
        ApiError: It refuses.
    """
    api = Cluster.from_kubeconfig(context=context)
    name = f"{cluster}-encryption"
    try:
        api.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
    else:
        return False
    key = {"name": "first", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
    configuration = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": [key]}}, {"identity": {}}]}],
    }
    labels = {"cluster.x-k8s.io/cluster-name": cluster, "clusterctl.cluster.x-k8s.io/move": ""}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "type": "cluster.x-k8s.io/secret",
        "stringData": {FILE: yaml.safe_dump(configuration)},
    }
    api.request("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    return True
