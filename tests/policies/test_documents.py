"""What the documents say of the rules is what the rules are."""

from __future__ import annotations

import pytest

from balai.rules import Judge, load_rules
from balai.rules.cases import base, cases_of
from tests.policies import coverage, matrix, mutation


def test_the_matrix_of_rules_and_points_is_true() -> None:
    assert matrix.DOCUMENT.read_text() == matrix.document(), "run `python -m tests.policies.matrix`"


def test_no_control_has_lost_its_last_check_unseen() -> None:
    assert coverage.DOCUMENT.read_text() == coverage.document(), "run `python -m tests.policies.coverage`"


def test_every_mutant_is_killed_or_explained_and_the_report_is_true() -> None:
    """A case that no broken rule would fail is no case."""
    tried, alive = mutation.run()

    explained = {(rule, change) for rule, changes in mutation.reasons().items() for change in changes}
    assert {(mutant.rule, mutant.change) for mutant in alive} == explained
    assert mutation.REPORT.read_text() == mutation.report(tried, alive), "run `python -m tests.policies.mutation`"


def test_the_object_that_every_case_starts_from_breaks_no_rule() -> None:
    judge = Judge("file", exceptions=())
    surroundings = base("Namespace")

    kinds = {kind for rule in judge.rules if rule.scope == "object" for kind in rule.kinds}
    assert [str(f) for kind in sorted(kinds) for f in judge.judge(base(kind), None, surroundings)] == []


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_a_rule_has_good_and_bad_cases(rule) -> None:
    assert {case.good for case in cases_of(rule)} == {True, False}
