"""Stacks come in order, and what a killed run leaves in a state of files is taken up, not stumbled over."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from balai import deploy
from balai.deploy import StackResult, ground_of, layers_of
from balai.estate import load_estate
from balai.text import say

ESTATE = load_estate()
DEAD = 2**22 + 1  # more than the kernel counts to


def test_a_torn_sidecar_goes_and_a_whole_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = tmp_path / ".pulumi/stacks/balai"
    stacks.mkdir(parents=True)
    (stacks / "torn.json.attrs").touch()
    (stacks / "whole.json.attrs").write_text("{}")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}?metadata=skip")

    deploy._remove_torn_sidecars()

    assert [p.name for p in stacks.iterdir()] == ["whole.json.attrs"]


@pytest.mark.parametrize(
    ("pids", "dead"), [((), 0), ((DEAD,), 1), ((DEAD, DEAD), 2), ((os.getpid(),), 0), ((DEAD, os.getpid()), 0)]
)
def test_locks_are_dead_when_each_owner_is(
    pids: tuple[int, ...], dead: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".pulumi/locks/organization/balai/tenant.batam.pajak"
    folder.mkdir(parents=True)
    for n, pid in enumerate(pids):
        (folder / f"{n}.json").write_text(json.dumps({"pid": pid, "hostname": socket.gethostname()}))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}?metadata=skip")

    assert len(deploy._dead_locks("tenant.batam.pajak")) == dead
    if pids:
        (folder / "elsewhere.json").write_text(json.dumps({"pid": DEAD, "hostname": "another"}))
        assert deploy._dead_locks("tenant.batam.pajak") == []


def test_clusters_come_before_their_foundations_and_those_before_tenants() -> None:
    fleets, foundations, tenants = layers_of(ESTATE, ESTATE.data_centres, ESTATE.clusters)

    assert fleets == ["fleet.batam", "fleet.cikarang"]
    assert foundations == ["foundation.batam", "foundation.cikarang"]
    assert {"tenant.batam.pajak", "tenant.cikarang.pajak"} <= set(tenants)
    assert {ground_of(ESTATE, stack) for stack in tenants} == set(foundations)
    assert [ground_of(ESTATE, stack) for stack in foundations] == fleets
    assert [ground_of(ESTATE, stack) for stack in fleets] == ["", ""]
    assert layers_of(ESTATE, [], ["batam"])[0] == ["foundation.batam"], "a layer without a stack is none"


@pytest.mark.parametrize(
    ("action", "tried"),
    [
        ("up", {"fleet.batam", "fleet.cikarang", "foundation.cikarang", "tenant.cikarang.pajak"}),
        ("preview", {name for layer in layers_of(ESTATE, ESTATE.data_centres, ESTATE.clusters) for name in layer}),
    ],
)
def test_what_stands_on_a_stack_that_failed_is_not_tried_and_all_else_is(
    action: deploy.Action, tried: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fails_in_batam(_estate: object, name: str, _action: str, *, new: bool) -> StackResult:
        assert new
        asked.append(name)
        return StackResult(stack=name, changes={}, seconds=0, error="away" if name == "fleet.batam" else "")

    monkeypatch.setattr(deploy, "_run", fails_in_batam)
    for name in ("_require_settings", "_import_all", "_remove_torn_sidecars"):
        monkeypatch.setattr(deploy, name, lambda: None)
    layers = layers_of(ESTATE, ESTATE.data_centres, ESTATE.clusters)

    results = deploy.deploy(ESTATE, layers, (), action)

    assert tried <= set(asked)
    assert [r.stack for r in results] == [name for layer in layers for name in layer], "every stack has its row"
    if action == "up":
        waiting = {r.stack: r.error for r in results if r.stack not in asked}
        assert waiting["foundation.batam"] == say("stack_waits", ground="fleet.batam")
        assert waiting["tenant.batam.pajak"] == say("stack_waits", ground="foundation.batam")
        assert not any(name.startswith(("foundation.batam", "tenant.batam")) for name in asked)
