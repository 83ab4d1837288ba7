"""When a stack may be changed: freezes, windows, versions that are over, and what two people allow before."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balai.estate import Estate, load_estate
from balai.fleet import gates
from balai.fleet.approvals import Approval
from balai.fleet.gates import ends, freezes_on, holds, is_open, next_opening, refusals, skips
from balai.models import Freeze
from balai.models.fleet import DAYS, Window

ESTATE = load_estate()
JAKARTA = ZoneInfo("Asia/Jakarta")
ZONES = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")
ONE_DAY = datetime.timedelta(days=1)
NONE: tuple[Approval, ...] = ()


def freeze(first: str, last: str, *tenants: str) -> Freeze:
    spt = ESTATE.calendar.freezes[0]
    return spt.model_copy(update={"first": first, "last": last, "tenants": list(tenants or ("pajak",))})


def frozen(*freezes: Freeze) -> Estate:
    return replace(ESTATE, calendar=ESTATE.calendar.model_copy(update={"freezes": list(freezes)}))


def with_cluster(estate: Estate = ESTATE, zone: str = "Asia/Jakarta", **changes: Any) -> Estate:
    """The estate whose cluster in Cikarang is another, in a zone."""
    cluster = estate.clusters["cikarang"].model_copy(update=changes)
    place = estate.data_centres["cikarang"].model_copy(update={"timezone": zone})
    return replace(
        estate,
        clusters={**estate.clusters, "cikarang": cluster},
        data_centres={**estate.data_centres, "cikarang": place},
    )


def window(days: str, start: str, hours: int) -> Window:
    return Window.model_validate({"days": days.split(), "start": start, "hours": hours})


def at(text: str, zone: str = "Asia/Jakarta") -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("first", "last", "day", "held"),
    [
        ("03-01", "03-31", "2027-02-28", False),
        ("03-01", "03-31", "2027-03-01", True),
        ("03-01", "03-31", "2027-03-31", True),
        ("03-01", "03-31", "2027-04-01", False),
        ("03-01", "03-31", "2031-03-15", True),
        ("12-20", "01-05", "2026-12-19", False),
        ("12-20", "01-05", "2026-12-20", True),
        ("12-20", "01-05", "2026-12-31", True),
        ("12-20", "01-05", "2027-01-01", True),
        ("12-20", "01-05", "2027-01-05", True),
        ("12-20", "01-05", "2027-01-06", False),
        ("11-27", "11-27", "2026-11-27", True),
        ("11-27", "11-27", "2026-11-28", False),
        ("02-29", "02-29", "2027-02-28", False),
        ("02-29", "02-29", "2027-03-01", False),
        ("02-29", "02-29", "2028-02-29", True),
    ],
)
def test_a_freeze_holds_from_its_first_to_its_last_day_of_every_year(
    first: str, last: str, day: str, held: bool
) -> None:
    assert holds(freeze(first, last), datetime.date.fromisoformat(day)) == held


@pytest.mark.parametrize(
    ("first", "last", "day", "end"),
    [
        ("03-01", "03-31", "2027-03-01", "2027-04-01"),
        ("03-01", "03-31", "2027-03-31", "2027-04-01"),
        ("12-20", "01-05", "2026-12-20", "2027-01-06"),
        ("12-20", "01-05", "2027-01-05", "2027-01-06"),
        ("02-01", "02-29", "2027-02-28", "2027-03-01"),
        ("02-01", "02-28", "2028-02-28", "2028-02-29"),
        ("03-01", "02-28", "2027-05-01", "2028-02-29"),
    ],
)
def test_a_freeze_ends_on_the_first_day_that_it_leaves_free(first: str, last: str, day: str, end: str) -> None:
    assert ends(freeze(first, last), datetime.date.fromisoformat(day)).isoformat() == end


DAYS_OF_YEARS = st.dates(datetime.date(2024, 1, 1), datetime.date(2032, 12, 31))


@settings(max_examples=60, deadline=None)
@given(first=DAYS_OF_YEARS, length=st.integers(0, 360), day=DAYS_OF_YEARS)
def test_a_freeze_holds_on_every_day_before_the_one_on_which_it_ends(
    first: datetime.date, length: int, day: datetime.date
) -> None:
    """The estate refuses one that leaves no day free, so there is always such a day."""
    one = freeze(f"{first:%m-%d}", f"{first + length * ONE_DAY:%m-%d}")

    end = ends(one, day)

    assert not holds(one, end)
    assert all(holds(one, day + n * ONE_DAY) for n in range((end - day).days))


@pytest.mark.parametrize(
    ("now", "refused"),
    [
        ("2027-02-28T16:59:59+00:00", False),
        ("2027-02-28T17:00:00+00:00", True),
        ("2027-02-28T23:59:59+07:00", False),
        ("2027-03-01T00:00:00+07:00", True),
        ("2027-03-01T01:59:59+09:00", False),  # still February in Jakarta
        ("2027-03-31T16:59:59+00:00", True),
        ("2027-03-31T17:00:00+00:00", False),
    ],
)
def test_a_freeze_begins_and_ends_at_midnight_in_jakarta_wherever_the_asker_is(now: str, refused: bool) -> None:
    why = refusals(ESTATE, "tenant.batam.pajak", now=datetime.datetime.fromisoformat(now), approvals=NONE)

    assert bool(why) == refused


@pytest.mark.parametrize(
    ("stack", "held"),
    [
        ("tenant.cikarang.pajak", ["pajak"]),
        ("tenant.batam.identitas", ["identitas"]),
        ("tenant.cikarang.hukum", []),
        ("foundation.cikarang", ["identitas", "pajak"]),
        ("foundation.batam", ["identitas", "pajak"]),
        ("fleet.cikarang", ["identitas", "pajak"]),
        ("fleet.bandung", []),
        ("foundation.bandung", []),
        ("tenant.cikarang.bandung", []),
    ],
)
def test_a_freeze_holds_every_stack_that_its_tenants_stand_on(stack: str, held: list[str]) -> None:
    found = list(freezes_on(ESTATE, stack, datetime.date(2027, 3, 15)))

    assert [names for _, names in found] == ([held] if held else [])


def test_a_cluster_that_its_tenants_are_not_on_is_free() -> None:
    found = freezes_on(frozen(freeze("03-01", "03-31", "hukum")), "fleet.batam", datetime.date(2027, 3, 15))

    assert list(found) == []


def test_who_refuses_says_the_freeze_whom_it_holds_whom_it_would_touch_and_when_it_ends() -> None:
    (said,) = refusals(ESTATE, "foundation.cikarang", now=at("2027-03-15T12:00"), approvals=NONE)

    for words in ("Masa pelaporan SPT tahunan", "identitas, pajak", "8 tenant(s)", "7,700,000", "2027-04-01"):
        assert words in said


def test_each_freeze_is_said() -> None:
    both = frozen(freeze("03-01", "03-31"), freeze("03-10", "04-15", "hukum"))

    first, second = refusals(both, "foundation.cikarang", now=at("2027-03-15T12:00"), approvals=NONE)

    assert "2027-04-01" in first
    assert "2027-04-16" in second


@pytest.mark.parametrize(
    ("days", "start", "hours", "now", "opened"),
    [
        ("sat", "22:00", 6, "2026-11-28T21:59:59", False),  # a Saturday
        ("sat", "22:00", 6, "2026-11-28T22:00:00", True),
        ("sat", "22:00", 6, "2026-11-28T23:59:59", True),
        ("sat", "22:00", 6, "2026-11-29T00:00:00", True),
        ("sat", "22:00", 6, "2026-11-29T03:59:59", True),
        ("sat", "22:00", 6, "2026-11-29T04:00:00", False),
        ("sat", "22:00", 6, "2026-11-29T22:00:00", False),
        ("sun", "23:00", 2, "2026-11-30T00:30:00", True),  # from the end of a week into the next
        ("sun", "23:00", 2, "2026-11-23T00:30:00", True),
        ("mon", "00:00", 1, "2026-11-30T00:00:00", True),
        ("mon", "00:00", 1, "2026-11-29T23:59:59", False),
        ("sat", "12:00", 24, "2026-11-29T11:59:59", True),
        ("sat", "12:00", 24, "2026-11-29T12:00:00", False),
        ("thu", "23:30", 3, "2027-01-01T01:00:00", True),  # from the last day of a year
        (" ".join(DAYS), "00:00", 24, "2026-11-25T17:03:00", True),
    ],
)
def test_a_window_is_open_for_its_hours_also_over_midnight(
    days: str, start: str, hours: int, now: str, opened: bool
) -> None:
    assert is_open(window(days, start, hours), at(now)) == opened


@pytest.mark.parametrize(
    ("windows", "now", "opens"),
    [
        ([("sat", "22:00", 6)], "2026-11-25T10:00", "2026-11-28T22:00"),
        ([("sat", "22:00", 6)], "2026-11-28T21:59", "2026-11-28T22:00"),
        ([("sat", "22:00", 6)], "2026-11-28T22:00", "2026-12-05T22:00"),
        ([("sat", "22:00", 6)], "2026-11-29T05:00", "2026-12-05T22:00"),
        ([("sat", "22:00", 6), ("wed", "01:00", 2)], "2026-11-29T05:00", "2026-12-02T01:00"),
        ([("sat", "22:00", 6), ("mon tue wed", "01:00", 2)], "2026-12-01T01:00", "2026-12-02T01:00"),
        ([("thu", "23:00", 2)], "2026-12-31T23:30", "2027-01-07T23:00"),
    ],
)
def test_the_next_window_is_the_first_of_all_that_opens_later(
    windows: list[tuple[str, str, int]], now: str, opens: str
) -> None:
    cluster = with_cluster(windows=[window(*one) for one in windows]).clusters["cikarang"]

    assert next_opening(cluster, at(now)) == at(opens)


WINDOWS = st.builds(
    lambda days, hour, minute, hours: window(" ".join(days), f"{hour:02}:{minute:02}", hours),
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(1, 24),
)


@settings(max_examples=80, deadline=None)
@given(
    windows=st.lists(WINDOWS, min_size=1, max_size=3),
    now=st.datetimes(datetime.datetime(2026, 1, 1), datetime.datetime(2030, 1, 1)),
    zone=st.sampled_from(ZONES),
)
def test_every_cluster_has_a_window_within_a_week_and_until_then_none_of_its_windows_opens(
    windows: list[Window], now: datetime.datetime, zone: str
) -> None:
    local = now.replace(tzinfo=ZoneInfo(zone), second=0, microsecond=0)
    cluster = with_cluster(windows=windows).clusters["cikarang"]

    opens = next_opening(cluster, local)

    assert datetime.timedelta() < opens - local <= 7 * ONE_DAY
    assert any(is_open(one, opens) for one in windows)
    between = (opens - local) / 7
    closed = [one for one in windows if not is_open(one, local)]
    assert not any(is_open(one, local + n * between) for one in closed for n in range(7))


@pytest.mark.parametrize(("zone", "opens_in_utc"), [("Asia/Jakarta", 15), ("Asia/Makassar", 14), ("Asia/Jayapura", 13)])
def test_a_window_is_the_data_centre_s_own_time_wherever_the_asker_is(zone: str, opens_in_utc: int) -> None:
    estate = with_cluster(zone=zone)
    opens = datetime.datetime(2026, 11, 28, opens_in_utc, tzinfo=datetime.UTC)

    def why(now: datetime.datetime) -> list[str]:
        return refusals(estate, "fleet.cikarang", "cikarang", now=now, approvals=NONE)

    (said,) = why(opens - datetime.timedelta(seconds=1))
    assert f"the next one opens at 2026-11-28 22:00 {zone}" in said
    assert why(opens) == []
    assert why(opens.astimezone(ZoneInfo("Pacific/Auckland"))) == []
    assert why(opens + datetime.timedelta(hours=6, seconds=-1)) == []
    assert len(why(opens + datetime.timedelta(hours=6))) == 1


def test_what_touches_no_machine_waits_for_no_window() -> None:
    assert refusals(ESTATE, "fleet.cikarang", now=at("2026-11-25T12:00"), approvals=NONE) == []
    assert refusals(ESTATE, "foundation.cikarang", now=at("2026-11-25T12:00"), approvals=NONE) == []


def version(name: str, zone: str = "Asia/Jakarta") -> Estate:
    return with_cluster(zone=zone, kubernetes=name, windows=[window(" ".join(DAYS), "00:00", 24)])


@pytest.mark.parametrize(
    ("name", "now", "refused"),
    [
        ("1.35.4", "2027-01-31T23:59:59", False),  # deprecated, and still to be had
        ("1.35.4", "2027-02-01T00:00:00", True),
        ("1.36.2", "2027-02-01T00:00:00", False),
        ("1.37.2", "2026-06-01T00:00:00", False),  # a version is tried before it is supported
    ],
)
def test_machines_are_not_changed_to_a_version_that_is_over(name: str, now: str, refused: bool) -> None:
    why = refusals(version(name), "fleet.cikarang", "cikarang", now=at(now), approvals=NONE)

    assert bool(why) == refused


def test_a_version_that_is_over_is_told_with_those_that_are_supported() -> None:
    (said,) = refusals(version("1.35.4"), "fleet.cikarang", "cikarang", now=at("2027-02-15T12:00"), approvals=NONE)

    assert "Kubernetes 1.35.4 ended on 2027-02-01" in said
    assert said.endswith("choose: 1.37.2.")


def test_a_version_ends_at_midnight_of_the_data_centre() -> None:
    now = datetime.datetime(2027, 1, 31, 16, tzinfo=datetime.UTC)

    west, east = (
        refusals(version("1.35.4", zone), "fleet.cikarang", "cikarang", now=now, approvals=NONE)
        for zone in ("Asia/Jakarta", "Asia/Jayapura")
    )

    assert west == []
    assert len(east) == 1


def test_everything_that_is_in_the_way_is_said_at_once() -> None:
    estate = with_cluster(kubernetes="1.35.4")

    found = refusals(estate, "fleet.cikarang", "cikarang", now=at("2027-03-15T12:00"), approvals=NONE)

    assert [words for words in ("SPT", "in its windows only", "ended on") for said in found if words in said] == [
        "SPT", "in its windows only", "ended on",
    ]  # fmt: skip


def allow(
    *what: str, stack: str = "fleet.cikarang", requested: str = "2027-03-10", expires: str = "2027-03-20"
) -> Approval:
    given = {"id": "a-1", "reason": "for the test", "allows": list(what), "stack": stack}
    return Approval.model_validate({**given, "requested": requested, "expires": expires})


@pytest.mark.parametrize(
    ("approvals", "left"),
    [
        ((), {"SPT", "windows", "ended"}),
        ((allow("freeze"),), {"windows", "ended"}),
        ((allow("window"),), {"SPT", "ended"}),
        ((allow("freeze", "window"),), {"ended"}),
        ((allow("freeze"), allow("window")), {"ended"}),
        ((allow("deletion"),), {"SPT", "windows", "ended"}),
        ((allow("freeze", "window", stack="fleet.batam"),), {"SPT", "windows", "ended"}),
        ((allow("freeze", "window", stack="foundation.cikarang"),), {"SPT", "windows", "ended"}),
        ((allow("freeze", "window", expires="2027-03-14"),), {"SPT", "windows", "ended"}),
        ((allow("freeze", "window", requested="2027-03-16"),), {"SPT", "windows", "ended"}),
    ],
)
def test_two_people_let_through_what_they_name_for_the_stack_and_the_days_that_they_name_and_no_version(
    approvals: tuple[Approval, ...], left: set[str]
) -> None:
    estate = with_cluster(kubernetes="1.35.4")

    found = refusals(estate, "fleet.cikarang", "cikarang", now=at("2027-03-15T12:00"), approvals=approvals)

    assert {words for words in ("SPT", "windows", "ended") if any(words in said for said in found)} == left


def test_an_approval_of_one_tenant_s_stack_allows_no_other() -> None:
    one = (allow("freeze", stack="tenant.cikarang.pajak"),)

    assert refusals(ESTATE, "tenant.cikarang.pajak", now=at("2027-03-15T12:00"), approvals=one) == []
    assert len(refusals(ESTATE, "tenant.batam.pajak", now=at("2027-03-15T12:00"), approvals=one)) == 1


@pytest.mark.parametrize(
    ("old", "new", "skipped"),
    [
        ("v1.35.4", "v1.35.4", False),
        ("v1.35.4", "v1.35.9", False),
        ("v1.35.4", "v1.35.10", False),
        ("v1.35.4", "v1.36.0", False),
        ("v1.35.4", "v1.36.2", False),
        ("v1.9.1", "v1.10.0", False),
        ("v1.35.4", "v1.37.0", True),
        ("v1.35.4", "v1.38.1", True),
        ("v1.36.2", "v1.35.9", True),
        ("v1.36.2", "v1.36.1", True),
        ("v1.10.0", "v1.9.9", True),
        ("1.35.4", "v1.36.2", False),
    ],
)
def test_a_version_goes_up_by_one_minor_at_a_time_and_never_back(old: str, new: str, skipped: bool) -> None:
    assert skips(old, new) == skipped


@settings(max_examples=50, deadline=None)
@given(st.tuples(st.integers(0, 99), st.integers(0, 99)), st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_of_two_versions_only_one_can_follow_the_other(old: tuple[int, int], new: tuple[int, int]) -> None:
    there, back = (skips(f"v1.{a[0]}.{a[1]}", f"v1.{b[0]}.{b[1]}") for a, b in ((old, new), (new, old)))

    assert (there or back) == (old != new)


def test_the_project_s_own_freezes_and_windows_leave_days_for_a_change_of_every_cluster() -> None:
    """Otherwise a cluster could be changed with two people's approval only."""
    year = [datetime.date(2027, 1, 1) + n * ONE_DAY for n in range(365)]
    for cluster in ESTATE.clusters.values():
        stack = f"fleet.{cluster.data_centre}"
        noons = [datetime.datetime.combine(day, datetime.time(23), JAKARTA) for day in year]
        free = [noon for noon in noons if not [*freezes_on(ESTATE, stack, noon.date())]
                and any(gates.is_open(one, noon) for one in cluster.windows)]  # fmt: skip

        assert len(free) >= 12, cluster.name
