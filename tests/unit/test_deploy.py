"""What a killed run leaves in a state of files is taken up, not stumbled over."""

from __future__ import annotations

from pathlib import Path

import pytest

from balai.deploy import _remove_torn_sidecars


def test_a_torn_sidecar_goes_and_a_whole_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = tmp_path / ".pulumi/stacks/balai"
    stacks.mkdir(parents=True)
    (stacks / "torn.json.attrs").touch()
    (stacks / "whole.json.attrs").write_text("{}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}?metadata=skip")

    _remove_torn_sidecars()

    assert [p.name for p in stacks.iterdir()] == ["whole.json.attrs"]
