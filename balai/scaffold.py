"""
A new role or rule that holds to every convention from its first line: what is left is to say what it is really about.

Its folder is written beside the others as a whole and put in its place by one rename, so a killed run leaves nothing of
it; the next one removes what was half written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints

from balai.errors import DataError, Problem, RuleError
from balai.models import Model, load
from balai.models.base import Text
from balai.pages import TEMPLATES, render
from balai.reading import problem, unknown, wrong
from balai.rules import Judge, cel, load_rules
from balai.rules.cases import cases_of
from balai.rules.catalogue import controls, fact_checks
from balai.rules.lens import SUBJECTS, category_of
from balai.rules.model import POINTS, Severity
from balai.yamlfile import Document

TARGET = "kubernetes"
CONTAINERS = "containers[]."
Snake = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,40}$")]
Value = bool | Annotated[int, Field(ge=0)] | Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]+$")]
COUNTED = re.compile(r"[0-9]+(?= rules with good and bad cases)")


class RoleAnswers(Model):
    """What is asked of whoever begins a role."""

    name: Snake
    purpose: Annotated[str, StringConstraints(pattern=r"^[A-Z][^\n\"|{}]{8,100}[^\n.\"|{}]$")]


class RuleAnswers(Model):
    """
    What is asked of whoever begins a rule: one field, a value that is right and one that is refused.

    Attributes:
        subject: What it is about, which decides the kinds of object.
        field: Where it looks, from the object on; from the pod spec on for subjects with one, `containers[].` for each
            of its containers.
        good: What is right, and meant where the field is missing.
        why: Why it stands: the ground on which it denies.
    """

    name: Snake
    subject: Text
    field: Annotated[str, StringConstraints(pattern=r"^(containers\[\]\.)?[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*$")]
    good: Value
    bad: Value
    control: Text
    why: Text
    title_id: Text | None = None
    title_en: Text | None = None
    severity: Severity = "medium"


@dataclass(frozen=True, kw_only=True)
class Made:
    """
    Something new.

    Attributes:
        root: The project.
        folder: Where it will be.
        files: Texts by path below it.
        counts: Texts of documents that count such things, by path.
    """

    root: Path
    folder: Path
    files: dict[str, str]
    counts: dict[Path, str] = field(default_factory=dict)


def role(root: Path, document: Document) -> Made:
    """
    Return a new role of a project.

    Raises:
        DataError: An answer is wrong, or there is such a role; every problem at once.
    """
    known = [path.name for path in (root / "roles").iterdir()]
    answers = _answers(RoleAnswers, document, list(_taken(document, known)))
    words = answers.model_dump()
    files = {}
    for path in sorted((TEMPLATES / "role").rglob("*.j2")):
        name = str(path.relative_to(TEMPLATES / "role"))
        files[name.removesuffix(".j2").replace("NAME", answers.name)] = render(f"role/{name}", escape=False, **words)
    return Made(root=root, folder=root / "roles" / answers.name, files=files)


def rule(root: Path, document: Document) -> Made:
    """
    Return a new rule of a project, which passes its good cases and fails its bad ones.

    Raises:
        DataError: An answer is wrong, or there is such a rule; every problem at once.
    """
    folder = root / "policies" / "rules"
    rules = load_rules(folder)
    names = [r.id for r in rules] + [check.id for check in fact_checks()]
    problems = [*_taken(document, names), *_strangers(document)]
    answers = _answers(RuleAnswers, document, problems)
    expression, part, path = _looks(answers)
    words = answers.model_dump(exclude={"title_id", "title_en"})
    good, bad = (_text(value) for value in (answers.good, answers.bad))
    words |= {
        "title_id": answers.title_id or f"{path} bukan {bad}",
        "title_en": answers.title_en or f"{path} is not {bad}",
        "points": [point for point in POINTS if point not in SUBJECTS[answers.subject].blanks],
        "expression": expression,
        "part": part,
        "field_text": path,
        "good_text": good,
        "bad_text": bad,
        "good_case": _case(path, answers.good),
        "bad_case": _case(path, answers.bad),
        "absent_case": _case(path, None),
    }
    files = {name: render(f"rule/{name}.j2", escape=False, **words) for name in ("rule.yml", "good.yml", "bad.yml")}
    readme = root / "README.md"
    counted = COUNTED.sub(str(len(rules) + 1), readme.read_text(encoding="utf-8")) if readme.is_file() else ""
    made = Made(
        root=root, folder=folder / TARGET / answers.name, files=files, counts={readme: counted} if counted else {}
    )
    _tried(made, document)
    return made


def write(made: Made) -> None:
    """
    Put what is new in its place, as a whole.

    Raises:
        DataError: Something has come there meanwhile.
    """
    partial = made.root / f".{made.folder.name}.partial"  # in no folder that something reads
    shutil.rmtree(partial, ignore_errors=True)
    for name, text in made.files.items():
        path = partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    for path, text in made.counts.items():
        beside = path.with_name(f".{path.name}.partial")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    try:
        partial.rename(made.folder)
    except OSError as error:
        shutil.rmtree(partial)
        raise DataError([problem(made.folder, f"it has come meanwhile ({error.strerror})", "Look at it.")]) from None


_A = TypeVar("_A", bound=Model)


def _answers(model: type[_A], document: Document, problems: list[Problem]) -> _A:
    """Return the answers; what is wrong with each and what only the project knows of are told together."""
    try:
        answers = load(model, document)
    except DataError as error:
        raise DataError([*error.problems, *problems]) from None
    if problems:
        raise DataError(problems)
    return answers


def _taken(document: Document, known: list[str]) -> Iterator[Problem]:
    name = _given(document, "name")
    for other in known:
        if name == other:
            yield wrong(document, ("name",), name, "there is one already", "Change that one, or choose another name.")
        elif name.casefold() == other.casefold():
            bound = f"it differs from {other} only in case, and is the same on many machines"
            yield wrong(document, ("name",), name, bound, "Choose another name, in small letters.")


def _strangers(document: Document) -> Iterator[Problem]:
    alone = [name for name, subject in SUBJECTS.items() if not subject.together]
    subject, control, path = (_given(document, key) for key in ("subject", "control", "field"))
    if subject and subject not in alone:
        yield unknown(document, ("subject",), subject, "subject of one object", alone)
    elif path.startswith(CONTAINERS) and "containers" not in SUBJECTS[subject].variables:
        has = ", ".join(name for name in alone if "containers" in SUBJECTS[name].variables)
        fix = f"Take {CONTAINERS} out, or choose one of {has}."
        yield wrong(document, ("field",), path, f"a {subject} has no containers", fix)
    if control and control not in controls():
        yield unknown(document, ("control",), control, "control", list(controls()))
    good, bad = ((document.data or {}).get(key) for key in ("good", "bad"))
    if good is not None and bad is not None and (type(good) is not type(bad) or good == bad):
        fix = "Name two different values of one kind: two words, two numbers, or true and false."
        yield wrong(document, ("bad",), bad, f"it cannot be told from {good!r}", fix)


def _given(document: Document, key: str) -> str:
    value = document.data.get(key) if isinstance(document.data, dict) else None
    return value if isinstance(value, str) else ""


def _looks(answers: RuleAnswers) -> tuple[str, str, str]:
    """Return the expression, the part of a case that it looks at, and the path in there."""
    subject, path = SUBJECTS[answers.subject], answers.field.removeprefix(CONTAINERS)
    good, bad = json.dumps(answers.good).replace('"', "'"), json.dumps(answers.bad).replace('"', "'")
    looks = f"{'.?'.join(['', *path.split('.')])}.orValue({good}) != {bad}"
    if path != answers.field:
        return f"variables.containers.all(c, c{looks})", "container", path
    if "podSpec" in subject.variables:
        return f"variables.podSpec{looks}", "pod", path
    return f"object{looks}", "object", path


def _case(path: str, value: Any) -> str:
    for part in reversed(path.split(".")):
        value = {part: value}
    return json.dumps(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _tried(made: Made, document: Document) -> None:
    """Judge the cases of a rule that is not there yet."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / TARGET / made.folder.name
        home.mkdir(parents=True)
        for name, text in made.files.items():
            (home / name).write_text(text, encoding="utf-8")
        try:
            (rule,) = load_rules(Path(folder))
            expressions = {check.message: check.expression for check in rule.check}
            subject = SUBJECTS[rule.subject]
            cel.Program({**subject.variables, "category": category_of(subject)}, expressions).verify()
            judge = Judge("file", rules=[rule], exceptions=())
            wrongly = [
                case
                for case in cases_of(rule, Path(folder))
                if any(judge.judge(case.manifest, None, case.surroundings)) is case.good
            ]
        except RuleError as error:
            bound = f"it makes no expression that the API server takes: {error}"
            raise DataError([wrong(document, ("field",), made.folder.name, bound, "Name another field.")]) from None
    if wrongly:
        bound = f"the rule would not tell right from wrong there ({', '.join(map(str, wrongly))})"
        raise DataError([wrong(document, ("field",), _given(document, "field"), bound, "Name another field.")])
