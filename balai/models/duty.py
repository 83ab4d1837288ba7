"""Grounds of a mall's reports: what it asks its citizens, attests of its building, and has counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from balai.models.base import Date, Model, Name, Text, Verification
from balai.models.screen import Words

ELEMENTS, STEPS = 9, 4  # of the survey
Four = Annotated[list[Words], Field(min_length=STEPS, max_length=STEPS)]
Count = Annotated[int, Field(ge=0)]
Period = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}(-(0[1-9]|1[0-2]))?$")]
When = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])(-[0-3][0-9])?$")]


class Element(Model):
    """One element of the satisfaction survey: its question, and four answers, the worst first."""

    name: Name
    title: Words
    title_en: Words
    question: Text
    question_en: Text
    answers: Four
    answers_en: Four


class Satisfaction(Model):
    """inventories/satisfaction.yml: what is asked, and how surely it is what the regulation has."""

    basis: Text
    verification: Verification
    elements: list[Element] = Field(min_length=ELEMENTS, max_length=ELEMENTS)

    @model_validator(mode="after")
    def _each_once(self) -> Satisfaction:
        _once(element.name for element in self.elements)
        return self


class Facility(Model):
    """Something that a mall has or has not, and where it was read that it should."""

    name: Name
    title: Words
    title_en: Words
    verification: Verification
    source: Text | None = None


class Facilities(Model):
    """inventories/facilities.yml: the closed list of what a site's file attests."""

    note: Text
    facilities: list[Facility] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Facilities:
        _once(facility.name for facility in self.facilities)
        return self


class Reports(Model):
    """inventories/reports.yml: the smallest number of people that a mall's reports tell, and why it is that one."""

    basis: Text
    fewest: int = Field(ge=2, le=100)


def _once(names: Iterable[str]) -> None:
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"names that stand twice: {', '.join(twice)}")


class Waiting(Model):
    """How long people waited, in seconds; of those who were called."""

    measured: int = Field(ge=1)
    median: Count
    p90: Count


class Row(Model):
    """
    What was counted of one office, or of the mall as a whole (null), on a day, in a month or in the whole period.

    Attributes:
        answers: By element of the survey: how often each of the four answers was given, the worst first.
    """

    office: Name | None
    drawn: Count
    called: Count
    waiting: Waiting | None
    answers: dict[Name, Annotated[list[Count], Field(min_length=STEPS, max_length=STEPS)]]

    @model_validator(mode="after")
    def _adds_up(self) -> Row:
        if self.called > self.drawn:
            raise ValueError("more numbers were called than drawn")
        if len({sum(steps) for steps in self.answers.values()}) > 1:
            raise ValueError("each citizen answers all elements, but one has more answers than another")
        return self


class Counted(Row):
    """The same, with its day or month."""

    when: When


class Complaints(Model):
    """Complaints handed in on a day or in a month, and how many of these had been sent on when it was counted."""

    when: When
    service: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]+/[a-z][a-z0-9-]+$")]
    handed_in: Count
    sent: Count

    @model_validator(mode="after")
    def _adds_up(self) -> Complaints:
        if self.sent > self.handed_in:
            raise ValueError("more were sent on than handed in")
        return self


class Counts(Model):
    """
    What `balai.onsite.counts` prints of a mall; no line of it is about a person.

    Attributes:
        counted: The mall's day on which it was counted.
        since: First day that the queue or the survey knows of; null when it knows of none.
        totals: Each office once, and the mall as a whole (null).
        complaints: null when the mall has no intake.
    """

    format: Literal["balai-counts-1"]
    site: Name
    period: Period
    counted: Date
    since: Date | None
    rows: list[Counted]
    totals: list[Row]
    complaints: list[Complaints] | None


class Attestation(Model):
    """Somebody has looked whether a mall has a facility, and when."""

    present: bool
    date: Date
    by: Text
