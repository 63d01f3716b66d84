"""The monthly report (考勤月报): one row per person, loaded for all of them at once."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.attendance.calendar import PLAIN, Calendar
from server.attendance.closing import Adjustment
from server.attendance.months import Month, month_span
from server.attendance.policy import Policy
from server.reports.month import (
    DAYS_BEFORE,
    Bank,
    HoursPeriod,
    MonthDay,
    MonthFacts,
    MonthSummary,
    hours_period,
    summarise,
)
from server.store import calendar_queries, closing_queries, policy_queries, report_queries
from server.store.closing_queries import DecisionRow, RecordId
from server.store.report_queries import BANK, ContractTerm, ReportPerson
from server.store.scope_filter import ALL, Narrow
from shared.clock import WallMs, from_ms, to_ms

Closing: TypeAlias = Literal["open", "closed"]

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One person's month."""

    person: ReportPerson
    summary: MonthSummary
    closing: Closing
    confirmation: str | None
    """asked | confirmed | objected; None when nobody asked."""
    answered_ms: WallMs | None = None


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Everything about the people of a month, by employee."""

    days: Mapping[str, Sequence[MonthDay]]
    calendars: Mapping[str, Calendar]
    periods: Mapping[str, tuple[dt.date, dt.date]]
    adjustments: Mapping[str, Sequence[Adjustment]]
    corrections: Mapping[str, Sequence[WallMs]]
    banks: Mapping[str, Bank]
    bank_types: frozenset[str]


async def month_rows(
    connection: AsyncConnection,
    scope: Scope,
    month: Month,
    narrow: Narrow = ALL,
    *,
    people: Collection[str] | None = None,
) -> list[MonthRow]:
    """Rows of everybody in scope who was employed in the month or has a record in it, by department, name and id.

    ``people`` takes some of them. The number of statements does not grow with the number of people.
    """
    first, last = month_span(month)
    listed = await report_queries.people_of_month(connection, scope, narrow, first, last, people=people)
    loaded = await _load(connection, scope, narrow, month, people=people)
    policies = await policy_queries.policies_for(connection, [person.id for person in listed], last, last)
    closed = month in await closing_queries.closed_months(connection)
    said = await closing_queries.confirmations_of(connection, scope, month, narrow)
    return [
        MonthRow(
            person,
            summarise(month, _facts(person, loaded, policies[person.id].on(last), first)),
            "closed" if closed else "open",
            said[person.id].state if person.id in said else None,
            said[person.id].answered_ms if person.id in said else None,
        )
        for person in listed
    ]


async def _load(
    connection: AsyncConnection,
    scope: Scope,
    narrow: Narrow,
    month: Month,
    *,
    people: Collection[str] | None,
) -> _Loaded:
    first, last = month_span(month)
    terms = await report_queries.comprehensive_terms(connection, scope, narrow, first, last)
    periods = {employee: _period(term, month) for employee, term in terms.items()}
    days = await report_queries.month_days(connection, scope, narrow, first - DAYS_BEFORE * _DAY, last, people=people)
    earliest = min((period[0] for period in periods.values()), default=first)
    if earliest < first - DAYS_BEFORE * _DAY:  # only comprehensive hours look back further
        until = first - (DAYS_BEFORE + 1) * _DAY
        older = await report_queries.month_days(connection, scope, narrow, earliest, until, people=sorted(periods))
        days = {employee: [*older.get(employee, ()), *rows] for employee, rows in days.items()} | {
            employee: rows for employee, rows in older.items() if employee not in days
        }
    decisions = await closing_queries.decisions_between(connection, scope, min(earliest, first), last, narrow)
    types = frozenset(t.id for t in await report_queries.leave_types_known(connection) if t.balance == BANK)
    bank_types = types or frozenset({BANK})
    posted = await closing_queries.adjustments_posted(connection, scope, month, narrow)
    adjustments: dict[str, list[Adjustment]] = {}
    for row in posted:
        told = Adjustment(row.date, row.part, row.posted_to, row.status_from, row.status_to, row.pay)  # type: ignore[arg-type]
        adjustments.setdefault(row.employee, []).append(told)
    around = _midnight(first - _DAY), _midnight(last + 2 * _DAY)
    return _Loaded(
        _with_decisions(days, decisions),
        await calendar_queries.calendars_of_sites(connection),
        periods,
        adjustments,
        await report_queries.correction_instants(connection, scope, narrow, *around),
        await _banks(connection, scope, narrow, month, bank_types),
        bank_types,
    )


async def _banks(
    connection: AsyncConnection, scope: Scope, narrow: Narrow, month: Month, types: frozenset[str]
) -> dict[str, Bank]:
    """The bank at the start of the month, and what came into it beside the month's own records."""
    first, last = month_span(month)
    before = await report_queries.banked_before(connection, scope, narrow, first, types)
    grants = await report_queries.bank_grants(connection, scope, narrow, last, types)
    later = await report_queries.banked_later(connection, scope, narrow, month)
    banks: dict[str, Bank] = {}
    for employee in {*before, *grants, *later}:
        given, told = grants.get(employee, ()), later.get(employee, ())
        banks[employee] = Bank(
            before.get(employee, 0)
            + sum(minutes for from_on, minutes in given if from_on < first)
            + sum(minutes for posted_to, minutes in told if posted_to < month),
            sum(minutes for from_on, minutes in given if from_on >= first)
            + sum(minutes for posted_to, minutes in told if posted_to == month),
        )
    return banks


def _facts(person: ReportPerson, loaded: _Loaded, policy: Policy, first: dt.date) -> MonthFacts:
    days = loaded.days.get(person.id, ())
    zone = ZoneInfo(person.zone)
    month = (first.year, first.month)
    corrected = [from_ms(at_ms).astimezone(zone).date() for at_ms in loaded.corrections.get(person.id, ())]
    return MonthFacts(
        days=[day for day in days if day.record.date >= first],
        earlier=[day for day in days if day.record.date < first],
        calendar=loaded.calendars.get(person.site, PLAIN),
        policy=policy,
        period=loaded.periods.get(person.id),
        adjustments=loaded.adjustments.get(person.id, ()),
        corrections=sum((day.year, day.month) == month for day in corrected),
        bank=loaded.banks.get(person.id, Bank()),
        bank_types=loaded.bank_types,
    )


def _period(term: ContractTerm, month: Month) -> tuple[dt.date, dt.date]:
    """Dates of the calendar period that the contract covers."""
    first, last = hours_period(cast(HoursPeriod, term.period), month)
    return max(first, term.first), min(last, term.last or last)


def _with_decisions(
    days: Mapping[str, Sequence[MonthDay]], decisions: Mapping[RecordId, DecisionRow]
) -> dict[str, list[MonthDay]]:
    if not decisions:
        return {employee: list(rows) for employee, rows in days.items()}
    return {
        employee: [
            replace(day, decision=made.decision)
            if (made := decisions.get((employee, day.record.date, day.record.part))) is not None
            else day
            for day in rows
        ]
        for employee, rows in days.items()
    }


def _midnight(day: dt.date) -> WallMs:
    """Start of a date in UTC; local ones are at most 14 h apart from it."""
    return to_ms(dt.datetime.combine(day, dt.time(), dt.UTC))
