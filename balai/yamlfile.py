"""
YAML as the estate reads it: scalars are what they look like, keys stand once, lines are known.

`35.10` and `07:30` stay text, `on` and `yes` stay words, a date stays text; only plain integers,
true, false and null become something else. Nothing is ever coerced silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from balai.errors import DataError, Problem, shown

Path_ = tuple[str | int, ...]
MOST_NODES = 200_000  # the largest file has 5,000; anchors can make millions of a few lines


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(0|[1-9][0-9]*)$"), list("-0123456789"))
_MEANINGS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:bool": {"true": True, "false": False}.__getitem__,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:null": lambda _: None,
}


@dataclass(frozen=True)
class Document:
    """A parsed file: its data, and the line of every key and item in it."""

    name: str
    data: Any
    lines: dict[Path_, int]

    def line(self, path: Path_) -> int:
        """Return the line of a path, or of the nearest thing around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(path: Path) -> Document:
    """
    Parse one file.

    Raises:
        DataError: It is missing, is no UTF-8, is no YAML, or gives a key twice.
    """
    name = shown(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(
            [
                Problem(
                    file=name,
                    line=0,
                    key="",
                    given="",
                    bound="there is no such file",
                    fix="Check the name; docs/estate.md shows what such a file holds.",
                )
            ]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            [
                Problem(
                    file=name,
                    line=0,
                    key="",
                    given=str(error)[:80],
                    bound="the file cannot be read",
                    fix="Save it as UTF-8 text that you may read.",
                )
            ]
        ) from None
    return parse(text, name)


def parse(text: str, name: str) -> Document:
    """Parse text that came from a file (or standard input) called `name`."""
    problems: list[Problem] = []
    lines: dict[Path_, int] = {(): 1}

    budget, last = iter(range(MOST_NODES)), 1

    def build(node: yaml.Node, path: Path_) -> Any:
        nonlocal last
        if next(budget, None) is None:
            raise RecursionError
        last = node.start_mark.line + 1
        lines.setdefault(path, last)
        if isinstance(node, yaml.MappingNode):
            result: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                here = (*path, key)
                lines[here] = key_node.start_mark.line + 1
                if key in result:
                    problems.append(
                        Problem(
                            file=name,
                            line=lines[here],
                            key=dotted(here),
                            given="",
                            bound="the key is given twice",
                            fix="Keep one of them.",
                        )
                    )
                result[key] = build(value_node, here)
            return result
        if isinstance(node, yaml.SequenceNode):
            return [build(item, (*path, n)) for n, item in enumerate(node.value)]
        meaning = _MEANINGS.get(node.tag)
        return meaning(node.value) if meaning else str(node.value)

    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        data = build(root, ()) if root is not None else None
    except (ValueError, KeyError, RecursionError) as error:
        raise DataError(
            [
                Problem(
                    file=name,
                    line=last,
                    key="",
                    given=type(error).__name__,
                    bound="a value in this file is not what its form says, or it holds itself",
                    fix="Write plain values; take out tags (!!) and anchors.",
                )
            ]
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or str(error)
        raise DataError(
            [
                Problem(
                    file=name,
                    line=mark.line + 1 if mark else 0,
                    key="",
                    given="",
                    bound=f"this is not YAML: {what}",
                    fix="Mend the line; indent with spaces.",
                )
            ]
        ) from None
    finally:
        loader.dispose()
    if problems:
        raise DataError(problems)
    return Document(name=name, data=data, lines=lines)


def dotted(path: Path_) -> str:
    """Return a path as a person reads it: services[0].image."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
