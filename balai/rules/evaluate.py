"""Judge objects: which rules they break, how hard that is enforced, and what excuses it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from balai.models.tenant import Category
from balai.rules import cel
from balai.rules.exceptions import Exception_, load_exceptions
from balai.rules.lens import (
    CLUSTER_KINDS,
    LABEL,
    SUBJECTS,
    Subject,
    category_of,
    exceptions_of,
    normalised,
    with_node_ports,
)
from balai.rules.model import CATEGORIES, STRICTEST, Mode, Point, Rule, load_rules
from balai.rules.params import parameters

Json = dict[str, Any]
_ENOUGH = {"": 0, "category": 1, "namespace": 2}  # what is known of a namespace, and what a rule asks of it


@dataclass(frozen=True, kw_only=True)
class Finding:
    """
    One rule that one object breaks.

    Attributes:
        exception: Id of the exception that covers it; "" when none does.
        error: What the check ran into; the object is not shaped like its kind.
    """

    rule: Rule
    kind: str
    name: str
    namespace: str
    mode: Mode
    message: str
    exception: str = ""
    error: str = ""

    @property
    def what(self) -> str:
        """The object as people call it."""
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    def __str__(self) -> str:
        return f"[{self.rule.id}] {self.what}: {self.message}. {self.rule.remediation.en}"


class Judge:
    """The rules of one point, with the parameters and exceptions of one cluster."""

    def __init__(
        self,
        point: Point,
        given: Mapping[str, Sequence[str]] | None = None,
        rules: Iterable[Rule] | None = None,
        exceptions: Iterable[Exception_] | None = None,
        now: datetime.datetime | None = None,
    ) -> None:
        """
        Prepare.

        Args:
            point: Where the rules are asked.
            given: Parameters of the cluster that differ from the rules' defaults.
            rules: Rules in place of the project's.
            exceptions: Exceptions in place of the project's.
            now: The time in place of this machine's.
        """
        self._written = point in ("plan", "file")
        self.rules = [rule for rule in (load_rules() if rules is None else rules) if point in rule.points]
        known = load_exceptions() if exceptions is None else tuple(exceptions)
        instant = (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC)
        data = parameters(self.rules, given or {}, known) | {"today": instant.strftime("%Y-%m-%dT%H:%M:%SZ")}
        self._params = {"data": data}
        self._programs: dict[tuple[str, str, bool], list[tuple[Subject, list[Rule], cel.Program]]] = {}
        self._single: dict[str, cel.Program] = {}
        self._by_kind: dict[tuple[str, bool], list[tuple[Subject, list[Rule]]]] = {}
        for name, subject in SUBJECTS.items():
            if members := [rule for rule in self.rules if rule.subject == name]:
                for kind in subject.kinds:
                    self._by_kind.setdefault((kind, subject.together), []).append((subject, members))

    def concerns(self, kind: str) -> bool:
        """Return whether any rule is about a kind of object."""
        return (kind, False) in self._by_kind

    def rules_for(self, kind: str, *, together: bool = False) -> list[Rule]:
        """Return the rules about a kind of object, or about a namespace with all that is in it."""
        return [rule for _, members in self._by_kind.get((kind, together), []) for rule in members]

    def unseen(self, manifest: Json, category: Category | None = None) -> list[Rule]:
        """Return the rules that cannot be judged on an object whose Namespace nobody knows."""
        kind = manifest.get("kind", "")
        if kind in CLUSTER_KINDS:
            return []
        knows = "category" if category else ""
        return [rule for rule in self.rules_for(kind) if _ENOUGH[knows] < _ENOUGH[rule.asks]]

    def judge(
        self, manifest: Mapping[str, Any], category: Category | None = None, namespace: Json | None = None
    ) -> Iterator[Finding]:
        """
        Yield what one object breaks; what an exception covers is yielded too, with its id.

        Args:
            manifest: The object, as written or as the API server returned it.
            category: SPBE category of its tenant; the strictest where neither this nor `namespace` says.
            namespace: Its Namespace; without it, the rules of `unseen` are not asked.
        """
        yield from self._judge(manifest, category, namespace, together=False)

    def judge_together(self, namespace: Json, items: Mapping[str, Sequence[Any]]) -> Iterator[Finding]:
        """Yield what a namespace breaks as a whole, given everything in it by kind."""
        whole = {**namespace, "items": {kind: list(found) for kind, found in items.items()}}
        yield from self._judge(whole, None, None, together=True)

    def prepared(self, manifest: Mapping[str, Any], namespace: Json | None = None) -> Json:
        """Return an object as the rules see it: normalised, in its namespace, with the API server's defaults."""
        item: Json = normalised(manifest)
        if self._written:  # a status in a file is nobody's word
            item.pop("status", None)
        metadata = item.setdefault("metadata", {})
        if item.get("kind") == "Pod" and isinstance(item.get("spec"), dict):
            item["spec"] = with_node_ports(item["spec"])
        if namespace and item.get("kind") not in CLUSTER_KINDS:
            metadata.setdefault("namespace", namespace["metadata"]["name"])
        return item

    def breaks(self, rule: Rule, item: Json, category: Category | None = None, namespace: Json | None = None) -> bool:
        """Return whether a prepared object breaks one rule, whatever excuses it."""
        if rule.id not in self._single:
            self._single[rule.id] = _program(SUBJECTS[rule.subject], (rule,))
        return bool(self._single[rule.id].judge(item, _around(namespace, category), self._params))

    def _judge(
        self, manifest: Mapping[str, Any], category: Category | None, namespace: Json | None, *, together: bool
    ) -> Iterator[Finding]:
        kind = manifest.get("kind", "")
        knows = "namespace" if namespace is not None or kind in CLUSTER_KINDS else "category" if category else ""
        found = self._asked(kind, knows, together=together)
        if not found:
            return
        item = self.prepared(manifest, namespace)
        metadata, around = item["metadata"], _around(namespace, category)
        for subject, rules, program in found:
            broken = program.judge(item, around, self._params)
            if broken.pop("condition", "an error") == "":  # the rules are not about this one
                continue
            labels = (item if kind == "Namespace" else around)["metadata"].get("labels", {})
            held_to = labels.get(f"{LABEL}category") if kind not in CLUSTER_KINDS - {"Namespace"} else STRICTEST
            excuses = self._excuses(subject, item, around) if broken else {}
            for rule in rules:
                for n, check in enumerate(rule.check):
                    if (key := f"{rule.id}#{n}") in broken:
                        yield Finding(
                            rule=rule,
                            kind=kind,
                            name=metadata.get("name", ""),
                            namespace=metadata.get("namespace", ""),
                            mode=rule.mode[held_to if held_to in CATEGORIES else STRICTEST],
                            message=check.message,
                            exception=excuses.get(rule.id, ""),
                            error=broken[key],
                        )

    def _asked(self, kind: str, knows: str, *, together: bool) -> list[tuple[Subject, list[Rule], cel.Program]]:
        """Return the rules that can be asked of a kind when so much is known of its namespace."""
        if (key := (kind, knows, together)) not in self._programs:
            self._programs[key] = []
            for subject, members in self._by_kind.get((kind, together), []):
                if rules := [rule for rule in members if _ENOUGH[knows] >= _ENOUGH[rule.asks]]:
                    self._programs[key].append((subject, rules, _program(subject, tuple(rules))))
        return self._programs[key]

    def _excuses(self, subject: Subject, item: Json, namespace: Json) -> dict[str, str]:
        if "exceptions" not in self._params["data"]:
            return {}
        scope = {"object": item, "namespaceObject": namespace, "params": self._params}
        return {entry[0]: entry[5] for entry in cel.value(exceptions_of(subject), scope)}


def _around(namespace: Json | None, category: Category | None) -> Json:
    """Return the Namespace, or what stands for it where only the category is known."""
    if namespace:
        return dict(normalised(namespace))
    return {"metadata": {"labels": {f"{LABEL}category": category} if category else {}}}


def _program(subject: Subject, rules: tuple[Rule, ...]) -> cel.Program:
    expressions = {f"{rule.id}#{n}": check.expression for rule in rules for n, check in enumerate(rule.check)}
    if subject.condition:
        expressions["condition"] = f"({subject.condition}) == true"
    variables = {**subject.variables, "category": category_of(subject)}
    return cel.program(tuple(variables.items()), tuple(expressions.items()))
