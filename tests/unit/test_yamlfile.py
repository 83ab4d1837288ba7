"""Scalars are what they look like; keys stand once; lines are known."""

from __future__ import annotations

from typing import Any

import pytest

from balai import yamlfile
from balai.errors import DataError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("35.10", "35.10"),
        ("07:30", "07:30"),
        ("2026-11-24", "2026-11-24"),
        ("on", "on"),
        ("yes", "yes"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("true", True),
        ("True", "True"),
        ("null", None),
        ("~", None),
        ("", None),
        ('"12"', "12"),
        ("0x1f", "0x1f"),
    ],
)
def test_a_scalar_is_what_it_looks_like(text: str, value: Any) -> None:
    assert yamlfile.parse(f"key: {text}\n", "f.yml").data == {"key": value}


def test_a_key_given_twice_is_refused_with_the_line_of_the_second() -> None:
    with pytest.raises(DataError, match=r"f\.yml:3: a\.b: the key is given twice"):
        yamlfile.parse("a:\n  b: 1\n  b: 2\n", "f.yml")


def test_every_key_and_item_has_its_line() -> None:
    document = yamlfile.parse("---\na:\n  - x: 1\n  - x: 2\n", "f.yml")

    assert document.line(("a", 1, "x")) == 4
    assert document.line(("a", 1, "missing")) == 4


def test_what_is_no_yaml_is_said_with_its_line() -> None:
    with pytest.raises(DataError, match=r"f\.yml:2: this is not YAML"):
        yamlfile.parse("a: [1,\nb: }\n", "f.yml")
