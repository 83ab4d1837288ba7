"""
Exceptions: signed, scoped, dated deviations from a rule, honoured identically at every point.

One folder an exception: `exception.yml`, and beside it a signature of each signer, made with

    ssh-keygen -Y sign -n balai-exception -f KEY exception.yml && mv exception.yml.sig SIGNER.sig

and checked against `allowed_signers` in the folder above. A typed name is hearsay.
"""

from __future__ import annotations

import datetime
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from balai import yamlfile
from balai.errors import DataError, EnvironmentFault, Problem, shown
from balai.models.base import Date, Model, Text, load
from balai.rules.lens import CLUSTER_KINDS
from balai.rules.model import Rule, Severity, load_rules

FOLDER = Path(os.environ.get("BALAI_EXCEPTIONS", Path(__file__).resolve().parents[2] / "policies" / "exceptions"))
NAMESPACE = "balai-exception"
WIB = datetime.timezone(datetime.timedelta(hours=7))  # a day of the government ends in Jakarta
# How many days an exception may last, and how many people must sign it, by the rule's severity.
BOUNDS: dict[Severity, tuple[int, int]] = {"low": (365, 1), "medium": (180, 1), "high": (90, 2), "critical": (30, 2)}
_Part = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")]


class Scope(Model):
    """One object: never a pattern, so that nothing slips in later."""

    kind: _Part
    name: _Part
    namespace: _Part | None = None


class Exception_(Model):  # noqa: N801 - `Exception` is taken
    """
    policies/exceptions/<id>/exception.yml.

    Attributes:
        compensating: What lowers the risk meanwhile.
        owner: Who answers for it.
        expires: Last day on which it holds; it ends at midnight in Jakarta.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{2,60}$")]
    rule: Text
    scope: list[Scope] = Field(min_length=1, max_length=50)
    reason: Text
    compensating: Text
    owner: Text
    requested: Date
    expires: Date

    @property
    def ends(self) -> datetime.datetime:
        """The instant from which it holds no more."""
        day = datetime.date.fromisoformat(self.expires) + datetime.timedelta(days=1)
        return datetime.datetime.combine(day, datetime.time(), WIB)

    def lines(self) -> list[str]:
        """Return what the parameter object holds of it, a line for each object."""
        end = self.ends.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return ["|".join((self.rule, end, s.namespace or "", s.kind, s.name, self.id)) for s in self.scope]


@cache
def load_exceptions(folder: Path = FOLDER) -> tuple[Exception_, ...]:
    """
    Return every exception, those that have ended too.

    Raises:
        DataError: One is wrong, reaches further than its rule's severity allows, or is not signed by enough.
        EnvironmentFault: There is no ssh-keygen.
    """
    rules = {rule.id: rule for rule in load_rules()}
    problems: list[Problem] = []
    found: list[Exception_] = []
    for path in sorted(folder.glob("*/exception.yml")):
        try:
            document = yamlfile.read(path)
            exception = load(Exception_, document)
        except DataError as error:
            problems += error.problems
            continue
        wrong = _wrong(exception, path, rules)
        problems += [
            Problem(file=shown(path), line=document.line((key,)), key=key, given=given, bound=bound, fix=fix)
            for key, given, bound, fix in wrong
        ]
        found.append(exception)
    if problems:
        raise DataError(problems)
    return tuple(found)


def signers(path: Path, namespace: str = NAMESPACE) -> list[str]:
    """Return who has signed a file for a purpose, each signature checked against `allowed_signers` two folders up."""
    allowed = path.parent.parent / "allowed_signers"
    if not allowed.exists():
        return []
    found = []
    for signature in sorted(path.parent.glob("*.sig")):
        argv = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", signature.stem, "-n", namespace]
        try:
            done = subprocess.run(
                [*argv, "-s", str(signature)], input=path.read_bytes(), capture_output=True, check=False, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EnvironmentFault(
                "Signatures cannot be checked without `ssh-keygen`: install openssh-client."
            ) from error
        if done.returncode == 0:
            found.append(signature.stem)
    return found


def _wrong(exception: Exception_, path: Path, rules: dict[str, Rule]) -> list[tuple[str, str, str, str]]:
    if exception.id != path.parent.name:
        return [("id", exception.id, f"should be the folder's name, {path.parent.name}", "Rename one of the two.")]
    rule = rules.get(exception.rule)
    if rule is None:
        return [("rule", exception.rule, "there is no such rule", "`balai explain` lists the rules.")]
    days, people = BOUNDS[rule.severity]
    start, end = map(datetime.date.fromisoformat, (exception.requested, exception.expires))
    wrong = []
    if not 0 <= (end - start).days <= days:
        bound = f"should be at most {days} days after `requested`: the rule's severity is {rule.severity}"
        wrong.append(("expires", exception.expires, bound, "Choose an earlier day, or mend the object."))
    kinds = {*rule.kinds, "Namespace"} if rule.scope == "set" else rule.kinds
    if strange := sorted({s.kind for s in exception.scope} - kinds):
        wrong.append(("scope", strange[0], f"the rule is about {', '.join(sorted(kinds))}", "Name an object of those."))
    for scope in exception.scope:
        above = scope.kind in CLUSTER_KINDS
        if above == (scope.namespace is not None):
            bound = f"{scope.kind} {'is in no namespace' if above else 'needs its namespace'}"
            wrong.append(("scope", scope.name, bound, "Name the object as kubectl does."))
    signed = signers(path)
    if len(signed) < people:
        bound = f"needs the signatures of {people} people in allowed_signers: the rule's severity is {rule.severity}"
        given = ", ".join(signed) or "no valid signature"
        wrong.append(("id", given, bound, "Sign the file as docs/auditor.md shows; a change after signing voids it."))
    return wrong
