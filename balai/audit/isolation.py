"""
What each tenant's people may do, asked of the API server's own authoriser: in their namespace, in others', and above.

A binding that looks harmless in a file may let in more than it says. So nothing is read out of files here: each
question is a SubjectAccessReview in the name of the tenant's group, and nothing is tried on a live object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from balai.kube import Cluster
from balai.models import Tenant

Json = dict[str, Any]
OTHERS = 20  # tenants' namespaces that each tenant is asked about; in a cluster with more, the next ones by name


@dataclass(frozen=True)
class Ask:
    """One question: may somebody do this; `own` is what the answer has to be in the own namespace."""

    verb: str
    resource: str
    group: str = ""
    own: bool = False

    @property
    def words(self) -> str:
        """The question as kubectl writes it."""
        name, _, part = self.resource.partition("/")
        return f"{self.verb} {'.'.join(filter(None, (name, self.group)))}{'/' + part if part else ''}"


INSIDE = (
    Ask("list", "pods", own=True),
    Ask("create", "pods", own=True),
    Ask("get", "pods/log", own=True),
    Ask("get", "secrets", own=True),
    Ask("create", "deployments", "apps", own=True),
    Ask("delete", "deployments", "apps", own=True),
    Ask("get", "networkpolicies", "networking.k8s.io", own=True),
    Ask("get", "clusters", "postgresql.cnpg.io", own=True),
    Ask("delete", "clusters", "postgresql.cnpg.io"),
    Ask("patch", "scheduledbackups", "postgresql.cnpg.io"),
    Ask("create", "referencegrants", "gateway.networking.k8s.io"),
    Ask("create", "pods/exec"),
    Ask("create", "serviceaccounts/token"),
    Ask("patch", "networkpolicies", "networking.k8s.io"),
    Ask("patch", "resourcequotas"),
    Ask("patch", "limitranges"),
    Ask("create", "rolebindings", "rbac.authorization.k8s.io"),
    Ask("create", "roles", "rbac.authorization.k8s.io"),
    Ask("patch", "namespaces"),
    Ask("delete", "namespaces"),
)
ABOVE = (
    Ask("list", "secrets"),
    Ask("list", "namespaces"),
    Ask("create", "namespaces"),
    Ask("list", "nodes"),
    Ask("create", "clusterrolebindings", "rbac.authorization.k8s.io"),
    Ask("patch", "clusterroles", "rbac.authorization.k8s.io"),
    Ask("patch", "validatingadmissionpolicies", "admissionregistration.k8s.io"),
    Ask("delete", "validatingadmissionpolicybindings", "admissionregistration.k8s.io"),
    Ask("impersonate", "groups"),
    Ask("create", "persistentvolumes"),
)


def matrix(api: Cluster, tenants: Iterable[Tenant], platform: Iterable[str]) -> dict[str, Json]:
    """
    Return, by tenant's namespace, how many questions were asked and which answers are not what they have to be.

    Each tenant is asked about its own namespace, those of others, the platform's and the cluster as a whole. `leaks`
    are rights that nobody gave (`where: verb resource`), `lacks` what the own people need and may not do.

    Raises:
        ApiError: This identity may not ask.
    """
    listed = sorted(tenants, key=lambda tenant: tenant.name)
    questions = [
        (tenant, where, ask)
        for place, tenant in enumerate(listed)
        for where in ("", tenant.namespace, *_others(listed, place), *platform)
        for ask in (INSIDE if where else ABOVE)
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda question: allowed(api, question[0].group, *question[1:]), questions))
    found: dict[str, Json] = {t.namespace: {"asked": 0, "leaks": [], "lacks": []} for t in listed}
    for (tenant, where, ask), answer in zip(questions, answers, strict=True):
        mine = found[tenant.namespace]
        mine["asked"] += 1
        meant = ask.own and where == tenant.namespace
        if answer != meant:
            mine["leaks" if answer else "lacks"].append(f"{where or '*'}: {ask.words}")
    return found


def _others(tenants: Sequence[Tenant], place: int) -> list[str]:
    around = [*tenants[place + 1 :], *tenants[:place]]
    return [tenant.namespace for tenant in around[:OTHERS]]


def allowed(api: Cluster, group: str, namespace: str, ask: Ask) -> bool:
    """Return what the API server's authoriser says of one question, in the name of a group."""
    resource, _, part = ask.resource.partition("/")
    what = {"verb": ask.verb, "group": ask.group, "resource": resource, "subresource": part, "namespace": namespace}
    if ask.resource == "namespaces" and namespace:
        what["name"] = namespace
    spec = {"user": "balai:isolation", "groups": [group, "system:authenticated"], "resourceAttributes": what}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"].get("allowed"))
