"""
The good and bad cases of each rule: what must pass and what must fail, at every point.

A case says only in what it differs from an object that breaks no rule (policies/rules/bases.yml),
so the first good case is also the corrected form that `balai explain` shows. Keys of a case:

- `kinds`: kinds to make it for; every kind of the rule's subject without it.
- `pod`, `container`, `init`: merged into the pod spec, the first of two containers, one more init container;
  `alone` leaves the second container out.
- `object`: merged into the object. `namespace`: labels of the Namespace it is in.
- `items`: for set rules, what is in the namespace: {Kind: [differences from that kind's base]}.
- `why`: in what a bad case is wrong.

Merging is that of JSON merge patch (RFC 7386): a null takes a key out, a list replaces.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from balai import yamlfile
from balai.models.base import Model, load
from balai.rules.lens import LABEL, POD_KINDS, SUBJECTS, pod_path
from balai.rules.model import FOLDER, Rule, load_rules

Json = dict[str, Any]


class Difference(Model):
    """One entry of good.yml or bad.yml."""

    why: str = ""
    kinds: list[str] | None = None
    pod: Json | None = None
    container: Json | None = None
    alone: bool = False
    init: Json | None = None
    object: Json | None = None
    namespace: dict[str, str] = {}
    items: dict[str, list[Json]] | None = None


class Cases(Model):
    """good.yml or bad.yml."""

    cases: list[Difference]


@dataclass(frozen=True, kw_only=True)
class Case:
    """
    One object that a rule must pass or fail.

    Attributes:
        manifest: The object; for a set rule the Namespace, with what is in it under `items`.
        namespace: Labels of the namespace that it is in.
    """

    rule: Rule
    good: bool
    number: int
    why: str
    manifest: Json
    namespace: dict[str, str]

    @property
    def surroundings(self) -> Json:
        """The Namespace that the object is in; a tenant's own breaks no rule."""
        if tenant := self.namespace.get("tenant"):
            metadata = {"name": f"tenant-{tenant}", "labels": {f"{LABEL}tenant": tenant}}
            return dict(merged(base("Namespace"), {"metadata": metadata}))
        name = "-".join(("parity", *sorted(self.namespace.values()))).replace(".", "-")
        labels = {f"{LABEL}{key}": value for key, value in self.namespace.items()}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}

    def __str__(self) -> str:
        return f"{self.rule.id}/{'good' if self.good else 'bad'}-{self.number}/{self.manifest['kind']}"


def merged(base: Any, difference: Any) -> Any:
    """Return a JSON merge patch applied."""
    if not isinstance(difference, dict):
        return difference
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in difference.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def base(kind: str) -> Json:
    """Return an object of a kind that breaks no rule."""
    found: Json = copy.deepcopy(_bases()["objects"][kind])
    if kind in POD_KINDS:
        put_pod(found, {**pod_of(found), **copy.deepcopy(_bases()["pod"])})
    return found


def pod_of(manifest: Json) -> Json:
    """Return the pod spec of an object; empty when it has none."""
    spec: Any = manifest
    for key in pod_path(manifest["kind"]):
        spec = spec.get(key) or {}
    return dict(spec)


def put_pod(manifest: Json, spec: Json) -> None:
    """Set the pod spec of an object, in place of the one it has."""
    *path, last = pod_path(manifest["kind"])
    place = manifest
    for key in path:
        place = place.setdefault(key, {})
    place[last] = spec


def cases_of(rule: Rule, folder: Path = FOLDER) -> tuple[Case, ...]:
    """Return the cases of one rule, good ones first."""
    return tuple(_expanded(rule, folder))


def all_cases() -> Iterator[Case]:
    """Yield the cases of every rule."""
    for rule in load_rules():
        yield from cases_of(rule)


def differences(rule: Rule, good: bool, folder: Path = FOLDER) -> list[Difference]:
    """
    Return the entries of one of a rule's two files.

    Raises:
        DataError: The file is missing or wrong.
    """
    (home,) = folder.glob(f"*/{rule.id}")
    return load(Cases, yamlfile.read(home / ("good.yml" if good else "bad.yml"))).cases


def _expanded(rule: Rule, folder: Path) -> Iterator[Case]:
    for good in (True, False):
        for number, difference in enumerate(differences(rule, good, folder), 1):
            for kind in difference.kinds or SUBJECTS[rule.subject].kinds:
                yield Case(
                    rule=rule,
                    good=good,
                    number=number,
                    why=difference.why,
                    manifest=_made(rule, kind, difference),
                    namespace=difference.namespace,
                )


def _made(rule: Rule, kind: str, difference: Difference) -> Json:
    made = base(kind)
    if kind in POD_KINDS:
        spec = pod_of(made)
        first = spec["containers"][0]
        if difference.container:  # the one that is meant, and one beside it that breaks nothing
            beside = (
                []
                if difference.alone
                else [{key: value for key, value in first.items() if key != "ports"} | {"name": "beside"}]
            )
            spec["containers"] = [merged(first, difference.container), *beside]
        if difference.init is not None:
            spec["initContainers"] = [merged({**first, "name": "init", "ports": None}, difference.init)]
            for key in ("ports", "readinessProbe", "livenessProbe"):
                spec["initContainers"][0].pop(key, None)
        put_pod(made, merged(spec, difference.pod or {}))
    manifest: Json = merged(made, difference.object or {})
    if rule.scope == "set":
        manifest["items"] = {
            name: [merged(base(name), one) for one in ones] for name, ones in (difference.items or {}).items()
        }
        manifest["metadata"]["labels"] |= {f"{LABEL}{key}": value for key, value in difference.namespace.items()}
    return manifest


@cache
def _bases() -> Json:
    found: Json = yamlfile.read(FOLDER / "bases.yml").data
    return found
