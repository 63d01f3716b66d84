"""Records and punches that need a person: found with their reasons, and dealt with in bulk."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.assign import local_date
from server.attendance.closing import stands
from server.attendance.exceptions import Action, Kind, Limits, kinds_of, suggested
from server.attendance.months import Month, month_of
from server.attendance.policy import DEFAULT
from server.attendance.touch import touched_dates
from server.services.act import Act
from server.store import (
    attendance_queries,
    change_queries,
    checklist_queries,
    closing_queries,
    exception_queries,
    log_queries,
    page_queries,
)
from server.store.closing_queries import DecisionRow
from server.store.database import Database
from server.store.exception_queries import ExceptionRow, HeldDecision, HeldRow, QuestionRow
from server.store.scope_filter import ALL, Narrow
from shared.clock import WallMs, to_ms
from shared.errors import DataError
from shared.punch import Flag

MOST_DAYS = 62
"""Longest span of one question: two months."""
MOST = 1_000
"""Punches or days of one bulk action."""
FUTURE_MS = DEFAULT.clock.future_tol_s * 1_000
LIMITS = Limits()
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Question:
    """What the viewer wants to see: dates inclusive, and inside the scope."""

    first: date
    last: date
    narrow: Narrow = ALL
    limits: Limits = LIMITS
    undecided: bool = False
    """Leave out records with a decision that stands."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something that needs a person; ``row`` is a record or a held punch."""

    kinds: tuple[Kind, ...]
    row: ExceptionRow | HeldRow
    date: date
    action: Action
    decision: DecisionRow | None = None
    """One that stands."""
    question: QuestionRow | None = None
    requested: bool = False
    """A request that touches the date waits for its approver."""
    closed: bool = False
    """The month is closed: nothing can be decided any more, a correction becomes an adjustment."""


async def find(connection: AsyncConnection, scope: Scope, question: Question) -> list[Found]:
    """Everything in the span that needs somebody, newest date first. DataError ``bad_span``."""
    first, last = question.first, question.last
    if not timedelta() <= last - first < timedelta(days=MOST_DAYS):
        raise DataError(f"{first} to {last}: choose at most {MOST_DAYS} days, the first one first", "bad_span")
    around = _utc(first - _DAY), _utc(last + 2 * _DAY)
    made = await closing_queries.decisions_between(connection, scope, first, last, question.narrow)
    asked = await exception_queries.questions_between(connection, scope, first, last)
    waiting = await checklist_queries.people_with_open_requests(connection, scope, *around)
    closed = await closing_queries.closed_months(connection)
    found = []
    rows = await exception_queries.exception_rows(
        connection, scope, first, last, question.narrow, limits=question.limits
    )
    for row in rows:
        if kinds := kinds_of(row.record.status, row.record.minutes, row.record.flags, question.limits):
            one = _record(row, kinds, made, asked, waiting)
            if one.decision is None or not question.undecided:
                found.append(_closed(one, closed))
    held = await exception_queries.held_rows(connection, scope, *around, question.narrow)
    found += [_closed(_held(row, asked), closed) for row in held if _of_span(row, first, last)]
    return sorted(found, key=lambda one: one.date, reverse=True)


def counts(found: Collection[Found]) -> dict[Kind, int]:
    """How many there are of each kind; a record of two kinds counts twice."""
    return dict(Counter(kind for one in found for kind in one.kinds))


# --- acting ---------------------------------------------------------------------------------------------------------


async def decide_held(db: Database, act: Act, punches: Mapping[int, WallMs | None], note: str, *, release: bool) -> int:
    """Release held punches, each at the time given (None: the suggested one), or dismiss them; how many.

    DataError ``note_missing``; ``no_time`` for a punch whose time nobody can suggest; ``in_future`` for a time after it
    was received; ``already_decided``. NotFoundError for one beyond the scope. A punch of a closed month is released,
    too: like one that came late it becomes an adjustment.
    """
    if not note.strip():
        raise DataError("say why, for the person concerned and for the log", "note_missing")
    if len(punches) > MOST:
        raise DataError(f"{len(punches)} punches; at most {MOST} at once", "too_many")
    async with db.writing() as connection:
        await closing_queries.hold_closed_months(connection)
        rows = await exception_queries.held_by_id(connection, act.scope, punches)
        if missing := set(punches) - set(rows):
            raise NotFoundError(f"punch {min(missing)} is not held any more, or not in scope")
        decisions = [
            HeldDecision(punch, rows[punch].held, _time_of(rows[punch], at_ms) if release else None)
            for punch, at_ms in sorted(punches.items())
        ]
        await exception_queries.decide_held(connection, decisions, actor=act.login, note=note.strip(), at_ms=act.at_ms)
        touched = {(rows[one.punch].employee, day) for one in decisions for day in _touched(rows[one.punch], one)}
        await attendance_queries.touch_days(connection, touched)
        people = sorted({row.employee for row in rows.values()})
        action = "punch.release" if release else "punch.dismiss"
        first = str(min(punches))
        entry = act.entry(action, first, punches=len(punches), people=people[:50], note=note.strip())
        await log_queries.append(connection, entry)
        topics = {f"employee:{employee}" for employee in people} | {f"month:{day:%Y-%m}" for _, day in touched}
        await change_queries.note_changes(connection, topics, act.at_ms)
    return len(decisions)


async def ask(db: Database, act: Act, days: Collection[tuple[str, date]], note: str) -> int:
    """Ask the employees what happened on these days; how many were asked. They see it on their pages.

    DataError ``note_missing``, ``nothing_chosen`` or ``too_many``; NotFoundError for a person beyond the scope.
    """
    if not note.strip():
        raise DataError("say what you want to know", "note_missing")
    if not 0 < len(days) <= MOST:
        raise DataError(f"{len(days)} days; from 1 to {MOST} at once", "too_many" if days else "nothing_chosen")
    people = sorted({employee for employee, _ in days})
    async with db.writing() as connection:
        for employee in people:
            if await page_queries.person(connection, act.scope, employee) is None:
                raise NotFoundError(f"employee {employee!r} is not in scope")
        rows = [QuestionRow(employee, day, note.strip(), act.login, act.at_ms) for employee, day in sorted(set(days))]
        await exception_queries.put_questions(connection, rows)
        entry = act.entry("exception.ask", people[0], days=len(rows), people=people[:50], note=note.strip())
        await log_queries.append(connection, entry)
        topics = {f"employee:{employee}" for employee in people} | {f"month:{row.date:%Y-%m}" for row in rows}
        await change_queries.note_changes(connection, topics, act.at_ms)
    return len(rows)


def suggested_ms(row: HeldRow) -> WallMs | None:
    """When a held punch probably happened: by the drift that was read, or when it came, if it came at once."""
    if row.drift_ms is not None and (by_drift := row.at_ms - row.drift_ms) <= row.received_ms + FUTURE_MS:
        return by_drift
    return row.received_ms if row.flags & Flag.REALTIME else None


# --- parts ----------------------------------------------------------------------------------------------------------


def _record(
    row: ExceptionRow,
    kinds: tuple[Kind, ...],
    made: Mapping[tuple[str, date, int], DecisionRow],
    asked: Mapping[tuple[str, date], QuestionRow],
    waiting: Mapping[str, Sequence[tuple[WallMs, WallMs]]],
) -> Found:
    record = row.record
    decision = made.get((row.employee, record.date, record.part))
    decision = decision if decision and stands(decision.decision, record) else None
    question = asked.get((row.employee, record.date))
    zone = ZoneInfo(row.zone)
    spans = waiting.get(row.employee, ())
    requested = any(local_date(a, zone) <= record.date <= local_date(b, zone) for a, b in spans)
    action = suggested(
        kinds[0],
        pending=record.minutes.pending,
        decided=decision is not None,
        asked=question is not None,
        requested=requested,
    )
    return Found(kinds, row, record.date, action, decision, question, requested)


def _held(row: HeldRow, asked: Mapping[tuple[str, date], QuestionRow]) -> Found:
    day = _claimed(row)
    return Found(("held",), row, day, "release", question=asked.get((row.employee, day)))


def _closed(one: Found, closed: Mapping[Month, WallMs]) -> Found:
    return replace(one, closed=month_of(one.date) in closed)


def _claimed(row: HeldRow) -> date:
    """The local date of a held punch: by its likely time, by what it claims if that is near, by when it came."""
    likely = suggested_ms(row)
    at_ms = likely if likely is not None else row.at_ms
    if abs(at_ms - row.received_ms) > MOST_DAYS * 86_400_000:
        at_ms = row.received_ms
    return local_date(at_ms, ZoneInfo(row.zone))


def _of_span(row: HeldRow, first: date, last: date) -> bool:
    return first <= _claimed(row) <= last


def _time_of(row: HeldRow, at_ms: WallMs | None) -> WallMs:
    chosen = suggested_ms(row) if at_ms is None else at_ms
    if chosen is None:
        raise DataError(f"punch {row.punch}: nobody can tell when it was; give its time or dismiss it", "no_time")
    if chosen > row.received_ms + FUTURE_MS:
        raise DataError(f"punch {row.punch}: it can not be later than it was received", "in_future")
    return chosen


def _touched(row: HeldRow, decision: HeldDecision) -> set[date]:
    """Days that showed it as held, and those on which it counts now."""
    zone = ZoneInfo(row.zone)
    moments = [row.at_ms] if decision.true_ms is None else [row.at_ms, decision.true_ms]
    near = [at_ms for at_ms in moments if abs(at_ms - row.received_ms) <= 400 * 86_400_000]
    return {day for at_ms in near for day in touched_dates(at_ms, zone)}


def _utc(day: date) -> WallMs:
    return to_ms(datetime.combine(day, time(), UTC))
