"""Rules on files: every object, and every namespace whose Namespace is among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

from balai.errors import DataError, Problem
from balai.models.tenant import Category
from balai.rules.evaluate import Finding, Judge
from balai.rules.lens import LABEL, SET_KINDS
from balai.rules.locate import culprit
from balai.rules.manifests import Located, place, read
from balai.rules.model import Rule

__all__ = ["Located", "Placed", "Verdict", "judge", "read"]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A finding, and where in which file."""

    file: str
    line: int
    column: int
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """
    What became of some files.

    Attributes:
        unjudged: Objects that no rule is about.
        unseen: What could not be judged here, and why: rule ids by what is missing.
    """

    objects: int
    unjudged: int
    rules: int
    found: list[Placed]
    unseen: dict[str, list[str]] = field(default_factory=dict)

    def of(self, mode: str) -> list[Placed]:
        """Return the findings of one mode that no exception covers."""
        return [p for p in self.found if p.finding.mode == mode and not p.finding.exception]

    @property
    def excepted(self) -> list[Placed]:
        """Return the findings that an exception covers."""
        return [p for p in self.found if p.finding.exception]


def judge(
    texts: Mapping[str, str],
    category: Category | None = None,
    given: Mapping[str, Sequence[str]] | None = None,
) -> Verdict:
    """
    Judge files.

    Args:
        texts: Content of each file by name.
        category: SPBE category of the tenant, whatever a Namespace among the files says.
        given: Parameters of the cluster.

    Raises:
        DataError: A file is no YAML, or an object is not shaped like its kind; all files at once.
    """
    objects: list[Located] = []
    problems: list[Problem] = []
    for name, text in texts.items():
        try:
            objects += read(text, name)
        except DataError as error:
            problems += error.problems
    judges = Judge("file", given)
    namespaces: dict[str, Located] = {}
    for item in (o for o in objects if o.manifest["kind"] == "Namespace"):
        name = item.manifest["metadata"].get("name") or ""
        if name in namespaces:
            problems.append(_twice(item, name, namespaces[name]))
        namespaces[name] = _held_to(item, category)
    placed: list[tuple[Located, Finding]] = []
    unseen: dict[str, set[str]] = defaultdict(set)
    for item, finding in _findings(judges, objects, namespaces, category, unseen):
        if finding.error:
            problems.append(_misshapen(item, finding))
        else:
            placed.append((item, finding))
    if problems:
        raise DataError(list(dict.fromkeys(problems)))
    return Verdict(
        objects=len(objects),
        unjudged=sum(not judges.concerns(o.manifest["kind"]) for o in objects),
        rules=len(judges.rules),
        found=sorted(
            _places(judges, texts, placed, namespaces, category),
            key=lambda p: (p.file, p.line, p.column, p.finding.rule.id),
        ),
        unseen={why: sorted(ids) for why, ids in unseen.items()},
    )


def _findings(
    judges: Judge,
    objects: list[Located],
    namespaces: dict[str, Located],
    category: Category | None,
    unseen: dict[str, set[str]],
) -> Iterator[tuple[Located, Finding]]:
    contents: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for item in objects:
        kind, where = item.manifest["kind"], item.manifest["metadata"].get("namespace") or ""
        around = namespaces.get(where)
        if around is None and kind != "Namespace":
            for rule in judges.unseen(item.manifest, category):
                unseen[f"Namespace {where}".rstrip()].add(rule.id)
        for finding in judges.judge(item.manifest, category, around.manifest if around else None):
            yield item, finding
        if kind in SET_KINDS:
            contents[where][kind].append(item.manifest)
    for name, item in namespaces.items():
        for finding in judges.judge_together(item.manifest, contents[name]):
            yield item, finding


def _places(
    judges: Judge,
    texts: Mapping[str, str],
    found: list[tuple[Located, Finding]],
    namespaces: dict[str, Located],
    category: Category | None,
) -> Iterator[Placed]:
    """Yield each finding with its line and column; an object's findings come together."""
    for item, findings in groupby(found, key=lambda pair: pair[0]):
        around = namespaces.get(item.manifest["metadata"].get("namespace") or "")
        namespace = around.manifest if around else None
        seen = judges.prepared(item.manifest, namespace)

        def breaks(rule: Rule, reduced: dict[str, Any], inside: dict[str, Any] | None = namespace) -> bool:
            return judges.breaks(rule, reduced, category, inside)

        for _, finding in findings:
            rule = finding.rule
            path = culprit(rule, seen, partial(breaks, rule)) if rule.scope == "object" else ()
            line, column = place(texts[item.file], item, path)
            yield Placed(file=item.file, line=line, column=column, finding=finding)


def _held_to(item: Located, category: Category | None) -> Located:
    """Return a Namespace as the rules are to see it: who asks decides how strictly, not what is asked about."""
    if category is None:
        return item
    metadata = item.manifest["metadata"]
    labels = {**(metadata.get("labels") or {}), f"{LABEL}category": category}
    return replace(item, manifest={**item.manifest, "metadata": {**metadata, "labels": labels}})


def _twice(item: Located, name: str, first: Located) -> Problem:
    return Problem(
        file=item.file,
        line=item.line,
        key="metadata.name",
        given=name,
        bound=f"the Namespace stands in {first.file}:{first.line} as well, and two may say two categories",
        fix="Keep one of them.",
    )


def _misshapen(item: Located, finding: Finding) -> Problem:
    return Problem(
        file=item.file,
        line=item.line,
        key="",
        given="",
        bound=f"{finding.what} is not shaped like a {finding.kind}",
        fix="`kubectl explain` shows the form; look for a list, a mapping or a text where another is meant.",
    )
