"""Leave that people have a right to: types, grants, the yearly accrual, balances."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.requests.balance import Cover, Lot, Taking, cover, months_later, settle
from server.requests.chain import DEFAULT_CHAINS
from server.requests.leave_types import BALANCES, DEFAULT_TYPES, Balance, LeaveType, check_type
from server.services.accounts import Caller
from server.store import approval_queries, asked_queries, leave_queries, log_queries
from server.store.approval_queries import ChainRow
from server.store.asked_queries import AskerRow
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.leave_queries import GrantRow, LeaveTypeRow, NewGrant, TakenRow
from server.store.log_queries import Entry
from shared.errors import DataError

CORRECTION_SETTINGS: Mapping[str, int] = {"per_month": 3, "within_days": 7}
ALIVE = ("pending", "approved")
MOST_PEOPLE = 5_000
"""Of one grant."""


@dataclass(frozen=True, slots=True)
class Account:
    """What one person was given and took of one type."""

    lots: list[Lot] = field(default_factory=list)
    lost: list[Taking] = field(default_factory=list)
    grants: list[GrantRow] = field(default_factory=list)
    banked: list[tuple[dt.date, int]] = field(default_factory=list)
    taken: list[TakenRow] = field(default_factory=list)

    def takings(self, *, without: int | None = None, states: Collection[str] = ALIVE) -> list[Taking]:
        """What was lost and taken, the request of number ``without`` left out."""
        rows = [row for row in self.taken if row.id != without and row.state in states]
        return [*self.lost, *(Taking(day, minutes) for row in rows for day, minutes in row.days.items())]


@dataclass(frozen=True, slots=True)
class Balances:
    """Balance of one type on a date, in minutes."""

    type: LeaveType
    given: int
    """Of lots that can be taken on the date: granted, accrued, carried over, banked."""
    used: int
    """Approved leave out of these lots, and what was lost of them."""
    asked: int
    """Leave that still waits for a decision, of any date."""
    left: int
    """What can be asked for, for that date."""
    ends_on: dt.date | None
    """When the first of what is left lapses."""
    ending: int
    """Minutes that lapse then."""
    account: Account


@dataclass(frozen=True, slots=True)
class Grant:
    """Minutes for people, or for everybody of departments; negative ones take away."""

    leave_type: str
    minutes: int
    from_on: dt.date
    until_on: dt.date | None
    kind: str
    """grant | opening | paid_out | lapsed"""
    key: str
    """What it is for; a person gets it once."""
    note: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What a grant does to one person's balance on its first date; ``repeated`` has had it before."""

    employee: str
    name: str
    before: int
    after: int
    repeated: bool


# --- types ----------------------------------------------------------------------------------------------------------


async def ensure_defaults(db: Database) -> int:
    """Add the leave types and chains of a fresh installation that are not there; how many. What is there stays."""
    types = [_as_row(leave) for leave in DEFAULT_TYPES]
    chains = [
        ChainRow(kind, [asdict(step) for step in steps], CORRECTION_SETTINGS if kind == "correction" else {})
        for kind, steps in DEFAULT_CHAINS.items()
    ]
    async with db.writing() as connection:
        added = await leave_queries.add_missing_types(connection, types)
        return added + await approval_queries.add_missing_chains(connection, chains)


async def leave_types(connection: AsyncConnection) -> dict[str, LeaveType]:
    """All leave types by id, as values."""
    return {row.id: as_type(row) for row in await leave_queries.leave_type_rows(connection)}


async def save_type(db: Database, actor: str, leave: LeaveType, caller: Caller) -> None:
    """Add or change a leave type; DataError ``bad_leave_type``, or ``balance_fixed`` once somebody has some of it."""
    check_type(leave)
    async with db.writing() as connection:
        old = (await leave_types(connection)).get(leave.id)
        if old is not None and old.balance != leave.balance and await leave_queries.type_is_used(connection, leave.id):
            raise DataError(f"{leave.id} has a ledger by {old.balance}: add a new type instead", "balance_fixed")
        await leave_queries.put_leave_type(connection, _as_row(leave))
        await log_queries.append(connection, _entry(caller, actor, "leave.type", leave.id))
        await note_changes(connection, ["requests"], caller.at_ms)


# --- balances -------------------------------------------------------------------------------------------------------


async def accounts_of(
    connection: AsyncConnection, people: Collection[str], types: Collection[LeaveType]
) -> dict[tuple[str, str], Account]:
    """Accounts by person and type, for people whom the caller may ask about; types without balance have none."""
    by_id = {leave.id: leave for leave in types if leave.balance != "none"}
    found = {(person, name): Account() for person in people for name in by_id}
    for grant in await leave_queries.grant_rows(connection, people, by_id):
        account = found[grant.employee, grant.leave_type]
        account.grants.append(grant)
        if grant.minutes >= 0:
            account.lots.append(Lot(grant.minutes, grant.from_on, grant.until_on))
        else:
            account.lost.append(Taking(grant.from_on, -grant.minutes))
    for taken in await leave_queries.taken_rows(connection, people, by_id, ALIVE):
        found[taken.employee, taken.leave_type].taken.append(taken)
    comp = [leave for leave in by_id.values() if leave.balance == "comp"]
    banked = await leave_queries.banked_minutes(connection, people) if comp else {}
    for person, rows in banked.items():
        for leave in comp:
            _bank(found[person, leave.id], rows, leave.expires_months)
    return found


async def cover_of(connection: AsyncConnection, employee: str, leave: LeaveType, more: Mapping[dt.date, int]) -> Cover:
    """Whether leave on these dates is covered beside all that was asked for; the person must be held against races."""
    account = (await accounts_of(connection, [employee], [leave]))[employee, leave.id]
    return cover(account.lots, account.takings(), [Taking(day, minutes) for day, minutes in more.items()])


async def cover_of_request(
    connection: AsyncConnection, employee: str, leave: LeaveType, request: int, days: Mapping[dt.date, int]
) -> Cover:
    """The same for a request that waits, beside what is approved."""
    account = (await accounts_of(connection, [employee], [leave]))[employee, leave.id]
    takings = account.takings(without=request, states=("approved",))
    return cover(account.lots, takings, [Taking(day, minutes) for day, minutes in days.items()])


async def balances(
    connection: AsyncConnection, scope: Scope, employee: str, day: dt.date
) -> tuple[AskerRow, list[Balances]]:
    """Balances of a person on a date, of types that have one; NotFoundError out of scope."""
    person = await asked_queries.asker(connection, scope, employee)
    if person is None:
        raise NotFoundError(f"employee {employee!r} is not in scope")
    types = [leave for leave in (await leave_types(connection)).values() if leave.balance != "none"]
    found = await accounts_of(connection, [employee], types)
    rows = [balance_on(leave, found[employee, leave.id], day) for leave in types]
    return person, [row for row in rows if not row.type.retired or row.account.grants or row.account.taken]


def balance_on(leave: LeaveType, account: Account, day: dt.date) -> Balances:
    """Balance of an account on a date."""
    standing = settle(account.lots, account.takings())
    rest = [(lot, left) for lot, left in zip(account.lots, standing.left, strict=True) if lot.valid_on(day)]
    approved = settle(account.lots, account.takings(states=("approved",)))
    spent = zip(account.lots, approved.left, strict=True)
    ends = [lot.until_on for lot, left in rest if left and lot.until_on is not None]
    return Balances(
        leave,
        given=sum(lot.minutes for lot, _ in rest),
        used=sum(lot.minutes - left for lot, left in spent if lot.valid_on(day)),
        asked=sum(row.minutes for row in account.taken if row.state == "pending"),
        left=sum(left for _, left in rest),
        ends_on=min(ends, default=None),
        ending=sum(left for lot, left in rest if ends and lot.until_on == min(ends)),
        account=account,
    )


# --- grants ---------------------------------------------------------------------------------------------------------


async def preview_grant(connection: AsyncConnection, people: Sequence[AskerRow], grant: Grant) -> list[Granted]:
    """What the grant would do to each person, all in the viewer's scope; DataError for one that does not fit."""
    leave = (await leave_types(connection)).get(grant.leave_type)
    _check_grant(leave, grant, people)
    assert leave is not None  # noqa: S101  (_check_grant saw to it)
    accounts = await accounts_of(connection, [person.id for person in people], [leave])
    found = []
    for person in people:
        account = accounts[person.id, leave.id]
        before = balance_on(leave, account, grant.from_on).left
        repeated = any(row.key == grant.key for row in account.grants)
        after = before if repeated else before + grant.minutes
        found.append(Granted(person.id, person.name, before, after, repeated))
    if grant.minutes < 0 and (short := [one for one in found if one.after < 0]):
        raise DataError(
            f"{short[0].employee} has {short[0].before} minutes, {-grant.minutes} are to be taken: take less",
            "leave_no_balance",
            {"employee": short[0].employee, "needed": str(-grant.minutes), "left": str(short[0].before)},
        )
    return found


async def give(db: Database, actor: str, people: Sequence[AskerRow], grant: Grant, caller: Caller) -> list[Granted]:
    """Write the grant into the ledger of each person who has not had it yet; what it did. Safe to repeat."""
    async with db.writing() as connection:
        await asked_queries.hold_people(connection, (person.id for person in people))
        found = await preview_grant(connection, people, grant)
        rows = [NewGrant(one.employee, **asdict(grant)) for one in found]
        added = await leave_queries.add_grants(connection, rows, actor=actor, at_ms=caller.at_ms)
        if added:
            detail: dict[str, str | int] = {"people": added, "minutes": grant.minutes, "key": grant.key}
            await log_queries.append(connection, _entry(caller, actor, "leave.grant", grant.leave_type, detail))
            await note_changes(connection, ["requests", *(f"employee:{one.employee}" for one in found)], caller.at_ms)
    return found


def _check_grant(leave: LeaveType | None, grant: Grant, people: Sequence[AskerRow]) -> None:
    if leave is None or leave.balance == "none":
        raise DataError(f"{grant.leave_type}: no leave type with a balance; choose another", "no_ledger")
    if not people or len(people) > MOST_PEOPLE:
        raise DataError(f"{len(people)} people: expected 1 to {MOST_PEOPLE}", "bad_grant", {"field": "employees"})
    if not grant.minutes or abs(grant.minutes) > 1_000_000:
        raise DataError(f"{grant.minutes} minutes: expected some", "bad_grant", {"field": "minutes"})
    if grant.until_on is not None and grant.until_on < grant.from_on:
        raise DataError(f"ends on {grant.until_on}, before {grant.from_on}", "bad_grant", {"field": "until_on"})
    if grant.kind in ("lapsed", "paid_out") and grant.minutes > 0:
        raise DataError(f"{grant.kind} takes away: expected negative minutes", "bad_grant", {"field": "minutes"})


# --- parts ----------------------------------------------------------------------------------------------------------


def as_type(row: LeaveTypeRow) -> LeaveType:
    """A stored leave type as a value."""
    balance: Balance = next((one for one in BALANCES if one == row.balance), "none")
    return LeaveType(
        row.id, row.name_zh, row.name_en, row.paid, balance, row.unit_min, row.file_from_min, row.settings, row.retired
    )


def _as_row(leave: LeaveType) -> LeaveTypeRow:
    return LeaveTypeRow(
        leave.id,
        leave.name_zh,
        leave.name_en,
        leave.paid,
        leave.balance,
        leave.unit_min,
        leave.file_from_min,
        leave.settings,
        leave.retired,
    )


def _bank(account: Account, rows: Sequence[tuple[dt.date, int]], expires_months: int | None) -> None:
    for day, minutes in rows:
        account.banked.append((day, minutes))
        if minutes < 0:
            account.lost.append(Taking(day, -minutes))
            continue
        until = None if expires_months is None else months_later(day, expires_months)
        account.lots.append(Lot(minutes, day, until))


def _entry(caller: Caller, actor: str, action: str, about: str, detail: Mapping[str, str | int] | None = None) -> Entry:
    return Entry(
        caller.at_ms, actor, action, about, ip=caller.ip, request_id=caller.request_id, detail=dict(detail or {})
    )
