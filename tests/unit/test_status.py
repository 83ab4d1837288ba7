"""A machine's verdict from what it looks at, without a machine."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from balai.mall.inventory import status_of
from balai.onsite import status
from balai.onsite.verdicts import MOST_LETTERS
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
    assert machine(KIOSK, sent=2.1) == "B"
    assert machine(KIOSK, sent=60, on=0.5) == "OK", "it was switched off over the weekend"
    assert machine(KIOSK, sent=None) == "B", "it has never arrived"
    assert machine(KIOSK, sent=None, installed=0.5) == machine(KIOSK, sent=None, installed=None) == "OK"
    assert machine(KIOSK, sent=2.1, dead=("mgmt",)) == "K1 B", "the likeliest cause stands first"
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
    examples |= {"ends": "2026-12-24", "days": 28}
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


class TestCertificates:
    """What a machine lives by, and how long still: with certificates that openssl makes and reads."""

    @pytest.fixture
    def made(self, tmp_path: Path):
        """Make a certificate that ends in so many days, and return its path."""

        real = time.time()

        def make(days: float, name: str = "own") -> Path:
            key, path = tmp_path / "key", tmp_path / f"{name}.crt"
            argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            argv += ["-keyout", str(key), "-out", str(path), "-subj", "/CN=x", "-days", "60"]
            subprocess.run(argv, check=True, capture_output=True)
            self.patch.setattr(status.time, "time", lambda: real + (60 - days) * 86400)
            return path

        return make

    @pytest.fixture(autouse=True)
    def patching(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    def found(self, path: Path | str, days: int = 28, name: str = "sender of logs") -> list[dict]:
        return list(status.certificates({"certificates": [{"name": name, "path": str(path), "days": days}]}))

    def test_one_is_named_with_its_end_from_its_notice_on(self, made) -> None:
        path = made(27.5)
        (finding,) = self.found(path)

        assert (finding["kind"], finding["number"], finding["name"], finding["days"]) == (
            "certificate",
            1,
            "sender of logs",
            27,
        )
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=60)
        assert finding["ends"] == f"{end:%Y-%m-%d}"
        assert self.found(path, days=27) == [], "it is too early"

    def test_one_that_has_ended_is_said_to_have_and_has_another_letter(self, made) -> None:
        path = made(-1)

        assert [f["kind"] for f in self.found(path, days=0)] == ["ended"]
        assert status.code(self.found(path)) == "E1"
        assert status.code(self.found(made(1))) == "C1"

    def test_those_of_a_folder_are_named_by_their_files(self, made) -> None:
        folder = made(3, "balai.internal").parent

        assert [f["name"] for f in self.found(folder / "*.crt", name="")] == ["balai.internal"]

    def test_one_that_is_not_there_or_is_none_is_its_service_s_finding(self, tmp_path: Path) -> None:
        (tmp_path / "own.crt").write_text("no certificate")

        assert self.found(tmp_path / "away.crt") == self.found(tmp_path / "own.crt") == []

    @pytest.mark.parametrize("machine", VIEW.machines, ids=lambda m: m.name.removeprefix("mpp-banyuwangi-"))
    def test_every_machine_is_told_the_certificates_that_its_roles_make_and_its_verdict_is_taken_in(
        self, machine, root: Path
    ) -> None:
        def variables(role: str) -> dict:
            found: dict = yaml.safe_load((root / f"roles/{role}/vars/main.yml").read_text())
            return found

        told = {entry["path"] for entry in status_of(machine, VIEW)["certificates"]}
        if machine.kind == "server":
            made = {
                variables("queue")["__queue_root"],
                variables("log_receive")["__log_receive_home"] + "/authority.crt",
            }
        else:
            made = {variables("log_upload")["__log_upload_home"] + "/upload.crt"}
        if trusting := {"server": "intake", "kiosk": "kiosk", "display": "kiosk"}.get(machine.kind):
            made.add(variables(trusting)[f"__{trusting}_share"] + "/authorities/*.crt")

        assert made <= told
        assert all(len(entry["name"]) <= MOST_LETTERS for entry in status_of(machine, VIEW)["certificates"])
