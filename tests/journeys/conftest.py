"""The running lab, as its users meet it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def lab() -> Path:
    """Folder of the running lab's state."""
    return Path(os.environ.get("BALAI_LAB_STATE", "/var/lib")) / "balai-lab"


@pytest.fixture
def inventories(root: Path, tmp_path: Path) -> Path:
    """A copy of the inventories that a test may change."""
    return Path(shutil.copytree(root / "inventories", tmp_path / "inventories"))
