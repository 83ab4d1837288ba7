"""A kiosk with a ticket printer: who may print, what is printed, and what a mall is told of it."""

from __future__ import annotations

import http.client
import http.server
import itertools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balai.errors import DataError
from balai.mall.inventory import of_machine
from balai.mall.screens import policies_of, queue_of, screen_of
from balai.onsite import screen
from balai.onsite.queue import Queue
from balai.sites import INVENTORIES, SiteView, load_site
from tests.unit import paper as stand_in
from tests.unit.paper import Paper

SITE = INVENTORIES / "sites/mpp-banyuwangi.yml"
ORIGIN = "https://server-1.mpp-banyuwangi.balai.internal"
VIEW = load_site(SITE)
COUNT = itertools.count()


def key() -> str:
    return f"key-{next(COUNT):08}"


def declared(folder: Path, printers: str = 'kiosk-1: {at: "127.0.0.1:9100"}') -> SiteView:
    path = folder / "mpp-banyuwangi.yml"
    path.write_text(SITE.read_text() + f"printers: {{{printers}}}\n")
    return load_site(path)


def kiosk_of(view: SiteView) -> Any:
    return next(machine for machine in view.machines if machine.name.endswith("kiosk-1"))


class Kiosk:
    """A kiosk's own page with a printer, whose mall's server is a queue without TLS in front."""

    def __init__(self, folder: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queue = Queue({**queue_of(VIEW), "prints": True}, folder / "queue.sqlite")
        self.answers = True

        def number(server: str, trust: object, office: str, key: str) -> dict[str, Any] | None:
            assert server == ORIGIN.removeprefix("https://")
            return self.queue.draw(office, key, time.time()) if self.answers else None

        monkeypatch.setattr(screen, "number", number)
        settings = {**screen_of(kiosk_of(VIEW), VIEW), "printer": {"at": at, "columns": 32}}
        self.tickets = screen.Tickets(settings, folder)
        handler = screen.handler(screen.State(settings), folder, self.tickets)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        monkeypatch.setattr(screen, "ADDRESS", self.server.server_address)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def ask(self, body: Any, method: str = "POST", path: str = "/ticket", **headers: str) -> tuple[int, Any, Any]:
        given = {"Origin": ORIGIN, "Content-Type": "application/json", "Host": f"127.0.0.1:{self.port}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        text = body if isinstance(body, (bytes, str)) else json.dumps(body)
        line.request(method, path, text, {name: value for name, value in given.items() if value})
        answer = line.getresponse()
        said = answer.read()
        line.close()
        return answer.status, json.loads(said) if said[:1] == b"{" else said, answer.headers


@pytest.fixture
def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Kiosk, Paper]]:
    with stand_in.device({}) as paper:
        one = Kiosk(tmp_path, paper.at, monkeypatch)
        yield one, paper
        one.server.shutdown()
        one.server.server_close()


def test_what_is_printed_is_the_number_that_the_queue_keeps_for_the_key(kiosk) -> None:
    one, paper = kiosk
    mine = key()
    drawn = one.queue.draw("dukcapil", mine, time.time())

    code, said, headers = one.ask({"office": "dukcapil", "key": mine, "attempt": 1})

    assert (code, said) == (200, {"outcome": "printed"})
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    time.sleep(0.1)
    assert f"\n{drawn['ticket']}\n".encode() in paper.took.replace(b"\x1d!\x55", b"\n")
    assert one.queue.draw("dukcapil", mine, time.time())["ticket"] == drawn["ticket"], "printing draws no other"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://portal-layanan.balai.internal"}, 403),
        ({"Origin": "http://127.0.0.1:8080"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Host": "server-1.mpp-banyuwangi.balai.internal"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_no_other_page_prints(kiosk, headers: dict[str, str], code: int) -> None:
    one, paper = kiosk

    answer, _, told = one.ask({"office": "dukcapil", "key": key(), "attempt": 1}, **headers)

    assert answer == code
    assert "Access-Control-Allow-Origin" not in told
    assert paper.took == b""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"office": "dukcapil", "key": "short", "attempt": 1}, 400),
        ({"office": "../dukcapil", "key": "key-12345678", "attempt": 1}, 400),
        ({"office": "dukcapil", "key": "key-12345678", "attempt": 4}, 400),
        ({"office": "dukcapil", "key": "key-12345678", "attempt": 0}, 400),
        ({"office": 7, "key": "key-12345678", "attempt": 1}, 400),
        ({"office": "dukcapil", "key": "key-12345678"}, 400),
        ([], 400),
        ("no json", 400),
        ("", 413),
        ("[" * 500, 400),
        ({"office": "dukcapil", "key": "key-12345678", "attempt": 1, "more": "x" * 512}, 413),
    ],
)
def test_what_the_page_never_sends_is_refused(kiosk, body: Any, code: int) -> None:
    one, paper = kiosk

    assert one.ask(body)[0] == code
    assert paper.took == b""


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/"), ("POST", "/ticket/"), ("GET", "/ticket"), ("PUT", "/ticket")]
)
def test_there_is_one_way_to_print(kiosk, method: str, path: str) -> None:
    one, paper = kiosk

    assert one.ask({"office": "dukcapil", "key": key(), "attempt": 1}, method, path)[0] in (404, 501)
    assert paper.took == b""


def test_the_page_of_the_queue_is_told_that_it_may_ask_and_no_other(kiosk) -> None:
    one, _ = kiosk

    code, _, headers = one.ask("", "OPTIONS")
    assert (code, headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert headers["Access-Control-Allow-Methods"] == "POST"
    code, _, headers = one.ask("", "OPTIONS", Origin="https://portal-layanan.balai.internal")
    assert (code, headers["Access-Control-Allow-Origin"]) == (403, None)


@pytest.mark.parametrize(
    ("code", "body", "told"),
    [
        (201, b'{"ticket": "A001"}', {"ticket": "A001"}),
        (409, b'{"reason": "queue_not_today"}', None),
        (201, b"<html>", None),
        (201, b"[]", None),
        (201, b'{"ticket": "' + b"A" * 5000 + b'"}', None),
    ],
)
def test_a_number_is_taken_from_an_answer_of_the_queue_alone(
    monkeypatch: pytest.MonkeyPatch, code: int, body: bytes, told: dict[str, str] | None
) -> None:
    asked: list[Any] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    plain = http.client.HTTPConnection
    monkeypatch.setattr(http.client, "HTTPSConnection", lambda server, timeout, context: plain(server, timeout=timeout))
    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    place = f"127.0.0.1:{server.server_address[1]}"

    assert screen.number(place, None, "dukcapil", "key-12345678") == told  # type: ignore[arg-type]
    assert asked == [("/api/tickets", {"office": "dukcapil", "key": "key-12345678"})]
    server.shutdown()
    server.server_close()
    assert screen.number(place, None, "dukcapil", "key-12345678") is None  # type: ignore[arg-type]


def test_a_queue_that_does_not_answer_prints_nothing_and_says_so(kiosk) -> None:
    one, paper = kiosk
    one.answers = False

    assert one.ask({"office": "dukcapil", "key": key(), "attempt": 1})[1] == {"outcome": "unknown"}
    assert paper.took == b""


def test_the_first_page_answers_while_a_printer_holds_its_thread(kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = kiosk
    monkeypatch.setitem(one.tickets.paper["send"].__globals__, "PATIENCE", 0.5)
    asked = threading.Thread(target=one.ask, args=({"office": "dukcapil", "key": key(), "attempt": 1},))
    with one.tickets.printer.line:  # a driver that never comes back
        asked.start()
        began = time.monotonic()

        assert one.ask("", "GET", "/state.json")[0] == 200
        assert time.monotonic() - began < 0.3
    asked.join(10)


def test_where_no_printer_is_declared_nothing_is_told_of_one() -> None:
    view, kiosk = VIEW, kiosk_of(VIEW)
    told = screen_of(kiosk, view)

    assert view.site.printers == {}
    assert (told["printer"], told["page"]) == ({}, f"{ORIGIN}/antrean/")
    assert "LoopbackNetworkAllowedForUrls" not in policies_of(kiosk, view)
    assert queue_of(view)["prints"] is False
    assert of_machine(kiosk, view)["status_settings"]["printer"] == ""


def test_a_declared_printer_is_its_kiosk_s_alone(tmp_path: Path) -> None:
    view = declared(tmp_path, "kiosk-1: {at: /dev/usb/lp0, columns: 48}")
    first, *others = [machine for machine in view.machines if machine.kind in ("kiosk", "display")]

    assert screen_of(first, view)["printer"] == {"at": "/dev/usb/lp0", "columns": 48}
    assert screen_of(first, view)["page"] == f"{ORIGIN}/antrean/#cetak"
    assert policies_of(first, view)["LoopbackNetworkAllowedForUrls"] == [ORIGIN]
    assert queue_of(view)["prints"] is True
    assert of_machine(first, view)["status_settings"]["printer"] == "/dev/usb/lp0"
    for machine in others:
        assert screen_of(machine, view)["printer"] == {}
        assert "LoopbackNetworkAllowedForUrls" not in policies_of(machine, view)


@pytest.mark.parametrize(
    ("printers", "given", "words"),
    [
        ('kiosk-9: {at: "127.0.0.1:9100"}', "kiosk-9", "kiosk-2"),
        ("display-1: {at: /dev/usb/lp0}", "display-1", "kiosk of the site"),
        ("kiosk-2: {at: /dev/usb/lp0}", "kiosk-2", "antrean"),
        ("kiosk-1: {at: /dev/sda}", "/dev/sda", "lp"),
        ('kiosk-1: {at: "10.64.2.9:9100"}', "10.64.2.9:9100", "9100"),
        ("kiosk-1: {at: /dev/usb/lp0, columns: 33}", "33", "48"),
        ('kiosk-1: {at: /dev/usb/lp0, usb: "04B8:0202"}', "04B8", "usb"),
        ('kiosk-1: {at: "127.0.0.1:9100", usb: "04b8:0202"}', "kiosk-1", "only there"),
    ],
)
def test_a_printer_that_cannot_be_is_refused_with_its_line(
    tmp_path: Path, printers: str, given: str, words: str
) -> None:
    with pytest.raises(DataError) as caught:
        declared(tmp_path, printers)

    (problem,) = caught.value.problems
    assert problem.line
    assert given in f"{problem.key} {problem.given}"
    assert words in str(caught.value)
