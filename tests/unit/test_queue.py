"""The queue of a mall: no number twice, none out of turn, none for a stranger."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import socket
import sqlite3
import threading
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from balai.mall.screens import queue_of
from balai.onsite.queue import Queue, RefusedError, handler
from balai.sites import INVENTORIES, load_site

SETTINGS = queue_of(load_site(INVENTORIES / "sites/mpp-banyuwangi.yml"))
JAKARTA = ZoneInfo("Asia/Jakarta")
WEDNESDAY = datetime.datetime(2026, 12, 2, 9, tzinfo=JAKARTA).timestamp()  # the first: counter 2 is immigration's
THURSDAY = WEDNESDAY + 86400


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(SETTINGS, tmp_path / "queue.sqlite")


def addresses() -> tuple[str, str]:
    import ipaddress

    first, second = (SETTINGS["offices"][name]["networks"][0] for name in ("dukcapil", "imigrasi"))
    return str(ipaddress.ip_network(first)[2]), str(ipaddress.ip_network(second)[2])


A, B = addresses()
KIOSK = SETTINGS["kiosks"][0].replace("0/24", "32")


def key() -> str:
    return f"key-{next(COUNT):08}"


COUNT = itertools.count()


def test_numbers_go_up_by_office_and_are_called_in_turn(queue: Queue) -> None:
    drawn = [queue.draw(office, key(), WEDNESDAY)["ticket"] for office in ("dukcapil", "imigrasi", "dukcapil")]
    called = [queue.call(1, key(), A, WEDNESDAY)["ticket"], queue.call(2, key(), B, WEDNESDAY + 1)["ticket"]]

    assert drawn == ["A001", "B001", "A002"]
    assert called == ["A001", "B001"]
    board = queue.board(WEDNESDAY)
    assert [call["ticket"] for call in board["calls"]] == ["B001", "A001"]
    assert {office["name"]: office["waiting"] for office in board["offices"]} == {"dukcapil": 1, "imigrasi": 0}


def test_a_request_that_is_repeated_costs_no_second_number(queue: Queue) -> None:
    mine, call = key(), key()

    assert queue.draw("dukcapil", mine, WEDNESDAY) == queue.draw("dukcapil", mine, WEDNESDAY)
    queue.draw("dukcapil", key(), WEDNESDAY)
    assert queue.call(1, call, A, WEDNESDAY) == queue.call(1, call, A, WEDNESDAY)
    assert queue.board(WEDNESDAY)["offices"][0]["waiting"] == 1


def test_an_office_without_a_counter_today_gives_no_number(queue: Queue) -> None:
    with pytest.raises(RefusedError, match="queue_not_today"):
        queue.draw("imigrasi", key(), THURSDAY)


@pytest.mark.parametrize(("counter", "source"), [(1, B), (2, A), (1, "10.66.0.5"), (9, A)])
def test_only_the_office_of_a_counter_calls_to_it(queue: Queue, counter: int, source: str) -> None:
    for office in ("dukcapil", "imigrasi"):
        queue.draw(office, key(), WEDNESDAY)

    with pytest.raises(RefusedError, match="queue_not_yours"):
        queue.call(counter, key(), source, WEDNESDAY)


def test_an_officer_sees_the_counters_of_the_own_office_and_of_no_other(queue: Queue) -> None:
    for office in ("dukcapil", "imigrasi"):
        queue.draw(office, key(), WEDNESDAY)

    assert [(c["counter"], c["waiting"], c["last"]) for c in queue.desk(A, WEDNESDAY)["counters"]] == [(1, 1, None)]
    assert [c["counter"] for c in queue.desk(B, WEDNESDAY)["counters"]] == [2]
    assert queue.desk(B, THURSDAY)["counters"] == queue.desk(KIOSK, WEDNESDAY)["counters"] == []
    queue.call(1, key(), A, WEDNESDAY)
    assert queue.desk(A, WEDNESDAY)["counters"][0]["last"] == {"ticket": "A001", "again": 0}
    assert "networks" not in json.dumps(queue.desk(A, WEDNESDAY))


def test_a_number_that_nobody_came_for_is_called_again_and_no_other_is(queue: Queue) -> None:
    for _ in range(3):
        queue.draw("dukcapil", key(), WEDNESDAY)
    for later in (1, 2):
        queue.call(1, key(), A, WEDNESDAY + later)
    queue.draw("imigrasi", key(), WEDNESDAY)
    queue.call(2, key(), B, WEDNESDAY + 3)
    assert queue.board(WEDNESDAY)["calls"][0]["ticket"] == "B001"

    for later in (4, 5):
        assert queue.recall(1, key(), A, WEDNESDAY + later) == {"ticket": "A002", "counter": 1}

    first, *others = queue.board(WEDNESDAY)["calls"]
    assert first == {"ticket": "A002", "counter": 1, "at": WEDNESDAY + 5, "again": 2}
    assert [(call["ticket"], call["again"]) for call in others] == [("B001", 0), ("A001", 0)]
    assert queue.desk(A, WEDNESDAY)["counters"][0] | {"title": ""} == {
        "counter": 1,
        "title": "",
        "waiting": 1,
        "last": {"ticket": "A002", "again": 2},
    }
    assert queue.base.execute("SELECT max(called) FROM calls WHERE counter = 1").fetchone() == (WEDNESDAY + 2,), (
        "the wait ended when it was called first"
    )


def test_a_repeated_request_to_call_again_is_one_and_stays_with_its_number(queue: Queue) -> None:
    for _ in range(2):
        queue.draw("dukcapil", key(), WEDNESDAY)
    queue.call(1, key(), A, WEDNESDAY)
    mine = key()

    queue.recall(1, mine, A, WEDNESDAY)
    queue.call(1, key(), A, WEDNESDAY)  # from another computer, before the answer came
    assert queue.recall(1, mine, A, WEDNESDAY)["ticket"] == "A001"

    assert {call["ticket"]: call["again"] for call in queue.board(WEDNESDAY)["calls"]} == {"A001": 1, "A002": 0}


def test_nobody_calls_again_for_another_s_counter_or_what_was_not_called(queue: Queue) -> None:
    queue.draw("dukcapil", key(), WEDNESDAY)

    with pytest.raises(RefusedError, match="queue_not_called"):
        queue.recall(1, key(), A, WEDNESDAY)
    queue.call(1, key(), A, WEDNESDAY)
    with pytest.raises(RefusedError, match="queue_not_yours"):
        queue.recall(1, key(), B, WEDNESDAY)
    with pytest.raises(RefusedError, match="queue_not_called"):
        queue.recall(1, key(), A, THURSDAY)


def test_a_screen_of_the_mall_calls_to_the_counter_it_stands_at_whosever_that_is_today(tmp_path: Path) -> None:
    queue = Queue({**SETTINGS, "callers": {"10.64.2.33": 2}}, tmp_path / "q")
    for office in ("dukcapil", "imigrasi"):
        queue.draw(office, key(), WEDNESDAY)

    assert [c["counter"] for c in queue.desk("10.64.2.33", WEDNESDAY)["counters"]] == [2]
    assert queue.call(2, key(), "10.64.2.33", WEDNESDAY)["ticket"] == "B001"
    with pytest.raises(RefusedError, match="queue_not_yours"):
        queue.call(1, key(), "10.64.2.33", WEDNESDAY)
    with pytest.raises(RefusedError, match="queue_not_yours"):
        queue.call(2, key(), "10.64.2.33", THURSDAY)


def test_nobody_waits(queue: Queue) -> None:
    with pytest.raises(RefusedError, match="queue_empty"):
        queue.call(1, key(), A, WEDNESDAY)


def test_numbers_begin_anew_each_day_and_never_go_back_with_the_clock(queue: Queue) -> None:
    queue.draw("dukcapil", key(), WEDNESDAY)
    assert queue.draw("dukcapil", key(), THURSDAY)["ticket"] == "A001"
    assert queue.draw("dukcapil", key(), 0.0)["ticket"] == "A002", "1970 is the last day that was seen"
    assert queue.draw("dukcapil", key(), WEDNESDAY)["ticket"] == "A003"


def test_what_is_older_than_is_kept_is_gone(queue: Queue) -> None:
    queue.draw("dukcapil", key(), WEDNESDAY)
    queue.call(1, key(), A, WEDNESDAY)
    queue.recall(1, key(), A, WEDNESDAY)
    for month in range(1, 16):
        queue.draw("dukcapil", key(), WEDNESDAY + month * 30 * 86400)

    assert queue.base.execute("SELECT count(*) FROM recalls").fetchone() == (0,)
    (oldest,) = queue.base.execute("SELECT min(day) FROM tickets").fetchone()
    assert oldest > "2026-12-02"
    assert queue.base.execute("SELECT count(*) FROM calls").fetchone() == (0,)


def test_a_clock_that_was_ahead_for_a_moment_freezes_no_day_and_costs_no_history(queue: Queue) -> None:
    queue.draw("dukcapil", key(), WEDNESDAY)
    queue.draw("dukcapil", key(), WEDNESDAY + 10 * 365 * 86400)

    assert queue.day(THURSDAY) == datetime.date(2026, 12, 3)
    assert queue.draw("dukcapil", key(), THURSDAY)["ticket"] == "A001"
    assert queue.base.execute("SELECT count(*) FROM tickets").fetchone() == (3,)


def test_an_office_that_leaves_during_the_day_leaves_the_board_whole(queue: Queue) -> None:
    for office in ("dukcapil", "imigrasi"):
        queue.draw(office, key(), WEDNESDAY)
    queue.call(2, key(), B, WEDNESDAY)
    queue.settings = {
        **SETTINGS,
        "assignments": [a for a in SETTINGS["assignments"] if a["office"] == "dukcapil"],
        "offices": {"dukcapil": SETTINGS["offices"]["dukcapil"]},
    }

    assert queue.board(WEDNESDAY)["calls"] == []


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(["draw", "call", "again", "replay", "repeat", "restart"]), max_size=40))
@example(steps=["draw", "call", "again", "replay", "restart", "replay", "again", "replay"])
def test_whatever_happens_no_number_is_told_twice_and_none_is_lost(steps: list[str], tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("queue") / "q"
    queue = Queue(SETTINGS, path)
    drawn: dict[str, str] = {}
    called: list[str] = []
    again: dict[str, str] = {}
    for step in steps:
        if step == "restart":  # what a killed program leaves is what is on disk
            queue = Queue(SETTINGS, path)
        elif step == "call":
            try:
                called.append(queue.call(1, key(), A, WEDNESDAY)["ticket"])
            except RefusedError:
                assert len(called) == len(drawn)
        elif step == "again" and called:
            mine = key()
            again[mine] = queue.recall(1, mine, A, WEDNESDAY)["ticket"]
            assert again[mine] == called[-1]
        elif step == "replay" and again:
            mine, last = list(again.items())[-1]
            assert queue.recall(1, mine, A, WEDNESDAY)["ticket"] == last
        elif step == "draw":
            mine = key()
            drawn[mine] = queue.draw("dukcapil", mine, WEDNESDAY)["ticket"]
        elif drawn:
            mine = next(iter(drawn))
            assert queue.draw("dukcapil", mine, WEDNESDAY)["ticket"] == drawn[mine]

    assert list(drawn.values()) == [f"A{n:03}" for n in range(1, len(drawn) + 1)]
    assert called == list(drawn.values())[: len(called)]
    times = queue.base.execute("SELECT coalesce(sum(times), 0) FROM recalls").fetchone()
    assert times == (len(again),), "one that is told again is not called again"


def test_many_at_once_get_a_number_each(queue: Queue) -> None:
    told: list[str] = []
    threads = [
        threading.Thread(target=lambda: told.append(queue.draw("dukcapil", key(), WEDNESDAY)["ticket"]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == [f"A{n:03}" for n in range(1, 21)]


@pytest.fixture
def address(queue: Queue):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(queue))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url: str, body: bytes, **headers: str) -> tuple[int, dict]:
    try:
        source = {"X-Forwarded-For": KIOSK, **headers}
        with urllib.request.urlopen(urllib.request.Request(url, body, source)) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/api/tickets", b"", 413),
        ("/api/tickets", b"x" * 5000, 413),
        ("/api/tickets", b"not json", 400),
        ("/api/tickets", b"[]", 400),
        ("/api/tickets", b'{"office": "dukcapil"}', 400),
        ("/api/tickets", b'{"office": "dukcapil", "key": "a b"}', 400),
        ("/api/tickets", b'{"office": "nobody", "key": "12345678"}', 409),
        ("/api/calls", b'{"counter": "x", "key": "12345678"}', 400),
        ("/api/calls", b'{"counter": 1, "key": "12345678"}', 403),
        ("/api/calls", b'{"counter": 1e999, "key": "12345678"}', 400),
        ("/api/calls", b"[" * 4000, 400),
        ("/api/recalls", b'{"counter": 1, "key": "12345678"}', 403),
        ("/api/recalls", b'{"counter": 1, "key": "a b"}', 400),
        ("/api/other", b"{}", 404),
    ],
)
def test_a_wrong_request_is_refused_in_words(address: str, path: str, body: bytes, code: int) -> None:
    got, said = ask(address + path, body)

    assert got == code
    assert said["reason"] in SETTINGS["texts"]


def test_a_full_disk_promises_nothing(address: str, queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    queue.base.execute("PRAGMA max_page_count = 1")  # the database may grow no more, as on a full disk

    codes = {
        ask(address + "/api/tickets", json.dumps({"office": "dukcapil", "key": key()}).encode())[0] for _ in range(200)
    }
    shown = queue.base.execute("SELECT count(*) FROM tickets").fetchone()[0]
    assert 503 in codes or shown == 200
    assert 503 in codes
    assert "full" in capsys.readouterr().err


def test_an_old_database_is_opened_as_it_is(tmp_path: Path) -> None:
    queue = Queue(SETTINGS, tmp_path / "q")
    queue.draw("dukcapil", key(), WEDNESDAY)
    with sqlite3.connect(tmp_path / "q") as base:
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    base.close()
    assert Queue(SETTINGS, tmp_path / "q").draw("dukcapil", key(), WEDNESDAY)["ticket"] == "A002"


def test_the_officer_s_page_asks_which_counters_are_its_own(address: str) -> None:
    def counters(source: str) -> list[int] | str:
        request = urllib.request.Request(address + "/api/counters", headers={"X-Forwarded-For": f"{A}, {source}"})
        try:
            with urllib.request.urlopen(request) as answer:
                return [found["counter"] for found in json.loads(answer.read())["counters"]]
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())["reason"]

    assert (counters(A), counters(KIOSK), counters("nobody")) == ([1], [], "queue_wrong")


def test_only_kiosks_draw(address: str) -> None:
    body = json.dumps({"office": "dukcapil", "key": key()}).encode()

    assert ask(address + "/api/tickets", body, **{"X-Forwarded-For": A}) == (403, {"reason": "queue_not_yours"})


def test_a_body_that_was_not_asked_for_is_never_read_as_a_request(address: str) -> None:
    inner = b"POST /api/calls HTTP/1.1\r\nX-Forwarded-For: " + A.encode() + b"\r\nContent-Length: 2\r\n\r\n{}"
    port = int(address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"GET /api/board HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner)
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while part := line.recv(65536):
                said += part

    assert said.count(b"HTTP/1.") == 1
