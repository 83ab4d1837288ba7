"""What a screen finds of a service that misbehaves, over real sockets: in bounded time, and in words for the citizen."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balai.mall.screens import screen_of
from balai.onsite import screen
from balai.onsite.screen import State, ask, trusting
from balai.sites import INVENTORIES, load_site

PATIENCE = 0.5
Answer = Callable[[ssl.SSLSocket], None]


def says(words: bytes) -> Answer:
    def answer(line: ssl.SSLSocket) -> None:
        line.recv(4096)
        line.sendall(words)

    return answer


def says_nothing(line: ssl.SSLSocket) -> None:
    time.sleep(PATIENCE * 3)


def a_letter_at_a_time(line: ssl.SSLSocket) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100:
        line.sendall(bytes([letter]))
        time.sleep(PATIENCE / 5)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for localhost, trusted, and one of another name that calls itself the same."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "trusted").mkdir()
    for name, host in (("right", "localhost"), ("wrong", "localhost"), ("other", "else.example")):
        argv = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]
        argv += ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
        argv += ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt"]
        subprocess.run(argv, check=True, capture_output=True)
    trusted = (folder / "right.crt").read_text() + (folder / "other.crt").read_text()
    (folder / "trusted/localhost.crt").write_text(trusted)
    return folder


@contextlib.contextmanager
def serving(certificates: Path, answer: Answer | None, name: str = "right") -> Iterator[str]:
    """Serve one conversation after another; without an answer not even TLS is spoken."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    line, _ = listening.accept()
                    with line:
                        line.settimeout(PATIENCE * 3)
                        if answer is None:
                            time.sleep(PATIENCE * 2)
                            continue
                        with trust.wrap_socket(line, server_side=True) as spoken:
                            answer(spoken)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{listening.getsockname()[1]}/"
        stop.set()
        thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "PATIENCE", PATIENCE)


@pytest.mark.parametrize(
    ("answer", "certificate", "found"),
    [
        (says(b"HTTP/1.1 200 OK\r\n\r\n"), "right", "works"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"), "right", "works"),
        (says(b"HTTP/1.1 500 Internal Server Error\r\n\r\n"), "right", "broken"),
        (says(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), "right", "broken"),
        (says(b"no words of a server\r\n\r\n"), "right", "broken"),
        (says(b""), "right", "broken"),
        (says_nothing, "right", "silent"),
        (a_letter_at_a_time, "right", "silent"),
        (None, "right", "silent"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n"), "wrong", "doubtful"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n"), "other", "doubtful"),
    ],
    ids=["works", "sent-on", "500", "502", "nonsense", "hangs-up", "mute", "letters", "no-TLS", "forged", "other-name"],
)
def test_what_is_wrong_is_found_within_its_patience(
    answer: Answer | None, certificate: str, found: str, certificates: Path
) -> None:
    with serving(certificates, answer, certificate) as url:
        began = time.monotonic()

        assert ask(url, trusting(certificates / "trusted", url)) == found
        assert time.monotonic() - began < PATIENCE * 2.5


def test_nobody_who_listens_is_away(certificates: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://localhost:{listening.getsockname()[1]}/"

    assert ask(url, trusting(certificates / "trusted", url)) == "away"


def state(*urls: str) -> State:
    return State({"page": "", "places": [{"url": url} for url in urls]})


def test_one_whose_name_is_looked_for_without_an_end_is_asked_by_one_thread_and_is_no_longer_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    end = threading.Event()
    asked = []

    def stuck(url: str, _: object) -> str:
        asked.append(url)
        end.wait(20)
        return "works"

    monkeypatch.setattr(screen, "ask", stuck)
    here = state("https://x.invalid/")
    here.found = {"https://x.invalid/": "works"}

    for _ in range(2):
        here.look(tmp_path)

        assert here.found == {"https://x.invalid/": "away"}
    assert len(asked) == 1
    end.set()


def test_an_authority_s_file_that_is_none_breaks_its_place_alone(certificates: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "x.invalid.crt").write_text("no certificate")
    (tmp_path / "localhost.crt").write_bytes((certificates / "right.crt").read_bytes())
    with serving(certificates, says(b"HTTP/1.1 200 OK\r\n\r\n")) as url:
        here = state(url, "https://x.invalid/")

        here.look(tmp_path)

    assert here.found == {url: "works", "https://x.invalid/": "broken"}
    assert "x.invalid" in capsys.readouterr().err


def test_the_citizen_is_told_each_of_them_in_both_languages() -> None:
    view = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
    texts = screen_of(next(m for m in view.machines if m.kind == "kiosk"), view)["texts"]

    for found in ("broken", "silent", "doubtful"):
        assert "petugas" in texts[f"screen_{found}"]["id"]
        assert "staff" in texts[f"screen_{found}"]["en"]
