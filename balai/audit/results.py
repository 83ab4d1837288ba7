"""What an audit says: a status for each check on each object, with evidence and its age."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """
    The possible results.

    MISS: there is no evidence, or it is too old. DNF: the check could not run. MANUAL: only people
    can judge it. EXCEPTED: it fails, and a signed exception covers it. None is ever a pass.
    """

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    MISS = "MISS"
    DNF = "DNF"
    MANUAL = "MANUAL"
    NA = "NA"
    EXCEPTED = "EXCEPTED"


@dataclass(frozen=True, kw_only=True)
class Result:
    """
    One check on one object.

    Attributes:
        check: Id of the check or rule.
        title: Secure state that was looked for, by language.
        controls: Controls that it helps to prove.
        target: The object: a host, a cluster, a tenant's namespace, a workload.
        detail: What was seen or why nothing was, by language.
        evidence: The facts that decided.
        at: Time of the evidence, seconds since 1970.
    """

    check: str
    title: dict[str, str]
    controls: tuple[str, ...]
    target: str
    status: Status
    detail: dict[str, str]
    evidence: dict[str, Any] = field(default_factory=dict)
    at: float

    @property
    def digest(self) -> str:
        """Hash of the evidence, so that a later reader can tell whether it is the same."""
        return hashlib.sha256(json.dumps(self.evidence, sort_keys=True, default=str).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {**asdict(self), "evidence_sha256": self.digest}


def counts(results: list[Result]) -> dict[str, int]:
    """Return how many results have each status, zero included."""
    found = Counter(result.status for result in results)
    return {status.value: found[status] for status in Status}
