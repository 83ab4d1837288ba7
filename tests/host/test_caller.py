"""An officer's page on the running mall: what an office's PC is told, and a number that is called again in the hall."""

from __future__ import annotations

import json
import time

import pytest

from lab import machines, screens

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
KIOSK, DISPLAY = HOSTS["kiosk-1"], HOSTS["display-1"]
OFFICE = {host.name: host for host in machines.visitors()}["office-1"]


def get(host: machines.Host, path: str) -> dict:
    trust = (screens.state.ROOT / "enrolment/authorities" / f"{machines.SITE}.balai.internal.crt").read_text()
    argv = ("curl", "-s", "-m", "5", "--cacert", "/dev/stdin", screens.SERVER + path)
    return json.loads(machines.inside(host, *argv, stdin=trust).stdout)


def post(host: machines.Host, path: str, **body: object) -> dict:
    return json.loads(screens.post(host, path, json.dumps({**body, "key": f"test-{time.time_ns()}"})))


def test_an_office_s_own_pc_calls_a_number_again_and_the_hall_is_told_which() -> None:
    post(KIOSK, "/api/tickets", office="dukcapil")
    assert 1 in [one["counter"] for one in get(OFFICE, "/api/counters")["counters"]]
    assert get(KIOSK, "/api/counters")["counters"] == []
    called = post(OFFICE, "/api/calls", counter=1)
    time.sleep(2)
    before = screens.picture(DISPLAY)

    assert post(OFFICE, "/api/recalls", counter=1) == called

    deadline = time.monotonic() + 10
    while screens.picture(DISPLAY) == before:
        assert time.monotonic() < deadline, "the hall shows nothing new"
        time.sleep(0.5)
    newest = get(DISPLAY, "/api/board")["calls"][0]
    assert (newest["ticket"], newest["counter"], newest["again"]) == (called["ticket"], 1, 1)
    assert post(KIOSK, "/api/recalls", counter=1) == {"reason": "queue_not_yours"}
