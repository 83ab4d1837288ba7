"""
Approvals: what two people have allowed for one stack and a few days, each with a signature of their own.

One folder an approval below `policies/approvals`: `approval.yml`, and beside it a signature of each signer, made with

    ssh-keygen -Y sign -n balai-approval -f KEY approval.yml && mv approval.yml.sig SIGNER.sig

and checked against `allowed_signers` in the folder above, in which a key is one person's: people are counted, no names.
Where data of a tenant goes for good, one of them signs for its owner, with `-n balai-approval-OWNER`: in which role a
key may sign is written beside it (`namespaces=`).
One that has ended allows nothing, so its signatures are asked for no more: whoever left may have signed it.
"""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from balai import yamlfile
from balai.errors import DataError, Problem, shown
from balai.models.base import Date, Model, Name, Text, load
from balai.reading import wrong
from balai.rules.exceptions import WIB, signers
from balai.yamlfile import Document

FOLDER = Path(os.environ.get("BALAI_APPROVALS", Path(__file__).resolve().parents[2] / "policies" / "approvals"))
NAMESPACE = "balai-approval"
PEOPLE, DAYS = 2, 14
_LINE = re.compile(r"^\s*(?P<people>\"[^\"]*\"|[^\s#]\S*)\s.*?(?P<key>AAAA[0-9A-Za-z+/=]{16,})")  # of allowed_signers
What = Literal["freeze", "window", "deletion"]


class Approval(Model):
    """
    policies/approvals/<id>/approval.yml.

    Attributes:
        allows: A change in a freeze or outside the cluster's windows, or the deletion of a cluster, tenant or database.
        owner: The agency that a deletion of a tenant's is signed for too; it must be the tenant's.
        expires: Last day on which it holds; it ends at midnight in Jakarta.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{2,60}$")]
    stack: Annotated[str, StringConstraints(pattern=r"^(fleet|foundation|tenant)(\.[a-z0-9-]+){1,2}$")]
    allows: list[What] = Field(min_length=1)
    owner: Name | None = None
    reason: Text
    requested: Date
    expires: Date

    @model_validator(mode="after")
    def _names_whose_data_goes(self) -> Approval:
        if (self.owner is not None) != ("deletion" in self.allows and self.stack.startswith("tenant.")):
            raise ValueError("owner stands where a tenant's deletion is allowed, and only there")
        return self


def role_of(owner: str) -> str:
    """Return the purpose that somebody signs with for an agency."""
    return f"{NAMESPACE}-{owner}"


def load_approvals(
    folder: Path = FOLDER, stack: str = "", now: datetime.datetime | None = None
) -> tuple[Approval, ...]:
    """
    Return every approval (of one stack), those that have ended too.

    Raises:
        DataError: One is wrong, lasts too long, or is not signed by two people; or somebody has two names.
        EnvironmentFault: There is no ssh-keygen.
    """
    today = (now or datetime.datetime.now(WIB)).astimezone(WIB).date().isoformat()
    problems = _double(folder / "allowed_signers")
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
        problems += _wrong(approval, path, document, today)
        found.append(approval)
    if problems:
        raise DataError(problems)
    return tuple(found)


def approved(stack: str, now: datetime.datetime, approvals: tuple[Approval, ...] | None = None) -> frozenset[str]:
    """Return what people have allowed for a stack at a time; whose data a deletion takes is `deletions`' to ask."""
    given = load_approvals(FOLDER, stack, now) if approvals is None else approvals
    return frozenset(what for approval in given if _holds(approval, stack, now) for what in approval.allows)


def deletions(
    stack: str, owner: str, now: datetime.datetime, approvals: tuple[Approval, ...] | None = None
) -> list[Approval]:
    """Return the approvals by which what a tenant's owner has in a stack may be deleted at a time."""
    given = load_approvals(FOLDER, stack, now) if approvals is None else approvals
    return [a for a in given if "deletion" in a.allows and a.owner == owner and _holds(a, stack, now)]


def signed_by(approval: Approval, path: Path) -> dict[str, list[str]]:
    """Return who has signed an approval's file, by role: for the platform, and for the owner."""
    roles = [NAMESPACE, *([role_of(approval.owner)] if approval.owner else [])]
    return {role: signers(path, role) for role in roles}


def _holds(approval: Approval, stack: str, now: datetime.datetime) -> bool:
    return approval.stack == stack and approval.requested <= now.astimezone(WIB).date().isoformat() <= approval.expires


def _wrong(approval: Approval, path: Path, document: Document, today: str) -> list[Problem]:
    found = []
    if approval.id != path.parent.name:
        bound = f"should be the folder's name, {path.parent.name}"
        found.append(wrong(document, ("id",), approval.id, bound, "Rename one of the two."))
    start, end = map(datetime.date.fromisoformat, (approval.requested, approval.expires))
    if not 0 <= (end - start).days <= DAYS:
        bound = f"should be at most {DAYS} days after `requested`"
        found.append(wrong(document, ("expires",), approval.expires, bound, "Choose an earlier day."))
    if approval.expires < today:
        return found
    signed = signed_by(approval, path)
    people = sorted(name for names in signed.values() for name in names)
    fix = "Sign the file as docs/clusters.md shows; a change after signing voids it."
    if len(people) < PEOPLE:
        bound = f"needs the signatures of {PEOPLE} people in allowed_signers, and has those of: "
        found.append(wrong(document, ("id",), approval.id, bound + (", ".join(people) or "nobody"), fix))
    elif missing := [role for role, names in signed.items() if not names]:
        bound = f"needs a signature of each role, and none was made with -n {missing[0]}"
        found.append(wrong(document, ("id",), approval.id, bound, fix))
    return found


def _double(allowed: Path) -> list[Problem]:
    """Return where a key has a second name, or a pattern for one: its owner alone would be two people."""
    owners: dict[str, str] = {}
    found = []
    lines = allowed.read_text(encoding="utf-8").splitlines() if allowed.exists() else []
    for number, line in enumerate(lines, start=1):
        if not (parts := _LINE.match(line)):
            continue
        name, bound = parts["people"].strip('"'), ""
        if owners.setdefault(parts["key"], name) != name:
            bound = f"this key is {owners[parts['key']]}'s already: one person would be two"
        elif re.search(r"[*?!,]", name):
            bound = "one key under many names: one person would be two"
        if bound:
            fix = "Write one name of one person before each key."
            found.append(Problem(file=shown(allowed), line=number, key="", given=repr(name), bound=bound, fix=fix))
    return found
