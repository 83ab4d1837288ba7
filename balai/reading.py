"""Tables, and problems that several readers of the inventories tell in the same words."""

from __future__ import annotations

import csv
import difflib
import io
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from balai import yamlfile
from balai.errors import DataError, Problem, shown
from balai.models import Model, Region, load
from balai.yamlfile import Document

_M = TypeVar("_M", bound=Model)


def table(model: type[_M], path: Path) -> list[_M]:
    """Read a CSV file; integers of the model are read as such, and a key stands once."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, IsADirectoryError):
        raise DataError([problem(path, "the table cannot be read", "Save it as CSV in UTF-8.")]) from None
    except FileNotFoundError:
        raise DataError([problem(path, "there is no such file", "Restore it from the project's history.")]) from None
    numbers = {name for name, f in model.model_fields.items() if f.annotation is int}
    name = shown(path)
    problems: list[Problem] = []
    rows: list[_M] = []
    seen: dict[tuple[str, str], int] = {}
    unique = ["code"] if model is Region else ["site", "index"]
    for line, raw in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        row = {
            k: int(v) if k in numbers and v and v.isascii() and v.isdigit() else v
            for k, v in raw.items()
            if k is not None
        }
        document = Document(name=name, data=row, lines={(): line, **{(k,): line for k in row}})
        try:
            rows.append(load(model, document))
        except DataError as error:
            problems.extend(error.problems)
            continue
        for key in unique:
            other = seen.setdefault((key, str(row[key])), line)
            if other != line:
                problems.append(
                    Problem(
                        file=name,
                        line=line,
                        key=key,
                        given=str(row[key]),
                        bound=f"stands on line {other} already",
                        fix="Give it a value of its own.",
                    )
                )
    if problems:
        raise DataError(problems)
    return rows


def wrong(document: Document, path: tuple[str | int, ...], given: object, bound: str, fix: str) -> Problem:
    """Return the problem of one value of a document."""
    return Problem(
        file=document.name,
        line=document.line(path),
        key=yamlfile.dotted(path),
        given=repr(given),
        bound=bound,
        fix=fix,
    )


def unknown(document: Document, path: tuple[str | int, ...], given: str, what: str, known: list[str]) -> Problem:
    """Return the problem of a name that nothing bears, with the nearest that something does."""
    near = difflib.get_close_matches(given, known, n=1)
    fix = (
        f"Did you mean {near[0]!r}?"
        if near
        else f"Add it first, or choose one of: {', '.join(sorted(known)[:8]) or 'none yet'}."
    )
    return wrong(document, path, given, f"there is no such {what}", fix)


def no_tenant(document: Document, path: tuple[str | int, ...], given: str, known: list[str]) -> Problem:
    """Return the problem of a name that no tenant bears, as when its file was removed."""
    found = unknown(document, path, given, "tenant", known)
    gone = (
        "If its file was removed, restore it and set its status to decommissioning: no tenant ends by losing its file."
    )
    return replace(found, fix=f"{found.fix} {gone}")


def problem(path: Path, bound: str, fix: str) -> Problem:
    """Return the problem of a file as a whole."""
    return Problem(file=shown(path), line=0, key="", given="", bound=bound, fix=fix)
