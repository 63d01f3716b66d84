"""Days, weeks from Monday and calendar months: the steps of a series."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias

Grain: TypeAlias = Literal["day", "week", "month"]

MOST: dict[Grain, int] = {"day": 92, "week": 53, "month": 24}
"""Steps that one series may have: a quarter of days, a year of weeks, two years of months."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days of one step, both inclusive, where the company is."""

    first: date
    last: date


def span_on(grain: Grain, day: date) -> Span:
    """The step that a day is in."""
    match grain:
        case "day":
            return Span(day, day)
        case "week":
            monday = day - timedelta(days=day.weekday())
            return Span(monday, monday + timedelta(days=6))
        case "month":
            return Span(day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1]))


def after(grain: Grain, span: Span) -> Span:
    """The next step."""
    return span_on(grain, span.last + timedelta(days=1))


def before(grain: Grain, span: Span) -> Span:
    """The step before."""
    return span_on(grain, span.first - timedelta(days=1))


def spans_to(grain: Grain, last: date, number: int) -> list[Span]:
    """So many whole steps, oldest first; the newest ends on ``last`` or before it."""
    at = span_on(grain, last)
    found = [at if at.last <= last else before(grain, at)]
    while len(found) < number:
        found.append(before(grain, found[-1]))
    return found[::-1]
