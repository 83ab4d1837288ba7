"""
The policy pack: `pulumi preview --policy-pack policies`.

Two policies, one mandatory and one advisory, run every rule; a rule decides by the SPBE category in the
object's labels which of the two it belongs to. More policies would each decode every resource again.
"""

from __future__ import annotations

from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from balai.rules import Judge
from balai.rules.evaluate import CATEGORIES
from balai.rules.lens import LABEL
from balai.rules.model import Mode

JUDGE = Judge("plan")


def _policy(mode: Mode, level: EnforcementLevel, description: str) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if not args.resource_type.startswith("kubernetes:"):
            return
        group_version, kind = args.resource_type.split(":")[1:]
        manifest: dict[str, Any] = {"apiVersion": group_version, "kind": kind, **args.props}
        labels = (manifest.get("metadata") or {}).get("labels") or {}
        category = labels.get(f"{LABEL}category")
        for finding in JUDGE.judge(manifest, category if category in CATEGORIES else None):
            if finding.mode == mode:
                report(str(finding), None)

    return ResourceValidationPolicy(
        name=f"spbe-{mode}", description=description, validate=validate, enforcement_level=level
    )


PolicyPack(
    name="balai",
    enforcement_level=EnforcementLevel.ADVISORY,
    policies=[
        _policy("deny", EnforcementLevel.MANDATORY, "What the SPBE baseline forbids in this category"),
        _policy("warn", EnforcementLevel.ADVISORY, "What the SPBE baseline advises in this category"),
    ],
)
