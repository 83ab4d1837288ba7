"""`python -m tests.policies.matrix` writes docs/rules.md: every rule by every point, and why a place is blank."""

from __future__ import annotations

from pathlib import Path

from balai.rules import load_rules
from balai.rules.cases import cases_of
from balai.rules.lens import SUBJECTS
from balai.rules.model import CATEGORIES, POINTS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
_HEAD = """# The rules, point by point

Made by `python -m tests.policies.matrix`; a test keeps it true. `balai explain RULE` says why each stands and how to
mend what breaks it.

- **plan**: in every Pulumi program of `stacks/`, and in the policy pack. A value that a preview does not know yet leaves a finding
  undecided until the update. Objects that only patch (`DeploymentPatch`) are judged at admission.
- **file**: `balai check`. What asks the object's Namespace is judged when that is among the files, and named when it is not.
- **admission**: ValidatingAdmissionPolicies of the foundation, on the API server's object, with its defaults filled in.
- **audit**: what lives on the cluster, by `balai audit`.

A number is that of the cases which tests/policies puts through the point, good and bad; at admission through a real API
server, whose verdict must be that of Python on the manifest as written and on the object as admitted. Modes are by SPBE
category (rendah/tinggi/strategis): a audit, w warn, d deny.
"""


def document() -> str:
    """Return docs/rules.md."""
    lines = [
        _HEAD,
        "| rule | about | modes | severity | plan | file | admission | audit |",
        "|---|---|---|---|--:|--:|--:|--:|",
    ]
    for rule in load_rules():
        count = len(cases_of(rule))
        cells = [str(count) if point in rule.points else "–" for point in POINTS]
        modes = "/".join(rule.mode[category][0] for category in CATEGORIES)
        lines.append(f"| {rule.id} | {rule.subject} | {modes} | {rule.severity} | {' | '.join(cells)} |")
    blanks = [f"- {name}, {point}: {why}." for name, s in SUBJECTS.items() for point, why in s.blanks.items()]
    return "\n".join([*lines, "", "Blank places, by what the rules are about:", "", *blanks, ""])


if __name__ == "__main__":
    DOCUMENT.write_text(document())
