"""Where in a file the field stands that breaks a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from balai.rules.lens import SUBJECTS, pod_path
from balai.rules.model import Rule

Path_ = tuple[str | int, ...]
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def culprit(rule: Rule, manifest: dict[str, Any], still_broken: Callable[[dict[str, Any]], bool]) -> Path_:
    """
    Return the path of the field that breaks a rule, as deep as the object has it.

    Of a list, the element is meant that breaks the rule when it stands there alone.

    Args:
        rule: A rule that the object breaks.
        manifest: The object.
        still_broken: Judges an object: whether it breaks the rule.
    """
    deepest: Path_ = ()
    for pattern in rule.field:
        candidates = list(_expanded(_absolute(rule, manifest["kind"], pattern), manifest, ()))
        for n, path in enumerate(candidates):
            left_over = n == len(candidates) - 1 and len(rule.field) == 1  # nothing else can be to blame
            if (
                any(isinstance(part, int) for part in path)
                and not left_over
                and not still_broken(_alone(manifest, path))
            ):
                continue
            there = _existing(manifest, path)
            if there == path:
                return there
            deepest = max(deepest, there, key=len)
    return deepest


def _absolute(rule: Rule, kind: str, pattern: str) -> tuple[str, ...]:
    parts = tuple(pattern.replace("[]", ".[]").split("."))
    if "podSpec" in SUBJECTS[rule.subject].variables and parts[0] not in ("metadata", "spec"):
        return (*pod_path(kind), *parts)
    return parts


def _expanded(parts: tuple[str, ...], item: Any, done: Path_) -> Iterator[Path_]:
    """Yield a pattern with every element of the lists that it goes through."""
    if not parts:
        yield done
        return
    head, rest = parts[0], parts[1:]
    if head == "[]":
        if isinstance(item, list) and item:
            for n, element in enumerate(item):
                yield from _expanded(rest, element, (*done, n))
        else:
            yield done
        return
    names = _CONTAINERS if head == "containers" and rest[:1] == ("[]",) else (head,)
    for name in names:
        inner = item.get(name) if isinstance(item, dict) else None
        if name == head or isinstance(inner, list):
            yield from _expanded(rest, inner, (*done, name))


def _existing(item: Any, path: Path_) -> Path_:
    for n, part in enumerate(path):
        try:
            item = item[part]
        except (KeyError, IndexError, TypeError):
            return path[:n]
    return path


def _alone(item: Any, path: Path_) -> Any:
    """Return the object with only the named element in each list that the path goes through; the rest is shared."""
    if not path or not isinstance(item, (dict, list)):
        return item
    part, rest = path[0], path[1:]
    if isinstance(item, list):
        return [_alone(item[part], rest)] if isinstance(part, int) and part < len(item) else item
    if part not in item:
        return item
    reduced = {**item, part: _alone(item[part], rest)}
    if part in _CONTAINERS and rest:
        for other in _CONTAINERS:
            if other != part:
                reduced.pop(other, None)
    return reduced


def subject_fields(rule: Rule) -> list[str]:
    """Return the fields of a rule as a reader of its object's kind would write them."""
    first = next(iter(SUBJECTS[rule.subject].kinds))
    return [".".join(_absolute(rule, first, field)).replace(".[]", "[]") for field in rule.field]
