"""Editors complete and check: schemas are the models', every file names its own, and the estate keeps to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from balai import yamlfile
from balai.schemas import SCHEMAS, modeline, schema
from balai.sites import INVENTORIES

FILES = [(name, path) for name, (_, pattern) in SCHEMAS.items() for path in sorted(INVENTORIES.glob(pattern))]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_what_the_model_is(name: str) -> None:
    assert (INVENTORIES / "schemas" / f"{name}.json").read_text() == schema(name), "run `balai schemas`"
    jsonschema.Draft202012Validator.check_schema(json.loads(schema(name)))


@pytest.mark.parametrize(("name", "path"), FILES, ids=lambda value: getattr(value, "stem", value))
def test_a_file_names_its_schema_and_keeps_to_it(name: str, path: Path) -> None:
    line = modeline(name, len(path.relative_to(INVENTORIES).parts) - 1)
    text = path.read_text()

    assert text.splitlines()[1] == line
    assert (path.parent / line.partition("$schema=")[2]).resolve().exists()
    jsonschema.Draft202012Validator(json.loads(schema(name))).validate(_keyed(yamlfile.read(path).data))


def _keyed(value: object) -> object:
    """Return a value as JSON has it."""
    return json.loads(json.dumps(value))


def test_every_file_of_the_estate_has_a_schema() -> None:
    covered = {path for _, path in FILES}

    assert {p for p in INVENTORIES.rglob("*.yml") if "manifests" not in p.parts} == covered


def test_a_schema_refuses_what_the_model_refuses() -> None:
    judge = jsonschema.Draft202012Validator(json.loads(schema("site")))
    good = _keyed(yamlfile.read(INVENTORIES / "sites/mpp-banyuwangi.yml").data)
    assert isinstance(good, dict)

    assert judge.is_valid(good)
    for wrong in ({"size": "huge"}, {"bulding": "b1"}, {"regions": "35.10"}, {"hours": {"monday": "07:30-15:30"}}):
        assert not judge.is_valid({**good, **wrong}), wrong


def test_the_hook_before_a_commit_lets_a_right_estate_pass_and_stops_a_wrong_one(root: Path, tmp_path: Path) -> None:
    repository, tools = tmp_path / "repository", Path(sys.executable).parent
    shutil.copytree(INVENTORIES, repository / "inventories")
    shutil.copy(root / ".pre-commit-config.yaml", repository)
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    own = {"PRE_COMMIT_HOME": str(tmp_path / "home"), "BALAI_INVENTORIES": str(repository / "inventories")}
    env = {**os.environ, **own, "PATH": f"{tools}:{os.environ['PATH']}"}

    def commit() -> subprocess.CompletedProcess[str]:
        command = ["pre-commit", "run", "balai-validate", "--files", "inventories/flows.yml"]
        return subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=False)

    right = commit()
    flows = repository / "inventories/flows.yml"
    flows.write_text(flows.read_text().replace("to: [router]", "to: [roof]", 1))
    wrong = commit()

    assert (right.returncode, "Passed" in right.stdout) == (0, True), right.stdout + right.stderr
    assert (wrong.returncode, "flows.yml" in wrong.stdout) == (1, True), wrong.stdout + wrong.stderr
