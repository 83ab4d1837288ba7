"""
The rules inside the program: plain `pulumi up` is governed without a policy pack.

Whoever declares an object that a rule denies is told each rule, and the object is refused before
the provider sees it, in a preview as in an update. What a preview cannot know yet is said to be
undecided, and judged in the update.
"""

from __future__ import annotations

from typing import Any

import pulumi

from balai.models.tenant import Category
from balai.rules import Judge

TYPES = "kubernetes:"


class Refused(Exception):  # noqa: N818 - the engine prints the name
    """A resource breaks a rule that denies; the message names each rule."""


def guard(registries: list[str], category: Category | None) -> None:
    """Judge every Kubernetes resource that the program declares from here on."""
    judge = Judge("plan", registries)

    def transform(args: pulumi.ResourceTransformArgs) -> None:
        if not args.type_.startswith(TYPES):
            return
        manifest, undecided = _plain(dict(args.props))
        group_version, kind = args.type_.split(":")[1:]
        manifest = {"apiVersion": group_version.removeprefix("core/"), "kind": kind, **manifest}
        manifest.setdefault("metadata", {})
        manifest["metadata"].setdefault("name", args.name)
        refusals = []
        for finding in judge.judge(manifest, category):
            # An update knows every value but secrets, which no rule needs: nothing is undecided there.
            open_question = undecided and pulumi.runtime.is_dry_run()
            if finding.mode == "deny" and not open_question:
                pulumi.log.error(str(finding))
                refusals.append(str(finding))
            else:
                pulumi.log.warn(f"{finding}{' (undecided: a value is not known yet)' if open_question else ''}")
        if refusals:
            raise Refused("; ".join(refusals))

    pulumi.runtime.register_resource_transform(transform)


def _plain(value: Any) -> tuple[Any, bool]:
    """Return a value without outputs, and whether something in it is not known yet."""
    if isinstance(value, dict):
        parts = {str(key): _plain(item) for key, item in value.items()}
        return {key: item for key, (item, _) in parts.items()}, any(flag for _, flag in parts.values())
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return [item for item, _ in items], any(flag for _, flag in items)
    if value is None or isinstance(value, (bool, int, float)):
        return value, False
    if isinstance(value, str):
        return str(value), value == pulumi.runtime.rpc.UNKNOWN
    return "", True  # an Output: unknown, or secret and none of a rule's business
