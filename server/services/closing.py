"""Closing a month, and opening it again with four eyes (AR-34, AR-35)."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.calendar import PLAIN, Calendar
from server.attendance.checklist import Code, Item, checklist, refuse_unready
from server.attendance.months import Month, month_instants
from server.services import attendance
from server.services.act import Act
from server.services.confirming import confirmations
from server.services.decisions import undecided_rows
from server.services.four_eyes import same_person
from server.store import (
    calendar_queries,
    change_queries,
    checklist_queries,
    closing_queries,
    identity_queries,
    log_queries,
)
from server.store.checklist_queries import PlannedDays
from server.store.closing_queries import ClosingRow
from server.store.database import Database
from shared.clock import WallMs
from shared.errors import DataError

HOUR_MS = 3_600_000
LAST_PUNCHES_MS = 12 * HOUR_MS
"""So long after a month the last punches of its last night shift come."""
FRESH_MS = HOUR_MS
"""A terminal that was read so lately is not behind, whatever the hour."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands between a month and its closing."""

    items: list[Item[Code]]
    names: Mapping[Code, list[str]]
    """Of those few that are on no page of their own."""
    confirmed: Mapping[str, int]
    """People by the state of their confirmation."""


@dataclass(frozen=True, slots=True)
class MonthState:
    """A month as its closing sees it."""

    month: Month
    closing: ClosingRow | None
    """The one that holds; None for an open month."""
    history: tuple[ClosingRow, ...]
    """Closings that were opened again, newest first."""


# --- asking ---------------------------------------------------------------------------------------------------------


async def month_states(connection: AsyncConnection, scope: Scope) -> list[MonthState]:
    """Months with records of people in scope, or that were ever closed, newest first."""
    rows = await closing_queries.closing_rows(connection)
    months = {*await checklist_queries.months_with_records(connection, scope), *(row.month for row in rows)}
    return [_state(month, rows) for month in sorted(months, reverse=True)]


async def month_state(connection: AsyncConnection, month: Month) -> MonthState:
    """One month, whether anything is in it or not."""
    return _state(month, await closing_queries.closing_rows(connection, month))


async def checklist_of(
    connection: AsyncConnection, scope: Scope, month: Month, zone: ZoneInfo, now_ms: WallMs
) -> Checked:
    """What stands between the month and its closing, for the people in scope; ``zone`` is the company's.

    What belongs to nobody's department (strangers' numbers, terminals, calendars) is there only for who sees everyone.
    """
    from_ms, to_ms = month_instants(month, zone)
    left, unfinished = await undecided_rows(connection, scope, month)
    states = Counter(one.state for one in (await confirmations(connection, scope, month)).values())
    unplanned = await people_without_roster(connection, scope, month)
    earlier = await open_before(connection, scope, month)
    names: dict[Code, list[str]] = {"no_roster": [one.name for one in unplanned], "previous_open": earlier}
    counts: dict[Code, int] = {
        "month_not_over": int(now_ms < to_ms),
        "computing": await checklist_queries.waiting_days(connection, scope, month),
        "running": len(unfinished),
        "pending": len(left),
        "requests": await checklist_queries.open_requests(connection, scope, from_ms, to_ms),
        "held": await checklist_queries.held_count(connection, scope, from_ms, to_ms),
        "previous_open": len(earlier),
        "no_roster": len(unplanned),
        "objected": states["objected"],
        "unconfirmed": states.total() - states["confirmed"] - states["objected"],
    }
    if scope.everyone:
        behind = await checklist_queries.terminals_behind(connection, scope, synced_until(to_ms, now_ms))
        counts["unmatched"] = await checklist_queries.unmatched_users(connection, scope, from_ms, to_ms)
        names |= {"terminals": [row.name for row in behind], "calendar": await calendars_without(connection, month)}
        counts |= {"terminals": len(behind), "calendar": len(names["calendar"])}
    return Checked(checklist(counts), names, dict(states.items()))


async def open_before(connection: AsyncConnection, scope: Scope, month: Month) -> list[Month]:
    """Earlier months with records that are still open, newest first."""
    closed = await closing_queries.closed_months(connection)
    known = await checklist_queries.months_with_records(connection, scope)
    return [earlier for earlier in known if earlier < month and earlier not in closed]


async def people_without_roster(connection: AsyncConnection, scope: Scope, month: Month) -> list[PlannedDays]:
    """Who was employed in the month with fewer days planned than the calendar has workdays."""
    calendars = await calendar_queries.calendars_of_sites(connection)
    people = await checklist_queries.planned_days(connection, scope, month)
    return [one for one in people if one.planned < _workdays(one, calendars)]


async def calendars_without(connection: AsyncConnection, month: Month) -> list[str]:
    """Calendars in use without an edition of the month's year; China's while there is no calendar at all."""
    rows = await calendar_queries.calendar_rows(connection)
    if not rows:
        return ["CN"]
    published = await calendar_queries.years_published(connection)
    named = set((await calendar_queries.calendars_by_site(connection)).values())
    used = [row.id for row in rows if row.company or row.id in named]
    return [calendar for calendar in used if int(month[:4]) not in published.get(calendar, frozenset())]


# --- closing --------------------------------------------------------------------------------------------------------


async def close_month(
    db: Database, act: Act, month: Month, zone: ZoneInfo, *, accepted: Collection[str] = ()
) -> ClosingRow:
    """Close the month for the whole company; one that is closed stays as it was closed.

    DataError ``not_ready`` or ``not_accepted`` (see ``checklist``), ``nothing_to_close`` for a month without records.
    Nothing is computed, decided or identified meanwhile: what comes a moment later becomes an adjustment.
    """
    scope = Scope.system()
    async with db.writing() as connection:
        done = await identity_queries.hold_watermark(connection)
        closed = await closing_queries.hold_closing(connection)
        if month in closed:
            return (await closing_queries.closing_rows(connection, month))[0]
        _, to_ms = month_instants(month, zone)
        if await checklist_queries.unidentified_before(connection, done, to_ms + LAST_PUNCHES_MS):
            raise DataError(f"punches of {month} are just coming in; try again in a moment", "not_ready")
        people, records = await checklist_queries.month_of_records(connection, scope, month)
        if not records:
            raise DataError(f"{month} has no records; plan shifts or choose another month", "nothing_to_close")
        items = (await checklist_of(connection, scope, month, zone, act.at_ms)).items
        refuse_unready(items, accepted)
        kept = {item.code: item.count for item in items if item.count}
        taken = sorted(set(accepted) & set(kept))
        summary = {"items": kept, "accepted": taken, "people": people, "records": records}
        await closing_queries.add_closing(connection, month, act.login, act.at_ms, summary)
        await attendance.settled(connection, month)
        entry = act.entry("month.close", month, people=people, records=records, accepted=taken)
        await log_queries.append(connection, entry)
        await change_queries.note_changes(connection, [f"month:{month}"], act.at_ms)
        return (await closing_queries.closing_rows(connection, month))[0]


# --- opening again --------------------------------------------------------------------------------------------------


async def ask_reopening(db: Database, act: Act, month: Month, reason: str) -> ClosingRow:
    """Ask for a closed month to be opened again; somebody else has to do it. DataError ``reason_missing``."""
    if not reason.strip():
        raise DataError("opening a closed month needs a reason", "reason_missing")
    async with db.writing() as connection:
        closing = await _closed(connection, month)
        await closing_queries.ask_reopening(connection, closing.id, reason.strip(), act.login, act.at_ms)
        await log_queries.append(connection, act.entry("month.reopen_ask", month, reason=reason.strip()))
        await change_queries.note_changes(connection, [f"month:{month}"], act.at_ms)
        return (await closing_queries.closing_rows(connection, month))[0]


async def withdraw_reopening(db: Database, act: Act, month: Month) -> ClosingRow:
    """Take the question back, or refuse it; the month stays closed. DataError ``not_asked``."""
    async with db.writing() as connection:
        closing = await _closed(connection, month)
        if closing.reopen_asked_by is None:
            raise DataError(f"nobody asked for {month} to be opened again", "not_asked")
        await closing_queries.ask_reopening(connection, closing.id, None, None, None)
        entry = act.entry("month.reopen_withdraw", month, asked_by=closing.reopen_asked_by)
        await log_queries.append(connection, entry)
        await change_queries.note_changes(connection, [f"month:{month}"], act.at_ms)
        return (await closing_queries.closing_rows(connection, month))[0]


async def reopen(db: Database, act: Act, month: Month) -> int:
    """Open a closed month that somebody else asked for; how many employee-days are computed anew.

    DataError ``not_asked``, or ``same_person`` for who asked, under whatever account, which is logged as refused.
    """
    refused, days = False, 0
    async with db.writing() as connection:
        closing = await _closed(connection, month)
        asked_by = closing.reopen_asked_by
        if asked_by is None:
            raise DataError(f"nobody asked for {month} to be opened again; ask with a reason first", "not_asked")
        refused = await same_person(connection, asked_by, act)
        if refused:
            await log_queries.append(connection, act.entry("month.reopen", month, "refused", asked_by=asked_by))
        else:
            await closing_queries.set_reopened(connection, closing.id, act.login, act.at_ms)
            entry = act.entry("month.reopen", month, asked_by=asked_by, reason=closing.reopen_reason)
            await log_queries.append(connection, entry)
            still_closed = await closing_queries.closed_months(connection)
            days = await attendance.reopen(connection, month, still_closed, act.at_ms)
    if refused:
        raise DataError(f"{act.login} asked for {month}; another person has to open it", "same_person")
    return days


# --- parts ----------------------------------------------------------------------------------------------------------


def synced_until(to_ms: WallMs, now_ms: WallMs) -> WallMs:
    """Until when terminals must have told everything: the last punches of the month, or lately if it is just over."""
    return max(to_ms, min(to_ms + LAST_PUNCHES_MS, now_ms - FRESH_MS))


def _state(month: Month, rows: Collection[ClosingRow]) -> MonthState:
    own = [row for row in rows if row.month == month]
    holding = next((row for row in own if row.reopened_ms is None), None)
    return MonthState(month, holding, tuple(row for row in own if row.reopened_ms is not None))


def _workdays(one: PlannedDays, calendars: Mapping[str, Calendar]) -> int:
    calendar = calendars.get(one.site, PLAIN)
    days = (one.first + timedelta(days=n) for n in range((one.last - one.first).days + 1))
    return sum(calendar.type_of(day) == "workday" for day in days)


async def _closed(connection: AsyncConnection, month: Month) -> ClosingRow:
    """The closing that holds, under the lock of who opens and closes; NotFoundError for an open month."""
    if month not in await closing_queries.hold_closing(connection):
        raise NotFoundError(f"{month} is not closed")
    return next(row for row in await closing_queries.closing_rows(connection, month) if row.reopened_ms is None)
