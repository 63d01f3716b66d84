"""Attendance groups (考勤组): their pattern, who is in them from when, and the policies they publish."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.attendance.months import month_of
from server.attendance.policy_settings import policy_from
from server.config import ServerConfig
from server.rosters.change import EmployeeDay, from_pattern
from server.rosters.check import AROUND
from server.rosters.membership import Membership, group_on, joined, left
from server.rosters.shift import Problem
from server.services import rosters
from server.services.accounts import Caller
from server.services.journal import journal
from server.services.problems import refuse_problems
from server.services.rosters import TOPIC
from server.store import (
    attendance_queries,
    closing_queries,
    group_queries,
    log_queries,
    roster_queries,
    shift_queries,
)
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.group_queries import COMPANY, GroupRow, PolicyRow
from server.store.log_queries import Entry
from shared.clock import WallMs, from_ms
from shared.errors import DataError

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """What publishing settings would change."""

    changes: dict[str, tuple[Any, Any]]
    """Settings that differ from the version in force before: old and new value, None for what is above."""
    people: int
    days: int
    """Employee-days to be computed again."""
    until: date | None
    """The next version begins then; None: it holds until another is published."""
    closed: list[str]
    """Closed months it would reach into: it has to begin later."""


async def save_group(db: Database, actor: str, row: GroupRow, caller: Caller) -> None:
    """Add or change a group; UnusableError for an unknown pattern, or a cycle without its first day."""
    async with db.writing() as connection:
        patterns = await shift_queries.pattern_rows(connection)
        pattern = patterns.get(row.pattern or "")
        problems = []
        if row.pattern is not None and pattern is None:
            problems.append(Problem("pattern", "unknown_pattern", {"pattern": row.pattern}))
        if pattern is not None and pattern.pattern.kind == "cycle" and row.anchor_on is None:
            problems.append(Problem("anchor_on", "cycle_needs_anchor", {"pattern": pattern.id}))
        refuse_problems(f"group {row.id}", problems)
        await group_queries.put_group(connection, row)
        await journal(connection, caller, actor, "group.save", row.id, pattern=row.pattern or "")
        await note_changes(connection, [TOPIC], caller.at_ms)


async def join_group(
    db: Database,
    actor: str,
    group: str,
    people: Collection[str],
    *,
    from_on: date,
    to_on: date | None,
    caller: Caller,
) -> int:
    """Take people into a group from a date on, out of the one they were in; how many days are computed again.

    Where the pattern of the group was laid out already, theirs follows for days that have no plan of their own.
    """
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        groups = {row.id: row for row in await group_queries.group_rows(connection)}
        if group not in groups:
            raise NotFoundError(f"there is no group {group!r}")
        new = Membership(group, from_on, to_on)
        return await _regroup(
            connection, actor, people, groups[group], closed, since=from_on, until=to_on, new=new, caller=caller
        )


async def leave_group(
    db: Database, actor: str, group: str, people: Collection[str], *, last: date, caller: Caller
) -> int:
    """Let people be in a group until a date, that day included; how many days are computed again."""
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        groups = {row.id: row for row in await group_queries.group_rows(connection)}
        if group not in groups:
            raise NotFoundError(f"there is no group {group!r}")
        return await _regroup(
            connection, actor, people, groups[group], closed, since=last + _DAY, until=None, new=None, caller=caller
        )


async def _regroup(
    connection: AsyncConnection,
    actor: str,
    people: Collection[str],
    group: GroupRow,
    closed: Collection[str],
    *,
    since: date,
    until: date | None,
    new: Membership | None,
    caller: Caller,
) -> int:
    _refuse_reaching(closed, since, until)
    known = await roster_queries.people_by_id(connection, Scope.system(), people)
    if missing := sorted(set(people) - set(known)):
        raise NotFoundError(f"there is no employee {missing[0]!r}")
    before = await group_queries.memberships(connection, people)
    for employee in sorted(set(people)):
        had = before.get(employee, [])
        now = joined(had, new) if new is not None else left(had, group.id, since - _DAY)
        await group_queries.replace_memberships(connection, employee, now)
    days = await group_queries.days_since(connection, since, None if until is None else until + _DAY, people)
    if new is not None and group.pattern is not None and group.planned_until is not None:
        last = min(group.planned_until, until or group.planned_until)
        days |= set(await plan_free_days(connection, sorted(known), since, last, closed, group=group.id))
    await attendance_queries.touch_days(connection, days)
    action, count = "group.join" if new else "group.leave", len(set(people))
    await journal(connection, caller, actor, action, group.id, people=count, since=since.isoformat(), days=len(days))
    await note_changes(connection, {TOPIC} | {f"employee:{employee}" for employee in people}, caller.at_ms)
    return len(days)


async def plan_free_days(
    connection: AsyncConnection,
    people: Sequence[str],
    first: date,
    last: date,
    closed: Collection[str],
    *,
    group: str,
) -> list[EmployeeDay]:
    """Lay out the pattern of a group for these people where nothing is planned; days that would clash stay free."""
    if first > last or not people:
        return []
    known = await roster_queries.people_by_id(connection, Scope.system(), people)
    plan = await roster_queries.plan_of(connection, people, first - AROUND, last + AROUND)
    laid = await rosters.laid_out(connection, known, first, last, only=group)
    open_ = {key: shifts for key, shifts in laid.items() if shifts and month_of(key[1]) not in closed}
    changes = {key: shifts for key, shifts in from_pattern(plan, open_, over=()).items() if key not in plan}
    looked = await rosters.findings_of(connection, known, plan, changes, closed)
    clashes = {(one.employee, one.date) for one in looked.findings if one.level == "conflict"}
    wanted = {key: shifts for key, shifts in changes.items() if key not in clashes}
    await roster_queries.replace_days(connection, wanted, "pattern")
    await rosters.follow(connection, wanted)
    return sorted(wanted)


# --- policies -------------------------------------------------------------------------------------------------------


async def preview_policy(db: Database, group: str, from_on: date, settings: Mapping[str, Any]) -> PolicyPreview:
    """What publishing would change; SettingsError for settings that make no policy. ``group`` is empty for all."""
    policy_from(settings)
    async with db.reading() as connection:
        await _refuse_unknown(connection, group)
        closed = await closing_queries.closed_months(connection)
        return (await _preview(connection, group, from_on, settings, closed))[0]


async def publish_policy(
    db: Database, actor: str, group: str, from_on: date, settings: Mapping[str, Any], *, caller: Caller
) -> PolicyPreview:
    """Publish settings from a date on; DataError ``month_closed`` when that reaches into a closed month."""
    policy_from(settings)
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        await _refuse_unknown(connection, group)
        found, days = await _preview(connection, group, from_on, settings, closed)
        _refuse_reaching(closed, from_on, None if found.until is None else found.until - _DAY)
        row = PolicyRow(group, from_on, settings, actor, caller.at_ms)
        await group_queries.put_policy(connection, row)
        await attendance_queries.touch_days(connection, days)
        what = {"from_on": from_on.isoformat(), "settings": ", ".join(sorted(found.changes))}
        about = group or "company"
        await journal(connection, caller, actor, "policy.publish", about, days=found.days, people=found.people, **what)
        await note_changes(connection, [TOPIC], caller.at_ms)
    return found


async def withdraw_policy(db: Database, actor: str, group: str, from_on: date, *, caller: Caller) -> int:
    """Take a version back, so that the one before holds on; how many days are computed again."""
    async with db.writing() as connection:
        closed = await closing_queries.hold_closed_months(connection)
        versions = await group_queries.policy_versions(connection, group)
        if from_on not in {version.from_on for version in versions}:
            raise NotFoundError(f"no policy of {group or 'the company'} begins on {from_on}")
        until = _next_version(versions, from_on)
        _refuse_reaching(closed, from_on, None if until is None else until - _DAY)
        days = await _days_under(connection, group, from_on, until)
        await group_queries.drop_policy(connection, group, from_on)
        await attendance_queries.touch_days(connection, days)
        begins, about = from_on.isoformat(), group or "company"
        await journal(connection, caller, actor, "policy.withdraw", about, from_on=begins, days=len(days))
        await note_changes(connection, [TOPIC], caller.at_ms)
    return len(days)


async def _preview(
    connection: AsyncConnection, group: str, from_on: date, settings: Mapping[str, Any], closed: Collection[str]
) -> tuple[PolicyPreview, set[EmployeeDay]]:
    versions = await group_queries.policy_versions(connection, group)
    older = [version for version in versions if version.from_on <= from_on]
    old: Mapping[str, Any] = older[-1].settings if older else {}
    changes = {
        name: (old.get(name), settings.get(name))
        for name in sorted({*old, *settings})
        if old.get(name) != settings.get(name)
    }
    until = _next_version(versions, from_on)
    days = await _days_under(connection, group, from_on, until) if changes else set()
    reached = sorted(_reached(closed, from_on, None if until is None else until - _DAY))
    return PolicyPreview(changes, len({employee for employee, _ in days}), len(days), until, reached), days


def _next_version(versions: Sequence[PolicyRow], from_on: date) -> date | None:
    return next((version.from_on for version in versions if version.from_on > from_on), None)


async def _days_under(connection: AsyncConnection, group: str, from_on: date, until: date | None) -> set[EmployeeDay]:
    """Planned or recorded employee-days on which the policy of the group holds."""
    if group == COMPANY:
        return await group_queries.days_since(connection, from_on, until, None)
    members = {row.employee for row in await group_queries.member_rows(connection, Scope.system(), group)}
    times = await group_queries.memberships(connection, members)
    days = await group_queries.days_since(connection, from_on, until, members)
    return {(employee, day) for employee, day in days if group_on(times[employee], day) == group}


async def _refuse_unknown(connection: AsyncConnection, group: str) -> None:
    if group != COMPANY and group not in {row.id for row in await group_queries.group_rows(connection)}:
        raise NotFoundError(f"there is no group {group!r}")


def _reached(closed: Collection[str], first: date, last: date | None) -> set[str]:
    """Closed months with a date in the span; open-ended without ``last``."""
    return {month for month in closed if month_of(first) <= month and (last is None or month <= month_of(last))}


def _refuse_reaching(closed: Collection[str], first: date, last: date | None) -> None:
    if reached := sorted(_reached(closed, first, last)):
        raise DataError(
            f"{', '.join(reached)} is closed: begin after it, or ask for the month to be opened again", "month_closed"
        )


AHEAD = timedelta(weeks=5)
"""How far rosters follow their patterns by themselves."""


async def extend_rosters(db: Database, config: ServerConfig, now_ms: WallMs) -> int:
    """Lay patterns out five weeks ahead, where somebody laid them out before; how many employee-days were planned."""
    last = from_ms(now_ms).astimezone(config.zone).date() + AHEAD
    planned = 0
    async with db.reading() as connection:
        behind = [row for row in await group_queries.group_rows(connection) if _is_behind(row, last)]
    for row in behind:
        async with db.writing() as connection:
            planned += len(await _extend(connection, row, last, now_ms))
    return planned


def _is_behind(row: GroupRow, last: date) -> bool:
    return row.pattern is not None and row.planned_until is not None and row.planned_until < last


async def _extend(connection: AsyncConnection, row: GroupRow, last: date, now_ms: WallMs) -> list[EmployeeDay]:
    closed = await closing_queries.hold_closed_months(connection)
    [now] = [one for one in await group_queries.group_rows(connection) if one.id == row.id]
    if now.planned_until is None or not _is_behind(now, last):  # another process was faster
        return []
    members = {one.employee for one in await group_queries.member_rows(connection, Scope.system(), row.id)}
    first = now.planned_until + _DAY
    days = await plan_free_days(connection, sorted(members), first, last, closed, group=row.id)
    await group_queries.set_planned_until(connection, row.id, last)
    entry = Entry(now_ms, "system", "roster.extend", row.id, detail={"days": len(days), "until": last.isoformat()})
    await log_queries.append(connection, entry)
    await note_changes(connection, {TOPIC} | {f"employee:{employee}" for employee, _ in days}, now_ms)
    return days
