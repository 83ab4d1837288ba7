"""A machine's verdict from what it looks at, without a machine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from balai.mall.inventory import status_of
from balai.onsite import status
from balai.sites import INVENTORIES, load_site

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
ROUTER = {**status_of(VIEW.machines[0], VIEW), "centres": ["10.128.0.1"]}
KIOSK = status_of(next(m for m in VIEW.machines if m.kind == "kiosk"), VIEW)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A machine on which everything works; `broken` names programs that fail."""

    def make(
        settings,
        *,
        dead: tuple[str, ...] = (),
        broken: tuple[str, ...] = (),
        active: str | None = "wan1",
        bad=(),
        colours="40",
        installed: float | None = 100,
        sent: float | None = 0,
        on: float = 100,
        paper="works",
    ):
        for card in settings["cards"]:
            (tmp_path / card["name"]).mkdir(exist_ok=True)
            (tmp_path / card["name"] / "carrier").write_text("0\n" if card["name"] in dead else "1\n")
        lines = {line["card"]: line["card"] not in bad for line in settings["lines"]}
        (tmp_path / "uplinks.json").write_text(json.dumps({"active": active, "healthy": lines}))

        def run(*argv: str) -> tuple[bool, str]:
            return (argv[0] not in broken and argv[-1] not in broken), "10.0.1.123,Normal"

        (tmp_path / "printer").write_text(paper)
        monkeypatch.setattr(status, "PRINTER", tmp_path / "printer")
        (tmp_path / "seen").write_text(colours)
        monkeypatch.setattr(status, "SEEN", tmp_path / "seen")
        monkeypatch.setattr(status, "CARDS", tmp_path)
        monkeypatch.setattr(status, "UPLINKS", tmp_path / "uplinks.json")
        monkeypatch.setattr(status, "LEAST_FREE", 0)
        monkeypatch.setattr(status, "run", run)
        for name, hours in (("SENDER", installed), ("SENT", sent)):
            path = tmp_path / name
            path.unlink(missing_ok=True)
            monkeypatch.setattr(status, name, path)
            if hours is not None:
                path.touch()
                os.utime(path, (time.time() - hours * 3600, time.time() - hours * 3600))
        monkeypatch.setattr("time.monotonic", lambda: on * 3600)
        return status.code(status.findings(settings))

    return make


def test_nothing_is_said_of_a_machine_that_works(machine) -> None:
    assert machine(ROUTER) == machine(KIOSK) == "OK"


def test_each_thing_that_fails_has_its_letter_and_its_place(machine) -> None:
    assert machine(KIOSK, dead=("kio",)) == "K2"
    assert machine(KIOSK, broken=("chrony",)) == "L3"
    assert machine(KIOSK, broken=("chronyc",)) == "W"
    assert machine(KIOSK, broken=("getent",)) == "N"
    assert machine(KIOSK, colours="1") == machine(KIOSK, colours="") == "S"
    assert machine(ROUTER, colours="1") == "OK", "it has no screen"
    assert machine(ROUTER, bad=("wan2",)) == "J2"
    assert machine(ROUTER, broken=("ping",)) == "P"
    assert machine(ROUTER, bad=("wan1", "wan2"), active=None) == "J1 J2 O", "the data centre is no news then"


def test_a_journal_that_does_not_arrive_is_told_after_an_hour_of_trying_and_not_before(machine) -> None:
    assert machine(KIOSK, sent=0.9) == "OK"
    assert machine(KIOSK, sent=2.1) == "C"
    assert machine(KIOSK, sent=60, on=0.5) == "OK", "it was switched off over the weekend"
    assert machine(KIOSK, sent=None) == "C", "it has never arrived"
    assert machine(KIOSK, sent=None, installed=0.5) == machine(KIOSK, sent=None, installed=None) == "OK"
    assert machine(KIOSK, sent=2.1, dead=("mgmt",)) == "K1 C", "the likeliest cause stands first"
    server = status_of(next(m for m in VIEW.machines if m.kind == "server"), VIEW)
    assert machine(server, sent=None) == "OK", "the server's own journal is where it belongs"


def test_a_ticket_printer_is_named_where_one_is_declared_and_only_there(
    machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printing = {**KIOSK, "printer": "/dev/usb/lp0"}

    assert machine(printing) == "OK"
    assert machine(printing, paper="paper") == "R"
    assert {machine(printing, paper=said) for said in ("away", "stuck", "fault", "")} == {"T"}
    assert machine(KIOSK, paper="away") == "OK"
    assert machine(printing) == "OK"
    os.utime(tmp_path / "printer", (0, 0))
    (finding,) = status.tickets(printing)
    assert finding == {"kind": "printer", "number": 0, "at": "/dev/usb/lp0"}, "nobody has looked for long"


def test_every_kind_has_a_sentence_that_its_finding_fills_in_both_languages() -> None:
    examples = {
        "card": "srv",
        "network": "servers",
        "unit": "chrony",
        "place": "/",
        "free": 3,
        "name": "fibre",
        "hours": 2,
        "at": "lp0",
    }
    for kind in status.LETTERS:
        for language in ("id", "en"):
            text = KIOSK["texts"][f"status_{kind}"][language].format(**examples, number=1)
            assert "{" not in text
    assert len(set(status.LETTERS.values())) == len(status.LETTERS)


def test_a_router_is_told_its_lines_and_a_kiosk_its_two_cards() -> None:
    assert [line["card"] for line in ROUTER["lines"]] == ["wan1", "wan2"]
    assert [card["name"] for card in KIOSK["cards"]] == ["mgmt", "kio"]
    assert "wg-quick@overlay" in ROUTER["units"]
    assert KIOSK["lines"] == KIOSK["centres"] == []


@pytest.mark.parametrize(("session", "words"), [({"LANG": "en_US.UTF-8"}, "en"), ({"LANG": "C"}, "id"), ({}, "id")])
def test_the_technician_reads_indonesian_unless_the_session_asks_for_english(
    session: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BALAI_LANG", "LC_ALL", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in session.items():
        monkeypatch.setenv(name, value)

    assert status.language() == words
