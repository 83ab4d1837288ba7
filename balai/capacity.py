"""How much machines have and tenants take, in whole numbers: thousandths of a core, MiB of memory, pods."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from balai.models import Cluster, MachineClass, Tenant
from balai.models.fleet import GENERAL
from balai.models.service import DataStore, Job, Service

BYTES = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
MIB = 2**20


@dataclass(frozen=True, order=True)
class Size:
    """Thousandths of a core, MiB of memory, pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def times(self, count: int) -> Size:
        """Return it so many times."""
        return Size(self.cpu * count, self.memory * count, self.pods * count)

    def or_more(self, other: Size) -> Size:
        """Return the larger of both, part by part."""
        return Size(max(self.cpu, other.cpu), max(self.memory, other.memory), max(self.pods, other.pods))

    def beyond(self, bound: Size) -> dict[str, int]:
        """Return by how much it is larger, for each part in which it is."""
        mine, theirs = asdict(self), asdict(bound)
        return {part: mine[part] - theirs[part] for part in mine if mine[part] > theirs[part]}


def machine_size(made: MachineClass, headroom_percent: int) -> Size:
    """Return what one machine has for pods, without the share that is planned to stay free."""
    share = 100 - headroom_percent
    return Size(
        cpu=(made.cpu - made.reserved_cpu) * 1000 * share // 100,
        memory=(made.memory_gib - made.reserved_memory_gib) * 1024 * share // 100,
        pods=made.pods * share // 100,
    )


def machines_of(cluster: Cluster, without: str = "") -> int:
    """Return how many machines a cluster has for tenants' pods, one of its racks left out."""
    return sum(
        n for pool in cluster.pools if pool.machines == GENERAL for rack, n in pool.racks.items() if rack != without
    )


def agreed(tenant: Tenant) -> Size:
    """Return what was agreed with a tenant."""
    return Size(cpu_of(tenant.quota.cpu), memory_of(tenant.quota.memory), tenant.quota.pods)


def runs_of(tenant: Tenant) -> Size:
    """
    Return what a tenant declares to run: services in their least copies, a run of each job, its stores.

    Stores are counted wherever the tenant is, so that there is room to restore them.
    """
    total = Size()
    for service in tenant.services:
        total += pod_of(service).times(1 if isinstance(service, Job) else service.replicas)
    for store in tenant.data_stores:
        total += pod_of(store).times(store.instances)
    return total


def most_of(tenant: Tenant) -> Size:
    """Return the most that what a tenant declares can take: scaled out, with one more copy of each being renewed."""
    total = Size()
    for service in tenant.services:
        total += pod_of(service).times(1 if isinstance(service, Job) else service.most + 1)
    for store in tenant.data_stores:
        total += pod_of(store).times(store.instances + 1)  # a copy joins, or the first one is made
    return total


def storage_of(tenant: Tenant) -> int:
    """Return how many MiB a tenant's stores keep."""
    return sum(memory_of(store.storage) * store.instances for store in tenant.data_stores)


def pods_of(tenant: Tenant) -> list[Size]:
    """Return one pod of everything that a tenant runs."""
    return [pod_of(item) for item in (*tenant.services, *tenant.data_stores)]


def pod_of(item: Service | DataStore) -> Size:
    """Return one pod of a service or a store."""
    return Size(cpu_of(item.resources.cpu), memory_of(item.resources.memory), 1)


def cpu_of(quantity: str) -> int:
    """Return a Kubernetes quantity of cores in thousandths: `500m` is 500, `2` is 2000."""
    return int(quantity[:-1]) if quantity.endswith("m") else int(quantity) * 1000


def memory_of(quantity: str) -> int:
    """Return a Kubernetes quantity of bytes in MiB, rounded up: `4Gi` is 4096."""
    found = re.fullmatch(r"([0-9]+)([KMGT]i)?", quantity)
    if found is None:
        raise ValueError(f"{quantity} is no amount of memory")
    return rounded_up(int(found[1]) * BYTES[found[2] or ""], MIB)


def rounded_up(amount: int, unit: int) -> int:
    """Return in how many units an amount fits; without a fraction, which would be wrong for the largest."""
    return -(-amount // unit)
