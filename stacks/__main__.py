"""Picks a layer by the name of the stack; see `layers`."""

from __future__ import annotations

import pulumi

from stacks.layers import program

program(pulumi.get_stack())
