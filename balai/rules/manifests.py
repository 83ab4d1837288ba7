"""
Manifests as kubectl would read them, and nothing that only looks like one.

YAML documents, JSON, and lists in lists; a key given twice, an anchor that unfolds to millions, a
depth or size that no manifest has are refused, so that every file ends in an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from balai.errors import DataError, Problem
from balai.rules.lens import ALL_KINDS

MOST_BYTES = 32 * 1024 * 1024  # the API server takes 3 MiB an object
KEPT_BYTES = 4 * 1024 * 1024  # parsed documents take forty times their text
MOST_NODES = 500_000  # of one document, anchors unfolded
DEEPEST = 60
_BASE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TIMESTAMP, _TEXT, _MERGE, _VALUE = (f"tag:yaml.org,2002:{name}" for name in ("timestamp", "str", "merge", "value"))
# libyaml's reader ends the process on what no manifest has: thousands of brackets or dashes that open and never close.
_FATHOMLESS = re.compile(r"(?:[\[{][ \t]*){1000}|(?:[-?][ \t]+){1000}")
_KINDS = {kind.lower(): kind for kind in ALL_KINDS}


class _Loader(_BASE):  # type: ignore[misc, valid-type]
    """kubectl's types: a date stays text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_TIMESTAMP, _VALUE)]
        for first, resolvers in _BASE.yaml_implicit_resolvers.items()
    }
    _tags: dict[str, str] = {}

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """Return the tag of a value; plain ones repeat so much that remembering them halves the reading."""
        if kind is not yaml.ScalarNode or not implicit[0]:
            return super().resolve(kind, value, implicit)
        tag = self._tags.get(value)
        if tag is None:
            if len(self._tags) > 100_000:
                self._tags.clear()
            tag = self._tags[value] = super().resolve(kind, value, implicit)
        return tag


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?0o[0-7]+$"), list("-+0"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """
    One object of a file.

    Attributes:
        line: Line on which it begins, from 1.
        lines: First and last line of its document, from 0.
        root: The document as it was parsed, kept for files that are not large.
        prefix: Path from the document to the object: () unless it is in a list.
    """

    file: str
    line: int
    manifest: dict[str, Any]
    lines: tuple[int, int] = (0, 0)
    prefix: tuple[str | int, ...] = ()
    root: Any = None


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, node: Any, bound: str, fix: str, key: str = "") -> None:
        super().__init__(bound)
        self.node, self.bound, self.fix, self.key = node, bound, fix, key


def read(text: str, name: str) -> list[Located]:
    """
    Return every object of a file, those inside lists too.

    Raises:
        DataError: It is neither YAML nor JSON, or something in it is no Kubernetes object.
    """
    found: list[Located] = []
    problems: list[Problem] = []

    def refuse(line: int, bound: str, fix: str, key: str = "", given: str = "") -> None:
        problems.append(Problem(file=name, line=line, key=key, given=given, bound=bound, fix=fix))

    if len(text) > MOST_BYTES:
        refuse(
            0,
            f"a file holds at most {MOST_BYTES >> 20} MiB",
            "Split it into several files.",
            given=f"{len(text)} bytes",
        )
        raise DataError(problems)
    if _FATHOMLESS.search(text):
        refuse(0, f"values lie more than {DEEPEST} deep", "No manifest is that deep: write it flatter.")
        raise DataError(problems)
    try:
        for value, lines, root in _documents(text):
            for item, prefix in _unwrapped(value, ()):
                if wrong := _not_an_object(item):
                    refuse(lines[0] + 1, *wrong, given=repr(item)[:60])
                else:
                    found.append(
                        Located(file=name, line=lines[0] + 1, manifest=item, lines=lines, prefix=prefix, root=root)
                    )
    except _Refused as refused:
        refuse(refused.node.start_mark.line + 1, refused.bound, refused.fix, refused.key)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        refuse(mark.line + 1 if mark else 0, f"this is not YAML: {what}", "Mend the line; indent with spaces.")
    except (ValueError, RecursionError) as error:
        fix = "Quote texts that look like numbers or dates, and take out anchors that refer to themselves."
        refuse(0, "a value in this file is not what its form says", fix, given=str(error)[:60])
    if problems:
        raise DataError(problems)
    return found


def place(text: str, item: Located, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column, from 1, of a field of an object that was read from this text."""
    try:
        node = item.root or _composed(text, item.lines)
    except yaml.YAMLError:  # JSON that YAML does not read, as a letter in two halves
        return item.lines[0] + 1, 1
    first = 0 if item.root else item.lines[0]
    mark = node.start_mark
    for part in (*item.prefix, *path):
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == part), None)
            if pair is None:
                break
            mark, node = pair[0].start_mark, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            break
    return first + mark.line + 1, mark.column + 1


@lru_cache(maxsize=2)
def _composed(text: str, lines: tuple[int, int]) -> Any:
    loader = _Loader("".join(_lines(text)[lines[0] : lines[1] + 1]))
    try:
        loader.check_node()  # reads up to the document
        return loader.get_node()
    finally:
        loader.dispose()


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _documents(text: str) -> Iterator[tuple[Any, tuple[int, int], Any]]:
    """Yield each document with its first and last line, from 0, and its root where that may be kept."""
    if re.match(r"\s*[{\[]", text):
        try:
            yield json.loads(text, object_pairs_hook=_unique), (0, text.count("\n")), None
            return
        except json.JSONDecodeError as error:  # YAML's flow style looks the same, and says better what is wrong
            if "twice" in str(error):
                raise ValueError(str(error)) from None
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            budget = iter(range(MOST_NODES))
            value = _build(loader, node, budget, 0)
            if value is not None:
                kept = node if len(text) <= KEPT_BYTES else None
                yield value, (node.start_mark.line, node.end_mark.line), kept
    finally:
        loader.dispose()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"the key {twice!r} is given twice")
    return found


def _build(loader: Any, node: Any, budget: Iterator[int], depth: int) -> Any:
    if next(budget, None) is None:
        raise _Refused(node, f"a document unfolds to more than {MOST_NODES} values", "Take out its anchors.")
    if depth > DEEPEST:
        raise _Refused(node, f"values lie more than {DEEPEST} deep", "No manifest is that deep: write it flatter.")
    kind = type(node)
    if kind is yaml.ScalarNode:
        return node.value if node.tag == _TEXT else loader.construct_object(node)
    if kind is yaml.SequenceNode:
        return [_build(loader, item, budget, depth + 1) for item in node.value]
    result: dict[str, Any] = {}
    merged: list[Any] = []
    for key_node, value_node in node.value:
        if key_node.tag == _MERGE:
            built = _build(loader, value_node, budget, depth + 1)
            merged += built if isinstance(built, list) else [built]
            continue
        key = key_node.value
        if type(key) is not str:
            raise _Refused(key_node, "a key is not a word", "Write a text as the key.")
        if key in result:
            raise _Refused(key_node, "the key is given twice", "Keep one of them.", key)
        result[key] = _build(loader, value_node, budget, depth + 1)
    for other in merged:
        if not isinstance(other, dict):
            raise _Refused(node, "only mappings can be merged (<<)", "Name an anchor of a mapping.")
        result = {**other, **result}
    return result


def _not_an_object(item: Any) -> tuple[str, str, str] | None:
    """Return what is wrong (bound, fix, key) with something that is no Kubernetes object."""
    form = "Give it apiVersion, kind and metadata."
    if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
        return "this is no Kubernetes object: kind and metadata are required", form, "kind"
    kind, metadata = item["kind"], item.get("metadata")
    if (right := _KINDS.get(kind.lower())) and right != kind:
        return "there is no such kind", f"Write {right}.", "kind"
    if not isinstance(metadata, dict):
        return "this is no Kubernetes object: kind and metadata are required", form, "metadata"
    for key in ("labels", "annotations"):
        texts = metadata.get(key) or {}
        if not isinstance(texts, dict) or not all(isinstance(value, (str, type(None))) for value in texts.values()):
            return "should hold texts by name", "Quote what looks like a number or a truth.", f"metadata.{key}"
    if not all(isinstance(metadata.get(key) or "", str) for key in ("name", "namespace")):
        return "should be text", "Quote the name.", "metadata.name"
    return None


def _unwrapped(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    """Yield an object, or those of a List, however deep the lists are."""
    if isinstance(value, dict) and str(value.get("apiVersion", "")).startswith("kustomize.config.k8s.io/"):
        return  # says which files belong together, and is no object
    if isinstance(value, dict) and str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        for n, item in enumerate(value["items"]):
            yield from _unwrapped(item, (*path, "items", n))
    else:
        yield value, path
