"""Rules as data: one folder a rule, with the cases that it must pass and must fail beside it."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from balai import yamlfile
from balai.errors import DataError, Problem, shown
from balai.models.base import Model, Text, load
from balai.models.tenant import Category
from balai.rules.lens import LABEL, SUBJECTS

FOLDER = Path(__file__).resolve().parent.parent.parent / "policies" / "rules"
CATEGORIES: tuple[Category, ...] = ("rendah", "tinggi", "strategis")
STRICTEST: Category = "strategis"
Point = Literal["plan", "file", "admission", "audit"]
POINTS: tuple[Point, ...] = ("plan", "file", "admission", "audit")
Mode = Literal["audit", "warn", "deny"]
Severity = Literal["low", "medium", "high", "critical"]


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

    message: Annotated[str, StringConstraints(pattern=r'^[^\n\[\]"\\|]{5,90}$')]
    expression: Text


class Rule(Model):
    """
    policies/rules/<target>/<id>/rule.yml.

    Attributes:
        scope: `object` is judged alone; `set` is a namespace with all that is in it.
        mode: How hard it is enforced, by the SPBE category of the tenant.
        severity: How long an exception may last, and how many must sign it.
        standard: Level of the Kubernetes pod security standards that this is a control of.
        ground: `technical` when the rationale is the reason; else the control whose text was read.
        field: Where what it judges stands: in the pod spec for subjects with one, else in the object.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]+$")]
    version: int = Field(ge=1)
    title: Titles
    scope: Literal["object", "set"]
    subject: Text
    points: list[Point] = Field(min_length=1)
    params: dict[str, Parameter]
    mode: dict[Category, Mode]
    severity: Severity
    standard: Literal["baseline", "restricted"] | None = None
    ground: Text
    controls: list[Text] = Field(min_length=1)
    rationale: Text
    remediation: Titles
    field: list[Text] = Field(min_length=1)
    check: list[Check] = Field(min_length=1)

    @model_validator(mode="after")
    def _holds_together(self) -> Rule:
        if len(self.mode) != 3:
            raise ValueError("mode should name rendah, tinggi and strategis")
        if self.subject not in SUBJECTS:
            raise ValueError(f"subject should be one of {', '.join(SUBJECTS)}")
        if (self.scope == "set") != SUBJECTS[self.subject].together:
            raise ValueError("the subject tenant, and no other, has the scope set")
        blanks = SUBJECTS[self.subject].blanks
        if wanted := {*POINTS} - {*blanks} ^ {*self.points}:
            told = "; ".join(f"not at {point}, because {why}" for point, why in blanks.items())
            raise ValueError(
                f"points should differ in {', '.join(sorted(wanted))}: a rule is asked everywhere ({told})"
            )
        return self

    @property
    def kinds(self) -> set[str]:
        """The kinds of object that the rule judges."""
        return set(SUBJECTS[self.subject].kinds)

    @cached_property
    def asks(self) -> Literal["namespace", "category", ""]:
        """What it must know of the object's namespace to be judged at all."""
        texts = " ".join(check.expression for check in self.check)
        texts = texts.replace(f"namespaceObject.metadata.?labels[?'{LABEL}category']", "variables.category")
        if "namespaceObject" in texts:
            return "namespace"
        return "category" if "variables.category" in texts and "Namespace" not in self.kinds else ""


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
