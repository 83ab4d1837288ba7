"""The rules on their own cases, in Python; tests/policies holds the same cases against the API server."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from balai.errors import RuleError
from balai.models.base import load
from balai.rules import Finding, Judge, admission, cel, load_rules
from balai.rules.cases import Case, all_cases, base, cases_of, merged
from balai.rules.lens import CLUSTER_KINDS, POD_KINDS, SUBJECTS, category_of, normalised
from balai.rules.locate import culprit
from balai.rules.model import Rule
from balai.rules.params import parameters
from balai.yamlfile import parse

CASES = list(all_cases())
RULES = {rule.id: rule for rule in load_rules()}
JUDGE = Judge("file", exceptions=())


def judged(case: Case, judge: Judge = JUDGE) -> list[Finding]:
    if case.rule.scope == "set":
        namespace = {key: value for key, value in case.manifest.items() if key != "items"}
        return list(judge.judge_together(namespace, case.manifest["items"]))
    return list(judge.judge(case.manifest, None, case.surroundings))


def bad(rule: str, number: int = 0) -> Case:
    return [case for case in cases_of(RULES[rule]) if not case.good][number]


def ids(findings: Any) -> set[str]:
    return {finding.rule.id for finding in findings}


def doubled(value: Any) -> Any:
    """Return a value as Pulumi's engine hands it on: it has no integers."""
    if isinstance(value, dict):
        return {key: doubled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [doubled(item) for item in value]
    return float(value) if type(value) is int else value


def test_every_case_is_judged_alike_when_it_comes_from_pulumi() -> None:
    other = [c for c in CASES if ids(judged(c)) != ids(judged(replace(c, manifest=doubled(c.manifest))))]

    assert [str(case) for case in other] == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_passes_its_good_cases_and_fails_its_bad_ones(case: Case) -> None:
    found = judged(case)

    assert (case.rule.id in ids(found)) is not case.good
    assert [f.error for f in found if f.error] == []


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_a_rule_has_a_bad_case_for_each_kind_it_judges_and_says_why(rule: Rule) -> None:
    wrong = [case for case in cases_of(rule) if not case.good]

    exempt = {"DaemonSet", "Job"} if rule.subject in ("workload", "job") else set()
    exempt |= {"Pod"} if rule.id == "priority_of_category" else set()  # the API server resolves it first
    exempt |= (
        {"ClusterRole", "ClusterRoleBinding"} if rule.id in ("role_secrets_by_name", "binding_own_accounts") else set()
    )
    assert rule.kinds - exempt <= {case.manifest["kind"] for case in wrong}
    assert all(case.why for case in wrong)


@pytest.mark.parametrize("case", [c for c in CASES if not c.good and c.rule.scope == "object"], ids=str)
def test_the_field_that_is_blamed_is_there_or_just_missing(case: Case) -> None:
    seen = JUDGE.prepared(case.manifest, case.surroundings)

    path = culprit(case.rule, seen, lambda item: JUDGE.breaks(case.rule, item, None, case.surroundings))

    value: Any = seen
    for part in path:
        value = value[part]
    assert path or all(field.split(".")[0] not in seen for field in case.rule.field), "all of it is blamed"


def test_of_two_containers_the_broken_one_is_blamed() -> None:
    rule, manifest = RULES["no_privileged"], base("CronJob")
    containers = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    containers.append(merged(containers[0], {"name": "b", "securityContext": {"privileged": True}}))

    path = culprit(rule, JUDGE.prepared(manifest), lambda item: JUDGE.breaks(rule, item))

    assert path[-4:] == ("containers", 1, "securityContext", "privileged")


def test_a_rule_that_only_warns_in_a_low_category_denies_where_nobody_knows_the_category() -> None:
    case = bad("run_as_non_root")

    modes = {
        category: {f.mode for f in JUDGE.judge(case.manifest, category) if f.rule is case.rule}
        for category in ("rendah", "tinggi", None)
    }

    assert modes == {"rendah": {"warn"}, "tinggi": {"deny"}, None: {"deny"}}


def test_a_parameter_of_the_cluster_replaces_the_default() -> None:
    case = bad("image_registry_allowed")

    assert "image_registry_allowed" in ids(judged(case))
    assert "image_registry_allowed" not in ids(
        judged(case, Judge("file", {"registries": ["docker.io", "registry.balai.internal"]}))
    )


def test_a_parameter_that_no_rule_has_is_refused() -> None:
    with pytest.raises(RuleError, match="no rule has the parameter 'registry'"):
        Judge("file", {"registry": ["x"]})


def test_a_rule_that_asks_the_namespace_is_not_judged_without_it_and_says_so() -> None:
    case = bad("ingress_owner_domain")

    assert "ingress_owner_domain" not in ids(JUDGE.judge(case.manifest))
    assert "ingress_owner_domain" in {rule.id for rule in JUDGE.unseen(case.manifest)}


def test_two_rules_that_share_a_parameter_share_its_default() -> None:
    defaults: dict[str, list[str]] = {}
    for rule in load_rules():
        for name, parameter in rule.params.items():
            assert defaults.setdefault(name, parameter.default) == parameter.default, name


def test_an_expression_that_is_no_bool_is_refused() -> None:
    with pytest.raises(RuleError, match="not a bool"):
        cel.Program({}, {"r": "object.?a.orValue(1)"}).verify()


@pytest.mark.parametrize("text", ["object.a ==", "cel.bind(x, 1, x == 1)", "math.least(1, 2) == 1"])
def test_an_expression_that_the_api_server_would_not_take_is_refused_by_name(text: str) -> None:
    with pytest.raises(RuleError, match="r: "):
        cel.Program({}, {"r": text}).verify()


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_rule_is_cel_as_the_api_server_takes_it(name: str) -> None:
    expressions = {
        f"{r.id}#{n}": c.expression for r in load_rules() if r.subject == name for n, c in enumerate(r.check)
    }

    cel.Program({**SUBJECTS[name].variables, "category": category_of(SUBJECTS[name])}, expressions).verify()


def test_an_expression_that_runs_into_an_error_is_a_finding_and_hides_no_other() -> None:
    program = cel.Program({}, {"r": "object.a.b == 1", "s": "object.a.c == 2", "t": "object.a.c == 1"})

    found = program.judge({"a": {"c": 1}}, None, None)

    assert set(found) == {"r", "s"}
    assert found["r"] != ""
    assert found["s"] == ""


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("subject", "pods", "subject should be one of"),
        ("points", ["plan", "admission"], "not at admission, because no admission request"),
        ("scope", "object", "has the scope set"),
        ("check", [{"message": 'with "quotes" in it', "expression": "true"}], "should match"),
    ],
)
def test_a_rule_that_does_not_hold_together_is_refused(key: str, value: object, words: str) -> None:
    import json

    data = {**RULES["tenant_quota"].model_dump(exclude_none=True), key: value}

    with pytest.raises(Exception, match=words):
        load(Rule, parse(json.dumps(data), "rule.yml"))


def test_admission_covers_every_kind_with_a_pod_spec_and_ephemeral_containers() -> None:
    policies = [m for m in admission.compile_rules(load_rules()) if m["kind"] == "ValidatingAdmissionPolicy"]
    podspec = [m for m in policies if "podspec" in m["metadata"]["name"]]

    assert podspec
    for policy in podspec:
        resources = {r for rule in policy["spec"]["matchConstraints"]["resourceRules"] for r in rule["resources"]}
        assert resources == {resource for _, _, resource in POD_KINDS.values()} | {"pods/ephemeralcontainers"}


@pytest.mark.parametrize("category", ["rendah", "tinggi", "strategis"])
@pytest.mark.parametrize("rule", [r for r in load_rules() if "admission" in r.points], ids=lambda rule: rule.id)
def test_a_compiled_policy_refuses_in_the_mode_of_the_category_and_in_no_other(rule: Rule, category: str) -> None:
    """A gap between two policies would be a category that nothing is enforced for."""
    label = {"metadata": {"labels": {"balai.internal/category": category}}}
    case = next(
        c
        for c in cases_of(rule)
        if not c.good and rule.id in ids(JUDGE.judge(c.manifest, None, merged(c.surroundings, label)))
    )
    namespaced = case.manifest["kind"] not in CLUSTER_KINDS
    manifest = merged(case.manifest, label) if case.manifest["kind"] == "Namespace" else case.manifest
    surroundings = merged(case.surroundings, label)
    data = {"data": parameters(load_rules(), {}, ())}

    refused = set()
    for policy in (m for m in admission.compile_rules([rule]) if m["kind"] == "ValidatingAdmissionPolicy"):
        variables = {v["name"]: v["expression"] for v in policy["spec"]["variables"]}
        variables["exceptions"] = "[]"  # asks who sends the request, which there is none of here
        program = cel.Program(variables, {"passes": policy["spec"]["validations"][0]["expression"]})
        if program.judge(normalised(manifest), surroundings if namespaced else None, data):
            refused.add(policy["metadata"]["name"].rpartition("-")[2])

    by_category = namespaced or manifest["kind"] == "Namespace"
    assert refused == {rule.mode[category if by_category else "strategis"]}


def test_a_running_pod_names_its_node_and_a_template_that_does_is_refused() -> None:
    """The conditions of a pod are the server's to write: they tell a pod that runs from one that asks."""
    running = {"spec": {"nodeName": "n"}, "status": {"conditions": [{"type": "PodScheduled", "status": "True"}]}}

    live, template = Judge("audit", exceptions=()), {"spec": {"template": {"spec": running["spec"]}}}

    assert "scheduler_decides" not in ids(live.judge(merged(base("Pod"), running)))
    assert "scheduler_decides" in ids(live.judge(merged(base("Pod"), {"spec": running["spec"]})))
    assert "scheduler_decides" in ids(live.judge(merged(base("Deployment"), {**template, "status": running["status"]})))
    assert "scheduler_decides" in ids(JUDGE.judge(merged(base("Pod"), running))), "a status in a file is nobody's word"


@pytest.mark.parametrize("kind", ["ConfigMap", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"])
def test_an_object_whose_name_the_server_makes_is_judged_like_any_other(kind: str) -> None:
    rule = {"ConfigMap": "config_no_private_keys", "ClusterRole": "role_no_wildcards"}.get(kind)
    rule = rule or {"ClusterRoleBinding": "binding_no_cluster_admin", "ServiceAccount": "account_no_token"}[kind]
    case = next(c for c in cases_of(RULES[rule]) if not c.good and c.manifest["kind"] == kind)

    nameless = merged(case.manifest, {"metadata": {"name": None, "generateName": "x-"}})

    assert rule in ids(JUDGE.judge(nameless, None, case.surroundings))


def test_only_the_very_names_that_kubernetes_makes_are_nobody_s_objects() -> None:
    binding = bad("binding_no_cluster_admin").manifest | {"kind": "ClusterRoleBinding"}

    for name, judged_ in (("cluster-admin", False), ("system:evil", True), ("cluster-admin2", True)):
        found = ids(JUDGE.judge(merged(binding, {"metadata": {"name": name}})))
        assert ("binding_no_cluster_admin" in found) is judged_, name


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Policy", ("matchConstraints", "excludeResourceRules"), [{"resources": ["*"]}]),
        ("Policy", ("matchConstraints", "namespaceSelector"), {"matchLabels": {"no": "no"}}),
        ("Policy", ("matchConstraints", "resourceRules", 0, "apiGroups"), ["nope"]),
        ("Policy", ("matchConstraints", "resourceRules", 0, "resourceNames"), ["x"]),
        ("Policy", ("failurePolicy",), "Ignore"),
        ("Binding", ("matchResources", "namespaceSelector", "matchLabels"), {"no": "no"}),
        ("Binding", ("matchResources", "excludeResourceRules"), [{"resources": ["*"]}]),
        ("Binding", ("paramRef", "name"), "mine"),
    ],
)
def test_a_wall_that_was_changed_anywhere_is_another_wall(kind: str, path: tuple, value: object) -> None:
    wall = next(m for m in admission.compile_rules(load_rules()) if m["kind"].endswith(kind) and "podspec" in str(m))
    changed = copy.deepcopy(wall)
    holder: Any = changed["spec"]
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    served = copy.deepcopy(wall)
    served["spec"].setdefault("matchConstraints", {})["matchPolicy"] = "Equivalent"

    assert admission.fingerprint(changed) != admission.fingerprint(wall)
    assert admission.fingerprint(served) == admission.fingerprint(wall)


def test_a_list_with_several_entries_allows_each_of_them() -> None:
    judge = Judge("file", {"registries": ["a.example", "registry.balai.internal"]}, exceptions=())

    assert "image_registry_allowed" not in ids(judge.judge(base("Pod")))
