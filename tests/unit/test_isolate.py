"""A data centre that is cut off: one line of its file, and everything that follows from it."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from balai import isolate
from balai.cli.isolate import isolate as verb
from balai.errors import DataError
from balai.estate import Estate, load_estate
from balai.fleet.fit import Loss, fit
from balai.fleet.gates import refusals
from balai.mall import overlay_of, resolver_of
from balai.onboarding import checked, write
from balai.sites import load_site

TODAY = datetime.date(2026, 11, 25)
FREEZE = datetime.datetime(2027, 3, 10, 5, tzinfo=datetime.UTC)
HUBS = """---
hubs:
  - {data_centre: cikarang, endpoint: 192.0.2.1, port: 51820, public_key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}
  - {data_centre: batam, endpoint: 192.0.2.2, port: 51820, public_key: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=}
"""


@pytest.fixture
def inventories(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root / "inventories", tmp_path / "inventories"))


@pytest.fixture
def cut(inventories: Path) -> Estate:
    change = isolate.isolated(inventories, "batam", 'Ransomware: "uji"', TODAY)
    checked(inventories, change)
    write(inventories, change)
    return load_estate(inventories)


def test_cutting_off_and_joining_leaves_the_file_as_it_was(inventories: Path) -> None:
    path = inventories / "data_centres/batam.yml"
    before = path.read_bytes()

    write(inventories, isolate.isolated(inventories, "batam", 'Ransomware: "uji" # bukan komentar', TODAY))
    reason = load_estate(inventories).data_centres["batam"].isolated
    write(inventories, isolate.joined(inventories, "batam"))

    assert reason is not None
    assert reason.reason == 'Ransomware: "uji" # bukan komentar'
    assert path.read_bytes() == before


def test_a_mall_loses_its_peer_in_an_isolated_data_centre_and_keeps_the_other(
    inventories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALAI_ENROLMENT", str(inventories / "enrolment"))
    (inventories / "enrolment").mkdir(exist_ok=True)
    (inventories / "enrolment/hubs.yml").write_text(HUBS)
    site = inventories / "sites/mpp-banyuwangi.yml"
    both = [peer["name"] for peer in overlay_of(load_site(site))["peers"]]

    write(inventories, isolate.isolated(inventories, "batam", "uji", TODAY))
    view = load_site(site)

    assert both == ["cikarang", "batam"]
    assert [peer["name"] for peer in overlay_of(view)["peers"]] == ["cikarang"]
    assert len(resolver_of(view)["national_servers"]) == 1


def test_gateways_of_an_isolated_data_centre_take_nothing_from_malls(inventories: Path, tmp_path: Path, balai) -> None:
    def foundation(cluster: str, out: str) -> str:
        done = balai("render", "--out", str(tmp_path / out), "--cluster", cluster, BALAI_INVENTORIES=str(inventories))
        assert done.returncode == 0, done.stderr
        return (tmp_path / out / "clusters" / cluster / "foundation.yml").read_text()

    before = foundation("batam", "before")
    write(inventories, isolate.isolated(inventories, "batam", "uji", TODAY))
    after = foundation("batam", "after")

    assert "from-malls" in before
    assert "from-malls" not in after
    assert "from-edge" in after, "citizens still come through its edge"


def test_behind_the_walls_nothing_is_changed_and_the_walls_go_up_on_any_day(cut: Estate) -> None:
    for stack in ("fleet.batam", "tenant.batam.pajak"):
        (why,) = refusals(cut, stack, now=FREEZE, approvals=())
        assert "batam is isolated since 2026-11-25" in why
    assert refusals(cut, "foundation.batam", now=FREEZE, approvals=()) == []
    assert "Masa pelaporan SPT" in refusals(cut, "foundation.cikarang", now=FREEZE, approvals=())[0]


def test_nobody_counts_on_machines_behind_the_walls(cut: Estate) -> None:
    assert {verdict.cluster for verdict in fit(cut, Loss())} == {"cikarang"}


def test_what_is_cut_off_is_not_cut_off_again(inventories: Path, cut: Estate) -> None:
    with pytest.raises(DataError, match="it is isolated already"):
        isolate.isolated(inventories, "batam", "uji", TODAY)
    with pytest.raises(DataError, match=r"cikarang\.yml:3: name: it is not isolated"):
        isolate.joined(inventories, "cikarang")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["batam"], "give --reason"),
        (["batam", "--reason", "x", "--undo"], "give --reason"),
        (["ikn", "--undo"], "choose from batam, cikarang"),
    ],
)
def test_a_wrong_word_is_said_and_nothing_is_written(words: list[str], says: str) -> None:
    done = CliRunner().invoke(verb, words)

    assert done.exit_code == 2
    assert says in done.output
