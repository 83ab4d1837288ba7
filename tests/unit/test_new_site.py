"""A mall for a regency that has none: from a few answers to a right estate, in one command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from balai import onboarding
from balai.errors import DataError
from balai.estate import load_estate
from balai.models import Region
from balai.reading import table
from balai.sites import INVENTORIES, load_site
from balai.yamlfile import parse

REGIONS = table(Region, INVENTORIES / "regions.csv")
MAPPI = """region: Mappi
hours: {mon-thu: "07:30-15:30", fri: "07:30-10:30"}
uplinks: [{name: satelit, kind: satellite, mbps: 4}]
offices: [dukcapil, imigrasi]
counters:
- {counter: 1, office: dukcapil}
- {counter: 2, office: imigrasi, on: [wed#1, wed#3]}
status: active
"""


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    folder = tmp_path / "inventories"
    shutil.copytree(INVENTORIES, folder)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def answered(balai, inventories: Path, text: str, *more: str):
    answers = inventories.parent / "answers.yml"
    answers.write_text(text)
    return balai("new", "site", "--answers", str(answers), *more, BALAI_INVENTORIES=str(inventories))


def test_mappi_goes_from_answers_to_a_right_estate_in_one_command(balai, inventories: Path) -> None:
    before = contents(inventories)

    done = answered(balai, inventories, MAPPI)

    after = contents(inventories)
    view = load_site(inventories / "sites/mpp-mappi.yml")
    assert done.returncode == 0, done.stderr
    assert {path for path in after if before.get(path) != after[path]} == {
        "addresses.csv",
        "agencies.yml",
        "sites/mpp-mappi.yml",
    }
    assert after["addresses.csv"] == before["addresses.csv"] + "mpp-mappi,53\n"
    assert after["agencies.yml"].startswith(before["agencies.yml"].rstrip())
    assert (view.timezone, view.index, view.site.owner) == ("Asia/Jayapura", 53, "pemkab-mappi")
    assert [a.model_dump() for a in view.site.assignments][1] == {
        "counter": 2,
        "office": "imigrasi",
        "on": ["wed#1", "wed#3"],
    }
    assert "10.67.80.0/20" in done.stdout
    assert "portal-layanan/web" in done.stdout
    assert load_estate(inventories).sites["mpp-mappi"] == view.site
    assert balai("mall", "wiring", "mpp-mappi", BALAI_INVENTORIES=str(inventories)).returncode == 0


def test_a_dry_run_writes_nothing_and_a_second_one_says_that_it_is_there(balai, inventories: Path) -> None:
    before = contents(inventories)

    assert "Nothing was written." in answered(balai, inventories, MAPPI, "--dry-run").stdout
    assert contents(inventories) == before
    assert answered(balai, inventories, MAPPI).returncode == 0
    again = answered(balai, inventories, MAPPI)
    assert again.returncode == 2
    assert "mpp-mappi.yml is there already" in again.stderr
    assert "such as mpp-mappi-2" in again.stderr
    assert answered(balai, inventories, f"{MAPPI}name: mpp-mappi-2\n").returncode == 0


def test_wrong_answers_are_all_told_and_nothing_is_written(balai, inventories: Path) -> None:
    before = contents(inventories)
    cases = {
        "region: Mappy": "93.03 Kabupaten Mappi",
        "region: Banyumas\nname: MPP": "should match",
        'region: "93.03"\nsize: huge\nhours: {monday: "7-8"}': "3 problem(s)",
        'region: "93.03"\noffices: [dukcapil, imigrasy]': "Did you mean 'imigrasi'",
        'region: "93.03"\noffices: [dukcapil]\ncounters: [{counter: 1, office: bkn}]': "no such office of the site",
        'region: "93.03"\noffices: [dukcapil, bkn]\ncounters: [{counter: 1, office: bkn}, {counter: 1, office: dukcapil}]': (
            "would both have it"
        ),
        'region: "93.03"\nowner: nobody': "there is no such agency",
        "size: small": "region: this key is required",
    }
    for text, words in cases.items():
        done = answered(balai, inventories, text)

        assert done.returncode == 2, text
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert contents(inventories) == before


def test_a_run_that_was_killed_in_between_is_carried_on_by_the_next(inventories: Path) -> None:
    document = parse(MAPPI, "answers")
    change = onboarding.site_change(inventories, document)
    for path in list(change.files)[:-1]:  # everything but the mall's own file, which comes last
        (inventories / path).write_text(change.files[path])

    again = onboarding.site_change(inventories, document)
    onboarding.checked(inventories, again)
    onboarding.write(inventories, again)

    assert list(again.files) == ["sites/mpp-mappi.yml"]
    assert load_site(inventories / "sites/mpp-mappi.yml").index == 53


def test_a_table_that_grew_meanwhile_is_not_written_over(inventories: Path) -> None:
    change = onboarding.site_change(inventories, parse(MAPPI, "answers"))
    other = onboarding.site_change(inventories, parse("region: Merauke", "answers"))
    onboarding.write(inventories, other)

    with pytest.raises(DataError, match="changed while the answers were given"):
        onboarding.write(inventories, change)

    assert "mpp-merauke,53" in (inventories / "addresses.csv").read_text()
    assert load_estate(inventories).ledger["mpp-merauke"] == 53


def test_questions_are_asked_in_indonesian_again_until_the_answer_can_be_and_no_more_than_ten(
    inventories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from balai.cli import new

    monkeypatch.setenv("BALAI_LANG", "id")
    monkeypatch.setattr(new, "INVENTORIES", inventories)
    lines = ["Bandung", "93.03", "", "", "besar", "small", "mon-thu 07:30-15:30", "satellite cepat", "satellite 4"]
    lines += ["dukcapil, imigrasi", "1 dukcapil, 2 imigrasi wed#9", "1 dukcapil, 2 imigrasi wed#1", "active", "y"]

    done = CliRunner().invoke(new.new, ["site"], input="\n".join(lines) + "\n", catch_exceptions=False)

    assert done.exit_code == 0, done.output
    asked = [line for line in done.output.splitlines() if line.endswith("]: ") or "]: " in line]
    assert len({line.partition(" [")[0] for line in asked}) <= 10
    assert "32.04 Kabupaten Bandung" in done.output
    assert "Ditulis:" in done.output
    site = load_site(inventories / "sites/mpp-mappi.yml").site
    assert site.hours == {"mon-thu": "07:30-15:30"}
    assert [(u.name, u.mbps) for u in site.uplinks] == [("satellite", 4)]
    assert site.assignments[1].on == ["wed#1"]


def test_every_regency_and_city_has_a_name_and_a_government_of_its_own() -> None:
    names = [onboarding.name_of(region) for region in REGIONS]
    governments = [onboarding.government_of(region)[0] for region in REGIONS]

    assert len(set(names)) == len(set(governments)) == 514
    assert all(len(name) <= 40 for name in [*names, *governments])
    assert onboarding.region_of("Kota Bandung", REGIONS).code == "32.73"  # type: ignore[union-attr]
    assert {r.name for r in onboarding.region_of("bandung", REGIONS)} >= {"Kabupaten Bandung", "Kota Bandung"}  # type: ignore[union-attr]
