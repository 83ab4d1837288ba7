"""What users read, from one catalogue, in Indonesian or English."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import yaml

LANGUAGES = ("id", "en")


def language() -> str:
    """Return the user's language: BALAI_LANG, else LC_ALL, LC_MESSAGES or LANG, else English."""
    for name in ("BALAI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")[:2].lower()
        if value in LANGUAGES:
            return value
    return "en"


def say(key: str, lang: str | None = None, **values: object) -> str:
    """Return a message of the catalogue, filled in."""
    return _catalogue()[key][lang or language()].format(**values)


def catalogue(prefix: str) -> dict[str, dict[str, str]]:
    """Return the messages whose keys begin so, in each language: for a program where balai is not installed."""
    return {key: dict(texts) for key, texts in _catalogue().items() if key.startswith(prefix)}


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where PyYAML was built with libyaml
    loaded: dict[str, dict[str, str]] = yaml.load(Path(__file__).with_name("messages.yml").read_text(), fast)  # noqa: S506
    return loaded
