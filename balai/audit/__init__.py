"""Evidence -> results -> report."""

from __future__ import annotations

from balai.audit.judge import Audit, audit
from balai.audit.results import Result, Status

__all__ = ["Audit", "Result", "Status", "audit"]
