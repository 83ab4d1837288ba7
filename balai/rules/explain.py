"""Explain a rule, a control or a refusal: what, why, which law, how to mend it, what would bend it."""

from __future__ import annotations

import difflib
import re
from typing import Any

import yaml

from balai.errors import BalaiError, RuleError
from balai.rules import exceptions, files
from balai.rules.cases import Difference, differences
from balai.rules.catalogue import Proof, controls, proofs
from balai.rules.lens import SUBJECTS
from balai.rules.locate import subject_fields
from balai.rules.model import CATEGORIES, Rule, load_rules
from balai.text import language, say

# What the API server's own pod security check says; it answers for bare pods before any rule does.
_POD_SECURITY = {
    "allowPrivilegeEscalation != false": "no_privilege_escalation",
    "unrestricted capabilities": "drop_capabilities",
    "non-default capabilities": "no_added_capabilities",
    "runAsNonRoot != true": "run_as_non_root",
    "runAsUser=0": "user_not_root",
    "seccompProfile": "seccomp_profile",
    "host namespaces": "no_host_namespaces",
    "hostPath volumes": "no_host_path",
    "restricted volume types": "volume_types_safe",
    "privileged (": "no_privileged",
    "hostPort": "no_host_ports",
    "forbidden sysctls": "sysctls_safe",
    "procMount": "proc_masked",
    "seLinuxOptions": "selinux_not_custom",
    "forbidden AppArmor": "apparmor_not_off",
    "hostProcess": "no_host_process",
}


def rules() -> str:
    """Return every rule with its title, a line each."""
    lang = language()
    width = max(len(rule.id) for rule in load_rules())
    return "\n".join(f"{rule.id.ljust(width)}  {getattr(rule.title, lang)}" for rule in load_rules())


def one(name: str) -> str:
    """
    Explain a rule or a control by its id.

    Raises:
        RuleError: There is neither.
    """
    by_id = {rule.id: rule for rule in load_rules()}
    if name in by_id:
        return _rule(by_id[name])
    if name in controls():
        return _control(proofs()[name])
    near = difflib.get_close_matches(name, [*by_id, *controls()], n=3)
    raise RuleError(f"there is no rule or control {name!r}." + (f" Did you mean {', '.join(near)}?" if near else ""))


def denied(text: str) -> str:
    """Explain a refusal: every rule that a message names, or that the manifests in a text break."""
    known = {rule.id: rule for rule in load_rules()}
    names = [name for name in re.findall(r"\[([a-z][a-z0-9_]+)\]", text) if name in known]
    if "PodSecurity" in text:
        names += [rule for words, rule in _POD_SECURITY.items() if words in text]
    if not names and re.search(r"^\s*\"?kind\"?:", text, re.MULTILINE):
        names = [placed.finding.rule.id for placed in _judged(text)]
    if not names:
        return say("explain_unknown")
    return "\n\n".join(_rule(known[name]) for name in dict.fromkeys(names))


def _judged(text: str) -> list[files.Placed]:
    try:
        return files.judge({"-": text}).found
    except BalaiError:
        return []  # a message that happens to look like a manifest


def _rule(rule: Rule) -> str:
    lang = language()
    days, people = exceptions.BOUNDS[rule.severity]
    blanks = SUBJECTS[rule.subject].blanks
    lines = [
        f"{rule.id}: {getattr(rule.title, lang)}",
        say("explain_what", what=" / ".join(check.message for check in rule.check)),
        say("explain_why", why=rule.rationale),
        say("explain_where", fields=", ".join(subject_fields(rule))),
        say("explain_fix", fix=getattr(rule.remediation, lang)),
        say("explain_right"),
        *(f"    {line}" for line in _snippet(rule).splitlines()),
        say("explain_law"),
        *(f"    {_law(name)}" for name in rule.controls),
        say(
            "explain_mode",
            modes=", ".join(f"{category} {rule.mode[category]}" for category in CATEGORIES),
            points=", ".join(rule.points),
        ),
        *(say("explain_blank", point=point, why=why) for point, why in blanks.items()),
        say("explain_exception", days=days, people=people, signers=", ".join(_signers()) or say("nobody")),
    ]
    return "\n".join(lines)


def _control(proof: Proof) -> str:
    lang = language()
    control = proof.control
    ways = [f"    {way}: {', '.join(ids)}" for way, ids in proof.ways.items()]
    return "\n".join(
        [
            f"{control.id}: {getattr(control, f'title_{lang}')}",
            say("explain_law"),
            f"    {_law(control.id)}",
            *([say("explain_proofs"), *ways] if ways else [say("why_unproven", why=getattr(proof.why, lang))]),
        ]
    )


def _law(name: str) -> str:
    control = controls().get(name)
    if control is None:
        return name
    where = f"{control.regulation}, {control.article}" if control.article else control.regulation
    return f"{name}: {getattr(control, f'title_{language()}')} ({where}; {control.verification})"


def _snippet(rule: Rule) -> str:
    """Return the rule's first good case, which every point is tested to let pass, as a person would write it."""
    first = differences(rule, good=True)[0]
    shape = _shape(first)
    return yaml.safe_dump(shape, sort_keys=False, default_flow_style=False, allow_unicode=True)


def _shape(case: Difference) -> Any:
    if case.items is not None:
        return case.items
    if case.object is not None:
        return case.object
    pod = dict(case.pod or {})
    if case.container:
        pod["containers"] = [case.container]
    return {"spec": pod}


def _signers() -> list[str]:
    path = exceptions.FOLDER / "allowed_signers"
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [line.split()[0] for line in lines]
