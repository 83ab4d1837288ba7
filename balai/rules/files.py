"""Rules on files: manifests as kubectl would read them, with the line each object begins on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from balai.errors import DataError, Problem
from balai.models.tenant import Category
from balai.rules.evaluate import CATEGORIES, STRICTEST, Finding, Judge
from balai.rules.lens import LABEL

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Located:
    """One object of a file."""

    file: str
    line: int
    manifest: dict[str, Any]


def read(text: str, name: str) -> list[Located]:
    """
    Return every object of a file, those inside lists too.

    Raises:
        DataError: It is no YAML, or a document is no Kubernetes object.
    """
    loader = _LOADER(text)
    found: list[Located] = []
    problems: list[Problem] = []
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            value = loader.construct_document(node)
            line = node.start_mark.line + 1
            if value is None:
                continue
            for item in _unwrapped(value):
                if _is_object(item):
                    found.append(Located(file=name, line=line, manifest=item))
                else:
                    problems.append(
                        Problem(
                            file=name,
                            line=line,
                            key="kind",
                            given=repr(item)[:60],
                            fix="Give it apiVersion, kind and metadata.",
                            bound="this is no Kubernetes object: kind and metadata are required",
                        )
                    )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        problems.append(
            Problem(
                file=name,
                line=0,
                key="",
                given=type(error).__name__,
                bound="a value in this file is not what its form says, or it holds itself",
                fix="Quote texts that look like numbers or dates, and take out anchors that refer to themselves.",
            )
        )
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(
            Problem(
                file=name,
                line=mark.line + 1 if mark else 0,
                key="",
                given="",
                bound=f"this is not YAML: {getattr(error, 'problem', error)}",
                fix="Mend the line; indent with spaces.",
            )
        )
    finally:
        loader.dispose()
    if problems:
        raise DataError(problems)
    return found


def _is_object(item: Any) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
        return False
    metadata = item.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("labels") or {}, dict):
        return False
    return all(isinstance(metadata.get(key, ""), str) for key in ("name", "namespace"))


def _unwrapped(value: Any) -> Iterator[Any]:
    """Yield an object, or those of a List, however deep the lists are."""
    if isinstance(value, dict) and str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        for item in value["items"]:
            yield from _unwrapped(item)
    else:
        yield value


def judge(objects: list[Located], category: Category | None) -> Iterator[tuple[Located, Finding]]:
    """Yield what the objects break; the category of a namespace that lies among them is its own."""
    judges = Judge("file")
    known: dict[str, Category] = {}
    for item in objects:
        label = (item.manifest["metadata"].get("labels") or {}).get(f"{LABEL}category")
        if item.manifest["kind"] == "Namespace" and label in CATEGORIES:
            known[item.manifest["metadata"].get("name", "")] = label
    for item in objects:
        namespace = item.manifest["metadata"].get("namespace", "")
        for finding in judges.judge(item.manifest, category or known.get(namespace) or STRICTEST):
            yield item, finding
