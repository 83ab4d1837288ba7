"""Lists for people and pipelines: controls with their proofs, exceptions with their state."""

from __future__ import annotations

import datetime
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from balai.rules.catalogue import Proof, baseline
from balai.rules.evaluate import Finding, Judge
from balai.rules.exceptions import WIB, Exception_, load_exceptions
from balai.text import language, say

Json = dict[str, Any]
State = Literal["active", "ending", "ended", "violated", "unmatched"]


class Evidence(Protocol):
    """What an audit read of a cluster."""

    @property
    def objects(self) -> list[Json]:
        """What the rules are about."""

    @property
    def namespaces(self) -> dict[str, Json]:
        """The governed namespaces by name."""

    @property
    def contents(self) -> dict[str, dict[str, list[Json]]]:
        """What is in each of them, by kind."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """
    One exception and how it stands.

    Attributes:
        state: `violated` has ended and is still broken; `unmatched` holds and covers nothing.
        days: Days that are left, negative when it has ended.
    """

    exception: Exception_
    state: State
    days: int


def controls_text(proofs: Sequence[Proof], *, coverage: bool) -> str:
    """Return the controls, or with `coverage` how many of each domain are proven and how."""
    lines = list(_coverage(proofs) if coverage else _list(proofs))
    proven = sum(bool(p.ways) for p in proofs)
    edition = baseline().version
    lines.append(say("controls_sum", version=edition, proven=proven, all=len(proofs), unproven=len(proofs) - proven))
    return "\n".join(lines)


def controls_json(proofs: Sequence[Proof]) -> str:
    """Return the controls with their proofs as JSON."""
    rows = [
        {
            "id": p.control.id,
            "regulation": p.control.regulation,
            "article": p.control.article,
            "title": {"id": p.control.title_id, "en": p.control.title_en},
            "domain": p.control.domain,
            "verification": p.control.verification,
            "proven_by": p.ways,
            "not_proven_because": p.why.model_dump() if p.why else None,
        }
        for p in proofs
    ]
    return json.dumps({"baseline": baseline().model_dump(), "controls": rows}, ensure_ascii=False)


def _list(proofs: Sequence[Proof]) -> list[str]:
    lang = language()
    lines = []
    for proof in proofs:
        control = proof.control
        lines.append(f"{control.id}  {getattr(control, f'title_{lang}')}  [{control.verification}]")
        ways = [f"{way}: {', '.join(ids)}" for way, ids in proof.ways.items()]
        lines += [f"    {way}" for way in ways or [say("why_unproven", why=getattr(proof.why, lang))]]
    return lines


def _coverage(proofs: Sequence[Proof]) -> list[str]:
    names = {
        "objects": say("way_objects"),
        "host": say("way_host"),
        "cluster": say("way_cluster"),
        "tenant": say("way_tenant"),
    }
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: Counter[str] = Counter()
    for proof in proofs:
        count = counts[proof.control.domain]
        count["all"] += 1
        count["proven"] += bool(proof.ways)
        count.update(proof.ways.keys())
        if proof.why:
            reasons[getattr(proof.why, language())] += 1
    head = [say("controls_domain"), say("controls_proven"), say("controls_all"), *names.values()]
    rows = [[d, str(c["proven"]), str(c["all"]), *(str(c[w]) for w in names)] for d, c in sorted(counts.items())]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(w) if n == 0 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]
    return [*lines, *(f"{n:4} {say('why_unproven', why=why)}" for why, n in reasons.most_common())]


def exceptions(
    days: int, evidence: Evidence | None, given: Mapping[str, Sequence[str]] | None, today: datetime.date | None = None
) -> list[Row]:
    """
    Return how each exception stands.

    Args:
        days: What ends within so many days is `ending`.
        evidence: What a cluster holds; without it nobody can say what is violated or unmatched.
        given: Parameters of that cluster.
        today: The day in place of today in Jakarta.
    """
    day = today or datetime.datetime.now(WIB).date()
    broken = _broken(evidence, given) if evidence else None
    return [_row(exception, day, days, broken) for exception in load_exceptions()]


def _row(exception: Exception_, day: datetime.date, days: int, broken: set[tuple[str, ...]] | None) -> Row:
    left = (datetime.date.fromisoformat(exception.expires) - day).days
    covers = {(exception.rule, s.kind, s.namespace or "", s.name) for s in exception.scope}
    state: State = "ended" if left < 0 else "ending" if left <= days else "active"
    if broken is not None:
        if state == "ended" and covers & broken:
            state = "violated"
        elif state != "ended" and not covers & broken:
            state = "unmatched"
    return Row(exception=exception, state=state, days=left)


def _broken(evidence: Evidence, given: Mapping[str, Sequence[str]] | None) -> set[tuple[str, ...]]:
    judge = Judge("audit", given, exceptions=())
    found: list[Finding] = []
    for item in evidence.objects:
        found += judge.judge(item, None, evidence.namespaces.get(item["metadata"].get("namespace", "")))
    for name, namespace in evidence.namespaces.items():
        found += judge.judge_together(namespace, evidence.contents[name])
    return {(f.rule.id, f.kind, f.namespace, f.name) for f in found}


def exceptions_text(rows: Sequence[Row]) -> str:
    """Return a line for each exception."""
    if not rows:
        return say("exceptions_none")
    return "\n".join(
        say(
            "exception_row",
            id=row.exception.id,
            state=row.state,
            rule=row.exception.rule,
            objects=", ".join(
                f"{s.kind} {s.namespace + '/' if s.namespace else ''}{s.name}" for s in row.exception.scope
            ),
            expires=row.exception.expires,
            days=row.days,
            owner=row.exception.owner,
        )
        for row in rows
    )


def exceptions_json(rows: Sequence[Row]) -> str:
    """Return the exceptions as JSON."""
    return json.dumps(
        [{**row.exception.model_dump(), "state": row.state, "days": row.days} for row in rows], ensure_ascii=False
    )
