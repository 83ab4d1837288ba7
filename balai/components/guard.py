"""
The rules inside the program: plain `pulumi up` is governed without a policy pack.

Whoever declares an object that a rule denies is told each rule, and the object is refused before
the provider sees it, in a preview as in an update. What a preview cannot know yet is said to be
undecided, and judged in the update.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi

from balai.models.tenant import Category
from balai.rules import Finding, Judge

Json = dict[str, Any]
TYPES = "kubernetes:"


class Refused(Exception):  # noqa: N818 - the engine prints the name
    """A resource breaks a rule that denies; the message names each rule."""


class Watch:
    """What a program declares, kept to be judged as a whole at its end."""

    def __init__(self, judge: Judge, namespace: Json | None) -> None:
        self._judge, self._namespace = judge, namespace
        self._items: dict[str, list[Json]] = defaultdict(list)

    def keep(self, manifest: Json) -> None:
        """Keep an object that the program declares."""
        self._items[manifest["kind"]].append(manifest)

    def close(self) -> None:
        """
        Judge the namespace with all that was declared in it.

        Raises:
            Refused: It breaks a rule that denies.
        """
        if self._namespace:
            _tell(self._judge.judge_together(self._namespace, self._items), open_question=False)


def guard(given: Mapping[str, Sequence[str]], namespace: Json | None = None, category: Category | None = None) -> Watch:
    """
    Judge every Kubernetes resource that the program declares from here on.

    Args:
        given: Parameters of the cluster.
        namespace: The Namespace that the program's objects are in.
        category: SPBE category of the tenant, where no `namespace` says it.
    """
    judge = Judge("plan", given)
    watch = Watch(judge, namespace)

    def transform(args: pulumi.ResourceTransformArgs) -> None:
        if not args.type_.startswith(TYPES):
            return
        manifest, undecided = _manifest(args.type_, args.name, dict(args.props))
        if manifest["kind"].endswith("Patch") or args.type_.split(":")[1].startswith(("helm.sh", "kustomize")):
            pulumi.log.warn(
                f"{args.name}: {manifest['kind']} shows no whole object: the rules judge it at admission only"
            )
        if undecided and not pulumi.runtime.is_dry_run() and manifest["kind"] not in ("Secret", "ConfigMap"):
            pulumi.log.warn(
                f"{args.name}: a secret stands in this {manifest['kind']}: it is judged whole at admission only"
            )
        # An update knows every value but secrets, which no rule needs: nothing is undecided there.
        _tell(judge.judge(manifest, category, namespace), open_question=undecided and pulumi.runtime.is_dry_run())

    def collect(args: pulumi.ResourceTransformationArgs) -> None:
        if args.type_.startswith(TYPES):
            watch.keep(_manifest(args.type_, args.name, dict(args.props))[0])

    pulumi.runtime.register_resource_transform(transform)
    pulumi.runtime.register_stack_transformation(collect)
    return watch


def _tell(findings: Iterable[Finding], *, open_question: bool) -> None:
    refusals = []
    for finding in findings:
        if finding.exception:
            pulumi.log.info(f"{finding} (excepted: {finding.exception})")
        elif finding.mode == "deny" and not open_question:
            pulumi.log.error(str(finding))
            refusals.append(str(finding))
        elif finding.mode != "audit":
            pulumi.log.warn(f"{finding}{' (undecided: a value is not known yet)' if open_question else ''}")
    if refusals:
        raise Refused("; ".join(refusals))


def _manifest(type_: str, name: str, props: Json) -> tuple[Json, bool]:
    """Return the object that a resource is, and whether something in it is not known yet."""
    plain, undecided = _plain(props)
    group_version, kind = type_.split(":")[1:]
    manifest = {**plain, "apiVersion": group_version.removeprefix("core/"), "kind": kind}
    manifest["metadata"] = {"name": name, **(manifest.get("metadata") or {})}
    return manifest, undecided


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
