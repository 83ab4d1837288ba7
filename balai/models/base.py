"""The one base class and the one loader: pydantic's errors become problems with file, line, key and fix."""

from __future__ import annotations

import datetime
import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from balai.errors import DataError, Problem
from balai.yamlfile import Document, dotted

GIVEN_LENGTH = 60
SECRET_WORDS = ("password", "passphrase", "secret", "token", "private")


class Model(BaseModel):
    """Strict, immutable data: an unknown key is an error, and nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _is_date(value: str) -> str:
    try:
        datetime.datetime.strptime(value, "%Y-%m-%d")  # fromisoformat would take 20261124 as well
    except ValueError:
        raise ValueError("should be a date like 2026-11-24") from None
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")]
RegionCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}(\.[0-9]{2})?$")]
Date = Annotated[str, AfterValidator(_is_date)]
Text = Annotated[str, StringConstraints(min_length=3, max_length=600)]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(m|Ki|Mi|Gi|Ti)?$")]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(m|h|d)$")]
Verification = Literal["read", "read-secondary", "recalled", "stored source", "unknown"]


class Governed(Model):
    """Something with a status; one that stops work says why, and a freeze says until when."""

    status: str
    status_until: Date | None = None
    status_reason: Text | None = None

    @model_validator(mode="after")
    def _a_status_that_stops_work_says_why(self) -> Self:
        if self.status not in ("active", "requested") and not self.status_reason:
            raise ValueError(f"status {self.status} needs a status_reason, so that the next reader knows what ends it")
        if self.status == "frozen" and not self.status_until:
            raise ValueError("status frozen needs status_until: a freeze without an end is forgotten")
        return self


# What pydantic adds to the place of an error: the branch of a union, and "this is about the key".
_KNOWN, _UNKNOWN = "<known>", "<unknown>"


def _is_no_key(part: str | int) -> bool:
    return isinstance(part, str) and (part.startswith("<") or part == "[key]")


if TYPE_CHECKING:
    _T = TypeVar("_T")
    OrUnknown = Union[_T, Literal["unknown"]]  # noqa: UP007 - only this form is an alias to mypy
    OrOpen = Union[_T, Literal["open"]]  # noqa: UP007
    OrNone = Union[_T, Literal["none"]]  # noqa: UP007
    OrNotYet = Union[_T, Literal["not_yet"]]  # noqa: UP007
else:

    class _Or:
        """`OrUnknown[X]` is X, or the word `unknown`: what is not there is said, never left out."""

        def __init__(self, word: str) -> None:
            self.word = word

        def __getitem__(self, known: Any) -> Any:
            return Annotated[
                Annotated[known, Tag(_KNOWN)] | Annotated[Literal[self.word], Tag(_UNKNOWN)],
                Discriminator(lambda value: _UNKNOWN if isinstance(value, str) else _KNOWN),
            ]

    OrUnknown, OrOpen, OrNone, OrNotYet = map(_Or, ("unknown", "open", "none", "not_yet"))


_M = TypeVar("_M", bound=Model)

_FIXES = {
    "missing": "Add it; see docs/estate.md for what it means.",
    "extra_forbidden": "Remove it.",
    "string_type": "Write text; quote it if it looks like a number.",
    "int_type": "Write a whole number without quotes.",
    "bool_type": "Write true or false.",
    "list_type": "Write a list: [a, b].",
    "tuple_type": "Write a list: [a, b].",
    "model_type": "Write keys and values, indented.",
    "dict_type": "Write keys and values, indented.",
}


def load(model: type[_M], document: Document) -> _M:
    """
    Return a document as a model.

    Raises:
        DataError: It does not fit; every problem at once.
    """
    if not isinstance(document.data, dict):
        raise DataError(
            [
                Problem(
                    file=document.name,
                    line=1,
                    key="",
                    given=_given(document.data),
                    bound="the file should hold keys and values",
                    fix="See docs/estate.md for an example.",
                )
            ]
        )
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise DataError([_problem(model, document, item) for item in error.errors()]) from None


def _problem(model: type[Model], document: Document, item: Any) -> Problem:
    path, kind = tuple(part for part in item["loc"] if not _is_no_key(part)), item["type"]
    if kind == "union_tag_invalid":  # of several forms, none has this name
        path = (*path, "kind")
    key = dotted(path)
    bound, fix = item["msg"].removeprefix("Value error, "), _FIXES.get(kind, "Correct the value.")
    if kind == "extra_forbidden":
        bound = "there is no such key"
        near = difflib.get_close_matches(str(path[-1]), _keys_near(model, path[:-1]), n=1)
        fix = f"Did you mean {near[0]!r}?" if near else fix
    elif kind == "missing":
        bound = "this key is required"
    elif kind == "string_pattern_mismatch":
        bound, fix = f"should match {item['ctx']['pattern']}", "Write it in that form."
    elif kind in ("literal_error", "enum"):
        bound, fix = f"should be {item['ctx']['expected']}", "Choose one of them."
    elif kind == "union_tag_invalid":
        expected = re.sub("[<>]", "", item["ctx"]["expected_tags"])
        bound, fix = f"should be one of {expected}", "Choose one of them."
    return Problem(
        file=document.name,
        line=document.line(path),
        key=key,
        given="" if kind == "missing" else _given(_input(item), key),
        bound=bound,
        fix=_sentence(fix),
    )


def _input(item: Any) -> Any:
    given = item["input"]
    return given.get("kind") if item["type"] == "union_tag_invalid" and isinstance(given, dict) else given


def _keys_near(model: Any, path: tuple[str | int, ...]) -> list[str]:
    fields: set[str] = set()
    pending, depth = [model], 0
    names = [part for part in path if isinstance(part, str)]
    while pending:
        current = pending.pop()
        if isinstance(current, type) and issubclass(current, BaseModel):
            if depth >= len(names):
                fields |= set(current.model_fields)
            elif names[depth] in current.model_fields:
                annotation, depth = current.model_fields[names[depth]].annotation, depth + 1
                pending.append(annotation)
        else:
            pending += list(getattr(current, "__args__", ()))
    return sorted(fields)


def _given(value: Any, key: str = "") -> str:
    if any(word in key.lower() for word in SECRET_WORDS):
        return "a value that is not shown"
    text = repr(value)
    return text if len(text) <= GIVEN_LENGTH else text[: GIVEN_LENGTH - 1] + "…"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."
