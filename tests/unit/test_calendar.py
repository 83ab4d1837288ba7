"""Whose counter it is: by weekdays, n-th weekdays, dates and holidays, in the mall's own time, with a clock to trust."""

from __future__ import annotations

import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from balai.errors import DataError
from balai.onsite import calendar
from balai.onsite.uplinks import FALL, RISE, Health
from balai.sites import load_site

WED1, WED2, THU1 = (datetime.date(2026, 12, day) for day in (2, 9, 3))
SETTINGS = {
    "holidays": ["2026-12-16"],
    "assignments": [
        {"counter": 1, "office": "dukcapil", "on": []},
        {"counter": 2, "office": "imigrasi", "on": ["wed#1", "wed#3", "2026-12-10"]},
        {"counter": 2, "office": "pajak", "on": ["thu", "wed#2"]},
    ],
}


@pytest.mark.parametrize(
    ("day", "offices"),
    [
        (WED1, ["dukcapil", "imigrasi"]),
        (WED2, ["dukcapil", "pajak"]),
        (THU1, ["dukcapil", "pajak"]),
        (datetime.date(2026, 12, 10), ["dukcapil", "imigrasi"]),  # a Thursday that was swapped
        (datetime.date(2026, 12, 16), []),  # a third Wednesday that is a holiday
        (datetime.date(2026, 12, 4), ["dukcapil"]),
    ],
)
def test_a_counter_is_its_office_s_of_that_day(day: datetime.date, offices: list[str]) -> None:
    assert calendar.present(SETTINGS, day, trusted=True) == offices


def test_a_date_that_is_written_opens_a_holiday_for_that_office_alone() -> None:
    settings = {**SETTINGS, "holidays": ["2026-12-10"]}

    assert calendar.present(settings, datetime.date(2026, 12, 10), trusted=True) == ["imigrasi"]


def test_a_clock_that_cannot_be_trusted_leaves_only_counters_that_are_one_office_s_alone() -> None:
    assert calendar.present(SETTINGS, WED1, trusted=False) == ["dukcapil"]


@pytest.mark.parametrize(
    ("zone", "utc", "there"),
    [
        ("Asia/Jakarta", "2026-12-02 16:59:59", ["dukcapil", "imigrasi"]),
        ("Asia/Jakarta", "2026-12-02 17:00:00", ["dukcapil", "pajak"]),
        ("Asia/Makassar", "2026-12-02 15:59:59", ["dukcapil", "imigrasi"]),
        ("Asia/Makassar", "2026-12-02 16:00:00", ["dukcapil", "pajak"]),
        ("Asia/Jayapura", "2026-12-02 14:59:59", ["dukcapil", "imigrasi"]),
        ("Asia/Jayapura", "2026-12-02 15:00:00", ["dukcapil", "pajak"]),
    ],
)
def test_the_day_changes_at_midnight_of_the_mall_s_own_time(zone: str, utc: str, there: list[str]) -> None:
    now = datetime.datetime.fromisoformat(utc).replace(tzinfo=datetime.UTC)

    assert calendar.present(SETTINGS, now.astimezone(ZoneInfo(zone)).date(), trusted=True) == there


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ([], [], True),
        ([], ["wed"], True),
        (["wed"], ["wed#3"], True),
        (["wed#5"], ["wed#5"], True),
        (["2026-12-03"], ["2026-12-03"], True),
        (["wed#1"], ["wed#2"], False),
        (["thu"], ["2026-12-03"], False),  # a swap
    ],
)
def test_a_counter_that_two_offices_would_have_at_once_is_found(
    first: list[str], second: list[str], meet: bool
) -> None:
    both = [{"counter": 2, "office": "imigrasi", "on": first}, {"counter": 2, "office": "pajak", "on": second}]

    assert bool(calendar.collisions(both)) == meet


class TestClock:
    def clock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confirmed: bool) -> calendar.Clock:
        monkeypatch.setattr(calendar.Clock, "confirmed_by_server", staticmethod(lambda: confirmed))
        return calendar.Clock("2026-11-16", tmp_path / "stamp")

    def test_one_that_a_server_confirmed_is_trusted_for_fifteen_days_also_after_a_restart(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = datetime.datetime(2026, 12, 2, tzinfo=datetime.UTC).timestamp()
        assert self.clock(tmp_path, monkeypatch, confirmed=True).trusted(now)

        assert self.clock(tmp_path, monkeypatch, confirmed=False).trusted(now + 14 * 86400 + 60)
        assert not self.clock(tmp_path, monkeypatch, confirmed=False).trusted(now + 16 * 86400)

    def test_one_that_went_back_is_not_trusted_even_after_a_restart(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = datetime.datetime(2026, 12, 2, tzinfo=datetime.UTC).timestamp()
        self.clock(tmp_path, monkeypatch, confirmed=True).trusted(now)

        assert not self.clock(tmp_path, monkeypatch, confirmed=False).trusted(now - 3600)
        assert not self.clock(tmp_path, monkeypatch, confirmed=False).trusted(0)

    def test_a_server_puts_right_one_that_once_ran_ahead(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        now = datetime.datetime(2026, 12, 2, tzinfo=datetime.UTC).timestamp()
        assert not self.clock(tmp_path, monkeypatch, confirmed=False).trusted(now + 10 * 365 * 86400)
        assert not self.clock(tmp_path, monkeypatch, confirmed=False).trusted(now)

        assert self.clock(tmp_path, monkeypatch, confirmed=True).trusted(now)

    def test_no_server_makes_a_time_before_the_release_true(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not self.clock(tmp_path, monkeypatch, confirmed=True).trusted(0)


def test_an_uplink_falls_after_three_failures_and_rises_after_five_successes() -> None:
    health = Health()

    fell = [health.learn(False) for _ in range(FALL)]
    rose = [health.learn(True) for _ in range(RISE)]

    assert fell == [False, False, True]
    assert rose == [False, False, False, False, True]
    assert health.up


def site_with(
    tmp_path: Path, root: Path, change: dict, enrolment: dict | None, monkeypatch: pytest.MonkeyPatch
) -> Path:
    data = yaml.safe_load((root / "inventories/sites/mpp-banyuwangi.yml").read_text())
    folder = tmp_path / "enrolment"
    folder.mkdir()
    if enrolment is not None:
        (folder / "mpp-banyuwangi.yml").write_text(yaml.safe_dump(enrolment, sort_keys=False))
    monkeypatch.setenv("BALAI_ENROLMENT", str(folder))
    path = tmp_path / "mpp-banyuwangi.yml"
    path.write_text(yaml.safe_dump({**data, **change}))
    return path


def test_a_calendar_that_gives_a_counter_to_two_offices_is_refused_with_the_day(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [{"counter": 2, "office": "dukcapil", "on": ["wed"]}, {"counter": 2, "office": "imigrasi", "on": ["wed#1"]}]

    with pytest.raises(DataError) as refused:
        load_site(site_with(tmp_path, root, {"assignments": both}, None, monkeypatch))

    (problem,) = refused.value.problems
    assert problem.key == "assignments[1]"
    assert "dukcapil and imigrasi would both have it on 2026-01-07" in problem.bound


def test_machines_of_another_mall_a_strange_office_and_things_given_twice_are_refused_at_once(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pc = {"name": "pc-1", "office": "dukcapil", "number": 2, "mac": "02:00:00:00:00:01", "managed": "network-only"}
    enrolment = {
        "site": "mpp-tuban",
        "machines": [
            pc,
            {**pc, "name": "pc-2", "number": 3},
            {**pc, "name": "pc-3", "mac": "02:00:00:00:00:03"},
            {**pc, "name": "pc-4", "mac": "02:00:00:00:00:04", "number": 5, "office": "dukcapi"},
        ],
    }

    with pytest.raises(DataError) as refused:
        load_site(site_with(tmp_path, root, {}, enrolment, monkeypatch))

    keys = [problem.key for problem in refused.value.problems]
    assert keys == ["site", "machines[1].mac", "machines[2].number", "machines[3].office"]


def test_the_estate_is_refused_for_what_is_written_of_one_machine(balai, tmp_path: Path) -> None:
    wrong = {"name": "pc-1", "office": "dukcapil", "mac": "02-00-00-00-00-01", "managed": "full"}
    (tmp_path / "mpp-banyuwangi.yml").write_text(yaml.safe_dump({"site": "mpp-banyuwangi", "machines": [wrong]}))

    done = balai("validate", BALAI_ENROLMENT=str(tmp_path))

    assert done.returncode == 2
    assert "machines[0].mac" in done.stderr
    assert "Traceback" not in done.stderr
