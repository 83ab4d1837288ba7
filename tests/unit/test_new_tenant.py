"""A tenant from answers: a request that passes every check, and is not made before somebody says active."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from balai.estate import load_estate
from balai.lifecycle import standing
from balai.sites import INVENTORIES

IMAGE = "registry.balai.internal/lab/page@sha256:" + "0" * 64
ANSWERS = f"""name: perizinan-mappi
title: "Perizinan: Kabupaten Mappi"
title_en: Licences of Mappi
owner: dukcapil
region: "93.03"
legal_ground: belum dibaca siapa pun
category: strategis
image: {IMAGE}
public: true
"""


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    return Path(shutil.copytree(INVENTORIES, tmp_path / "inventories"))


def answered(balai, inventories: Path, text: str, *more: str):
    path = inventories.parent / "answers.yml"
    path.write_text(text)
    return balai("new", "tenant", "--answers", str(path), *more, BALAI_INVENTORIES=str(inventories))


def test_a_request_is_right_and_is_made_by_nobody_yet(balai, inventories: Path) -> None:
    done = answered(balai, inventories, ANSWERS)

    assert done.returncode == 0, done.stderr
    tenant = load_estate(inventories).tenants["perizinan-mappi"]
    assert (tenant.status, tenant.title, tenant.region) == ("requested", "Perizinan: Kabupaten Mappi", "93.03")
    assert (tenant.recovery.rpo, tenant.services[0].replicas) == ("1h", 2)
    assert tenant.legal_ground.verification == "recalled"
    assert not standing(tenant).may_change
    assert "once approved" in done.stdout.lower()


def test_an_approved_one_is_rendered_and_breaks_no_rule(balai, inventories: Path, tmp_path: Path) -> None:
    answered(balai, inventories, ANSWERS)
    path = inventories / "tenants/perizinan-mappi.yml"
    path.write_text(path.read_text().replace("status: requested", "status: active"))
    out = tmp_path / "out"

    balai("render", "--out", str(out), "--cluster", "cikarang", BALAI_INVENTORIES=str(inventories))

    rendered = out / "clusters/cikarang/tenants/perizinan-mappi.yml"
    assert {"Deployment", "NetworkPolicy"} <= {item["kind"] for item in yaml.safe_load_all(rendered.read_text())}
    checked = balai("check", str(rendered), "--cluster", "cikarang")
    assert checked.returncode == 0, checked.stdout


def test_wrong_answers_are_told_together_and_write_nothing(balai, inventories: Path) -> None:
    before = sorted(p.name for p in (inventories / "tenants").iterdir())
    cases = {
        ANSWERS.replace("category: strategis", "category: penting").replace(
            "public: true", "public: ja"
        ): "2 problem(s)",
        ANSWERS.replace("owner: dukcapil", "owner: dukcapl"): "Did you mean 'dukcapil'",
        ANSWERS.replace("@sha256:", ":1.2 #"): "should match",
        ANSWERS.replace("perizinan-mappi", "pajak"): "pajak.yml is there already",
        ANSWERS.replace("name: perizinan-mappi\n", ""): "name: this key is required",
    }
    for text, words in cases.items():
        done = answered(balai, inventories, text)

        assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert sorted(p.name for p in (inventories / "tenants").iterdir()) == before
    assert "Nothing was written" in answered(balai, inventories, ANSWERS, "--dry-run").stdout
    assert sorted(p.name for p in (inventories / "tenants").iterdir()) == before
