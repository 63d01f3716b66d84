"""What the engine is given about the people whose days wait: each kind of fact loaded once for many of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.calendar import PLAIN
from server.attendance.facts import Facts
from server.attendance.policies import Policies
from server.store import attendance_queries, calendar_queries, policy_queries, request_queries
from server.store.attendance_queries import Touched
from shared.clock import WallMs, to_ms

AROUND = timedelta(days=2)
"""How far shifts beyond a date can change it, and twice how far its punches can lie."""
TOGETHER_DAYS = 7
"""Dates of one person this near are loaded together."""

Span: TypeAlias = tuple[date, date]
"""First and last date, both inclusive."""


@dataclass(frozen=True, slots=True)
class Person:
    """Dates of one person that wait, and what is known around them."""

    id: str
    dates: frozenset[date]
    facts: Facts
    zone: ZoneInfo
    policies: Policies


async def facts_of(connection: AsyncConnection, waiting: Sequence[Touched]) -> list[Person]:
    """Facts by person and run of dates; who is no employee is left out."""
    places = await attendance_queries.workplaces(connection, {row.employee for row in waiting})
    known = [row for row in waiting if row.employee in places]
    if not known:
        return []
    first, last = min(row.date for row in known), max(row.date for row in known)
    calendars = await calendar_queries.calendars_of_sites(connection)
    policies = await policy_queries.policies_for(connection, places, first, last)
    whole = _midnight(first - AROUND), _midnight(last + 2 * AROUND)
    absences = await request_queries.absences(connection, places, *whole)
    overtime = await request_queries.overtime_requests(connection, places, *whole)
    corrections = await request_queries.corrections(connection, places, *whole)
    found: list[Person] = []
    for (start, end), people in _by_span(known).items():
        shifts = await attendance_queries.planned(connection, people, start - AROUND, end + AROUND)
        from_ms, to_ms_ = _midnight(start - AROUND), _midnight(end + 2 * AROUND)
        punches = await attendance_queries.punched(connection, people, from_ms, to_ms_)
        for employee, dates in people.items():
            place = places[employee]
            facts = Facts(
                tuple(shifts.get(employee, ())),
                (*punches.get(employee, ()), *corrections.get(employee, ())),
                tuple(absences.get(employee, ())),
                tuple(overtime.get(employee, ())),
                calendars.get(place.site, PLAIN),
            )
            found.append(Person(employee, frozenset(dates), facts, ZoneInfo(place.zone), policies[employee]))
    return found


def _by_span(waiting: Iterable[Touched]) -> dict[Span, dict[str, set[date]]]:
    """Waiting dates by person, under whole weeks that hold them, so that many people share a query."""
    spans: dict[Span, dict[str, set[date]]] = {}
    run: list[Touched] = []
    for row in sorted(waiting, key=lambda row: (row.employee, row.date)):
        if run and (row.employee != run[0].employee or (row.date - run[-1].date).days > TOGETHER_DAYS):
            _add_run(spans, run)
            run = []
        run.append(row)
    if run:
        _add_run(spans, run)
    return spans


def _add_run(spans: dict[Span, dict[str, set[date]]], run: Sequence[Touched]) -> None:
    first, last = run[0].date, run[-1].date
    whole = first - timedelta(days=first.weekday()), last + timedelta(days=6 - last.weekday())
    spans.setdefault(whole, {}).setdefault(run[0].employee, set()).update(row.date for row in run)


def _midnight(day: date) -> WallMs:
    """Start of a date in UTC; local ones are at most 14 h apart from it, which AROUND covers."""
    return to_ms(datetime.combine(day, time(), UTC))
