"""
Stacks in order and side by side, by the Pulumi Automation API.

Pulumi itself knows no order between stacks. Here a data centre's clusters come before their foundations, and those
before their tenants; two independent stacks run at a time, what stands on one that failed is not tried, and what a
killed run left (a lock, pending operations) is taken up again.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from balai.errors import EnvironmentFault
from balai.estate import Estate
from balai.fleet import erasure
from balai.lifecycle import standing
from balai.text import say

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "balai"
SIDE_BY_SIDE = max(2, os.cpu_count() or 1)  # one more than there are cores is slower, and costs 70 MiB
Action = Literal["up", "preview"]


@dataclass(frozen=True, kw_only=True)
class StackResult:
    """What happened to one stack: objects by operation, or why it failed."""

    stack: str
    changes: dict[str, int]
    seconds: float
    error: str = ""

    @property
    def changed(self) -> int:
        """Number of resources that were not the same."""
        return sum(count for operation, count in self.changes.items() if operation not in ("same", "read"))

    @property
    def objects(self) -> int:
        """Number of resources that the stack has now."""
        return sum(count for operation, count in self.changes.items() if operation != "delete")


def stacks_of(estate: Estate, cluster: str) -> list[list[str]]:
    """Return the stacks of a cluster in layers; a layer needs the one before it."""
    named = {f"tenant.{cluster}.{tenant.name}": tenant for tenant in estate.tenants_of(cluster)}
    tenants = [name for name, t in named.items() if standing(t).may_change or erasure.may_go(estate, t, name)]
    return [[f"foundation.{cluster}"], tenants]


def layers_of(estate: Estate, data_centres: Iterable[str], clusters: Iterable[str]) -> list[list[str]]:
    """Return the stacks of data centres and of clusters in layers; a layer needs the one before it."""
    of_clusters = [stacks_of(estate, name) for name in clusters]
    merged = [[name for layers in of_clusters for name in layers[n]] for n in (0, 1)]
    return [layer for layer in ([f"fleet.{name}" for name in data_centres], *merged) if layer]


def ground_of(estate: Estate, stack: str) -> str:
    """Return the stack that another one stands on, "" for one that stands on none."""
    layer, _, rest = stack.partition(".")
    cluster = rest.partition(".")[0]
    if layer == "tenant":
        return f"foundation.{cluster}"
    return f"fleet.{estate.clusters[cluster].data_centre}" if layer == "foundation" else ""


def remarks(estate: Estate, cluster: str) -> list[str]:
    """Return what has to be said of tenants of a cluster that are held still, or soon will be."""
    found = []
    for tenant in estate.tenants_of(cluster):
        words = [standing(tenant).words]
        if tenant.status == "decommissioning":
            why = erasure.refusals(estate, tenant, f"tenant.{cluster}.{tenant.name}")
            words += why or [say("end_may_go", tenant=tenant.name)]
        found.append(" ".join(dict.fromkeys(word for word in words if word)))
    return [words for words in found if words]


def stacks_there() -> dict[str, int]:
    """
    Return the stacks that Pulumi's backend knows, with how many resources each holds.

    Raises:
        EnvironmentFault: Pulumi, its backend or its passphrase is missing, or the backend does not answer.
    """
    _require_settings()
    from pulumi import automation

    from balai import engine

    try:
        return engine.listing(ROOT)
    except automation.CommandError as error:
        raise EnvironmentFault(_readable(str(error))) from None


def abandoned(estate: Estate, cluster: str, there: Mapping[str, int]) -> list[StackResult]:
    """
    Return the stacks of tenants on a cluster that no file declares any more, each as a failure that says what to do.

    They are only looked at: a file that is gone is no order to delete what citizens use.
    """
    declared = {f"tenant.{cluster}.{tenant.name}" for tenant in estate.tenants_of(cluster)}
    return [
        StackResult(stack=name, changes={}, seconds=0, error=say("stack_abandoned", tenant=name.rpartition(".")[2]))
        for name, resources in sorted(there.items())
        if resources and name.startswith(f"tenant.{cluster}.") and name not in declared
    ]


def deploy(
    estate: Estate,
    layers: list[list[str]],
    there: Collection[str],
    action: Action = "up",
    on_result: Callable[[StackResult], None] = lambda _: None,
) -> list[StackResult]:
    """
    Bring stacks up (or preview them), layer by layer.

    Args:
        estate: What is declared.
        layers: Names of the stacks; a layer begins when the one before it has ended. A stack whose ground failed is
            not tried.
        there: Stacks that the backend knows; the others are made.
        action: What to do with each.
        on_result: Called with each result as it comes.

    Raises:
        EnvironmentFault: Pulumi, its backend or its passphrase is missing.
    """
    _require_settings()
    _import_all()
    _remove_torn_sidecars()
    results: list[StackResult] = []
    failed: set[str] = set()

    def one(name: str) -> StackResult:
        below = ground_of(estate, name)
        # A preview goes on: it shows everything that is wrong, and changes nothing.
        if action == "up" and below in failed:
            return StackResult(stack=name, changes={}, seconds=0, error=say("stack_waits", ground=below))
        return _run(estate, name, action, new=name not in there)

    for layer in layers:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            done = []
            for result in pool.map(one, layer):
                on_result(result)
                done.append(result)
        failed |= {result.stack for result in done if result.error}
        results += done
    return results


def _run(estate: Estate, name: str, action: Action, *, new: bool) -> StackResult:
    from pulumi import automation

    from balai import engine
    from stacks.layers import program

    began, dead = time.monotonic(), _dead_locks(name)
    try:
        if new:  # whoever was killed while making it left nothing that could be cancelled
            for lock in dead:
                lock.unlink(missing_ok=True)
        stack = engine.opened(ROOT, name, lambda: program(name, estate), new=new)
        if dead and not new:
            stack.cancel()
        if action == "preview":
            changes = dict(stack.preview(refresh=True, on_output=_silent).change_summary)
        else:
            changes = dict(stack.up(refresh=True, on_output=_silent).summary.resource_changes or {})
            if dead:
                stack.refresh(clear_pending_creates=True, on_output=_silent)
    except automation.CommandError as error:
        return StackResult(stack=name, changes={}, seconds=time.monotonic() - began, error=_readable(str(error)))
    return StackResult(
        stack=name,
        seconds=time.monotonic() - began,
        changes={getattr(op, "value", str(op)): n for op, n in changes.items()},
    )


def _dead_locks(name: str) -> list[Path]:
    """Return the locks of a stack if the owner of each was killed on this machine; of one that lives, none."""
    state = _local_state()
    folder = state / f"locks/organization/{PROJECT}/{name}" if state else None
    owners = {path: json.loads(path.read_text()) for path in folder.glob("*.json")} if folder else {}
    here = socket.gethostname()
    if all(o.get("hostname") == here and not Path(f"/proc/{o['pid']}").exists() for o in owners.values()):
        return list(owners)
    return []


def _remove_torn_sidecars() -> None:
    """
    Remove what a kill left of Pulumi's metadata files.

    Pulumi writes a state file atomically, but not the `.attrs` beside it: an empty one makes the
    whole stack unreadable, and says nothing that is needed. `?metadata=skip` in the URL avoids them.
    """
    for path in state.rglob("*.attrs") if (state := _local_state()) else ():
        if path.stat().st_size == 0:
            path.unlink(missing_ok=True)


def _local_state() -> Path | None:
    where = urlsplit(os.environ.get("PULUMI_BACKEND_URL", ""))
    if where.scheme != "file":
        return None
    return Path((where.netloc + where.path).replace("~", str(Path.home()), 1)) / ".pulumi"


def _require_settings() -> None:
    import shutil

    if shutil.which("pulumi") is None:
        raise EnvironmentFault(
            "`pulumi` is not on PATH: install it, or source the lab's env file (`make up` prints it)."
        )
    if not os.environ.get("PULUMI_BACKEND_URL"):
        raise EnvironmentFault("PULUMI_BACKEND_URL is not set: say where the state lies (`make up` prints the lab's).")
    if not any(os.environ.get(f"PULUMI_CONFIG_PASSPHRASE{suffix}") for suffix in ("", "_FILE")):
        raise EnvironmentFault("PULUMI_CONFIG_PASSPHRASE_FILE is not set: name the file that holds the passphrase.")


def _import_all() -> None:
    # pulumi_kubernetes loads a class on first use, and that is not safe in threads: touch each one.
    import pulumi_kubernetes as k8s

    for module, names in {
        k8s.core.v1: ("Namespace", "ConfigMap", "Service", "ResourceQuota", "LimitRange"),
        k8s.apps.v1: ("Deployment",),
        k8s.policy.v1: ("PodDisruptionBudget",),
        k8s.rbac.v1: ("ClusterRole", "RoleBinding"),
        k8s.networking.v1: ("NetworkPolicy",),
        k8s.scheduling.v1: ("PriorityClass",),
        k8s.meta.v1: ("ObjectMetaArgs",),
        k8s.apiextensions: ("CustomResource",),
        k8s.admissionregistration.v1: ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
    }.items():
        for name in names:
            getattr(module, name)


def _silent(_: str) -> None:
    return None


def _readable(text: str) -> str:
    """Return the lines of the engine's report that say what is wrong."""
    lines = [line.strip() for line in text.splitlines()]
    said = [line.partition("error: ")[2] for line in lines if "error: " in line]
    kept = list(dict.fromkeys(line for line in said if line and line not in ("update failed", "preview failed")))
    return "\n".join(kept) or "\n".join(lines[-5:])
