"""What a kiosk says outside its mall's opening hours, at a time that is given."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from balai.mall.screens import queue_of, screen_of
from balai.onsite.queue import Queue
from balai.onsite.screen import State
from balai.sites import INVENTORIES, load_site

HOURS = 'hours: {mon-thu: "07:30-15:30", fri: "07:30-10:30"}'


def told(folder: Path, hours: str, **changed: Any) -> dict[str, Any]:
    """Return what the first kiosk of a mall with these hours is told."""
    path = folder / "mpp-banyuwangi.yml"
    text = (INVENTORIES / "sites/mpp-banyuwangi.yml").read_text().replace("hours: unknown", hours)
    path.write_text(text.replace("  - wed#3", '  - wed#3\n  - "2026-11-25"'))
    view = load_site(path)
    (kiosk,) = (machine for machine in view.machines if machine.name.endswith("kiosk-1"))
    return {**screen_of(kiosk, view), **changed}


def opens(settings: dict[str, Any], when: str) -> str:
    now = datetime.datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(settings["timezone"]))
    return State(settings).as_dict(now)["opens"]


@pytest.mark.parametrize(
    ("when", "next_opening"),
    [
        ("2026-11-26 07:29:59", "2026-11-26T07:30"),
        ("2026-11-26 07:30:00", ""),
        ("2026-11-26 15:29:59", ""),
        ("2026-11-26 15:30:00", "2026-11-27T07:30"),
        ("2026-11-27 10:30:00", "2026-11-30T07:30"),
        ("2026-11-29 12:00:00", "2026-11-30T07:30"),
    ],
)
def test_a_mall_is_closed_outside_its_hours_and_says_when_it_opens(
    tmp_path: Path, when: str, next_opening: str
) -> None:
    assert opens(told(tmp_path, HOURS), when) == next_opening


def test_hours_that_nobody_knows_close_nothing(tmp_path: Path) -> None:
    assert opens(told(tmp_path, "hours: unknown"), "2026-11-29 03:00") == ""


def test_a_holiday_is_passed_over(tmp_path: Path) -> None:
    settings = told(tmp_path, HOURS, closed_on=["2026-11-26", "2026-11-27"])

    assert opens(settings, "2026-11-26 09:00") == "2026-11-30T07:30"


def test_a_holiday_that_an_office_was_given_as_a_date_is_none(tmp_path: Path) -> None:
    told(tmp_path, HOURS)
    view = dataclasses.replace(load_site(tmp_path / "mpp-banyuwangi.yml"), holidays=("2026-11-25", "2026-11-26"))
    (kiosk,) = (machine for machine in view.machines if machine.name.endswith("kiosk-1"))

    assert screen_of(kiosk, view)["closed_on"] == ["2026-11-26"]


class TestBoard:
    """What the hall sees of a mall that has closed."""

    @pytest.fixture
    def queue(self, tmp_path: Path) -> Queue:
        told(tmp_path, HOURS)
        return Queue(queue_of(load_site(tmp_path / "mpp-banyuwangi.yml")), tmp_path / "queue.sqlite")

    def at(self, when: str) -> float:
        return datetime.datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Asia/Jakarta")).timestamp()

    def test_it_says_that_the_mall_is_closed_and_when_it_opens(self, queue: Queue) -> None:
        assert queue.board(self.at("2026-11-26 12:00"))["opens"] == ""
        assert queue.board(self.at("2026-11-26 15:30"))["opens"] == "2026-11-27T07:30"

    def test_whoever_is_still_served_sees_calls_and_after_a_while_they_are_gone(self, queue: Queue) -> None:
        network = queue.settings["offices"]["dukcapil"]["networks"][0]
        officer = network.replace("0/27", "2")
        for n in (1, 2):
            queue.draw("dukcapil", f"ticket-{n}", self.at("2026-11-26 15:00"))
        queue.call(1, "call-1-of-2", officer, self.at("2026-11-26 15:01"))

        assert len(queue.board(self.at("2026-11-26 16:30"))["calls"]) == 1, "one waits still"
        queue.call(1, "call-2-of-2", officer, self.at("2026-11-26 16:31"))
        assert len(queue.board(self.at("2026-11-26 16:45"))["calls"]) == 2
        assert queue.board(self.at("2026-11-26 16:47"))["calls"] == []
        assert len(queue.board(self.at("2026-11-26 15:20"))["calls"]) == 2, "an open mall shows them all day"

    def test_unknown_hours_close_nothing(self, tmp_path: Path) -> None:
        queue = Queue(queue_of(load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")), tmp_path / "queue.sqlite")

        assert queue.board(self.at("2026-11-29 03:00"))["opens"] == ""
