"""
The policy pack: `pulumi preview --policy-pack policies`.

Few policies run every rule: one mandatory and one advisory over each object, and the same over each
namespace as a whole; the SPBE category of the tenant decides which of the two a finding belongs to. A
policy for each rule would decode every resource again for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from balai.components.tenant_space import tenant_namespace
from balai.estate import load_estate
from balai.rules import Judge
from balai.rules.model import Mode

ESTATE = load_estate()
TENANTS = {tenant.namespace: tenant for tenant in ESTATE.tenants.values()}
SCHEMA = PolicyConfigSchema(
    properties={"cluster": {"type": "string", "default": "", "description": "its parameters; from the stack's name"}}
)


def _judge(config: dict[str, Any], urn: str) -> Judge:
    """Return the judge of the cluster that the configuration names, else the stack: <layer>.<cluster>…"""
    stack = urn.split("::")[0].split(":")[-1]
    return _judge_of(config.get("cluster") or ".".join(stack.split(".")[1:2]))


@cache
def _judge_of(cluster: str) -> Judge:
    declared = ESTATE.clusters.get(cluster)
    return Judge("plan", declared.given if declared else None)


def _manifest(resource_type: str, props: Mapping[str, Any]) -> dict[str, Any]:
    group_version, kind = resource_type.split(":")[1:]
    return {**props, "apiVersion": group_version.removeprefix("core/"), "kind": kind}


def _single(mode: Mode, level: EnforcementLevel, description: str) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if not args.resource_type.startswith("kubernetes:"):
            return
        manifest = _manifest(args.resource_type, args.props)
        tenant = TENANTS.get((manifest.get("metadata") or {}).get("namespace") or "")
        namespace = tenant_namespace(tenant) if tenant else None
        for finding in _judge(args.get_config(), args.urn).judge(manifest, None, namespace):
            if finding.mode == mode and not finding.exception:
                report(str(finding), None)

    return ResourceValidationPolicy(
        name=f"spbe-{mode}", description=description, validate=validate, enforcement_level=level, config_schema=SCHEMA
    )


def _whole(mode: Mode, level: EnforcementLevel, description: str) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        kubernetes = [r for r in args.resources if r.resource_type.startswith("kubernetes:")]
        items: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
        namespaces = []
        for resource in kubernetes:
            manifest = _manifest(resource.resource_type, resource.props)
            metadata = manifest.get("metadata") or {}
            items[metadata.get("namespace") or ""][manifest["kind"]].append(manifest)
            if manifest["kind"] == "Namespace":
                namespaces.append((resource.urn, manifest))
        for urn, manifest in namespaces:
            name = manifest["metadata"]["name"]
            for finding in _judge(args.get_config(), urn).judge_together(manifest, items[name]):
                if finding.mode == mode and not finding.exception:
                    report(str(finding), urn)

    return StackValidationPolicy(
        name=f"spbe-whole-{mode}",
        description=description,
        validate=validate,
        enforcement_level=level,
        config_schema=SCHEMA,
    )


MANDATORY, ADVISORY = EnforcementLevel.MANDATORY, EnforcementLevel.ADVISORY
PolicyPack(
    name="balai",
    enforcement_level=ADVISORY,
    policies=[
        _single("deny", MANDATORY, "What the SPBE baseline forbids in this category"),
        _single("warn", ADVISORY, "What the SPBE baseline advises in this category"),
        _whole("deny", MANDATORY, "What the SPBE baseline forbids of a namespace as a whole"),
        _whole("warn", ADVISORY, "What the SPBE baseline advises for a namespace as a whole"),
    ],
)
