"""What people asked for, with the steps and documents of each request."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store.request_tables import request_files, request_steps, requests
from server.store.scope_filter import ALL, Narrow, narrowed
from server.store.tables import employees, roster, sites
from shared.clock import WallMs

_other = employees.alias("other_employee")


@dataclass(frozen=True, slots=True)
class AskerRow:
    """An employee as far as requests are concerned."""

    id: str
    name: str
    department: str
    site: str
    zone: str
    joined_on: dt.date
    left_on: dt.date | None
    worked_since: dt.date | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request with whom it is about."""

    id: int
    kind: str
    employee: str
    leave_type: str | None
    from_ms: WallMs
    to_ms: WallMs
    minutes: int
    direction: int | None
    to_comp: bool
    about: int | None
    other: str | None
    detail: Mapping[str, Any]
    reason: str
    state: str
    chain: Sequence[Mapping[str, Any]]
    step: int
    step_due_ms: WallMs | None
    created_by: str
    created_ms: WallMs
    decided_ms: WallMs | None
    cancelled_ms: WallMs | None
    name: str
    department: str
    zone: str
    other_name: str | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """A decision about a request."""

    step: int
    decision: str
    actor: str
    for_user: str | None
    comment: str
    at_ms: WallMs


@dataclass(frozen=True, slots=True)
class FileRow:
    """A document without its content."""

    id: int
    name: str
    media_type: str
    size: int
    actor: str
    at_ms: WallMs


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests of a list; None and empty mean all."""

    states: Collection[str] = ()
    kinds: Collection[str] = ()
    employee: str | None = None
    from_ms: WallMs | None = None
    """Reaches into ``from_ms <= t < to_ms``."""
    to_ms: WallMs | None = None
    narrow: Narrow = ALL


# --- people ---------------------------------------------------------------------------------------------------------


async def asker(connection: AsyncConnection, scope: Scope, employee: str) -> AskerRow | None:
    """An employee; None when there is none, or none in scope."""
    return next(iter(await askers(connection, scope, [employee])), None)


async def askers(
    connection: AsyncConnection, scope: Scope, people: Collection[str] | None, narrow: Narrow = ALL
) -> list[AskerRow]:
    """These employees in scope, or all, by id."""
    names = ("id", "name", "department", "site", "joined_on", "left_on", "worked_since")
    wanted = select(*(employees.c[name] for name in names), sites.c.zone).select_from(employees.join(sites))
    wanted = wanted.where(*narrowed(scope, narrow)).order_by(employees.c.id)
    if people is not None:
        wanted = wanted.where(employees.c.id.in_(sorted(people)))
    return [
        AskerRow(r.id, r.name, r.department, r.site, r.zone, r.joined_on, r.left_on, r.worked_since)
        for r in await connection.execute(wanted)
    ]


async def planned_until(connection: AsyncConnection, employee: str) -> dt.date | None:
    """Last date on which a person has a shift, for who was let ask; None for nobody planned."""
    last: dt.date | None = await connection.scalar(select(func.max(roster.c.date)).where(roster.c.employee == employee))
    return last


async def colleagues(
    connection: AsyncConnection, employee: str, department: str, day: dt.date
) -> list[tuple[str, str, list[str]]]:
    """Others of a department who are employed on a date, by name, with their shifts of it: whom one may swap with."""
    person = employees.c
    employed = (person.joined_on <= day, or_(person.left_on.is_(None), person.left_on >= day))
    joined = employees.outerjoin(roster, (roster.c.employee == person.id) & (roster.c.date == day))
    wanted = select(person.id, person.name, roster.c.shift).select_from(joined)
    wanted = wanted.where(person.department == department, person.id != employee, *employed)
    found: dict[str, tuple[str, str, list[str]]] = {}
    for row in await connection.execute(wanted.order_by(person.name, person.id, roster.c.shift)):
        one = found.setdefault(row.id, (row.id, row.name, []))
        if row.shift is not None:
            one[2].append(row.shift)
    return list(found.values())


async def hold_people(connection: AsyncConnection, people: Iterable[str | None]) -> None:
    """Let nobody else change requests of these people before this transaction ends; SQLite has one writer anyway."""
    wanted = sorted({one for one in people if one is not None})
    rows = select(employees.c.id).where(employees.c.id.in_(wanted)).order_by(employees.c.id)
    await connection.execute(rows.with_for_update(key_share=True))


# --- requests -------------------------------------------------------------------------------------------------------


async def request_row(connection: AsyncConnection, scope: Scope, request: int) -> RequestRow | None:
    """A request; None when there is none, or it is about nobody in scope."""
    wanted = _rows().where(requests.c.id == request, *narrowed(scope, ALL))
    row = (await connection.execute(wanted)).first()
    return None if row is None else _request(row)


async def request_page(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, *, limit: int, offset: int
) -> tuple[int, list[RequestRow]]:
    """How many requests of people in scope there are, and a page of them, newest first."""
    conditions = [*narrowed(scope, wanted.narrow), *_conditions(wanted)]
    joined = requests.join(employees, employees.c.id == requests.c.employee)
    total = await connection.scalar(select(func.count()).select_from(joined).where(*conditions))
    page = _rows().where(*conditions).order_by(requests.c.id.desc()).limit(limit).offset(offset)
    return total or 0, [_request(row) for row in await connection.execute(page)]


async def pending_requests(connection: AsyncConnection, limit: int) -> list[RequestRow]:
    """Requests that wait, oldest first, of everybody: who may decide which is not a question of scope."""
    page = _rows().where(requests.c.state == "pending").order_by(requests.c.id).limit(limit)
    return [_request(row) for row in await connection.execute(page)]


async def overlapping(
    connection: AsyncConnection, employee: str, kinds: Collection[str], from_ms: WallMs, to_ms: WallMs
) -> list[RequestRow]:
    """Pending and approved requests of a person with a moment in ``from_ms <= t < to_ms``, for who was let ask."""
    alive = requests.c.state.in_(("pending", "approved"))
    same = (requests.c.employee == employee, requests.c.kind.in_(sorted(kinds)), alive)
    found = _rows().where(*same, requests.c.from_ms < to_ms, requests.c.to_ms > from_ms)
    return [_request(row) for row in await connection.execute(found.order_by(requests.c.from_ms))]


async def corrections_between(
    connection: AsyncConnection, employee: str, from_ms: WallMs, to_ms: WallMs
) -> list[RequestRow]:
    """Pending and approved corrections of a person with ``from_ms <= at < to_ms``, for who was let ask."""
    alive = requests.c.state.in_(("pending", "approved"))
    same = (requests.c.employee == employee, requests.c.kind == "correction", alive)
    found = _rows().where(*same, requests.c.from_ms >= from_ms, requests.c.from_ms < to_ms)
    return [_request(row) for row in await connection.execute(found.order_by(requests.c.from_ms))]


async def endings_of(connection: AsyncConnection, leave: int) -> list[int]:
    """Pending requests to end a leave, for who was let ask."""
    same = (requests.c.about == leave, requests.c.state == "pending")
    return list(await connection.scalars(select(requests.c.id).where(*same)))


async def timed_out_requests(connection: AsyncConnection, now_ms: WallMs, limit: int) -> list[int]:
    """Requests of anybody whose waiting step's time is over, oldest first."""
    due = (requests.c.state == "pending", requests.c.step_due_ms <= now_ms)
    return list(
        await connection.scalars(select(requests.c.id).where(*due).order_by(requests.c.step_due_ms).limit(limit))
    )


async def hold_request(connection: AsyncConnection, request: int) -> RequestRow | None:
    """The request as it is, kept so until this transaction ends; None when there is none. Scope is checked before."""
    await connection.execute(select(requests.c.id).where(requests.c.id == request).with_for_update())
    return await request_row(connection, Scope.system(), request)


async def add_request(connection: AsyncConnection, values: Mapping[str, Any]) -> int:
    """Store a request; its number."""
    made = await connection.execute(requests.insert().values(**values).returning(requests.c.id))
    number: int = made.scalar_one()
    return number


async def change_request(connection: AsyncConnection, request: int, values: Mapping[str, Any]) -> None:
    """Change columns of a request that is held."""
    await connection.execute(update(requests).where(requests.c.id == request).values(**values))


# --- steps and documents --------------------------------------------------------------------------------------------


async def add_step(connection: AsyncConnection, request: int, step: StepRow) -> None:
    """Write down a decision; there is no way to change it."""
    values = {"step": step.step, "decision": step.decision, "actor": step.actor, "for_user": step.for_user}
    await connection.execute(
        request_steps.insert().values(request=request, comment=step.comment, at_ms=step.at_ms, **values)
    )


async def steps_of(connection: AsyncConnection, request: int) -> list[StepRow]:
    """Decisions about a request that the viewer was let see, oldest first."""
    columns = [request_steps.c[name] for name in ("step", "decision", "actor", "for_user", "comment", "at_ms")]
    found = select(*columns).where(request_steps.c.request == request).order_by(request_steps.c.id)
    return [StepRow(*row) for row in await connection.execute(found)]


async def add_file(
    connection: AsyncConnection, request: int, values: Mapping[str, Any], content: bytes, sha256: bytes
) -> int:
    """Keep a document; its number."""
    row = {**values, "request": request, "content": content, "sha256": sha256}
    made = await connection.execute(request_files.insert().values(**row).returning(request_files.c.id))
    number: int = made.scalar_one()
    return number


async def files_of(connection: AsyncConnection, request: int) -> list[FileRow]:
    """Documents of a request that the viewer was let see, oldest first."""
    file = request_files.c
    size = func.length(file.content)
    found = select(file.id, file.name, file.media_type, size, file.actor, file.at_ms).where(file.request == request)
    found = found.order_by(file.id)
    return [FileRow(*row) for row in await connection.execute(found)]


async def file_content(connection: AsyncConnection, request: int, file: int) -> tuple[str, str, bytes] | None:
    """Name, type and content of a document of a request that the viewer was let see."""
    columns = [request_files.c[name] for name in ("name", "media_type", "content")]
    same = (request_files.c.request == request, request_files.c.id == file)
    row = (await connection.execute(select(*columns).where(*same))).first()
    return None if row is None else (row.name, row.media_type, row.content)


# --- parts ----------------------------------------------------------------------------------------------------------


def _rows() -> Select[*tuple[Any, ...]]:
    joined = requests.join(employees, employees.c.id == requests.c.employee).join(sites, sites.c.id == employees.c.site)
    joined = joined.outerjoin(_other, _other.c.id == requests.c.other)
    person = [employees.c.name, employees.c.department, sites.c.zone, _other.c.name.label("other_name")]
    return select(*requests.c, *person).select_from(joined)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.states:
        found.append(requests.c.state.in_(sorted(wanted.states)))
    if wanted.kinds:
        found.append(requests.c.kind.in_(sorted(wanted.kinds)))
    if wanted.employee is not None:
        found.append(requests.c.employee == wanted.employee)
    if wanted.to_ms is not None:
        found.append(requests.c.from_ms < wanted.to_ms)
    if wanted.from_ms is not None:
        inside = requests.c.from_ms >= wanted.from_ms  # a correction is a moment
        found.append(or_(requests.c.to_ms > wanted.from_ms, inside))
    return found


def _request(row: Row[*tuple[Any, ...]]) -> RequestRow:
    return RequestRow(*row)
