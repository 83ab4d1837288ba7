"""The rules on their own cases, in Python; tests/policies holds the same cases against the API server."""

from __future__ import annotations

from collections import Counter

import pytest

from balai.errors import RuleError
from balai.rules import Judge, admission, cel, load_rules
from balai.rules.lens import POD_KINDS
from balai.rules.model import Case, cases

CASES = list(cases())
JUDGE = Judge("file")


def broken(manifest: dict) -> set[str]:
    return {finding.rule.id for finding in JUDGE.judge(manifest)}


@pytest.mark.parametrize("case", [c for c in CASES if c.good], ids=str)
def test_a_good_case_breaks_nothing(case: Case) -> None:
    assert broken(case.manifest) == set()


@pytest.mark.parametrize("case", [c for c in CASES if not c.good], ids=str)
def test_a_bad_case_breaks_its_rule(case: Case) -> None:
    assert case.rule in broken(case.manifest)


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_a_rule_has_bad_cases_for_each_kind_it_judges(rule) -> None:
    kinds = Counter(case.manifest["kind"] for case in CASES if case.rule == rule.id and not case.good)

    assert rule.kinds <= set(kinds)


def test_a_rule_that_only_warns_in_a_low_category_denies_where_nobody_knows_the_category() -> None:
    (case,) = [c for c in CASES if str(c) == "run_as_non_root/bad/Pod-uid-zero"]

    modes = {
        category: {f.mode for f in JUDGE.judge(case.manifest, category)} for category in ("rendah", "tinggi", None)
    }

    assert modes == {"rendah": {"warn"}, "tinggi": {"deny"}, None: {"deny"}}


def test_a_registry_of_the_cluster_is_allowed_and_no_other() -> None:
    (case,) = [c for c in CASES if str(c) == "image_pinned/bad/Pod-elsewhere"]

    assert "image_pinned" in broken(case.manifest)
    assert list(Judge("file", ["docker.example"]).judge(case.manifest)) == []


def test_an_expression_that_is_no_bool_is_refused() -> None:
    with pytest.raises(RuleError, match="not a bool"):
        cel.Program({}, {"r": "object.?a.orValue(1)"})


def test_an_expression_that_runs_into_an_error_is_a_finding_and_never_a_pass() -> None:
    program = cel.Program({}, {"r": "object.a.b == 1"})

    assert program.judge({"a": {"c": 1}}, None, None)["r"] != ""


def test_admission_covers_every_kind_with_a_pod_spec_and_ephemeral_containers() -> None:
    policies = [m for m in admission.compile_rules(load_rules()) if m["kind"] == "ValidatingAdmissionPolicy"]
    podspec = [m for m in policies if "podspec" in m["metadata"]["name"]]

    assert podspec
    for policy in podspec:
        resources = {r for rule in policy["spec"]["matchConstraints"]["resourceRules"] for r in rule["resources"]}
        assert resources == {resource for _, _, resource in POD_KINDS.values()} | {"pods/ephemeralcontainers"}


def test_every_validation_names_its_rule_and_fits_on_one_line() -> None:
    messages = [
        v["message"]
        for m in admission.compile_rules(load_rules())
        if "validations" in m["spec"]
        for v in m["spec"]["validations"]
    ]

    assert {m.split("]")[0].lstrip("[") for m in messages} == {rule.id for rule in load_rules()}
    assert not any("\n" in m for m in messages)


def test_each_category_meets_each_rule_in_exactly_one_binding() -> None:
    """A gap between the selectors of two bindings would be a category that nothing is enforced for."""
    made = admission.compile_rules(load_rules())
    for policy in (m for m in made if m["kind"] == "ValidatingAdmissionPolicy"):
        bindings = [
            m for m in made if m["kind"].endswith("Binding") and m["spec"]["policyName"] == policy["metadata"]["name"]
        ]
        for category in ("rendah", "tinggi", "strategis", None):
            hits = [b for b in bindings if _selected(b, category)]
            assert len(hits) == 1, (policy["metadata"]["name"], category)


def _selected(binding: dict, category: str | None) -> bool:
    expressions = binding["spec"].get("matchResources", {}).get("namespaceSelector", {}).get("matchExpressions", [])
    for e in expressions:
        if e["key"].endswith("/category") and (category in e["values"]) != (e["operator"] == "In"):
            return False
    return True
