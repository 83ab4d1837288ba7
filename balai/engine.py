"""
Pulumi's Automation API, asked for no more than is needed.

Each question is a process that opens the state and derives its key anew, a third of a second of a processor: for one
stack the API asks seven by itself, here two or three.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pulumi import automation


class Workspace(automation.LocalWorkspace):
    """The project with a program of its own, whose every command names its stack."""

    def select_stack(self, stack_name: str) -> None:
        """Do nothing: a stack that is selected is the one of commands that name none."""

    def stack_outputs(self, stack_name: str) -> automation.OutputMap:
        """Return nothing: nobody reads the outputs after an update."""
        return {}


def listing(folder: Path) -> dict[str, int]:
    """
    Return the stacks of the project that the backend knows, with how many resources each holds.

    Raises:
        automation.CommandError: The backend does not answer.
    """
    stacks = automation.LocalWorkspace(work_dir=str(folder), pulumi_command=_command()).list_stacks()
    return {stack.name.rpartition("/")[2]: stack.resource_count or 0 for stack in stacks}


def opened(folder: Path, name: str, program: Callable[[], None], *, new: bool) -> automation.Stack:
    """
    Return a stack of the project; a new one is made, unless somebody else has made it since.

    Raises:
        automation.CommandError: The backend does not answer.
    """
    workspace = Workspace(work_dir=str(folder), program=program, pulumi_command=_command())
    if new:
        with contextlib.suppress(automation.StackAlreadyExistsError):
            workspace.create_stack(name)
    return automation.Stack.select(name, workspace)


@cache
def _command() -> automation.PulumiCommand:
    return automation.PulumiCommand()  # asks for its version
