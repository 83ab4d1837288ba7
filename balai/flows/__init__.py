"""Who may talk to whom: compiled for the firewalls of a mall, and simulated from the same model."""

from __future__ import annotations

from balai.flows.compiled import Rule, compile_for, networks_of
from balai.flows.simulate import Verdict, may

__all__ = ["Rule", "Verdict", "compile_for", "may", "networks_of"]
