"""People by date, departments, positions and sites: what the services that change them read and write.

They work on people who were found in scope before, or for the whole company, so none of these takes a scope.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.people.person import Contract, Person, Post
from server.people.position_names import shipped_name
from server.store.people_tables import contracts, positions, posts
from server.store.schema import metadata
from server.store.scheme_tables import score_segments
from server.store.tables import attendance_days, day_versions, departments, employees, roster, scorecards, scores, sites
from server.store.upsert import insert_into

_PEOPLE = 5_000
"""People of one statement."""
_DERIVED: tuple[Table, ...] = (attendance_days, scores, scorecards, score_segments)
"""Results: they go with the person and come back by computing."""


# --- people ---------------------------------------------------------------------------------------------------------


async def people_by_id(connection: AsyncConnection, people: Collection[str]) -> dict[str, Person]:
    """These people with posts and contracts; who has no post on record has that of today since the first day."""
    found: dict[str, Person] = {}
    wanted = sorted(people)
    for start in range(0, len(wanted), _PEOPLE):
        part = wanted[start : start + _PEOPLE]
        rows = (await connection.execute(select(employees).where(employees.c.id.in_(part)))).all()
        had = await _posts(connection, part)
        signed = await _contracts(connection, part)
        for row in rows:
            implied = (Post(row.joined_on, row.department, row.site, row.position),)
            found[row.id] = Person(
                row.id,
                row.name,
                row.joined_on,
                row.left_on,
                row.worked_since,
                row.email,
                had.get(row.id, implied),
                signed.get(row.id, ()),
            )
    return found


async def posts_on_record(
    connection: AsyncConnection, people: Collection[str] | None = None
) -> dict[str, tuple[Post, ...]]:
    """Posts by date of these people, or of everybody; who has none on record is left out."""
    if people is None:
        return await _all_posts(connection)
    found: dict[str, tuple[Post, ...]] = {}
    wanted = sorted(people)
    for start in range(0, len(wanted), _PEOPLE):
        found |= await _posts(connection, wanted[start : start + _PEOPLE])
    return found


async def put_person(connection: AsyncConnection, person: Person, post: Post) -> None:
    """Write a person in full; ``post`` is the one of today."""
    row = {
        "id": person.id,
        "name": person.name,
        "department": post.department,
        "site": post.site,
        "position": post.position,
        "joined_on": person.joined_on,
        "left_on": person.left_on,
        "worked_since": person.worked_since,
        "email": person.email,
    }
    statement = insert_into(connection, employees).values(**row)
    changed = {name: statement.excluded[name] for name in row if name != "id"}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))
    await connection.execute(delete(posts).where(posts.c.employee == person.id))
    await connection.execute(posts.insert(), [_post_values(person.id, one) for one in person.posts])
    await put_contracts(connection, person)


async def put_posts(connection: AsyncConnection, people: Mapping[str, Sequence[Post]]) -> None:
    """Replace the posts of these people."""
    ids = sorted(people)
    for start in range(0, len(ids), _PEOPLE):
        await connection.execute(delete(posts).where(posts.c.employee.in_(ids[start : start + _PEOPLE])))
    rows = [_post_values(employee, post) for employee in ids for post in people[employee]]
    if rows:
        await connection.execute(posts.insert(), rows)


async def people_with_posts(connection: AsyncConnection) -> set[str]:
    """Who has posts on record."""
    return set(await connection.scalars(select(posts.c.employee).distinct()))


async def set_post(connection: AsyncConnection, employee: str, post: Post) -> None:
    """Let a post be the one of today."""
    values = {"department": post.department, "site": post.site, "position": post.position}
    await connection.execute(update(employees).where(employees.c.id == employee).values(**values))


async def begun_posts(connection: AsyncConnection, zone: str, today: date) -> list[str]:
    """People at sites of a zone whose newest post that has begun is not the one they are at."""
    newest = select(posts.c.employee, func.max(posts.c.from_on).label("from_on")).where(posts.c.from_on <= today)
    last = newest.group_by(posts.c.employee).subquery()
    joined = (
        employees.join(last, last.c.employee == employees.c.id)
        .join(posts, and_(posts.c.employee == last.c.employee, posts.c.from_on == last.c.from_on))
        .join(sites, sites.c.id == employees.c.site)
    )
    other = or_(*(posts.c[name] != employees.c[name] for name in ("department", "site", "position")))
    which = select(employees.c.id).select_from(joined).where(sites.c.zone == zone, other).order_by(employees.c.id)
    return list(await connection.scalars(which))


async def in_the_way(connection: AsyncConnection, employee: str) -> list[str]:
    """Names of what refers to an employee beside results, posts and contracts."""
    found = []
    for table in metadata.sorted_tables:
        if table in (*_DERIVED, posts, contracts):
            continue
        named = [column for column in table.c if any(key.column is employees.c.id for key in column.foreign_keys)]
        if not named:
            continue
        mine = select(func.count()).select_from(table).where(or_(*(column == employee for column in named)))
        if await connection.scalar(mine):
            found.append(table.name)
    return found


async def remove_person(connection: AsyncConnection, employee: str) -> None:
    """Take out somebody whom nothing but results refers to."""
    for table in (*_DERIVED, day_versions, posts, contracts):
        await connection.execute(delete(table).where(table.c.employee == employee))
    await connection.execute(delete(employees).where(employees.c.id == employee))


async def days_between(
    connection: AsyncConnection, people: Collection[str], spans: Mapping[str, Sequence[tuple[date, date]]]
) -> list[tuple[str, date]]:
    """Employee-days of these people within their spans that are planned or have a record."""
    found: set[tuple[str, date]] = set()
    wanted = sorted(people)
    for table in (roster, attendance_days):
        for start in range(0, len(wanted), _PEOPLE):
            which = select(table.c.employee, table.c.date).where(table.c.employee.in_(wanted[start : start + _PEOPLE]))
            for row in await connection.execute(which.distinct()):
                if any(first <= row.date <= last for first, last in spans[row.employee]):
                    found.add((row.employee, row.date))
    return sorted(found)


async def _posts(connection: AsyncConnection, people: Sequence[str]) -> dict[str, tuple[Post, ...]]:
    return await _all_posts(connection, posts.c.employee.in_(people))


async def _all_posts(connection: AsyncConnection, *which_people: ColumnElement[bool]) -> dict[str, tuple[Post, ...]]:
    which = select(posts).where(*which_people).order_by(posts.c.employee, posts.c.from_on)
    found: dict[str, tuple[Post, ...]] = {}
    for row in await connection.execute(which):
        post = Post(row.from_on, row.department, row.site, row.position)
        found[row.employee] = (*found.get(row.employee, ()), post)
    return found


async def _contracts(connection: AsyncConnection, people: Sequence[str]) -> dict[str, tuple[Contract, ...]]:
    which = select(contracts).where(contracts.c.employee.in_(people))
    found: dict[str, tuple[Contract, ...]] = {}
    for row in await connection.execute(which.order_by(contracts.c.employee, contracts.c.from_on)):
        found[row.employee] = (*found.get(row.employee, ()), _contract(row))
    return found


async def put_contracts(connection: AsyncConnection, person: Person) -> None:
    """Write the contracts of a person; only what differs, so that a contract keeps its number."""
    rows = await connection.execute(select(contracts).where(contracts.c.employee == person.id))
    kept: set[Contract] = set()
    for row in rows.all():
        if (contract := _contract(row)) in person.contracts:
            kept.add(contract)
        else:
            await connection.execute(delete(contracts).where(contracts.c.id == row.id))
    news = [contract for contract in person.contracts if contract not in kept]
    if news:
        await connection.execute(contracts.insert(), [contract_values(person.id, one) for one in news])


def contract_values(employee: str, contract: Contract) -> dict[str, Any]:
    """A contract as columns."""
    return {
        "employee": employee,
        "kind": contract.kind,
        "from_on": contract.from_on,
        "to_on": contract.to_on,
        "work_system": contract.work_system,
        "hours_period": contract.hours_period,
    }


def _contract(row: Row[Any]) -> Contract:
    return Contract(row.from_on, row.to_on, row.kind, row.work_system, row.hours_period)


def _post_values(employee: str, post: Post) -> dict[str, Any]:
    place = {"department": post.department, "site": post.site, "position": post.position}
    return {"employee": employee, "from_on": post.from_on, **place}


# --- departments, positions, sites ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DepartmentRow:
    """A department; ``parent`` is the one above."""

    id: str
    parent: str | None
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A position."""

    id: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site; no ``calendar`` means the company's."""

    id: str
    name_zh: str
    name_en: str
    zone: str
    calendar: str | None


async def department_rows(connection: AsyncConnection) -> dict[str, DepartmentRow]:
    """Every department by id."""
    rows = await connection.execute(select(departments).order_by(departments.c.id))
    return {row.id: DepartmentRow(row.id, row.parent, row.name_zh, row.name_en) for row in rows}


async def position_rows(connection: AsyncConnection) -> dict[str, PositionRow]:
    """Every position by id; one that somebody has and nobody named is called as it ships, else by its id."""
    used = [await connection.scalars(select(table.c.position).distinct()) for table in (employees, posts)]
    found = {
        name: PositionRow(name, *shipped_name(name)) for name in sorted({name for names in used for name in names})
    }
    for name, texts in (await named_positions(connection)).items():
        found[name] = PositionRow(name, *texts)
    return found


async def position_names(connection: AsyncConnection) -> dict[str, tuple[str, str]]:
    """Chinese and English of every position by id, as in ``position_rows``."""
    return {one.id: (one.name_zh, one.name_en) for one in (await position_rows(connection)).values()}


async def named_positions(connection: AsyncConnection) -> dict[str, tuple[str, str]]:
    """Chinese and English of each position that somebody named, by id."""
    rows = await connection.execute(select(positions).order_by(positions.c.id))
    return {row.id: (row.name_zh, row.name_en) for row in rows}


async def site_rows(connection: AsyncConnection) -> dict[str, SiteRow]:
    """Every site by id."""
    rows = await connection.execute(select(sites).order_by(sites.c.id))
    return {row.id: SiteRow(row.id, row.name_zh, row.name_en, row.zone, row.calendar) for row in rows}


async def put_row(connection: AsyncConnection, section: str, values: Mapping[str, Any]) -> None:
    """Add or change a department, position or site."""
    table = {"departments": departments, "positions": positions, "sites": sites}[section]
    statement = insert_into(connection, table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name != "id"}
    await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


async def remove_row(connection: AsyncConnection, section: str, name: str) -> None:
    """Take out a department or position that nothing refers to."""
    table = {"departments": departments, "positions": positions}[section]
    await connection.execute(delete(table).where(table.c.id == name))


async def headcounts(connection: AsyncConnection, today: date) -> dict[str, int]:
    """How many people each department has today, those below it not included; who left does not count."""
    here = or_(employees.c.left_on.is_(None), employees.c.left_on >= today)
    counted = select(employees.c.department, func.count().label("number")).where(here).group_by(employees.c.department)
    return {row.department: row.number for row in await connection.execute(counted)}


async def used_departments(connection: AsyncConnection) -> set[str]:
    """Departments that somebody is, was or will be in."""
    used: set[str] = set()
    for table in (employees, posts):
        used.update(await connection.scalars(select(table.c.department).distinct()))
    return used


async def used_positions(connection: AsyncConnection) -> set[str]:
    """Positions that somebody has, had or will have."""
    used: set[str] = set()
    for table in (employees, posts):
        used.update(await connection.scalars(select(table.c.position).distinct()))
    return used


async def people_at(connection: AsyncConnection, site_ids: Iterable[str]) -> list[str]:
    """People who are at these sites today."""
    return list(await connection.scalars(select(employees.c.id).where(employees.c.site.in_(sorted(site_ids)))))
