"""
Break every rule in every small way, and see whether its cases notice.

`python -m tests.policies.mutation` writes docs/mutation.md. A mutant that no case tells from the rule is
a survivor: either a case is missing, or the two mean the same, and survivors.yml says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from balai.errors import RuleError
from balai.rules import cel, load_rules
from balai.rules.cases import Case, base, cases_of
from balai.rules.lens import CLUSTER_KINDS, SUBJECTS, category_of, normalised, with_node_ports
from balai.rules.model import Rule
from balai.rules.params import parameters

SURVIVORS = Path(__file__).with_name("survivors.yml")
REPORT = Path(__file__).resolve().parents[2] / "docs" / "mutation.md"
_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|&&|\|\||==|!=|>=|<=|(?<= )[<>](?= )|!|\btrue\b|\bfalse\b|(?<![\w'.])\d+(?![\w'])"
    r"|\.(?:all|exists|startsWith|endsWith|contains)\("
)
_SWAPS = {
    "&&": ["||"],
    "||": ["&&"],
    "==": ["!="],
    "!=": ["=="],
    ">=": [">"],
    "<=": ["<"],
    ">": [">="],
    "<": ["<="],
    "!": [""],
    "true": ["false"],
    "false": ["true"],
    ".all(": [".exists("],
    ".exists(": [".all("],
    ".startsWith(": [".endsWith("],
    ".endsWith(": [".contains("],
    ".contains(": [".startsWith("],
}


@dataclass(frozen=True)
class Mutant:
    """One way to break a rule: what stood where, and what stands there now."""

    rule: str
    change: str
    text: str


def mutants(rule: Rule) -> Iterator[Mutant]:
    """Yield every mutant of a rule's expressions."""
    for check in rule.check:
        text = check.expression
        for whole in ("true", "false"):
            yield Mutant(rule.id, f"the whole is {whole}", whole)
        for token in _TOKEN.finditer(text):
            before, word, after = text[: token.start()], token.group(), text[token.end() :]
            for new, left, right in _replacements(before, word, after):
                place = f"{before[-25:]}«{word}»{after[:15]}".strip()
                yield Mutant(rule.id, f"{place} → {new or 'nothing'}", f"{left}{new}{right}")


def _replacements(before: str, word: str, after: str) -> Iterator[tuple[str, str, str]]:
    if word in _SWAPS:
        for new in _SWAPS[word]:
            yield new, before, after
    elif before.endswith("orValue("):  # a default: what it is compared with next decides whether another matters
        kind = r"(?<![\w'.])\d+(?![\w'])" if word.isdigit() else r"'(?:[^'\\]|\\.)*'"
        following = next((found for found in re.findall(kind, after) if found != word), None)
        if following and following.startswith("'^"):  # no default matches a pattern that is anchored
            return
        yield following or (str(int(word) + 1) if word.isdigit() else "'mutant'"), before, after
    elif word.isdigit():
        for number in (int(word) + 1, int(word) - 1):
            if number >= 0:
                yield str(number), before, after
    elif before.endswith("[") and after.startswith(", "):
        yield "", before, after[2:]
    elif before.endswith(", ") and after.startswith((",", "]")):
        yield "", before[:-2], after
    else:
        yield "'mutant'", before, after


def survives(
    mutant: Mutant, cases: list[tuple[Case, dict[str, Any], dict[str, Any]]], data: dict[str, Any]
) -> bool | None:
    """Return whether no case tells the mutant from the rule; None when it is no CEL."""
    subject = SUBJECTS[cases[0][0].rule.subject]
    variables = {**subject.variables, "category": category_of(subject)}
    needed = {k: v for k, v in variables.items() if f"variables.{k}" in mutant.text or k == "podSpec"}
    try:
        program = cel.Program(needed, {"r": mutant.text})
        program.verify()
    except RuleError:
        return None
    return all(bool(program.judge(item, around, data)) is not case.good for case, item, around in cases)


def run() -> tuple[int, list[Mutant]]:
    """Return how many mutants there were, and those that survived."""
    tried, alive = 0, []
    data = {"data": parameters(load_rules(), {}, ())}
    for rule in load_rules():
        plain = [Case(rule=rule, good=True, number=0, why="", manifest=base(kind), namespace={}) for kind in rule.kinds]
        cases = [_prepared(case) for case in (*cases_of(rule), *(plain if rule.scope == "object" else ()))]
        for mutant in mutants(rule):
            verdict = survives(mutant, cases, data)
            tried += verdict is not None
            if verdict:
                alive.append(mutant)
    return tried, alive


def _prepared(case: Case) -> tuple[Case, dict[str, Any], dict[str, Any]]:
    item = normalised(case.manifest)
    if case.manifest["kind"] == "Pod":
        item["spec"] = with_node_ports(item["spec"])
    around = normalised(case.surroundings)
    if case.rule.scope == "object" and case.manifest["kind"] not in CLUSTER_KINDS:
        item["metadata"].setdefault("namespace", around["metadata"]["name"])
    return case, item, around


def reasons() -> dict[str, dict[str, str]]:
    """Return the known survivors: by rule, the change and why it means the same."""
    found: dict[str, dict[str, str]] = yaml.safe_load(SURVIVORS.read_text())
    return found


def report(tried: int, alive: list[Mutant]) -> str:
    """Return docs/mutation.md."""
    known = reasons()
    lines = [
        "# Mutants of the rules",
        "",
        "Made by `python -m tests.policies.mutation`; a test keeps it true. Every rule is broken in every small way (an",
        "operator, a bound, a word of a list, a default), and its good and bad cases must notice.",
        "",
        f"{len(load_rules())} rules, {tried} mutants, {tried - len(alive)} killed "
        f"({100 * (tried - len(alive)) / tried:.1f} %), {len(alive)} survivors.",
        "",
        "| rule | mutant that survives | why it means the same |",
        "|---|---|---|",
    ]
    for mutant in alive:
        change = mutant.change.replace("|", "\\|")
        lines.append(
            f"| {mutant.rule} | `{change}` | {known.get(mutant.rule, {}).get(mutant.change, 'NOT EXPLAINED')} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    REPORT.write_text(report(*run()))
    print(REPORT.read_text())
