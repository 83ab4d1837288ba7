"""The end of a tenant inside the program: what `pulumi up` may take away, what is kept before, what is said after."""

from __future__ import annotations

import pulumi

from balai.components.gate import NAMESPACE, gate
from balai.estate import Estate
from balai.fleet import erasure, gates
from balai.models import Cluster, Tenant


def tenant_gate(estate: Estate, tenant: Tenant, stack: str) -> None:
    """Hold a tenant's changes to freezes; its namespace, with all that is in it, only goes when the tenant is ended."""

    def ask(action: str, args: pulumi.ResourceHookArgs) -> list[str]:
        if action == "delete" and args.type == NAMESPACE:
            return erasure.refusals(estate, tenant, stack)
        return gates.refusals(estate, stack)

    gate(ask)


def farewell(estate: Estate, cluster: Cluster, tenant: Tenant, stack: str) -> None:
    """
    Declare nothing, so that what the stack made goes: after an export, and with a certificate at the end.

    Raises:
        pulumi.RunError: The tenant may not be erased, each reason in words.
    """
    if why := erasure.refusals(estate, tenant, stack):
        raise pulumi.RunError(" ".join(why))
    going = erasure.Erasure(tenant=tenant, cluster=cluster)

    def last(_: pulumi.ResourceHookArgs) -> None:
        if not pulumi.runtime.is_dry_run():
            going.export()

    def gone(args: pulumi.ResourceHookArgs) -> None:
        if args.type == NAMESPACE:
            going.finish()

    gate(lambda _action, _resource: erasure.refusals(estate, tenant, stack), last=last, gone=gone)
