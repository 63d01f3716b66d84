"""Loading a company: people, rosters, numbers on terminals, parcels and accounts, all of it or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.password_rules import check_new_password
from server.attendance.touch import dates_near_roster, touched_dates
from server.people.company_file import (
    Company,
    CompanyError,
    Department,
    Employee,
    Known,
    PlannedShift,
    Problem,
    RosterDay,
    Shipment,
    Site,
    TerminalUser,
    User,
    problems_of,
    read_company,
)
from server.services.accounts import normal_login
from server.services.company_history import put_contracts, put_history
from server.services.parcels import cards_of
from server.services.passwords import Passwords
from server.services.people_changes import Followed, follow
from server.store import (
    attendance_queries,
    change_queries,
    company_queries,
    identity_queries,
    log_queries,
    parcel_queries,
    score_queries,
    session_queries,
    user_queries,
)
from server.store.company_queries import Stored, Waiting
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.parcel_queries import Milestone
from server.store.user_queries import UserRow
from shared.clock import WallMs, to_ms
from shared.errors import DataError, MusterError

__all__ = [
    "Company",
    "CompanyError",
    "Department",
    "Employee",
    "Loaded",
    "PlannedShift",
    "RosterDay",
    "Shipment",
    "Site",
    "TerminalUser",
    "User",
    "load_company",
    "read_company",
]


@dataclass(frozen=True, slots=True)
class SectionResult:
    """Rows of a section by what became of them."""

    added: int = 0
    changed: int = 0
    same: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did, or would have done."""

    sections: Mapping[str, SectionResult]
    punches: int
    """Waiting punches that found their employee."""
    days: int
    """Employee-days to be computed again."""


class _UndoneError(MusterError):
    """Ends the transaction of a dry run."""


@dataclass(slots=True)
class _Effects:
    """What a load asks to be computed again."""

    days: set[tuple[str, date]]
    cards: set[tuple[str, str]]
    punches: int = 0

    def take(self, followed: Followed) -> None:
        """All of that as well."""
        self.days |= followed.days
        self.cards |= followed.cards


async def load_company(db: Database, actor: str, company: Company, now_ms: WallMs, *, dry_run: bool = False) -> Loaded:
    """Add and change what the company says, in one transaction, and touch the days and scores that follow from it.

    CompanyError lists all rows that do not fit; then, and in a dry run, nothing is stored. Safe to repeat.
    """
    passwords = await _hashes(db, company)
    loaded: list[Loaded] = []
    try:
        async with db.writing() as connection:
            await identity_queries.hold_watermark(connection)  # punches being added now would miss their owner
            loaded.append(await _load(connection, company, passwords, now_ms))
            _undo(dry_run)
            entry = Entry(now_ms, actor, "company.load", "company", detail=_told(loaded[0]))
            await log_queries.append(connection, entry)
            topics = ["unmatched"] if company.terminal_users else []
            topics += [f"employee:{person.id}" for person in company.employees]
            await change_queries.note_changes(connection, topics, now_ms)
    except _UndoneError:
        pass
    return loaded[0]


def _undo(dry_run: bool) -> None:
    if dry_run:
        raise _UndoneError("dry run")


async def _load(
    connection: AsyncConnection, company: Company, passwords: Mapping[str, str | None], now_ms: WallMs
) -> Loaded:
    before = {name: await company_queries.stored(connection, name) for name in _KEPT}
    known = Known(**{name: frozenset(key[0] for key in before[name]) for name in ("sites", "departments", "shifts")})
    known = Known(known.departments, known.sites, known.shifts, frozenset(key[0] for key in before["employees"]))
    accounts = {row.login: row for row in await user_queries.user_rows(connection)}
    if found := problems_of(company, known) + _account_problems(company, accounts):
        raise CompanyError(found)
    results: dict[str, SectionResult] = {}
    effects = _Effects(set(), set())
    old = await _plans_of(connection, company, before)
    for name in _KEPT:
        results[name] = await _put_section(connection, name, getattr(company, name), before[name])
    people = await put_history(connection, company, before["employees"], now_ms)
    if company.contracts:
        counted, followed = await put_contracts(connection, company.contracts, people)
        results["contracts"] = SectionResult(*counted)
        effects.take(followed)
    zones = await attendance_queries.zones(connection, _all_people(company, before))
    await _follow_people(connection, company, before, effects)
    results["roster"] = await _put_roster(connection, company.roster, effects)
    effects.days.update((employee, near) for employee, day in old for near in dates_near_roster(day))
    await _match_punches(connection, company.terminal_users, zones, effects, now_ms)
    results["users"] = await _put_users(connection, company.users, accounts, passwords, now_ms)
    await attendance_queries.touch_days(connection, effects.days)
    results["shipments"] = await _put_shipments(connection, company.shipments, effects, now_ms)
    await score_queries.touch_scores(connection, effects.cards)
    return Loaded({name: results[name] for name in _SECTIONS if name in results}, effects.punches, len(effects.days))


_KEPT = {"sites": ("id",), "departments": ("id",), "shifts": ("id",), "employees": ("id",)} | {
    "terminal_users": ("user_group", "user_code")
}
"""Sections that are written as they are, in order of reference, with their keys."""
_SECTIONS = (
    "departments",
    "sites",
    "shifts",
    "employees",
    "contracts",
    "roster",
    "terminal_users",
    "shipments",
    "users",
)


# --- people, shifts and numbers -------------------------------------------------------------------------------------


async def _put_section(
    connection: AsyncConnection, name: str, rows: Sequence[msgspec.Struct], before: Stored
) -> SectionResult:
    key = _KEPT[name]
    values = [_columns(row, before.get(tuple(getattr(row, k) for k in key), {})) for row in rows]
    added, changed = company_queries.changed_rows(before, _KEPT[name], values)
    wanted = {*added, *changed}
    await company_queries.put(connection, name, [v for v in values if tuple(v[k] for k in _KEPT[name]) in wanted])
    return SectionResult(len(added), len(changed), len(values) - len(wanted))


def _columns(row: msgspec.Struct, old: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as columns: what may be left out stays as it was, times of shifts are kept as JSON."""
    values = msgspec.structs.asdict(row)
    if isinstance(row, PlannedShift):
        values["breaks"] = [list(pair) for pair in row.breaks]
        if isinstance(row.flex, msgspec.Struct):
            values["flex"] = msgspec.structs.asdict(row.flex)
    return {name: old.get(name) if value is msgspec.UNSET else value for name, value in values.items()}


async def _plans_of(
    connection: AsyncConnection, company: Company, before: Mapping[str, Stored]
) -> list[tuple[str, date]]:
    """Employee-days whose shift has other times from now on."""
    values = [_columns(row, before["shifts"].get((row.id,), {})) for row in company.shifts]
    _, changed = company_queries.changed_rows(before["shifts"], ("id",), values)
    times = ("start", "end", "breaks", "flex")
    news = {v["id"]: v for v in values}
    moved = [key[0] for key in changed if any(before["shifts"][key][t] != news[key[0]][t] for t in times)]
    return await company_queries.days_with_shifts(connection, moved) if moved else []


async def _follow_people(
    connection: AsyncConnection, company: Company, before: Mapping[str, Stored], effects: _Effects
) -> None:
    """Who changes zone has other days, who changes post or dates other scores."""
    old_zone = {key[0]: row["zone"] for key, row in before["sites"].items()}
    new_zone = old_zone | {site.id: site.zone for site in company.sites}
    people = {key[0]: row for key, row in before["employees"].items()}
    told = {person.id: person for person in company.employees}
    moved, rated = [], []
    for employee, row in people.items():
        now = told.get(employee)
        site = now.site if now is not None else row["site"]
        if new_zone[site] != old_zone[row["site"]]:
            moved.append(employee)
        if now is not None and (now.position, now.joined_on, now.left_on) != (
            row["position"],
            row["joined_on"],
            row["left_on"],
        ):
            rated.append(employee)
    followed = await follow(connection, moved=moved, rated=rated, spans={})
    effects.take(followed)


async def _put_roster(connection: AsyncConnection, rows: Sequence[RosterDay], effects: _Effects) -> SectionResult:
    if not rows:
        return SectionResult()
    wanted: dict[tuple[str, date], set[str]] = {}
    for row in rows:
        wanted.setdefault((row.employee, row.date), set()).update([] if row.shift is None else [row.shift])
    dates = [day for _, day in wanted]
    before = await company_queries.rostered(connection, {e for e, _ in wanted}, min(dates), max(dates))
    other = {key: plans for key, plans in wanted.items() if before.get(key, set()) != plans}
    await company_queries.replace_roster(connection, other)
    effects.days.update((employee, near) for employee, day in other for near in dates_near_roster(day))
    added = sum(key not in before for key in other)
    return SectionResult(added, len(other) - added, len(wanted) - len(other))


async def _match_punches(
    connection: AsyncConnection,
    rows: Sequence[TerminalUser],
    zones: Mapping[str, str],
    effects: _Effects,
    now_ms: WallMs,
) -> None:
    """Past punches follow a number that was nobody's; those of a number that changes hands stay where they are."""
    if not rows:
        return
    waiting = await company_queries.waiting_numbers(connection)
    for row in rows:
        number = Waiting(row.user_group, row.user_code)
        if number in waiting:
            instants = await company_queries.give_punches(connection, number, row.employee, now_ms)
            effects.punches += len(instants)
            zone = ZoneInfo(zones[row.employee])
            touched = {day for at_ms in instants if at_ms is not None for day in touched_dates(at_ms, zone)}
            effects.days.update((row.employee, day) for day in touched)


def _all_people(company: Company, before: Mapping[str, Stored]) -> set[str]:
    return {key[0] for key in before["employees"]} | {person.id for person in company.employees}


# --- parcels --------------------------------------------------------------------------------------------------------


async def _put_shipments(
    connection: AsyncConnection, rows: Sequence[Shipment], effects: _Effects, now_ms: WallMs
) -> SectionResult:
    """What a row leaves out stays. Scans and the file both know when a parcel was picked up: the earlier one counts."""
    if not rows:
        return SectionResult()
    before = await company_queries.stored_shipments(connection, [row.tracking_no for row in rows])
    site_rows = await company_queries.stored(connection, "sites")
    zones = {key[0]: ZoneInfo(row["zone"]) for key, row in site_rows.items()}
    values = [_shipment(row, before.get((row.tracking_no,), {}), zones[row.site]) for row in rows]
    added, changed = company_queries.changed_rows(before, ("tracking_no",), values)
    wanted = {number for (number,) in (*added, *changed)}
    sooner: dict[str, tuple[str | None, Mapping[Milestone, WallMs]]] = {
        row.tracking_no: (row.site, {"picked_up_at_ms": at_ms}) for row in rows if (at_ms := _sooner(row, before))
    }
    had = await parcel_queries.due_parcels(connection, sorted(wanted))
    await company_queries.put(connection, "shipments", [v for v in values if v["tracking_no"] in wanted])
    await parcel_queries.note_milestones(connection, sooner)
    have = await parcel_queries.due_parcels(connection, sorted(wanted | set(sooner)))
    effects.cards |= cards_of([*had, *have], now_ms)
    changes = len(changed) + len(set(sooner) - wanted)
    return SectionResult(len(added), changes, len(values) - len(added) - changes)


def _shipment(row: Shipment, old: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    told: dict[str, Any] = {
        "courier": row.courier,
        "promised_at_ms": _ms(row.promised_at),
        "promised_on": row.promised_on,
        "new_promise_at_ms": _ms(row.new_promise_at),
        "cancelled_at_ms": _ms(row.cancelled_at),
        "force_majeure": row.force_majeure,
    }
    merged = {name: old.get(name) if value is None else value for name, value in told.items()}
    merged["force_majeure"] = bool(merged["force_majeure"])
    return {"tracking_no": row.tracking_no, "site": row.site, **merged, "due_ms": _due_ms(merged, zone)}


def _sooner(row: Shipment, before: Stored) -> WallMs | None:
    """When it was picked up, if that is news."""
    at_ms = _ms(row.picked_up_at)
    known = before.get((row.tracking_no,), {}).get("picked_up_at_ms")
    return at_ms if at_ms is not None and (known is None or at_ms < known) else None


def _due_ms(promise: Mapping[str, Any], zone: ZoneInfo) -> WallMs | None:
    """The last instant that is on time; a promise by date lasts until the end of that local day."""
    if promise["new_promise_at_ms"] is not None:
        return int(promise["new_promise_at_ms"])
    if promise["promised_at_ms"] is not None:
        return int(promise["promised_at_ms"])
    if promise["promised_on"] is None:
        return None
    return to_ms(datetime.combine(promise["promised_on"] + timedelta(days=1), time(), zone)) - 1


def _ms(at: datetime | None) -> WallMs | None:
    return None if at is None else to_ms(at)


# --- accounts -------------------------------------------------------------------------------------------------------


async def _hashes(db: Database, company: Company) -> dict[str, str | None]:
    """A hash for each account whose password is new or differs; slow on purpose, so before the transaction."""
    if not company.users:
        return {}
    hasher = Passwords()
    async with db.reading() as connection:
        stored = {row.login: row.password_hash for row in await user_queries.user_rows(connection)}
    found: dict[str, str | None] = {}
    for user in company.users:
        login = normal_login(user.login)
        if user.password is not None and (
            login not in stored or not (await hasher.check(user.password, stored[login]))[0]
        ):
            found[login] = await hasher.hash(user.password)
    return found


def _account_problems(company: Company, accounts: Mapping[str, UserRow]) -> list[Problem]:
    found = []
    for number, user in enumerate(company.users):
        login = normal_login(user.login)
        if not login:
            found.append(Problem("users", number, "login", "is empty"))
        if user.password is None:
            found += [] if login in accounts else [Problem("users", number, "password", "a new account needs one")]
            continue
        try:
            check_new_password(user.password, login)
        except DataError as error:
            found.append(Problem("users", number, "password", str(error).removeprefix("password: ")))
    return found


async def _put_users(
    connection: AsyncConnection,
    rows: Iterable[User],
    accounts: Mapping[str, UserRow],
    passwords: Mapping[str, str | None],
    now_ms: WallMs,
) -> SectionResult:
    added = changed = same = 0
    for row in rows:
        login, values = normal_login(row.login), _account(row)
        account, new_hash = accounts.get(login), passwords.get(login)
        if account is None:
            await user_queries.add_user(connection, login=login, password_hash=new_hash or "", at_ms=now_ms, **values)
            added += 1
        elif new_hash is not None or any(getattr(account, name) != value for name, value in values.items()):
            password = {} if new_hash is None else {"password_hash": new_hash}
            stored = {**values, "departments": list(row.departments), **password}
            await company_queries.set_user(connection, login, stored)
            if new_hash is not None:
                await session_queries.end_sessions(connection, account.id)
            changed += 1
        else:
            same += 1
    return SectionResult(added, changed, same)


def _account(row: User) -> dict[str, Any]:
    return {"name": row.name, "role": row.role, "employee": row.employee, "departments": row.departments}


def _told(loaded: Loaded) -> dict[str, str]:
    """Facts for the operation log."""
    return {
        name: f"{result.added} added, {result.changed} changed"
        for name, result in loaded.sections.items()
        if result.added or result.changed
    }
