"""Rules as data: one folder a rule, with the cases that it must pass and must fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from balai import yamlfile
from balai.errors import DataError, Problem, shown
from balai.models.base import Model, Text, load
from balai.models.tenant import Category
from balai.rules.lens import KINDS

FOLDER = Path(__file__).resolve().parent.parent.parent / "policies" / "rules"
Point = Literal["plan", "file", "admission", "audit"]
Mode = Literal["warn", "deny"]


class Titles(Model):
    """A text in both languages."""

    id: Text
    en: Text


class Parameter(Model):
    """A number or list that no law gives, with its default and where that comes from."""

    default: list[str]
    source: Text


class Check(Model):
    """One CEL expression that is true when all is well, and what to say when it is not."""

    message: Annotated[str, StringConstraints(pattern=r"^[^\n]{5,120}$")]
    expression: Text


class Rule(Model):
    """policies/rules/<target>/<id>/rule.yml."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]+$")]
    version: int = Field(ge=1)
    title: Titles
    scope: Literal["object"]
    subject: Literal["podspec", "namespace"]
    points: list[Point] = Field(min_length=1)
    params: dict[str, Parameter]
    mode: dict[Category, Mode]
    ground: Text
    controls: list[Text] = Field(min_length=1)
    rationale: Text
    remediation: Titles
    check: list[Check] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_category_has_a_mode(self) -> Rule:
        if len(self.mode) != 3:
            raise ValueError("mode should name rendah, tinggi and strategis")
        return self

    @property
    def kinds(self) -> set[str]:
        """The kinds of object that the rule judges."""
        return set(KINDS[self.subject])


@dataclass(frozen=True, kw_only=True)
class Case:
    """One object of good.yml or bad.yml."""

    rule: str
    good: bool
    number: int
    manifest: dict[str, Any]

    def __str__(self) -> str:
        return (
            f"{self.rule}/{'good' if self.good else 'bad'}/{self.manifest['kind']}-{self.manifest['metadata']['name']}"
        )


@cache
def load_rules(folder: Path = FOLDER) -> tuple[Rule, ...]:
    """
    Return every rule, by id.

    Raises:
        DataError: A rule file is wrong, or its id is not its folder's name; all at once.
    """
    problems: list[Problem] = []
    rules: list[Rule] = []
    for path in sorted(folder.glob("*/*/rule.yml")):
        try:
            rule = load(Rule, yamlfile.read(path))
        except DataError as error:
            problems += error.problems
            continue
        rules.append(rule)
        if rule.id != path.parent.name:
            problems.append(
                Problem(
                    file=shown(path),
                    line=2,
                    key="id",
                    given=rule.id,
                    bound=f"should be the folder's name, {path.parent.name}",
                    fix="Rename one of the two.",
                )
            )
    if problems:
        raise DataError(problems)
    return tuple(sorted(rules, key=lambda rule: rule.id))


def cases(folder: Path = FOLDER) -> Iterator[Case]:
    """Yield every good and bad case of every rule."""
    import yaml

    for path in sorted(folder.glob("*/*/*.yml")):
        if path.name == "rule.yml":
            continue
        for number, manifest in enumerate(yaml.safe_load_all(path.read_text())):
            if manifest:
                yield Case(rule=path.parent.name, good=path.name == "good.yml", number=number, manifest=manifest)
