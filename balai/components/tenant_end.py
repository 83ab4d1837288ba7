"""The end of a tenant inside the program: what `pulumi up` may take away, what is kept before, what is said after."""

from __future__ import annotations

import datetime

import pulumi

from balai.components.data_store import DATABASE
from balai.components.gate import NAMESPACE, gate
from balai.estate import Estate
from balai.fleet import erasure, gates
from balai.fleet.approvals import deletions
from balai.models import Cluster, Tenant
from balai.text import say


def tenant_gate(estate: Estate, tenant: Tenant, stack: str) -> None:
    """
    Hold a tenant's changes to freezes.

    Its namespace, with all that is in it, only goes when the tenant is ended; a database before that only when two
    people have allowed it, not because a line is gone from a file.
    """

    def ask(action: str, args: pulumi.ResourceHookArgs) -> list[str]:
        goes = args.type if action == "delete" else ""
        if goes == NAMESPACE:
            return erasure.refusals(estate, tenant, stack)
        why = gates.refusals(estate, stack)
        if goes == DATABASE and not deletions(stack, tenant.owner, datetime.datetime.now(datetime.UTC)):
            why.append(say("store_unapproved", tenant=tenant.name, stack=stack, owner=tenant.owner))
        return why

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
