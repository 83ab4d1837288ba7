"""Judge objects: which rules they break, and how hard that is enforced for their category."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from balai.models.tenant import Category
from balai.rules import cel
from balai.rules.lens import CONDITIONS, KINDS, LABEL, VARIABLES, normalised
from balai.rules.model import Mode, Point, Rule, load_rules

STRICTEST: Category = "strategis"
CATEGORIES: tuple[Category, ...] = ("rendah", "tinggi", "strategis")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule that one object breaks."""

    rule: Rule
    kind: str
    name: str
    namespace: str
    mode: Mode
    message: str
    error: str = ""

    @property
    def what(self) -> str:
        """The object as people call it."""
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    def __str__(self) -> str:
        return f"[{self.rule.id}] {self.what}: {self.message}. {self.rule.remediation.en}"


class Judge:
    """The rules of one point, with the parameters of one cluster."""

    def __init__(self, point: Point, registries: list[str] | None = None, rules: Iterable[Rule] | None = None) -> None:
        self.rules = [rule for rule in (load_rules() if rules is None else rules) if point in rule.points]
        given = {"registries": registries} if registries else {}
        defaults = {name: p.default for rule in self.rules for name, p in rule.params.items()}
        self.params = {"data": {name: ",".join(given.get(name) or value) for name, value in defaults.items()}}
        self._subjects = sorted({rule.subject for rule in self.rules})

    def judge(
        self, manifest: dict[str, Any], category: Category | None = None, namespace: dict[str, Any] | None = None
    ) -> Iterator[Finding]:
        """
        Yield what one object breaks.

        Args:
            manifest: The object, as written or as the API server returned it.
            category: SPBE category of its tenant; the strictest where nobody knows.
            namespace: Its Namespace object, for rules that ask.
        """
        kind = manifest.get("kind", "")
        for subject in self._subjects:
            if kind not in KINDS[subject]:
                continue
            rules = [rule for rule in self.rules if rule.subject == subject]
            expressions = {f"{rule.id}#{n}": check.expression for rule in rules for n, check in enumerate(rule.check)}
            condition = CONDITIONS[subject]
            if condition:
                expressions["condition"] = f"({condition}) == true"
            program = cel.program(tuple(VARIABLES[subject].items()), tuple(expressions.items()))
            item = normalised(manifest)
            item.setdefault("metadata", {})
            broken = program.judge(item, namespace, self.params)
            if "condition" in broken:
                continue
            own = item["metadata"].get("labels", {}).get(f"{LABEL}category") if kind == "Namespace" else category
            applied = own if own in CATEGORIES else STRICTEST
            for rule in rules:
                for n, check in enumerate(rule.check):
                    if (key := f"{rule.id}#{n}") in broken:
                        yield Finding(
                            rule=rule,
                            kind=kind,
                            name=item["metadata"].get("name", ""),
                            namespace=item["metadata"].get("namespace", ""),
                            mode=rule.mode[applied],
                            message=check.message,
                            error=broken[key],
                        )
