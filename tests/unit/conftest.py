"""What only unit tests share."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner

from balai.cli import main
from tests.conftest import ROOT, SAYS, Run


@pytest.fixture(scope="session")
def balai(run: Run) -> Run:
    """
    Run `balai` as a user would, but in this process: hundreds of starts at half a second each are minutes.

    With variables of the environment it is a process of its own, because some are read once.
    """

    def call(*argv: str, cwd: Path = ROOT, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        if env.keys() - {"BALAI_LANG"}:
            return run(sys.executable, "-m", "balai", *argv, cwd=cwd, stdin=stdin, **env)
        with (
            contextlib.chdir(cwd),
            mock.patch.object(sys, "argv", ["balai", *argv]),
            CliRunner(env={**SAYS, **env}).isolation(stdin) as (out, err, _),
        ):
            code: object = 0
            try:
                main()
            except SystemExit as end:
                code = end.code
            sys.stdout.flush()
            sys.stderr.flush()
            printed, errors = out.getvalue().decode(), err.getvalue().decode()
        return subprocess.CompletedProcess(["balai", *argv], int(code or 0), printed, errors)  # type: ignore[call-overload]

    return call
