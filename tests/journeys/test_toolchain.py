"""The tool cache: broken tools are rebuilt, and two runs at once do not spoil it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

TOOL = "containerd-shim-runc-v2"  # the smallest of the engines
PROGRAM = f"from lab import toolchain; f = toolchain.ensure([{TOOL!r}])[{TOOL!r}]; print(f.origin, f.path)"


def start(cache: Path, root: Path) -> subprocess.Popen[str]:
    import os

    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "BALAI_CACHE": str(cache)},
    )


def finish(run: subprocess.Popen[str]) -> tuple[str, Path]:
    said, _ = run.communicate(timeout=600)
    assert run.returncode == 0
    origin, path = said.split()
    return origin, Path(path)


def test_two_runs_at_once_build_a_tool_once_and_both_get_it(tmp_path: Path, root: Path) -> None:
    runs = [start(tmp_path, root), start(tmp_path, root)]

    results = [finish(run) for run in runs]

    assert sorted(origin for origin, _ in results) == ["built", "cache"]
    assert [p.name for p in results[0][1].parent.iterdir() if p.name != ".lock"] == [TOOL], "no half-built file is left"


@pytest.mark.parametrize("damage", ["truncated", "not executable"])
def test_a_broken_tool_is_rebuilt(tmp_path: Path, root: Path, damage: str) -> None:
    _, path = finish(start(tmp_path, root))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:100_000])
    else:
        path.chmod(0o644)

    assert finish(start(tmp_path, root))[0] == "built"
    assert finish(start(tmp_path, root))[0] == "cache"


def test_a_tool_that_cannot_be_had_is_said_with_all_three_ways(tmp_path: Path, root: Path, run) -> None:
    program = (
        PROGRAM.replace("from lab", "import shutil; shutil.which = lambda *a, **k: None\nfrom lab")
        .replace("f = ", "\ntry: f = ")
        .replace("; print(f.origin, f.path)", "\nexcept Exception as e: print(e)")
    )

    done = run(sys.executable, "-c", program, cwd=root, BALAI_CACHE=str(tmp_path))

    assert "not on PATH" in done.stdout
    assert "not in " in done.stdout
    assert "there is no `go`" in done.stdout


def test_the_image_that_the_tenants_name_is_the_one_the_lab_builds() -> None:
    from balai.estate import load_estate
    from lab import images

    named = {service.image for tenant in load_estate().tenants.values() for service in tenant.services}

    assert named == {images.build()["page"].reference}
