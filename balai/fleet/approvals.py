"""
Approvals: what two people have allowed for one stack and a few days, each with a signature of their own.

One folder an approval below `policies/approvals`: `approval.yml`, and beside it a signature of each signer, made with

    ssh-keygen -Y sign -n balai-approval -f KEY approval.yml && mv approval.yml.sig SIGNER.sig

and checked against `allowed_signers` in the folder above.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from balai import yamlfile
from balai.errors import DataError, Problem
from balai.models.base import Date, Model, Text, load
from balai.reading import wrong
from balai.rules.exceptions import WIB, signers
from balai.yamlfile import Document

FOLDER = Path(os.environ.get("BALAI_APPROVALS", Path(__file__).resolve().parents[2] / "policies" / "approvals"))
NAMESPACE = "balai-approval"
PEOPLE, DAYS = 2, 14
What = Literal["freeze", "window", "deletion"]


class Approval(Model):
    """
    policies/approvals/<id>/approval.yml.

    Attributes:
        allows: A change in a freeze, a change outside the cluster's windows, or the deletion of a cluster or tenant.
        expires: Last day on which it holds; it ends at midnight in Jakarta.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{2,60}$")]
    stack: Annotated[str, StringConstraints(pattern=r"^(fleet|foundation|tenant)(\.[a-z0-9-]+){1,2}$")]
    allows: list[What] = Field(min_length=1)
    reason: Text
    requested: Date
    expires: Date


def load_approvals(folder: Path = FOLDER, stack: str = "") -> tuple[Approval, ...]:
    """
    Return every approval (of one stack), those that have ended too.

    Raises:
        DataError: One is wrong, lasts too long, or is not signed by two people.
        EnvironmentFault: There is no ssh-keygen.
    """
    problems: list[Problem] = []
    found: list[Approval] = []
    for path in sorted(folder.glob("*/approval.yml")):
        try:
            document = yamlfile.read(path)
            approval = load(Approval, document)
        except DataError as error:
            problems += error.problems
            continue
        if stack not in ("", approval.stack):
            continue
        problems += _wrong(approval, path, document)
        found.append(approval)
    if problems:
        raise DataError(problems)
    return tuple(found)


def approved(stack: str, now: datetime.datetime, approvals: tuple[Approval, ...] | None = None) -> frozenset[str]:
    """Return what people have allowed for a stack at a time."""
    given = load_approvals(stack=stack) if approvals is None else approvals
    return frozenset(what for approval in given if _holds(approval, stack, now) for what in approval.allows)


def holding(stack: str, what: What, now: datetime.datetime, folder: Path) -> list[Approval]:
    """Return the approvals of a folder that allow something for a stack at a time."""
    return [a for a in load_approvals(folder, stack) if what in a.allows and _holds(a, stack, now)]


def _holds(approval: Approval, stack: str, now: datetime.datetime) -> bool:
    return approval.stack == stack and approval.requested <= now.astimezone(WIB).date().isoformat() <= approval.expires


def _wrong(approval: Approval, path: Path, document: Document) -> list[Problem]:
    if approval.id != path.parent.name:
        bound = f"should be the folder's name, {path.parent.name}"
        return [wrong(document, ("id",), approval.id, bound, "Rename one of the two.")]
    found = []
    start, end = map(datetime.date.fromisoformat, (approval.requested, approval.expires))
    if not 0 <= (end - start).days <= DAYS:
        bound = f"should be at most {DAYS} days after `requested`"
        found.append(wrong(document, ("expires",), approval.expires, bound, "Choose an earlier day."))
    signed = signers(path, NAMESPACE)
    if len(signed) < PEOPLE:
        bound = f"needs the signatures of {PEOPLE} people in allowed_signers, and has those of: "
        fix = "Sign the file as docs/team.md shows; a change after signing voids it."
        found.append(wrong(document, ("id",), approval.id, bound + (", ".join(signed) or "nobody"), fix))
    return found
