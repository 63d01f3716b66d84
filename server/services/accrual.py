"""Annual leave by law, written into the ledger year by year; what is left of a year goes over or lapses."""

import datetime as dt

from server.access.scope import Scope
from server.requests.balance import settle
from server.requests.entitlement import entitlement
from server.requests.leave_types import DAY_MIN, LeaveType
from server.services.leave import Account, accounts_of, leave_types
from server.store import asked_queries, leave_queries, log_queries
from server.store.asked_queries import AskerRow
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.leave_queries import NewGrant
from server.store.log_queries import Entry
from shared.clock import WallMs, from_ms

ACTOR = "system"


async def accrue(db: Database, zone: dt.tzinfo, now_ms: WallMs) -> int:
    """Bring the ledgers of annual leave up to the local year; rows that were added. Safe to repeat.

    A year's entitlement that changed since, because somebody leaves or a first job became known, is written as the
    difference. Last year is closed once: its rest goes over as far as the type allows, what does not lapses.
    """
    today = from_ms(now_ms).astimezone(zone).date()
    async with db.reading() as connection:
        types = [leave for leave in (await leave_types(connection)).values() if _accrues(leave)]
        people = await asked_queries.askers(connection, Scope.system(), None)
        accounts = await accounts_of(connection, [person.id for person in people], types)
    rows: list[NewGrant] = []
    for leave in types:
        for person in people:
            account = accounts[person.id, leave.id]
            rows += year_end(person, leave, account, today.year)
            rows += lapsed(person, leave, account, today)
            rows += year_begin(person, leave, account, today.year)
    if not rows:
        return 0
    async with db.writing() as connection:
        added = await leave_queries.add_grants(connection, rows, actor=ACTOR, at_ms=now_ms)
        if added:
            entry = Entry(now_ms, ACTOR, "leave.accrue", str(today.year), detail={"rows": added})
            await log_queries.append(connection, entry)
            topics = {"requests", *(f"employee:{row.employee}" for row in rows)}
            await note_changes(connection, topics, now_ms)
    return added


def year_begin(person: AskerRow, leave: LeaveType, account: Account, year: int) -> list[NewGrant]:
    """The row that is missing of the year's entitlement, if any."""
    right = entitlement(person.worked_since, person.joined_on, person.left_on, year)
    same = [row for row in account.grants if row.kind == "accrual" and _is_of(row.key, year)]
    missing = right.days * DAY_MIN - sum(row.minutes for row in same)
    if not missing:
        return []
    last = dt.date(year, 12, 31)
    # Less than was thought comes off at the end of the year: what was carried over is not what shrinks.
    first = last if missing < 0 or right.from_on is None else right.from_on
    key = f"annual:{year}" if not same else f"annual:{year}:{len(same) + 1}"
    return [NewGrant(person.id, leave.id, "accrual", missing, first, last, key)]


def year_end(person: AskerRow, leave: LeaveType, account: Account, year: int) -> list[NewGrant]:
    """Rows that close the year before ``year``, unless that was done: what goes over, and what lapses."""
    last = dt.date(year - 1, 12, 31)
    done = {row.key for row in account.grants}
    if f"carried:{year - 1}" in done or f"lapsed:{year - 1}" in done:
        return []
    standing = settle(account.lots, account.takings())
    ending = zip(account.lots, standing.left, strict=True)
    left = sum(minutes for lot, minutes in ending if lot.until_on == last)
    if not left:
        return []
    over = leave.carry_over.of(left) if leave.carry_over is not None and _stays(person, last) else 0
    rows = []
    if over:
        until = leave.carry_over.last_day(year) if leave.carry_over is not None else None
        key = f"carried:{year - 1}"
        rows.append(NewGrant(person.id, leave.id, "carried", -over, last, last, key))
        rows.append(NewGrant(person.id, leave.id, "carried", over, dt.date(year, 1, 1), until, f"{key}:in"))
    if left > over:
        rows.append(NewGrant(person.id, leave.id, "lapsed", over - left, last, last, f"lapsed:{year - 1}"))
    return rows


def lapsed(person: AskerRow, leave: LeaveType, account: Account, today: dt.date) -> list[NewGrant]:
    """Rows for what ended within the year without being taken, such as what was carried over until March."""
    standing = settle(account.lots, account.takings())
    ended: dict[dt.date, int] = {}
    for lot, left in zip(account.lots, standing.left, strict=True):
        if lot.until_on is not None and dt.date(today.year, 1, 1) <= lot.until_on < today:
            ended[lot.until_on] = ended.get(lot.until_on, 0) + left
    return [
        NewGrant(person.id, leave.id, "lapsed", -left, day, day, f"lapsed:{day}")
        for day, left in sorted(ended.items())
        if left
    ]


def _accrues(leave: LeaveType) -> bool:
    return leave.balance == "annual" and not leave.retired


def _is_of(key: str, year: int) -> bool:
    return key == f"annual:{year}" or key.startswith(f"annual:{year}:")


def _stays(person: AskerRow, last: dt.date) -> bool:
    return person.left_on is None or person.left_on > last
