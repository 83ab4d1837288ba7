"""Where things are and whose they are: regions, agencies, the ledger, the calendar, data centres."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from balai import addressing
from balai.models.base import Date, Model, Name, RegionCode, Text, Verification

Zone = Literal["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]


def _is_month_day(value: str) -> str:
    try:
        datetime.datetime.strptime(f"2024-{value}", "%Y-%m-%d")  # a year with a 29th of February
    except ValueError:
        raise ValueError("should be a month and a day like 03-31") from None
    return value


MonthDay = Annotated[str, AfterValidator(_is_month_day)]


class Region(Model):
    """One of the 514 regencies and cities, by the Home Ministry's code."""

    code: RegionCode
    name: Text
    province: Text
    type: Literal["kabupaten", "kota"]
    timezone: Zone


class Agency(Model):
    """A body of the closed list: only these can own a site, a tenant or an office."""

    name: Name
    title: Text
    kind: Literal["ministry", "region", "province", "bumn", "bumd", "private"]
    region: RegionCode | None = None


class Agencies(Model):
    """inventories/agencies.yml."""

    agencies: list[Agency]


class LedgerEntry(Model):
    """One line of addresses.csv: a site and the index it has for ever."""

    site: Name
    index: int = Field(ge=0, le=addressing.LAST_MALL)


class Holiday(Model):
    """A national holiday; `recalled` ones close nothing until somebody has read the decree."""

    date: Date
    title: Text
    verification: Verification


class Freeze(Model):
    """
    Days of every year on which nothing that named tenants stand on is changed.

    Attributes:
        first: First day, as month-day.
        last: Last day, as month-day; before `first` when the freeze goes over the new year.
        why: What happens in these days, and where that was read.
    """

    name: Name
    title: Text
    first: MonthDay
    last: MonthDay
    tenants: list[Name] = Field(min_length=1)
    why: Text
    verification: Verification


class Calendar(Model):
    """inventories/calendar.yml: days on which no counter opens, and days on which nothing is changed."""

    note: Text
    holidays: list[Holiday]
    freezes: list[Freeze]
