"""What pay and reports make of pending minutes (AR-35): by default, record by record, taken back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.attendance.closing import Decision, default_decision, manual_decision, refuse_closed, running, stands
from server.attendance.months import Month, month_of, month_span
from server.services.act import Act
from server.store import change_queries, checklist_queries, closing_queries, log_queries
from server.store.checklist_queries import RecordRow
from server.store.closing_queries import DecisionRow, RecordId
from server.store.database import Database
from server.store.scope_filter import ALL, Narrow
from shared.clock import WallMs
from shared.errors import DataError

MOST = 5_000
"""Records of one bulk decision."""


@dataclass(frozen=True, slots=True)
class Which:
    """Records to decide about: those named, or all of a month that are pending and undecided."""

    month: Month | None = None
    narrow: Narrow = ALL
    records: tuple[RecordId, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What decisions come to, before or after they are stored; minutes are those of all records together."""

    records: int
    people: int
    pending: int
    absent: int
    worked: int
    by_status: Mapping[str, int]
    replaced: int
    """Records whose standing decision would be replaced."""


# --- asking ---------------------------------------------------------------------------------------------------------


async def undecided_rows(
    connection: AsyncConnection, scope: Scope, month: Month, narrow: Narrow = ALL
) -> tuple[list[RecordRow], list[RecordRow]]:
    """Records of a month that are pending without a decision that stands, and those whose shift is not over."""
    span = month_span(month)
    made = await closing_queries.decisions_between(connection, scope, *span, narrow)
    rows = await checklist_queries.pending_rows(connection, scope, *span, narrow)
    unfinished = [row for row in rows if running(row.record)]
    left = [row for row in rows if not running(row.record) and not standing(row, made)]
    return left, unfinished


def standing(row: RecordRow, made: Mapping[RecordId, DecisionRow]) -> bool:
    """Whether a decision about the record holds."""
    found = made.get((row.employee, row.record.date, row.record.part))
    return found is not None and stands(found.decision, row.record)


async def preview_default(db: Database, viewer: Viewer, which: Which) -> Outcome:
    """What the default decision would come to; nothing is stored."""
    async with db.reading() as connection:
        rows, made = await _chosen(connection, viewer.scope, which)
    return _outcome([(row, default_decision(row.record)) for row in rows], made)


# --- deciding -------------------------------------------------------------------------------------------------------


async def decide_default(
    db: Database, act: Act, which: Which, *, expected: int | None = None, note: str = ""
) -> Outcome:
    """The default decision for these records.

    DataError ``month_closed``; ``not_pending`` for a named record that has nothing to decide; ``changed_meanwhile``
    when they are not as many as ``expected``, which the person was shown.
    """
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        rows, made = await _chosen(connection, act.scope, which)
        if expected is not None and len(rows) != expected:
            raise DataError(f"{len(rows)} records, {expected} were shown; look at them again", "changed_meanwhile")
        refuse_closed([row.record.date for row in rows], closed)
        decisions = [(row, default_decision(row.record)) for row in rows]
        await _store(connection, act, decisions, how="default", note=note)
    return _outcome(decisions, made)


async def decide_manually(db: Database, act: Act, splits: Mapping[RecordId, int | None], note: str) -> Outcome:
    """So many of the pending minutes of each record are absent (None: all of them), the rest worked; with a reason.

    DataError ``note_missing``, ``bad_split``, ``not_pending`` or ``month_closed``.
    """
    if not note.strip():
        raise DataError("a manual decision needs a reason", "note_missing")
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        rows, made = await _chosen(connection, act.scope, Which(records=tuple(splits)))
        refuse_closed([row.record.date for row in rows], closed)
        decisions = []
        for row in rows:
            absent = splits[row.employee, row.record.date, row.record.part]
            pending = row.record.minutes.pending
            decisions.append((row, manual_decision(row.record, pending if absent is None else absent)))
        await _store(connection, act, decisions, how="manual", note=note.strip())
    return _outcome(decisions, made)


async def withdraw(db: Database, act: Act, records: Collection[RecordId]) -> int:
    """Take decisions back; how many there were. NotFoundError beyond the scope, DataError ``month_closed``."""
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        dates = [day for _, day, _ in records]
        refuse_closed(dates, closed)
        known = await closing_queries.decisions_between(connection, act.scope, min(dates), max(dates))
        if missing := set(records) - set(known):
            raise NotFoundError(f"no decision in scope about {_named(min(missing))}")
        dropped = await closing_queries.drop_decisions(connection, records)
        entry = act.entry("decision.withdraw", _months(dates), records=dropped, first=_named(min(records)))
        await log_queries.append(connection, entry)
        await _tell(connection, records, act.at_ms)
    return dropped


# --- parts ----------------------------------------------------------------------------------------------------------


async def _chosen(
    connection: AsyncConnection, scope: Scope, which: Which
) -> tuple[list[RecordRow], dict[RecordId, DecisionRow]]:
    """The records, and decisions about records of their time."""
    if not which.records:
        if which.month is None:
            raise DataError("name records or a month", "nothing_chosen")
        left, _ = await undecided_rows(connection, scope, which.month, which.narrow)
        return left, {}
    if len(which.records) > MOST:
        raise DataError(f"{len(which.records)} records; at most {MOST} at once", "too_many")
    dates = [day for _, day, _ in which.records]
    rows = await checklist_queries.pending_rows(connection, scope, min(dates), max(dates))
    found = {(row.employee, row.record.date, row.record.part): row for row in rows if not running(row.record)}
    if missing := [record for record in which.records if record not in found]:
        raise DataError(
            f"{_named(missing[0])}: nothing is pending there, or it is not in scope; look at the list again",
            "not_pending",
        )
    made = await closing_queries.decisions_between(connection, scope, min(dates), max(dates))
    return [found[record] for record in dict.fromkeys(which.records)], made


async def _store(
    connection: AsyncConnection,
    act: Act,
    decisions: Sequence[tuple[RecordRow, Decision]],
    *,
    how: str,
    note: str,
) -> None:
    if not decisions:
        return
    rows = [DecisionRow(row.employee, decision, how, note, act.login, act.at_ms) for row, decision in decisions]
    await closing_queries.put_decisions(connection, rows)
    entry = act.entry(
        f"decision.{how}",
        _months(row.record.date for row, _ in decisions),
        records=len(rows),
        absent_min=sum(decision.absent for _, decision in decisions),
        worked_min=sum(decision.worked for _, decision in decisions),
        note=note,
        people=sorted({row.employee for row in rows})[:50],
    )
    await log_queries.append(connection, entry)
    await _tell(connection, [(row.employee, row.record.date, row.record.part) for row, _ in decisions], act.at_ms)


def _months(dates: Iterable[date]) -> str:
    return ",".join(sorted({month_of(day) for day in dates}))


async def _tell(connection: AsyncConnection, records: Collection[RecordId], at_ms: WallMs) -> None:
    topics = {f"month:{day:%Y-%m}" for _, day, _ in records} | {f"employee:{employee}" for employee, *_ in records}
    await change_queries.note_changes(connection, topics, at_ms)


def _outcome(decisions: Sequence[tuple[RecordRow, Decision]], made: Mapping[RecordId, DecisionRow]) -> Outcome:
    statuses = [row.record.status for row, _ in decisions]
    return Outcome(
        len(decisions),
        len({row.employee for row, _ in decisions}),
        sum(row.record.minutes.pending for row, _ in decisions),
        sum(decision.absent for _, decision in decisions),
        sum(decision.worked for _, decision in decisions),
        {status: statuses.count(status) for status in sorted(set(statuses))},
        sum(standing(row, made) for row, _ in decisions),
    )


def _named(record: RecordId) -> str:
    employee, day, part = record
    return f"{employee} on {day}, part {part}"
