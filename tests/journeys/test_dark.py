"""A mall whose ways out are cut and whose power was gone: it gives and calls numbers, and says no to what it cannot do."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from lab import gateway, internet, machines, screens

pytestmark = [pytest.mark.lab, pytest.mark.mall]
ASK = "python3 -c \"import sqlite3; print(*sqlite3.connect('/var/lib/private/balai-intake/intake.sqlite').execute('{}').fetchone())\""
LEFT = ASK.format("SELECT count(*) FROM intakes WHERE sealed IS NOT NULL")
WAITS = ASK.format("SELECT name, hex(sealed) FROM intakes WHERE sealed IS NOT NULL")

HOSTS = {host.short: host for host in machines.hosts()}
KIOSK, DISPLAY, SERVER = HOSTS["kiosk-1"], HOSTS["display-1"], HOSTS["server-1"]
OFFICE = {host.name: host for host in machines.visitors()}["office-1"]


def eventually(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(1)


def on(host: machines.Host, script: str) -> str:
    return machines.inside(host, "sh", "-c", script).stdout.strip()


def board() -> dict:
    trust = (screens.state.ROOT / "enrolment/authorities" / f"{machines.SITE}.balai.internal.crt").read_text()
    argv = ("curl", "-s", "-m", "5", "--cacert", "/dev/stdin", f"{screens.SERVER}/api/board")
    said = machines.inside(DISPLAY, *argv, stdin=trust).stdout
    return json.loads(said) if said else {}


def post(host: machines.Host, path: str, **body: object) -> dict:
    return json.loads(screens.post(host, path, json.dumps(body)))


def kiosk() -> dict[str, str]:
    """What the kiosk's own page found: its places by name, and `page` for the queue."""
    said = on(KIOSK, "curl -s http://127.0.0.1:8080/state.json")
    state = json.loads(said) if said else {"places": [], "page": {"state": ""}}
    return {"page": state["page"]["state"], **{place["name"]: place["state"] for place in state["places"]}}


def waiting() -> int:
    return next(office["waiting"] for office in board()["offices"] if office["name"] == "dukcapil")


@pytest.fixture(autouse=True)
def with_ways_out_again() -> Iterator[None]:
    yield
    for line in (1, 2):
        internet.restore(line)


def test_in_the_dark_after_a_power_cut_a_number_is_drawn_at_the_kiosk_called_by_its_counter_and_shown_in_the_hall() -> (
    None
):
    while waiting():  # whoever still waits is called first
        post(OFFICE, "/api/calls", counter=1, key=f"test-{time.time_ns()}")
    drawn = post(KIOSK, "/api/tickets", office="dukcapil", key=f"test-{time.time_ns()}")["ticket"]
    for line in (1, 2):
        internet.cut(line)
    machines.power_cut()

    eventually(lambda: board().get("offices"), 120)
    assert waiting() == 1, "the number that was told before the power went is gone"
    eventually(lambda: kiosk().get("page") == "works" and kiosk().get("portal-layanan/web") == "away", 90)
    time.sleep(5)  # the page asks every two seconds
    for _ in range(5):  # a page that is drawn anew at this moment takes no key
        screens.home(KIOSK)
        time.sleep(3)
        screens.press(KIOSK, "shift+Tab", "shift+Tab", "Return")  # what can be touched: the queue, and complaints
        time.sleep(3)
        screens.press(KIOSK, "Tab", "Tab", "Return")
        time.sleep(3)
        if waiting() > 1:
            break
    assert waiting() > 1
    before = screens.picture(DISPLAY)
    called = [post(OFFICE, "/api/calls", counter=1, key=f"test-{n}-{time.time_ns()}")["ticket"] for n in (1, 2)]

    assert called == [drawn, f"A{int(drawn[1:]) + 1:03}"]
    eventually(lambda: screens.picture(DISPLAY) != before)
    assert [call["ticket"] for call in board()["calls"][:2]] == called[::-1]


def test_in_the_dark_the_civil_registry_says_no_at_once_and_nothing_of_the_citizen_is_kept() -> None:
    for line in (1, 2):
        internet.cut(line)
    secret = f"nik-{time.time_ns()}"
    began = time.monotonic()
    done = machines.inside(OFFICE, "curl", "-sS", "-m", "20", "-d", secret, "https://kependudukan.balai.internal/")

    assert done.returncode != 0
    assert time.monotonic() - began < 10, "it waits for what does not come"
    for host in HOSTS.values():
        assert on(host, f"grep -rl {secret} /var /etc /run /tmp 2>/dev/null") == ""


def test_a_queue_that_is_killed_at_any_moment_gives_no_number_twice() -> None:
    key = "kill-{}-{}"
    told = []
    for n in range(12):
        mine = key.format(n, time.time_ns())
        if n % 3 == 0:
            on(SERVER, "systemctl kill -s KILL balai-queue")
        if n % 4 == 0:
            on(SERVER, "systemctl kill -s KILL caddy")
        for _ in range(40):  # as the page does: the same key until there is an answer
            try:
                told.append(post(KIOSK, "/api/tickets", office="dukcapil", key=mine)["ticket"])
                break
            except (ValueError, KeyError):
                time.sleep(0.5)

    assert len(told) == 12
    assert len(set(told)) == 12
    assert sorted(told) == told


def test_a_stranger_s_counter_cannot_call() -> None:
    assert post(KIOSK, "/api/calls", counter=1, key=f"test-{time.time_ns()}") == {"reason": "queue_not_yours"}


class TestIntake:
    """What citizens hand in: kept once, sealed, sent on once and in order, whatever is killed on the way."""

    WORDS = "Jalan di depan rumah saya berlubang"

    def hand_in(self, key: str, words: str = WORDS) -> dict:
        body = {"service": gateway.INTAKE, "key": key, "words": {"name": "Warga", "contact": "-", "words": words}}
        for _ in range(60):  # as the page does: the same key until there is an answer
            try:
                return post(KIOSK, "/api/intake", **body)
            except ValueError:
                time.sleep(0.5)
        raise AssertionError("no answer")

    def stored(self) -> list[tuple[str, bytes]]:
        if not gateway.RECEIVED.exists():
            return []
        with contextlib.closing(sqlite3.connect(gateway.RECEIVED)) as base:
            return base.execute("SELECT key, body FROM stored ORDER BY n").fetchall()

    def opened(self, sealed: bytes) -> dict:
        argv = ["age", "-d", "-i", str(gateway.IDENTITY)]
        return json.loads(subprocess.run(argv, input=sealed, capture_output=True, check=True).stdout)

    def test_what_is_handed_in_while_dark_is_sealed_kept_once_and_sent_on_once_in_order(self) -> None:
        keys = [f"dark-{n:02}-{time.time_ns()}" for n in range(6)]
        before = len(self.stored())
        for line in (1, 2):
            internet.cut(line)
        receipts = []
        for n, key in enumerate(keys):
            receipts.append(self.hand_in(key, f"{self.WORDS} {n}"))
            if n == 2:
                on(SERVER, "systemctl kill -s KILL balai-intake")
            if n == 3:
                machines.power_cut("server-1")
        assert self.hand_in(keys[0]) == receipts[0], "asked twice, it is the same one"
        assert on(SERVER, f"grep -rl '{self.WORDS}' /var /run /tmp /etc 2>/dev/null") == "", "it lies there in the open"
        assert len(self.stored()) == before

        for line in (1, 2):
            internet.restore(line)
        for _ in range(4):  # it is killed while it sends
            time.sleep(1.5)
            on(SERVER, "systemctl kill -s KILL balai-intake")
        eventually(lambda: len(self.stored()) >= before + len(keys), 150)

        mine = [self.opened(sealed)["words"]["words"] for _, sealed in self.stored()[before:]]
        assert mine == [f"{self.WORDS} {n}" for n in range(6)]
        eventually(lambda: on(SERVER, LEFT) == "0")

    def test_an_answer_of_the_tenant_that_is_lost_is_asked_for_again_and_stored_once(self) -> None:
        key = f"lost-{time.time_ns()}-x"
        for line in (1, 2):
            internet.cut(line)
        self.hand_in(key)
        name, sealed = on(SERVER, WAITS).split()
        with contextlib.closing(sqlite3.connect(gateway.RECEIVED)) as base, base:  # it had come, and its answer had not
            base.execute("INSERT INTO stored (key, body, at) VALUES (?, ?, 0)", (name, bytes.fromhex(sealed)))
        before = len(self.stored())
        for line in (1, 2):
            internet.restore(line)

        eventually(lambda: on(SERVER, LEFT) == "0", 120)
        assert len(self.stored()) == before
