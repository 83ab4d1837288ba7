"""
Rules compiled to ValidatingAdmissionPolicies.

Rules of one subject and one mode share a policy: the API server evaluates its validations over the
same variables, which costs a tenth of a policy each. Bindings choose by the category of the
namespace; one whose category is unknown is held to the strictest.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from balai.models.tenant import Category
from balai.rules.evaluate import CATEGORIES, STRICTEST
from balai.rules.lens import CONDITIONS, KINDS, LABEL, VARIABLES
from balai.rules.model import Mode, Rule

Json = dict[str, Any]
API = "admissionregistration.k8s.io/v1"
PARAMS_NAMESPACE, PARAMS_NAME = "balai-system", "balai-policy-params"
ACTIONS: dict[Mode, list[str]] = {"deny": ["Deny", "Audit"], "warn": ["Warn", "Audit"]}


def compile_rules(
    rules: Iterable[Rule],
    *,
    only_namespaces: Json | None = None,
    action: list[str] | None = None,
    prefix: str = "balai",
) -> list[Json]:
    """
    Return policies and bindings for the rules that are enforced at admission.

    Args:
        rules: All rules; those without the point `admission` are left out.
        only_namespaces: A label selector in place of "all namespaces of tenants" (parity tests).
        action: The action in place of the rules' own modes (parity tests).
        prefix: First part of every name.
    """
    groups: dict[tuple[str, tuple[Mode, ...]], list[Rule]] = defaultdict(list)
    for rule in rules:
        if "admission" in rule.points:
            groups[rule.subject, tuple(rule.mode[c] for c in CATEGORIES)].append(rule)
    made = []
    for (subject, modes), members in sorted(groups.items()):
        name = f"{prefix}-{subject}-{'-'.join(modes)}"
        made.append(_policy(name, subject, members))
        by_mode: dict[Mode, list[Category]] = defaultdict(list)
        for category, mode in zip(CATEGORIES, modes, strict=True):
            by_mode[mode].append(category)
        for mode, categories in by_mode.items():
            made.append(_binding(name, mode, categories, subject, only_namespaces, action))
    return made


def fingerprint(item: Json) -> str:
    """Return a hash of what a policy or binding enforces, without what the API server adds to it."""
    spec = item["spec"]
    rules = (spec.get("matchConstraints") or {}).get("resourceRules") or []
    selector = (spec.get("matchResources") or {}).get("namespaceSelector") or {}
    decisive = {
        "validations": [v["expression"] for v in spec.get("validations") or []],
        "variables": [[v["name"], v["expression"]] for v in spec.get("variables") or []],
        "conditions": [c["expression"] for c in spec.get("matchConditions") or []],
        "resources": [[sorted(r["operations"]), sorted(r["resources"])] for r in rules],
        "failure": spec.get("failurePolicy"),
        "policy": spec.get("policyName"),
        "actions": sorted(spec.get("validationActions") or []),
        "selector": selector.get("matchExpressions") or [],
        "params": [(spec.get("paramRef") or {}).get(key) for key in ("name", "namespace", "parameterNotFoundAction")],
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def params(registries: list[str]) -> dict[str, str]:
    """Return the content of the parameter object of one cluster."""
    return {"registries": ",".join(registries)}


def _policy(name: str, subject: str, rules: list[Rule]) -> Json:
    resources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group, version, resource in KINDS[subject].values():
        resources[group, version].append(resource)
        if resource == "pods":
            resources[group, version].append("pods/ephemeralcontainers")
    spec: Json = {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE", "UPDATE"], "resources": names}
                for (group, version), names in sorted(resources.items())
            ]
        },
        "variables": [{"name": key, "expression": text} for key, text in VARIABLES[subject].items()],
        "validations": [
            {"expression": check.expression, "message": f"[{rule.id}] {check.message}. {rule.remediation.en}"}
            for rule in rules
            for check in rule.check
        ],
    }
    # What is on its way out may be changed (finalizers, ownership): otherwise it could never go.
    conditions = [{"name": "not-being-deleted", "expression": "!has(object.metadata.deletionTimestamp)"}]
    if CONDITIONS[subject]:
        conditions.append({"name": "subject", "expression": CONDITIONS[subject]})
    spec["matchConditions"] = conditions
    return {"apiVersion": API, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec}


def _binding(
    name: str,
    mode: Mode,
    categories: list[Category],
    subject: str,
    only_namespaces: Json | None,
    action: list[str] | None,
) -> Json:
    if only_namespaces is not None:
        selector = only_namespaces
    else:
        others = [c for c in CATEGORIES if c not in categories]
        expressions: list[Json] = []
        if others or STRICTEST not in categories:
            expressions.append(
                {"key": f"{LABEL}category", "operator": "NotIn", "values": others}
                if STRICTEST in categories
                else {"key": f"{LABEL}category", "operator": "In", "values": categories}
            )
        if subject != "namespace":
            expressions.append({"key": f"{LABEL}tenant", "operator": "Exists"})
        selector = {"matchExpressions": expressions}
    spec: Json = {
        "policyName": name,
        "validationActions": action or ACTIONS[mode],
        "paramRef": {"name": PARAMS_NAME, "namespace": PARAMS_NAMESPACE, "parameterNotFoundAction": "Deny"},
    }
    if selector.get("matchExpressions") or selector.get("matchLabels"):
        spec["matchResources"] = {"namespaceSelector": selector}
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"{name}-{mode}"},
        "spec": spec,
    }
