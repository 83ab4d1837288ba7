"""Where things are and whose they are: regions, agencies, the ledger, the calendar, data centres."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from balai import addressing
from balai.models.base import Date, Model, Name, RegionCode, Text, Verification

Zone = Literal["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"]


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


class Calendar(Model):
    """inventories/calendar.yml: days on which no counter opens."""

    note: Text
    holidays: list[Holiday]


class DataCentre(Model):
    """A shared government data centre."""

    name: Name
    title: Text
    index: int = Field(ge=0, le=addressing.LAST_DATA_CENTRE)
    facts: list[Text]
    verification: Verification


class Cluster(Model):
    """
    A Kubernetes cluster in a data centre.

    Attributes:
        registries: Where images may come from.
        parameters: Numbers and lists of the rules that differ from their defaults here.
    """

    name: Name
    data_centre: Name
    kubernetes: Text
    kubeconfig_context: Name
    registries: list[Text] = Field(min_length=1)
    parameters: dict[str, list[str]] = {}
    capacity: dict[Literal["cpu", "memory_gib"], int]

    @property
    def given(self) -> dict[str, list[str]]:
        """The parameters of the rules that this cluster sets."""
        return {**self.parameters, "registries": self.registries}
