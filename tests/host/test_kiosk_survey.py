"""The satisfaction survey on a real kiosk, without a way out: answered by keys, kept once, counted, and reported."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lab import internet, machines, screens

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
KIOSK, SERVER = HOSTS["kiosk-1"], HOSTS["server-1"]
OFFICE = {host.name: host for host in machines.visitors()}["office-1"]
ELEMENTS = [element.name for element in machines.site().satisfaction.elements]
STEPS = [1, 2, 3, 4, 1, 2, 3, 4, 1]
GIVEN = json.dumps(dict(zip(ELEMENTS, STEPS, strict=True)), sort_keys=True)


def on(host: machines.Host, script: str) -> str:
    return machines.inside(host, "sh", "-c", script).stdout.strip()


def eventually(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(1)


def kept(which: str = "") -> int:
    program = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())"
    argv = (
        "python3",
        "-c",
        program,
        "/var/lib/private/balai-queue/queue.sqlite",
        f"SELECT count(*) FROM answers{which}",
    )
    return int(machines.inside(SERVER, *argv).stdout)


def post(host: machines.Host, key: str, answers: dict[str, int]) -> dict:
    return json.loads(
        screens.post(host, "/api/satisfaction", json.dumps({"office": "", "key": key, "answers": answers}))
    )


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each begins with a new session, and ends with ways out."""
    machines.inside(SERVER, "systemctl", "start", "balai-queue", "caddy")
    machines.inside(KIOSK, "systemctl", "restart", "balai-screen", "kiosk")
    eventually(
        lambda: (
            json.loads(on(KIOSK, "curl -s http://127.0.0.1:8080/state.json") or '{"page": {}}')["page"].get("state")
            == "works"
        )
    )
    yield
    for line in (1, 2):
        internet.restore(line)


def test_in_the_dark_a_citizen_answers_by_keys_and_it_is_kept_once_counted_and_reported(balai, tmp_path: Path) -> None:
    for line in (1, 2):
        internet.cut(line)
    before, same = kept(), kept(f" WHERE office = '' AND given = '{GIVEN}'")
    for _ in range(5):  # a page that is drawn anew at this moment takes no key
        screens.home(KIOSK)
        time.sleep(4)
        screens.press(KIOSK, "Tab", "Tab", "Tab", "Tab", "Return")  # three of the head, then the queue
        time.sleep(4)
        screens.press(KIOSK, "shift+Tab", "Return")  # what stands last on its page
        time.sleep(4)
        screens.press(KIOSK, "Tab", "Tab", "Tab", "Tab", "Return")  # three of the head, then the mall as a whole
        for step in STEPS:
            time.sleep(0.5)
            screens.press(KIOSK, *["Tab"] * step, "Return")  # each question begins before its first answer
        time.sleep(2)
        if kept() > before:
            break

    assert kept() == before + 1
    assert kept(f" WHERE office = '' AND given = '{GIVEN}'") == same + 1, "other answers than were given"
    month = f"{datetime.datetime.now(ZoneInfo(machines.site().timezone)):%Y-%m}"
    counts = tmp_path / "counts.json"
    counts.write_text(on(SERVER, f"python3 -I /usr/local/lib/balai/counts.py {month}"))
    done = balai("mall", "report", machines.SITE, "--month", month, "--counts", str(counts), "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert json.loads(counts.read_text())["totals"][0]["answers"]["cost"][3] >= 1
    assert "Satisfaction index" in done.stdout


def test_answers_that_are_sent_while_the_queue_is_killed_count_once() -> None:
    before = kept()
    for n in range(6):
        key = f"kill-{n}-{time.time_ns()}"
        for again in range(40):  # as the page does: the same key until there is an answer
            if again == 0:
                on(SERVER, "systemctl kill -s KILL balai-queue")
            try:
                if post(KIOSK, key, dict.fromkeys(ELEMENTS, 3)) == {"kept": True}:
                    break
            except ValueError:
                time.sleep(0.5)
        assert post(KIOSK, key, dict.fromkeys(ELEMENTS, 1)) == {"kept": True}, "asked twice, it is kept already"

    assert kept() == before + 6


def test_only_a_kiosk_answers() -> None:
    before = kept()
    # A router that was just started lets offices in once a server has confirmed its clock.
    eventually(lambda: "reason" in screens.post(OFFICE, "/api/satisfaction", "{}"), 150)

    assert post(OFFICE, f"test-{time.time_ns()}", dict.fromkeys(ELEMENTS, 4)) == {"reason": "queue_not_yours"}
    assert kept() == before
