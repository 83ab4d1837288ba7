"""
Where a data centre's management cluster comes from: kubeadm on its first machine, hardened as every other cluster.

What is written here are kubeadm's own configuration and the files that it names. The key by which Secrets are encrypted
is not among them: it is made on the machine, and the words that `balai fleet seed` prints say how.
"""

from __future__ import annotations

import datetime

import yaml

from balai import addressing
from balai.errors import DataError, Problem, shown
from balai.estate import Estate
from balai.fleet.cluster_class import PATCHES, cluster_configuration, files_of
from balai.flows import DOMAIN
from balai.models import DataCentre

KUBEADM = "kubeadm.k8s.io/v1beta4"
CONFIG = "kubeadm.yml"


def seed_files(estate: Estate, place: DataCentre, today: datetime.date) -> dict[str, str]:
    """
    Return the files of a data centre's first machine, by their paths below its root; `kubeadm.yml` lies at the top.

    Raises:
        DataError: The catalogue has no version that is supported on the day.
    """
    supported = [v for v, release in estate.releases.items() if release.state(today) == "supported"]
    if not supported:
        fix = "Try a version, and say from when to when it is supported."
        bound = f"no version is supported on {today}"
        path = shown(estate.root / "kubernetes.yml")
        raise DataError([Problem(file=path, line=1, key="releases", given=str(today), bound=bound, fix=fix)])
    newest = max(supported, key=lambda v: tuple(map(int, v.split("."))))
    whole = {
        "apiVersion": KUBEADM,
        "kind": "ClusterConfiguration",
        "clusterName": place.management_context,
        "kubernetesVersion": f"v{newest}",
        "controlPlaneEndpoint": f"{place.management_context}.{DOMAIN}:6443",
        "networking": {"podSubnet": str(addressing.PODS), "serviceSubnet": str(addressing.SERVICES)},
        **cluster_configuration(),
    }
    first = {"apiVersion": KUBEADM, "kind": "InitConfiguration", "patches": {"directory": PATCHES}}
    return {CONFIG: yaml.safe_dump_all([whole, first], sort_keys=False)} | {
        path.removeprefix("/"): text for path, text in files_of(place).items()
    }
