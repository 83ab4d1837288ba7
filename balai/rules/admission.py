"""
Rules compiled to ValidatingAdmissionPolicies.

All rules of one subject and one mode are one policy: the API server evaluates them over the same
variables, which costs a tenth of a policy each, and a refusal names every rule that is broken
where separate validations would name the first. The category of the namespace decides inside the
policy which rules are asked; one whose category is unknown is held to the strictest.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from balai.rules.lens import LABEL, SUBJECTS, category_of, exceptions_of
from balai.rules.model import CATEGORIES, STRICTEST, Mode, Rule

Json = dict[str, Any]
API = "admissionregistration.k8s.io/v1"
PARAMS_NAMESPACE, PARAMS_NAME = "balai-system", "balai-policy-params"
ACTIONS: dict[Mode, list[str]] = {"deny": ["Deny", "Audit"], "warn": ["Warn", "Audit"], "audit": ["Audit"]}
# What the API server fills in where a policy or binding says nothing.
DEFAULTS = {"matchPolicy": "Equivalent", "scope": "*", "reason": "Invalid"}
# Of an object on its way out only its record may be changed (finalizers, owners): otherwise it could never go.
CONTENT = (
    "spec",
    "data",
    "binaryData",
    "stringData",
    "type",
    "rules",
    "roleRef",
    "subjects",
    "webhooks",
    "automountServiceAccountToken",
    "parameters",
    "allowedTopologies",
)
# Namespaces of the platform say which role they have; every other one is governed, `default` too.
KUBERNETES = ["kube-node-lease", "kube-public", "kube-system"]
GOVERNED: Json = {
    "matchExpressions": [
        {"key": f"{LABEL}role", "operator": "DoesNotExist"},
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": KUBERNETES},
    ]
}


def compile_rules(rules: Iterable[Rule]) -> list[Json]:
    """Return policies and bindings for the rules that are enforced at admission."""
    groups: dict[tuple[str, Mode], list[Rule]] = defaultdict(list)
    for rule in rules:
        if "admission" in rule.points:
            for mode in _modes(rule):
                groups[SUBJECTS[rule.subject].family or rule.subject, mode].append(rule)
    made = []
    for (name, mode), members in sorted(groups.items()):
        label = f"balai-{name.replace('_', '-')}-{mode}"
        made.append(_policy(label, name, members, [_entry(rule, _categories(rule, mode)) for rule in members]))
        match = {"namespaceSelector": GOVERNED} if SUBJECTS[name].namespaced else None
        made.append(_binding(label, ACTIONS[mode], match))
    return made


def compile_for_parity(rules: Iterable[Rule], label: str) -> list[Json]:
    """Return every admission rule, whatever its mode, warning on objects that carry a label, by id alone."""
    groups: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        if "admission" in rule.points:
            groups[SUBJECTS[rule.subject].family or rule.subject].append(rule)
    made = []
    for name, members in sorted(groups.items()):
        policy = f"p-{name.replace('_', '-')}"
        made.append(_policy(policy, name, members, [_entry(rule, (), brief=True) for rule in members]))
        made.append(_binding(policy, ["Warn"], {"objectSelector": {"matchLabels": {label: "yes"}}}))
    return made


def fingerprint(item: Json) -> str:
    """Return a hash of what a policy or binding enforces, without what the API server adds to it."""
    return hashlib.sha256(json.dumps(_without_defaults(item["spec"]), sort_keys=True).encode()).hexdigest()


def walls(items: Iterable[Json]) -> dict[str, str]:
    """Return the fingerprint of each policy and binding by its name; a binding has the name of its policy."""
    return {
        item["metadata"]["name"] + ("" if item["kind"].endswith("Policy") else "-binding"): fingerprint(item)
        for item in items
    }


def _without_defaults(value: Any) -> Any:
    """Return a spec without what the API server fills in where nothing is said."""
    if isinstance(value, dict):
        plain = {key: _without_defaults(item) for key, item in value.items()}
        return {k: v for k, v in plain.items() if v not in ({}, [], None, "") and DEFAULTS.get(k) != v}
    return [_without_defaults(item) for item in value] if isinstance(value, list) else value


def _modes(rule: Rule) -> set[Mode]:
    subject = SUBJECTS[rule.subject]
    return set(rule.mode.values()) if subject.namespaced or "Namespace" in subject.kinds else {rule.mode[STRICTEST]}


def _categories(rule: Rule, mode: Mode) -> tuple[str, ...]:
    """Return the categories in which a rule has a mode; none when it has it in all that there are."""
    held = tuple(category for category in CATEGORIES if rule.mode[category] == mode)
    return () if len(_modes(rule)) == 1 or len(held) == len(CATEGORIES) else held


def _entry(rule: Rule, categories: tuple[str, ...], *, brief: bool = False) -> str:
    """Return CEL for what is said of an object that breaks a rule; "" when it breaks none."""
    excused = f"variables.exceptions.exists(e, e[0] == '{rule.id}')"
    elsewhere = f"!(variables.category in {list(categories)}) || " if categories else ""
    if SUBJECTS[rule.subject].family:
        elsewhere = f"!(object.kind in {sorted(rule.kinds)}) || {elsewhere}"
    entries = []
    for check in rule.check:
        said = f"[{rule.id}]" if brief else f"[{rule.id}] {check.message}"
        entries.append(f"({elsewhere}({check.expression}) || {excused}) ? '' : \"{said}\"")
    return ", ".join(entries)


def _policy(name: str, about: str, rules: list[Rule], entries: list[str]) -> Json:
    subject = SUBJECTS[about]
    resources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group, version, resource in subject.kinds.values():
        resources[group, version].append(resource)
        if resource == "pods":
            resources[group, version].append("pods/ephemeralcontainers")
    variables = {
        **subject.variables,
        **{key: text for rule in rules for key, text in SUBJECTS[rule.subject].variables.items()},
        "category": category_of(subject),
        "exceptions": exceptions_of(subject, at_admission=True),
        "broken": f"[{', '.join(entries)}].filter(said, said != '')",
    }
    changed = (
        f"{list(CONTENT)}.exists(k, object[?k] != oldObject[?k]) "
        "|| object.metadata.?labels != oldObject.metadata.?labels "
        "|| object.metadata.?annotations != oldObject.metadata.?annotations"
    )
    conditions = [
        {
            "name": "content-is-at-stake",
            "expression": f"!has(object.metadata.deletionTimestamp) || oldObject == null || {changed}",
        },
        # Its own roles, which it makes anew at every start, also those of a version that nobody here has seen.
        {"name": "not-the-api-server", "expression": "request.userInfo.username != 'system:apiserver'"},
    ]
    if subject.condition:
        conditions.append({"name": "subject", "expression": subject.condition})
    spec: Json = {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE", "UPDATE"], "resources": names}
                for (group, version), names in sorted(resources.items())
            ]
        },
        "matchConditions": conditions,
        "variables": [{"name": key, "expression": text} for key, text in variables.items()],
        "validations": [
            {
                "expression": "size(variables.broken) == 0",
                "message": "a rule of the SPBE baseline is broken",
                "messageExpression": "variables.broken.join('; ')",
            }
        ],
    }
    return {"apiVersion": API, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec}


def _binding(policy: str, actions: list[str], match: Json | None) -> Json:
    spec: Json = {
        "policyName": policy,
        "validationActions": actions,
        "paramRef": {"name": PARAMS_NAME, "namespace": PARAMS_NAMESPACE, "parameterNotFoundAction": "Deny"},
    }
    if match:
        spec["matchResources"] = match
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": policy},
        "spec": spec,
    }
