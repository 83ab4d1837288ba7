"""A tenant from answers: a request that passes every check, and is not made before somebody says active."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from balai import onboarding
from balai.cli import new
from balai.errors import DataError
from balai.estate import load_estate
from balai.lifecycle import standing
from balai.sites import INVENTORIES
from balai.yamlfile import parse

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
    say = ("--by", "komdigi", "--reason", "as planned")
    decided = balai("tenant", "decide", "perizinan-mappi", *say, BALAI_INVENTORIES=str(inventories))
    assert decided.returncode == 0, decided.stderr
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


def test_questions_are_asked_in_indonesian_again_until_the_answer_can_be(
    inventories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALAI_LANG", "id")
    monkeypatch.setattr(new, "INVENTORIES", inventories)
    lines = ["Perizinan Banyuwangi", "Licences of Banyuwangi", "pemda banyuwangi", "bapenda-banyuwangi"]
    lines += ["Perda yang belum dibaca", "registry.balai.internal/lab/page:1.2", IMAGE]
    lines += ["pajak", "", ""]  # a name that is given, then the one from the title; the agency's own region
    lines += ["penting", "strategis", "", "cikarang batan", "cikarang, batam"]
    lines += ["8", "8 8Gi 40", "mungkin", "ya", "y"]

    done = CliRunner().invoke(new.new, ["tenant"], input="\n".join(lines) + "\n", catch_exceptions=False)

    assert done.exit_code == 0, done.output
    assert "Badan Pendapatan Daerah Kabupaten Banyuwangi" in done.output
    for words in ("pajak.yml is there already", "'rendah', 'tinggi' or 'strategis'", "Did you mean 'batam'"):
        assert words in done.output
    assert "namespace tenant-perizinan-banyuwangi di cikarang, batam; 2 replika" in done.output
    assert "Mal akan memanggilnya perizinan-banyuwangi.balai.internal" in done.output
    assert "Muat sekarang di cikarang." in done.output
    made = load_estate(inventories).tenants["perizinan-banyuwangi"]
    assert (made.owner, made.region, made.category) == ("bapenda-banyuwangi", "35.10", "strategis")
    assert (made.clusters, made.quota.model_dump()) == (
        ["cikarang", "batam"],
        {"cpu": "8", "memory": "8Gi", "pods": 40, "storage": "0"},
    )
    assert made.services[0].public
    (first,) = made.model_dump()["requests"]
    assert (first["original"], first["decided"], first["requested"]["cpu"]) == ("none", "open", "8")


def test_wrong_answers_of_a_file_are_told_at_once_those_that_only_the_estate_knows_too(inventories: Path) -> None:
    text = ANSWERS.replace("owner: dukcapil", "owner: dukcapl").replace('"93.03"', '"93.99"')
    text = text.replace("category: strategis", "category: penting\nclusters: [cikarang, batan]")
    text = text.replace("name: perizinan-mappi", "name: Pajak")

    with pytest.raises(DataError) as refused:
        onboarding.tenant_change(inventories, parse(text, "answers.yml"), datetime.date(2026, 11, 25))

    keys = {problem.key for problem in refused.value.problems}
    assert keys == {"owner", "region", "category", "clusters[1]", "name"}
    assert "it differs from pajak only in case" in str(refused.value)
    assert {problem.file for problem in refused.value.problems} == {"answers.yml"}


def test_an_agency_is_found_by_name_title_or_what_is_near() -> None:
    agencies = list(load_estate().agencies.values())

    assert onboarding.agency_of("DJP", agencies).name == "djp"  # type: ignore[union-attr]
    assert onboarding.agency_of("direktorat jenderal pajak", agencies).name == "djp"  # type: ignore[union-attr]
    assert "imigrasi" in [a.name for a in onboarding.agency_of("imigras", agencies)]  # type: ignore[union-attr]
    assert onboarding.agency_of("zzz", agencies) == []


def test_what_does_not_fit_is_said_before_it_is_written(inventories: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALAI_LANG", "en")
    monkeypatch.setattr(new, "INVENTORIES", inventories)
    answers = inventories.parent / "answers.yml"
    answers.write_text(ANSWERS + 'quota: {cpu: "130", memory: 4Gi, pods: 20}\n')

    done = CliRunner().invoke(new.new, ["tenant", "--answers", str(answers), "--dry-run"], catch_exceptions=False)

    assert "perizinan-mappi is degraded on cikarang" in done.output
