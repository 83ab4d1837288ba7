"""The ticket printer of a kiosk: what comes out on paper, and that nothing about it holds anybody up (`paper.py`)."""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from balai.mall.screens import queue_of
from balai.onsite import printer
from balai.onsite.printer import Printer
from balai.onsite.queue import Queue
from balai.sites import INVENTORIES, load_site
from balai.text import catalogue
from tests.unit import paper as stand_in
from tests.unit.paper import Paper

SITE = INVENTORIES / "sites/mpp-banyuwangi.yml"
TEXTS = catalogue("screen_")
NUMBER = {"ticket": "A007", "office": "dukcapil", "title": "Direktorat Kependudukan", "day": "2026-12-02", "ahead": 6}
NEAR_END = 0x0C  # of a roll, in the printer's status of its paper
COUNT = itertools.count()


def key() -> str:
    return f"key-{next(COUNT):08}"


def words(**changed: Any) -> bytes:
    return printer.ticket({**NUMBER, **changed}, "MPP Banyuwangi", 32, TEXTS)


@pytest.fixture
def device() -> Iterator[Callable[..., Paper]]:
    """Stand-ins for printers."""
    with contextlib.ExitStack() as stack:
        yield lambda conditions=None: stack.enter_context(stand_in.device(conditions))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A citizen of little patience."""
    monkeypatch.setattr(printer, "PATIENCE", 0.4)
    monkeypatch.setattr(printer, "ANSWERS", 0.1)
    monkeypatch.setattr(printer, "LONGEST", 1.6)


def test_a_ticket_says_number_office_day_and_how_many_wait_in_indonesian() -> None:
    printed = words()
    text = re.sub(rb"\x1b[@]|\x1ba.|\x1bd.|\x1d!.|\x1dVB.", b"", printed).decode()

    assert [line for line in text.splitlines() if line] == [
        "MPP Banyuwangi",
        "NOMOR ANTREAN",
        "A007",
        "Direktorat Kependudukan",
        "02-12-2026",
        "6 orang menunggu di depan Anda",
        "Simpan sampai nomor dipanggil",
    ]
    assert printed.startswith(printer.START)
    assert printed.endswith(printer.CUT)


@pytest.mark.parametrize("columns", [32, 42, 48])
@pytest.mark.parametrize("ticket", ["A001", "BL999", "A12345"])
def test_every_line_fits_the_paper_and_the_number_is_as_large_as_it_can_be(ticket: str, columns: int) -> None:
    title = "Direktorat Jenderal Kependudukan dan Pencatatan Sipil Kementerian Dalam Negeri"
    printed = printer.ticket({**NUMBER, "ticket": ticket, "title": title}, "MPP", columns, TEXTS)
    ((size, number),) = re.findall(rb"\x1d!([^\x00])(\w+)\n", printed)
    times = (size[0] >> 4) + 1

    assert number.decode() == ticket
    assert times * len(ticket) <= columns < (times + 1) * len(ticket) or times == printer.MOST_WIDE
    assert size[0] >> 4 == size[0] & 0x0F
    assert all(len(line) <= columns + 8 for line in printed.splitlines()), "with at most eight bytes of commands"


def test_nothing_in_a_name_is_a_command_to_the_printer() -> None:
    printed = words(title="Kan\x1bp\x00\x19\x19tor\x10\x14\x01 Ágama\n")

    assert b"Kanp" in printed
    assert b"tor Agama" in printed
    assert b"\x1bp" not in printed
    assert b"\x10" not in printed


@pytest.mark.parametrize("changed", [{"ticket": "A007\x1bp"}, {"ticket": 7}, {"day": "today"}, {"ahead": "many"}])
def test_what_is_no_number_of_the_queue_is_not_printed(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"number|invalid"):
        words(**changed)


def test_a_number_is_printed_once_however_often_it_is_asked_for_and_again_only_as_another_attempt(device) -> None:
    paper, mine = device({}), key()
    one = Printer(paper.at)

    assert [one.print(mine, 1, words()) for _ in range(3)] == ["printed"] * 3
    assert paper.tickets == 1
    assert paper.took == words()
    assert one.print(mine, 2, words()) == "printed"
    assert one.print(key(), 1, words()) == "printed"
    time.sleep(0.2)
    assert paper.tickets == 3


def test_a_printer_that_tells_no_status_prints_all_the_same(device, quick) -> None:
    paper = device(None)

    assert Printer(paper.at).print(key(), 1, words()) == "printed"
    time.sleep(0.1)
    assert paper.tickets == 1


@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        ({printer.PAPER: printer.OUT_OF_PAPER}, "paper"),
        ({printer.PAPER: 0x20}, "paper"),
        ({printer.OFFLINE: printer.ENDED}, "paper"),
        ({printer.OFFLINE: printer.COVER_OPEN}, "paper"),
        ({printer.OFFLINE: printer.ERROR}, "fault"),
        ({printer.PAPER: NEAR_END}, "printed"),
    ],
)
def test_what_a_printer_says_of_itself_is_believed_before_anything_is_printed(device, conditions, outcome) -> None:
    paper = device(conditions)

    assert Printer(paper.at).print(key(), 1, words()) == outcome
    time.sleep(0.1)
    assert paper.tickets == (outcome == "printed")


def test_paper_that_ends_in_the_middle_is_noticed(device) -> None:
    paper = device({})
    before, paper.took = paper.conditions, b""

    class Ends(dict):
        def get(self, which: int, default: int = 0) -> int:
            return printer.OUT_OF_PAPER if paper.took and which == printer.PAPER else default

    paper.conditions = Ends(before)

    assert Printer(paper.at).print(key(), 1, words()) == "paper"


def test_a_printer_that_is_not_there_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for at in (str(tmp_path / "lp0"), f"127.0.0.1:{port}"):
        one = Printer(at)
        began = time.monotonic()

        assert [one.print(key(), 1, words()) for _ in range(3)] == ["away"] * 3
        assert time.monotonic() - began < 1
    assert len(capsys.readouterr().err.splitlines()) == 2, "once for each, and not at every look"


def test_a_printer_that_takes_nothing_is_given_up_and_prints_when_it_is_back(device, quick) -> None:
    paper, one = device({}), None
    one = Printer(paper.at)
    paper.gate.clear()
    long = words() * 400  # more than a line keeps
    began = time.monotonic()

    assert one.print(key(), 1, long) == "stuck"
    assert time.monotonic() - began < 2
    paper.gate.set()
    time.sleep(0.3)
    paper.took = b""
    assert one.print(key(), 1, words()) == "printed"


def test_a_driver_that_never_comes_back_holds_up_nobody(monkeypatch: pytest.MonkeyPatch, quick, tmp_path) -> None:
    never = threading.Event()
    monkeypatch.setattr(printer.os, "open", lambda *_: never.wait() and 0)
    one = Printer("/dev/usb/lp0")
    began = time.monotonic()

    outcomes = [one.print(key(), 1, words()) for _ in range(2)]
    one.look(tmp_path / "printer")

    assert outcomes == ["stuck", "stuck"]
    assert (tmp_path / "printer").read_text() == "stuck"
    assert time.monotonic() - began < 6
    monkeypatch.undo()
    never.set()


def test_what_was_given_up_is_not_printed_when_the_driver_comes_back(device, quick) -> None:
    paper = device({})
    one = Printer(paper.at)
    with one.line:
        outcome = one.print(key(), 1, words())
    time.sleep(0.3)

    assert (outcome, paper.took) == ("stuck", b"")


def test_a_port_prints_as_a_device_does(quick) -> None:
    took = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            way, _ = server.accept()
            with way:
                while told := way.recv(64):
                    if told[:2] == printer.ASK:
                        way.send(b"\x12")
                    else:
                        took.extend(told)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        assert Printer(f"127.0.0.1:{server.getsockname()[1]}").print(key(), 1, words()) == "printed"
        thread.join(2)
    assert words() in bytes(took)


def test_what_the_printer_says_is_written_down_for_the_verdict(device, tmp_path: Path) -> None:
    for conditions, said in (({}, "works"), ({printer.PAPER: 0x60}, "paper"), ({printer.OFFLINE: 0x40}, "fault")):
        paper = device(conditions)
        Printer(paper.at).look(tmp_path / "printer")

        assert (tmp_path / "printer").read_text() == said
        assert paper.took == b"", "looking prints nothing"


PROGRAM = textwrap.dedent(
    """
    import sys, time
    from balai.onsite.printer import Printer
    words = sys.stdin.buffer.read()
    print(Printer(sys.argv[1]).print("key-of-a-citizen", 1, words), flush=True)
    """
)


def test_power_that_is_cut_while_printing_prints_nothing_twice_and_the_number_stays(tmp_path: Path, device) -> None:
    paper = device({})
    queue = Queue(queue_of(load_site(SITE)), tmp_path / "queue.sqlite")
    drawn = queue.draw("dukcapil", "key-of-a-citizen", time.time())["ticket"]
    printing = subprocess.Popen([sys.executable, "-c", PROGRAM, paper.at], stdin=subprocess.PIPE)
    assert printing.stdin
    printing.stdin.write(words() * 400)
    printing.stdin.close()
    deadline = time.monotonic() + 20
    while not paper.took:
        assert time.monotonic() < deadline, "it never begins"
        time.sleep(0.01)
    printing.send_signal(signal.SIGKILL)
    printing.wait()
    time.sleep(0.3)
    cut = paper.tickets

    again = Queue(queue_of(load_site(SITE)), tmp_path / "queue.sqlite")
    one = Printer(paper.at)
    one.look(tmp_path / "printer")

    assert cut < 400, "nothing was cut short"
    assert paper.tickets == cut, "what begins anew prints nothing by itself"
    assert again.draw("dukcapil", "key-of-a-citizen", time.time())["ticket"] == drawn
    assert one.print("key-of-a-citizen", 2, words()) == "printed", "when the citizen asks"
