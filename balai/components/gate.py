"""
Gates inside the program: plain `pulumi up` is held to freezes and windows without a word of our own command.

They are resource hooks, so that they are asked only when something is really about to change: in a preview, to say it
early, and in the update before the provider hears of it. A run that changes nothing is let through on every day.
"""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from balai.components.guard import Refused
from balai.errors import BalaiError

TYPES = "kubernetes:"
NAMESPACE = "kubernetes:core/v1:Namespace"


Asked = Callable[[str, pulumi.ResourceHookArgs], list[str]]
Told = Callable[[pulumi.ResourceHookArgs], None]


def _nobody(_: pulumi.ResourceHookArgs) -> None:
    return None


def gate(
    refusals: Asked,
    always: frozenset[str] = frozenset(),
    first: Told = _nobody,
    last: Told = _nobody,
    gone: Told = _nobody,
) -> None:
    """
    Ask before each change of a Kubernetes resource that the program declares from here on.

    Args:
        refusals: Returns why a change may not be made now, in words; called with what is to be done (`create`,
            `update`, `delete`), and with the resource as the engine shows it to hooks.
        first: Called before a resource is created that may be.
        last: Called before a resource is deleted that may be; in a preview too.
        gone: Called after a resource was deleted.
        always: Names of resources that change by themselves, and are never asked about.

    A stack that is made for the first time stands under nobody: as long as its namespace is being made in this very
    run, nothing is refused.
    """
    made: set[str] = set()

    def ask(action: str, args: pulumi.ResourceHookArgs) -> None:
        if action == "create" and args.type == NAMESPACE:
            made.add(args.name)
        if why := [] if action == "create" and made else refusals(action, args):
            raise Refused(" ".join(why))  # the engine prints it, with the resource
        if action in tell:
            _say(tell[action], args)

    tell = {"create": first, "delete": last}
    hooks = {
        action: pulumi.ResourceHook(
            f"balai-gate-{action}",
            lambda args, action=action: ask(action, args),  # type: ignore[misc]
            pulumi.ResourceHookOptions(on_dry_run=True),
        )
        for action in ("create", "update", "delete")
    }
    # Registered by every program: a hook that the state names and no program has would stop a deletion.
    deleted = pulumi.ResourceHook("balai-gate-deleted", lambda args: _say(gone, args))

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if not args.type_.startswith(TYPES) or args.name in always:
            return None
        args.opts.hooks = pulumi.ResourceHookBinding(
            before_create=[hooks["create"]],
            before_update=[hooks["update"]],
            before_delete=[hooks["delete"]],
            after_delete=[deleted],
        )
        return pulumi.ResourceTransformResult(props=args.props, opts=args.opts)

    pulumi.runtime.register_resource_transform(transform)


def _say(told: Told, args: pulumi.ResourceHookArgs) -> None:
    try:
        told(args)
    except BalaiError as error:
        raise Refused(str(error)) from error
