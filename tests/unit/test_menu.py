"""What a technician does on a machine itself, and what the machine tells its mall's server, without either."""

from __future__ import annotations

import datetime
import json
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from balai.mall.inventory import status_of
from balai.onsite import status
from balai.sites import INVENTORIES, load_site

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
SERVER = status_of(next(m for m in VIEW.machines if m.kind == "server"), VIEW)
NAME = SERVER["tell"]["name"]
CLOCK = {"kind": "clock", "number": 0}
Chosen = Callable[..., int]


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """Run `balai-mall` on a terminal, as somebody who types lines and then closes it."""
    monkeypatch.setenv("BALAI_LANG", "id")
    monkeypatch.setattr(status, "SETTINGS", tmp_path / "status.json")
    monkeypatch.setattr(status, "findings", lambda _: [])
    (tmp_path / "status.json").write_text(json.dumps(SERVER))

    def run(*lines: str | BaseException, terminal: bool = True) -> int:
        typed = iter(lines)

        def ask(_: str) -> str:
            line = next(typed, EOFError())
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", ask)
        monkeypatch.setattr("sys.stdin.isatty", lambda: terminal, raising=False)
        monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
        return status.main([])

    return run


Systemd = dict[str, Any]


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """Services that have stopped, those that do not stay, and what was asked for."""
    state: Systemd = {"stopped": set(), "hopeless": set(), "asked": []}

    def run(*argv: str, patience: float = 10) -> tuple[bool, str]:
        state["asked"].append(argv)
        if argv[:2] == ("systemctl", "start"):
            state["stopped"] -= {argv[2]} - state["hopeless"]
        if argv[0] == "ip":
            lo = {"ifname": "lo", "addr_info": []}
            address = {"local": "10.64.0.10", "prefixlen": 24, "scope": "global"}
            cards = [lo, {"ifname": "mgmt", "addr_info": [address]}, {"ifname": "srv", "addr_info": []}]
            return True, json.dumps(cards)
        return argv[-1] not in state["stopped"], ""

    monkeypatch.setattr(status, "run", run)
    monkeypatch.setattr(status, "SETTLING", 0)
    monkeypatch.setattr(status, "EVERY", 0)
    return state


@pytest.mark.parametrize("end", [("0",), (), (KeyboardInterrupt(),), ("9", "", "0")], ids=str)
def test_the_menu_is_left_by_its_number_the_end_of_input_and_ctrl_c(
    choose: Chosen, end: tuple[Any, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose(*end) == 0

    shown = capsys.readouterr()
    assert "2 jalankan lagi layanan yang berhenti" in shown.out
    assert shown.out.count("Pilih angka") == (2 if end[0:1] == ("9",) else 0)
    assert shown.err == ""


def test_without_a_terminal_the_status_is_printed_as_ever(choose: Chosen, capsys: pytest.CaptureFixture[str]) -> None:
    assert choose(terminal=False) == 0
    assert capsys.readouterr().out == "mpp-banyuwangi-server-1: semua berjalan.\n"


def test_stopped_services_of_its_own_list_are_started_and_each_is_answered_for(
    choose: Chosen, systemd: Systemd, capsys: pytest.CaptureFixture[str]
) -> None:
    systemd["stopped"], systemd["hopeless"] = {"chrony", "caddy", "somebody-else"}, {"caddy"}

    choose("2", "0")

    shown = capsys.readouterr().out
    started = [argv[2] for argv in systemd["asked"] if argv[:2] == ("systemctl", "start")]
    assert started == ["chrony", "caddy"]
    assert "chrony dijalankan, dan berjalan." in shown
    assert "caddy dijalankan, tetapi tidak bertahan. Lihat sebabnya: sudo journalctl -u caddy" in shown
    assert all(argv[0] == "systemctl" for argv in systemd["asked"])


def test_where_nothing_has_stopped_nothing_is_started(
    choose: Chosen, systemd: Systemd, capsys: pytest.CaptureFixture[str]
) -> None:
    choose("2", "0")

    assert "tidak ada yang dijalankan" in capsys.readouterr().out
    assert {argv[:3] for argv in systemd["asked"]} == {("systemctl", "--quiet", "is-active")}


def test_the_addresses_of_the_machine_and_of_the_page_are_shown(
    choose: Chosen, systemd: Systemd, capsys: pytest.CaptureFixture[str]
) -> None:
    choose("3", "0")

    shown = capsys.readouterr().out
    assert "mgmt: 10.64.0.10/24\nsrv: tanpa alamat\n" in shown
    assert "https://periksa.mpp-banyuwangi.balai.internal/periksa/" in shown


def test_it_is_watched_until_everything_works_and_only_what_changes_is_said(
    choose: Chosen, systemd: Systemd, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = iter([[CLOCK], [CLOCK], [CLOCK], [CLOCK], []])
    last: list[Any] = []

    def findings(_: Any) -> list[Any]:
        last[:] = [next(rounds, [])]
        return list(last[0])

    monkeypatch.setattr(status, "findings", findings)
    choose("4", "0")

    shown = capsys.readouterr().out
    assert shown.count("1 hal tidak berjalan") == 1
    assert shown.count("semua berjalan.") == 1
    assert next(rounds, "none left") == "none left"


@pytest.mark.parametrize("argv", [["reboot"], ["tell", "x"], ["status", "--yaml"]])
def test_what_it_does_not_know_is_refused(argv: list[str]) -> None:
    assert status.main(argv) == 2


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates that were made for the mall's server, one of them for a time that is over."""
    folder = tmp_path_factory.mktemp("authority")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    for name, begins in (("today", now), ("over", now - datetime.timedelta(days=2000))):
        key = ec.generate_private_key(ec.SECP256R1())
        made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        made = made.not_valid_before(begins).not_valid_after(begins + datetime.timedelta(days=1))
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        (folder / f"{name}.crt").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.key").write_bytes(private)
    return folder


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Path], list[Any]]]:
    """A server of the mall's, and what it is told; the machine's way to it leads there whatever the address."""
    servers = []
    monkeypatch.setattr(status, "AUTHORITIES", tmp_path)
    monkeypatch.setattr(status, "findings", lambda _: [CLOCK])

    def serve(folder: Path, name: str = "today", code: int = 200) -> list[Any]:
        told: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.append(
                    (self.path, self.headers["Host"], json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                )
                self.send_response(code)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Quiet(HTTPServer):
            def handle_error(self, request: Any, address: Any) -> None:
                """A client that does not trust it is no error of the test."""

            def get_request(self) -> Any:
                try:
                    return super().get_request()
                except ssl.SSLError as error:
                    raise OSError from error

        server = Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        shutil.copy(folder / f"{name}.crt", tmp_path / "mpp-banyuwangi.balai.internal.crt")
        connect = socket.create_connection
        lost = SERVER["tell"]["addresses"][0]

        def way(address: tuple[str, int], timeout: float) -> socket.socket:
            if address[0] == lost:
                raise TimeoutError("timed out")
            return connect(server.server_address, timeout)

        monkeypatch.setattr(socket, "create_connection", way)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return told

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_verdict_is_told_by_the_way_that_is_left(
    heard: Any, authority: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = heard(authority)

    assert status.tell(SERVER) == 0
    assert told == [("/api/verdicts", NAME, {"machine": SERVER["machine"], "code": "W", "findings": [CLOCK]})]
    assert "10.64.0.10: timed out" in capsys.readouterr().err


def test_a_machine_that_has_lost_its_clock_can_say_so(heard: Any, authority: Path) -> None:
    told = heard(authority, "over")

    assert status.tell(SERVER) == 0
    assert len(told) == 1


def test_nobody_is_told_whom_the_mall_s_own_authority_does_not_vouch_for(
    heard: Any, authority: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = heard(authority)
    (tmp_path / "mpp-banyuwangi.balai.internal.crt").rename(tmp_path / "mpp-jember.balai.internal.crt")

    assert status.tell(SERVER) == 1
    assert told == []
    assert "certificate verify failed" in capsys.readouterr().err


def test_a_server_that_refuses_or_is_away_is_no_error_but_a_word(
    heard: Any, authority: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard(authority, code=502)

    assert status.tell(SERVER) == 1
    assert "10.64.1.10: 502" in capsys.readouterr().err


def test_an_authority_that_is_no_certificate_is_a_word_too(heard: Any, authority: Path, tmp_path: Path) -> None:
    heard(authority)
    (tmp_path / "mpp-banyuwangi.balai.internal.crt").write_text("half a fi")

    assert status.tell(SERVER) == 1
