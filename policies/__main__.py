"""
The policy pack: `pulumi preview --policy-pack policies`.

Two policies, one mandatory and one advisory, run every rule; the SPBE category of the tenant that owns the
namespace decides which of the two a finding belongs to. More policies would each decode every resource again.
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

from balai.estate import load_estate
from balai.rules import Judge
from balai.rules.model import Mode

JUDGE = Judge("plan")
CATEGORIES = {tenant.namespace: tenant.category for tenant in load_estate().tenants.values()}


def _policy(mode: Mode, level: EnforcementLevel, description: str) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if not args.resource_type.startswith("kubernetes:"):
            return
        group_version, kind = args.resource_type.split(":")[1:]
        manifest: dict[str, Any] = {"apiVersion": group_version, "kind": kind, **args.props}
        namespace = (manifest.get("metadata") or {}).get("namespace") or ""
        for finding in JUDGE.judge(manifest, CATEGORIES.get(namespace)):
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
