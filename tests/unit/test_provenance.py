"""Where a value comes from: every layer with its file and line, and who changed it last."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from balai.errors import BalaiError
from balai.provenance import explain
from balai.sites import INVENTORIES, load_site

SITE = "site:mpp-banyuwangi"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Inventories under git, in which somebody has given the mall another kiosk."""
    root = tmp_path / "inventories"
    shutil.copytree(INVENTORIES, root)

    def git(*argv: str) -> None:
        author = ["-c", "user.name=Ani", "-c", "user.email=ani@example.org"]
        subprocess.run(["git", "-C", str(root), *author, *argv], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "as it was")
    site = root / "sites/mpp-banyuwangi.yml"
    site.write_text(site.read_text() + "devices:\n  kiosk: 3\n")
    git("commit", "-qam", "a third kiosk")
    return root


def test_an_address_has_the_ledger_s_line_and_the_plan(repository: Path) -> None:
    index, plan = explain(SITE, "addresses.kiosks", repository).layers

    assert (index.what, index.where) == ("index 0", "inventories/addresses.csv:2")
    assert index.change.endswith("Ani")
    assert plan.what == "10.64.2.0/24 fd62:616c:6100:2::/64"
    assert "addressing.py" in plan.where


def test_equipment_has_the_size_s_count_and_the_site_s_own_and_the_last_wins(repository: Path) -> None:
    size, own = explain(SITE, "devices.kiosk", repository).layers

    assert (size.what, own.what) == ("2", "3")
    assert size.where.startswith("inventories/site_sizes.yml:")
    line = int(own.where.rpartition(":")[2])
    assert (repository / "sites/mpp-banyuwangi.yml").read_text().splitlines()[line - 1] == "  kiosk: 3"
    assert own.change.endswith("Ani")
    assert own.change[:9] != size.change[:9]


def test_every_computed_value_is_what_the_machines_are_told(repository: Path) -> None:
    view = load_site(repository / "sites/mpp-banyuwangi.yml")

    assert explain(SITE, "timezone", repository).layers[-1].what == view.timezone
    for machine in view.machines:
        short = machine.name.removeprefix("mpp-banyuwangi-")
        assert explain(SITE, f"machines.{short}", repository).layers[-1].what == machine.address
    for office in view.site.offices:
        assert (
            explain(SITE, f"addresses.{office.agency}", repository)
            .layers[-1]
            .what.startswith(str(view.plan.slots[office.slot]))
        )


def test_a_written_value_has_its_line_and_the_controls_that_look_at_it() -> None:
    category = explain("tenant:pajak", "category", INVENTORIES)
    speed = explain(SITE, "uplinks[1].mbps", INVENTORIES)

    assert category.layers[0].what == "strategis"
    assert "BSSN8-2020-KAT" in category.controls
    assert explain("tenant:pajak", "quota.cpu", INVENTORIES).controls == ()
    assert speed.layers[0].what == "20"


@pytest.mark.parametrize(
    ("subject", "path", "words"),
    [
        (SITE, "addresses.roof", "There are"),
        ("site:nowhere", "title", "There is no"),
        ("cluster:cikarang", "x", "it is site:NAME or tenant:NAME"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(balai, subject: str, path: str, words: str) -> None:
    with pytest.raises(BalaiError, match=words):
        explain(subject, path, INVENTORIES)

    done = balai("explain", subject, path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_the_command_prints_the_value_first(balai) -> None:
    said = balai("explain", SITE, "addresses.imigrasi", BALAI_LANG="id").stdout.splitlines()

    assert said[0] == "addresses.imigrasi = 10.64.8.32/27 fd62:616c:6100:41::/64"
    assert "sites/mpp-banyuwangi.yml:" in said[2]
