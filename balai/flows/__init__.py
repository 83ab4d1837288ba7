"""Who may talk to whom: compiled for the firewalls of a mall, and simulated from the same model."""

from __future__ import annotations

from balai.flows.compiled import Rule, compile_for, networks_of
from balai.flows.services import DOMAIN, allow_list, callers, gateway_policies, host_of, named
from balai.flows.simulate import Verdict, may
from balai.flows.stores import store_policies

__all__ = [
    "DOMAIN",
    "Rule",
    "Verdict",
    "allow_list",
    "callers",
    "compile_for",
    "gateway_policies",
    "host_of",
    "may",
    "named",
    "networks_of",
    "store_policies",
]
