"""Security updates of a mall's machines: when each may, in which order, and what says no."""

from __future__ import annotations

import datetime
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balai.errors import DataError
from balai.fleet.gates import holds
from balai.mall.updates import PARTS, WINDOW, stage_of, updates_of, windows
from balai.models import Freeze
from balai.onsite import hours as clocks
from balai.onsite import updates
from balai.sites import INVENTORIES, load_site

SITES = sorted((INVENTORIES / "sites").glob("*.yml"))
HOURS = {"mon-thu": "07:30-15:30", "fri": "07:30-10:30"}
ALMOST_ALWAYS = {"mon-sun": "04:00-23:00"}
SETTINGS = {
    "windows": {
        "install": {"day": "thu", "start": "02:00", "minutes": 45},
        "restart": {"day": "thu", "start": "03:45", "minutes": 15},
    },
    "freezes": [{"title": "SPT", "first": "03-01", "last": "03-31"}],
}


@st.composite
def opening_hours(draw: st.DrawFn) -> dict[str, str]:
    """Hours that a site's file may have: each day leaves a rest."""
    found = {}
    for day in draw(st.sets(st.sampled_from(clocks.WEEKDAYS))):
        first = draw(st.integers(0, clocks.DAY - 2))
        last = draw(st.integers(first + 1, clocks.DAY - 1))
        found[day] = f"{clocks.clock(first)}-{clocks.clock(last)}"
    spans = clocks.openings(found)
    full = [day for n, day in enumerate(clocks.WEEKDAYS) if clocks.rest(spans, n) is None]
    return {day: opening for day, opening in found.items() if day not in full}


def minutes(window: dict) -> tuple[int, int]:
    """Return the minutes of the week that a part of a window has."""
    start = clocks.WEEKDAYS.index(window["day"]) * clocks.DAY + clocks.minute(window["start"])
    return start, start + window["minutes"]


@settings(deadline=None)
@given(opening_hours())
def test_no_window_comes_within_an_hour_of_an_opening(hours: dict[str, str]) -> None:
    for window in windows(hours).values():
        for first, last in clocks.openings(hours):
            assert window.end + 60 <= first or last + 60 <= window.start


@settings(deadline=None)
@given(opening_hours())
def test_every_stage_has_a_window_and_no_two_at_one_time(hours: dict[str, str]) -> None:
    found = list(windows(hours).items())

    assert [stage for stage, _ in found] == ["first", "screens", "server", "router"]
    assert all(before.end <= after.start for (_, before), (_, after) in pairwise(found))


@settings(deadline=None)
@given(opening_hours())
def test_all_parts_of_a_window_lie_in_it_in_their_order(hours: dict[str, str]) -> None:
    for window in windows(hours).values():
        parts = [minutes(window.part(name)) for name in PARTS]
        assert window.start == parts[0][0]
        assert all(before[1] <= after[0] for before, after in pairwise(parts))
        assert parts[-1][1] == window.end == window.start + WINDOW
        assert all(spread < length for _, length, spread in PARTS.values()), "chance stays inside as well"


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_every_machine_has_a_window_and_the_first_stage_is_one_machine(path: Path) -> None:
    view = load_site(path)

    told = {machine.name: updates_of(machine, view) for machine in view.machines}
    stages = [stage_of(machine, view) for machine in view.machines]

    assert [stages.count(stage) for stage in ("first", "server", "router")] == [1, 1, 1]
    assert stage_of(view.machines[0], view) == "router"
    assert len({json.dumps(t["windows"]["fetch"]) for t in told.values()}) == 1, "so that all install the same"
    for one in told.values():
        assert minutes(one["windows"]["fetch"])[1] <= minutes(one["windows"]["install"])[0]
        assert {timer["calendar"].split()[-1] for timer in one["timers"].values()} == {view.timezone}


def test_spares_are_updated_before_those_that_they_stand_in_for(site: Path) -> None:
    site.write_text(site.read_text().replace("size: medium", "devices: {router: 2, server: 2}\nsize: medium"))
    view = load_site(site)

    found = {machine.name.removeprefix("mpp-banyuwangi-"): stage_of(machine, view) for machine in view.machines}

    assert {name: found[name] for name in ("router-1", "router-2", "server-1", "server-2", "kiosk-1", "kiosk-2")} == {
        "router-1": "router",
        "router-2": "screens",
        "server-1": "server",
        "server-2": "screens",
        "kiosk-1": "first",
        "kiosk-2": "screens",
    }


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "mpp-banyuwangi.yml"
    path.write_text((INVENTORIES / "sites/mpp-banyuwangi.yml").read_text())
    return path


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        ('{mon-sun: "03:00-21:00"}', "mon, tue, wed, thu, fri, sat, sun: no 5 hours in a row are left"),
        ('{mon: "15:30-07:30"}', "an opening ends after it begins, on the same day"),
    ],
)
def test_hours_that_leave_no_time_for_work_are_refused(site: Path, hours: str, words: str) -> None:
    site.write_text(site.read_text().replace("hours: unknown", f"hours: {hours}"))

    with pytest.raises(DataError, match=words) as refused:
        load_site(site)

    assert len(refused.value.problems) == 1


def test_windows_follow_the_hours_and_unknown_ones_are_said(site: Path, balai) -> None:
    assert {w.words for w in windows("unknown").values()} == {w.words for w in windows(HOURS).values()}
    assert [w.words for w in windows({"mon-sun": "05:30-18:00", "thu": "00:30-18:45"}).values()] == [
        "tue 01:00-04:00",
        "wed 01:00-04:00",
        "thu 20:00-23:00",
        "fri 01:00-04:00",
    ]
    shown = balai("mall", "show", "mpp-banyuwangi").stdout
    assert "the mall's hours are unknown, so this is a planning default" in " ".join(shown.split())
    assert "fri 01:00-04:00" in shown
    assert not json.loads(balai("mall", "show", "mpp-banyuwangi", "--json").stdout)["hours_known"]


def asked(what: str, when: str, *, confirmed: bool = True, needed: bool = True) -> str:
    now = datetime.datetime.fromisoformat(when)
    return updates.refusal(SETTINGS, what, now, confirmed=confirmed, needed=needed, answers=True)


@pytest.mark.parametrize(
    ("what", "when"),
    [("install", "2026-11-26 02:00"), ("install", "2026-11-26 02:44"), ("restart", "2026-11-26 03:59")],
)
def test_a_machine_works_on_itself_in_its_window(what: str, when: str) -> None:
    assert asked(what, when) == ""


@pytest.mark.parametrize("when", ["2026-11-26 01:59", "2026-11-26 02:45", "2026-11-25 02:10", "2026-11-26 09:00"])
def test_a_timer_that_fires_late_installs_nothing(when: str) -> None:
    assert "outside its window, thu 02:00" in asked("install", when)


def test_a_clock_that_nobody_confirms_is_no_night() -> None:
    assert "no server confirms the clock" in asked("install", "2026-11-26 02:10", confirmed=False)


def test_a_machine_restarts_only_when_something_waits_for_it_and_on_no_day_of_a_freeze() -> None:
    assert asked("restart", "2026-11-26 03:50", needed=False) == "nothing waits for a restart"
    assert "freeze SPT" in asked("restart", "2026-03-26 03:50")
    assert asked("install", "2026-03-26 02:10") == "", "what is installed need not wait"


@settings(deadline=None)
@given(st.dates(), st.dates(), st.dates())
def test_a_mall_and_the_data_centres_mean_the_same_days_by_a_freeze(
    first: datetime.date, last: datetime.date, day: datetime.date
) -> None:
    days = {"first": f"{first:%m-%d}", "last": f"{last:%m-%d}"}
    freeze = Freeze(name="spt", title="SPT", tenants=["pajak"], why="Taxes", verification="recalled", **days)

    assert bool(updates.frozen([{"title": "SPT", **days}], day)) == holds(freeze, day)


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("7f00-7f01 r-xp 00000000 00:1e 33 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", True),
        ("7f00-7f01 r-xp 00000000 00:1e 33 /usr/lib/x86_64-linux-gnu/libssl.so.3", False),
        ("7f00-7f01 rw-s 00000000 00:01 33 /memfd:pulse (deleted)", False),
        ("7f00-7f01 rw-s 00000000 00:01 33 /dev/shm/x (deleted)", False),
    ],
)
def test_a_restart_is_needed_by_what_runs_although_it_was_replaced(tmp_path: Path, line: str, needed: bool) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "12/maps").write_text(f"{line}\n55-56 r--p 00000000 00:00 0 [heap]\n")

    assert updates.restart_needed(tmp_path, tmp_path / "none") is needed
    assert updates.restart_needed(tmp_path, tmp_path / "12"), "and by a kernel"
