"""What a kiosk says outside its mall's opening hours, at a time that is given."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from balai.mall.screens import screen_of
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
