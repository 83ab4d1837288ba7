"""A mall whose ways out are cut and whose power was gone: it gives and calls numbers, and says no to what it cannot do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from lab import internet, machines, screens

pytestmark = pytest.mark.lab

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
    eventually(lambda: '"away"' in on(KIOSK, "curl -s http://127.0.0.1:8080/state.json"))
    screens.picture(KIOSK)
    time.sleep(3)
    screens.press(KIOSK, "shift+Tab", "Return")  # the queue is all that can be touched
    time.sleep(3)
    screens.press(KIOSK, "Tab", "Tab", "Return")
    eventually(lambda: waiting() == 2)
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
