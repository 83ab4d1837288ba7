"""One rule, four points: the same CEL decides in a program, on files, at admission and at audit."""

from __future__ import annotations

from balai.rules.evaluate import Finding, Judge
from balai.rules.model import Rule, load_rules

__all__ = ["Finding", "Judge", "Rule", "load_rules"]
