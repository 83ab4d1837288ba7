"""Options and fixtures that every folder shares."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("balai")
    group.addoption("--site", help="audit this mall (tests/compliance)")
    group.addoption("--cluster", help="audit this cluster (tests/compliance)")
    group.addoption(
        "--dark",
        action="append",
        default=[],
        help="kind of machine, or machine, known to be switched off, e.g. kiosk or kiosk-2",
    )


# What a command is told, so that what it says does not hang on who runs the tests.
SAYS = {"BALAI_LANG": "en", "NO_COLOR": "1", "COLUMNS": "200"}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command as a user would, and return what it said; never raises for an exit code."""

    def start(*argv: str, cwd: Path = ROOT, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, **SAYS, **env},
        )

    return start


@pytest.fixture(scope="session")
def balai(run: Run) -> Run:
    """Run `balai` as a user would."""
    return lambda *argv, **options: run(sys.executable, "-m", "balai", *argv, **options)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of hosts are tests of the mall; those that take the lab down run after all others."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/host"):
            item.add_marker("mall")
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
