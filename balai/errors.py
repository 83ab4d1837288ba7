"""
The errors balai raises on purpose.

Hierarchy::

    BalaiError
    ├── DataError          a file of the estate is wrong                          exit 2
    ├── RuleError          a rule or its metadata is wrong: a bug of this project exit 2
    └── EnvironmentFault   a tool, host or cluster is missing or does not answer  exit 3

Findings (a rule that is broken, an audit that fails) are results, not errors: exit 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """
    One thing that is wrong with an input, in the words of whoever has to mend it.

    Attributes:
        file: The file, as the user named it.
        line: First line of the key, from 1; 0 when the whole file is meant.
        key: Dotted path of the key, "" for the whole file.
        given: What was given, shortened; "" where nothing was.
        bound: The bound it broke, and why the bound exists where that is not plain.
        fix: What to do now.
    """

    file: str
    line: int
    key: str
    given: str
    bound: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        given = f" (got {self.given})" if self.given else ""
        subject = f"{self.key}: " if self.key else ""
        return f"{where}: {subject}{self.bound}{given}. {self.fix}"


class BalaiError(Exception):
    """Anything that balai says instead of a traceback."""

    exit_code = 2


class DataError(BalaiError):
    """One or more files of the estate are wrong; carries every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RuleError(BalaiError):
    """A rule, or what is said about it, is wrong."""


class EnvironmentFault(BalaiError):  # noqa: N818 - the environment has the fault, not the code
    """The machine, a tool, a host or a cluster failed; one sentence with what to do."""

    exit_code = 3


def shown(path: Path) -> str:
    """Return a path as a person would type it: relative to here where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
