"""What the first management cluster of a data centre is made of."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
import yaml

from balai.errors import DataError
from balai.estate import load_estate
from balai.fleet.cluster_class import ENCRYPTION
from balai.fleet.first import CONFIG, seed_files

ESTATE = load_estate()
PLACE = ESTATE.data_centres["cikarang"]
TODAY = datetime.date(2026, 11, 25)


def test_every_file_that_kubeadm_is_told_of_is_written_and_the_key_is_not() -> None:
    files = seed_files(ESTATE, PLACE, TODAY)

    whole, first = yaml.safe_load_all(files[CONFIG])
    arguments = {a["name"]: a["value"] for a in whole["apiServer"]["extraArgs"]}
    named = {value.removeprefix("/") for value in arguments.values() if value.startswith("/etc/kubernetes/")}
    assert named - set(files) == {ENCRYPTION.removeprefix("/")}, "the key is made on the machine"
    assert any(path.startswith(first["patches"]["directory"].removeprefix("/")) for path in files)
    assert not any("secretbox" in text for text in files.values())


def test_it_runs_the_newest_version_that_is_supported_on_the_day() -> None:
    def version(day: str) -> str:
        whole, _ = yaml.safe_load_all(seed_files(ESTATE, PLACE, datetime.date.fromisoformat(day))[CONFIG])
        return str(whole["kubernetesVersion"])

    assert version("2026-09-30") == "v1.36.2", "1.37.2 is only tried then"
    assert version("2026-10-01") == "v1.37.2"


def test_without_a_supported_version_it_says_where_one_is_declared() -> None:
    none = dataclasses.replace(ESTATE, releases={})

    with pytest.raises(DataError, match=r"kubernetes\.yml:1: releases: no version is supported on 2026-11-25"):
        seed_files(none, PLACE, TODAY)


def test_a_folder_with_something_in_it_is_left_alone(balai, tmp_path: Path) -> None:
    (tmp_path / "kubeadm.yml").write_text("somebody's")

    done = balai("fleet", "seed", "cikarang", "--out", str(tmp_path))

    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert (tmp_path / "kubeadm.yml").read_text() == "somebody's"
