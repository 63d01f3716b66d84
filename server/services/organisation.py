"""Departments as a tree, positions and sites."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from zoneinfo import available_timezones

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.services.import_kind import Who
from server.services.people_changes import entry, follow
from server.store import attendance_queries, calendar_queries, log_queries, post_queries, score_queries
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.post_queries import DepartmentRow
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Named:
    """Names of a department, position or site; without an id it gets one from its name."""

    name_zh: str
    name_en: str
    id: str = ""


async def add_department(db: Database, who: Who, named: Named, parent: str | None) -> str:
    """A new department; its id. DataError ``id_taken``, ``unknown_department``, ``name_taken``."""
    async with db.writing() as connection:
        rows = await post_queries.department_rows(connection)
        _refuse_parent(rows, parent)
        _refuse_name(rows, named, parent, but=None)
        name = new_id(named, rows)
        values = {"id": name, "parent": parent, "name_zh": named.name_zh, "name_en": named.name_en}
        await post_queries.put_row(connection, "departments", values)
        await _done(connection, who, "department.add", name, {"parent": parent})
    return name


async def change_department(db: Database, who: Who, name: str, named: Named, parent: str | None) -> None:
    """Rename or move a department; NotFoundError, DataError ``department_cycle`` when it would come below itself."""
    async with db.writing() as connection:
        rows = await post_queries.department_rows(connection)
        if name not in rows:
            raise NotFoundError(f"department {name!r}")
        _refuse_parent(rows, parent)
        below = with_those_below({name}, {row.id: row.parent for row in rows.values()})
        if parent in below:
            raise DataError(f"{name} can not come below {parent}, which is below it", "department_cycle")
        _refuse_name(rows, named, parent, but=name)
        values = {"id": name, "parent": parent, "name_zh": named.name_zh, "name_en": named.name_en}
        await post_queries.put_row(connection, "departments", values)
        await _done(connection, who, "department.change", name, {"parent": parent, "former": rows[name].parent})


async def remove_department(db: Database, who: Who, name: str) -> None:
    """Take out an empty department; DataError ``department_used`` when there is, was or will be somebody in it."""
    async with db.writing() as connection:
        rows = await post_queries.department_rows(connection)
        if name not in rows:
            raise NotFoundError(f"department {name!r}")
        if any(row.parent == name for row in rows.values()):
            raise DataError(f"{name} has departments below it; move them first", "department_has_below")
        if name in await post_queries.used_departments(connection):
            raise DataError(f"{name} has or had people; move them first, or keep it for the past", "department_used")
        await post_queries.remove_row(connection, "departments", name)
        await _done(connection, who, "department.remove", name, {})


async def put_position(db: Database, who: Who, named: Named) -> str:
    """Add a position, or rename the one of that id; its id."""
    async with db.writing() as connection:
        rows = await post_queries.position_rows(connection)
        name = named.id or new_id(named, rows)
        values = {"id": name, "name_zh": named.name_zh, "name_en": named.name_en}
        await post_queries.put_row(connection, "positions", values)
        await _done(connection, who, "position.put", name, {})
    return name


async def remove_position(db: Database, who: Who, name: str) -> None:
    """Take out a position that nobody has or had; NotFoundError, DataError ``position_used``."""
    async with db.writing() as connection:
        if name not in await post_queries.position_rows(connection):
            raise NotFoundError(f"position {name!r}")
        if name in await post_queries.used_positions(connection):
            raise DataError(f"somebody has or had position {name}", "position_used")
        await post_queries.remove_row(connection, "positions", name)
        await _done(connection, who, "position.remove", name, {})


async def put_site(db: Database, who: Who, named: Named, zone: str, calendar: str | None) -> str:
    """Add a site, or change the one of that id; all days of its people follow another zone or calendar.

    DataError ``bad_zone``, ``unknown_calendar``.
    """
    if zone not in available_timezones():
        raise DataError(f"{zone!r} is no IANA zone such as Asia/Shanghai", "bad_zone", {"zone": zone})
    async with db.writing() as connection:
        rows = await post_queries.site_rows(connection)
        if calendar is not None and calendar not in {
            row.id for row in await calendar_queries.calendar_rows(connection)
        }:
            raise DataError(f"there is no calendar {calendar!r}", "unknown_calendar", {"calendar": calendar})
        name = named.id or new_id(named, rows)
        values = {"id": name, "name_zh": named.name_zh, "name_en": named.name_en, "zone": zone, "calendar": calendar}
        await post_queries.put_row(connection, "sites", values)
        before = rows.get(name)
        if before is not None and (before.zone, before.calendar) != (zone, calendar):
            moved = await post_queries.people_at(connection, [name])
            followed = await follow(connection, moved=moved, rated=(), spans={})
            await attendance_queries.touch_days(connection, followed.days)
            await score_queries.touch_scores(connection, followed.cards)
        await _done(connection, who, "site.put", name, {"zone": zone, "calendar": calendar})
    return name


def new_id(named: Named, taken: Collection[str]) -> str:
    """The id that was asked for, or one from the name; DataError ``id_taken`` when the asked one is taken."""
    if named.id:
        if named.id in taken:
            raise DataError(f"{named.id!r} is taken; choose another", "id_taken", {"id": named.id})
        return named.id
    stem = " ".join((named.name_zh or named.name_en).split())[:50] or "x"
    number, name = 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _refuse_parent(rows: Mapping[str, DepartmentRow], parent: str | None) -> None:
    if parent is not None and parent not in rows:
        raise DataError(f"there is no department {parent!r}", "unknown_department", {"department": parent})


def _refuse_name(rows: Mapping[str, DepartmentRow], named: Named, parent: str | None, but: str | None) -> None:
    """Paths such as 总部/运营 have to lead to one department."""
    for row in rows.values():
        if row.parent == parent and row.id != but and row.name_zh == named.name_zh:
            raise DataError(f"there is {named.name_zh!r} already", "name_taken", {"name": named.name_zh})


async def _done(
    connection: AsyncConnection, who: Who, action: str, name: str, detail: Mapping[str, str | None]
) -> None:
    await log_queries.append(connection, entry(who, action, name, dict(detail)))
    await note_changes(connection, ["people"], who.now_ms)
