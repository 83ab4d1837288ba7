"""A Pulumi project of a test's own, on the lab's engine and cluster."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from balai.kube import ApiError, Cluster

PREAMBLE = "import pulumi\nimport pulumi_kubernetes as k8s\n"


@dataclass
class Project:
    """One stack with a program that the test writes, and the cluster to look at from outside."""

    folder: Path
    namespace: str
    api: Cluster

    def write(self, program: str) -> None:
        """Replace the program; NS stands for the test's namespace."""
        (self.folder / "__main__.py").write_text(PREAMBLE + f"NS = {self.namespace!r}\n" + textwrap.dedent(program))

    def pulumi(self, *argv: str, fails: bool = False) -> str:
        """Run pulumi on the stack; return all it said."""
        done = subprocess.run(
            ["pulumi", *argv, "--stack", "t", "--non-interactive", "--color", "never"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=240,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def up(self, *argv: str, fails: bool = False) -> str:
        """`pulumi up` without a preview."""
        return self.pulumi("up", "--yes", "--skip-preview", *argv, fails=fails)

    def live(self, path: str) -> dict[str, Any] | None:
        """Return an object of the cluster, None when it is not there."""
        try:
            found: dict[str, Any] = self.api.request("GET", path.replace("NS", self.namespace))
        except ApiError as error:
            assert error.status == 404
            return None
        return found

    def state(self) -> str:
        """Return the stack's state as it lies on disk."""
        return "\n".join(p.read_text() for p in self.folder.glob("backend/.pulumi/stacks/**/*.json"))

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the state."""
        found: list[dict[str, Any]] = json.loads(self.pulumi("stack", "export"))["deployment"].get("resources", [])
        return found


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty stack; everything that it made is destroyed afterwards."""
    (tmp_path / "backend").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: stand-in\nruntime: python\n")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/backend?metadata=skip")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "for-a-test")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    name = f"t-{os.getpid()}-{abs(hash(request.node.name)) % 10**6}"
    project = Project(tmp_path, name, Cluster.from_kubeconfig())
    project.write("")
    project.pulumi("stack", "init")
    yield project
    for path in (
        f"/api/v1/namespaces/{name}",
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/papers.{name}.test",
    ):
        try:
            project.api.request("DELETE", path)
        except ApiError as error:
            assert error.status == 404
