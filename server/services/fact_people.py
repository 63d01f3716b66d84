"""People behind the ids of business systems: linked by a person, from a day on; rows that are stored follow."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.facts.resolve.rule import LINKS
from server.services.sources import load_source
from server.store import attribute_writes, fact_marks, link_queries, log_queries, source_queries
from server.store.database import Database
from server.store.fact_queries import Link, link_on
from server.store.fact_tables import FACT_TABLES
from server.store.link_queries import LinkRow, UnmatchedId
from server.store.log_queries import Entry
from shared.clock import from_ms
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An id that is nobody's yet, and whose it may be."""

    id: UnmatchedId
    suggested: tuple[str, ...]
    """Employees whose number or name is exactly the id."""


@dataclass(frozen=True, slots=True)
class UnlinkRow:
    """An id on a day: the first of its link, or from which on it is to be another's."""

    source: str
    employee_key: str
    valid_from: dt.date


async def unmatched(connection: AsyncConnection, source: str | None = None, limit: int = 500) -> list[Unmatched]:
    """Ids that rows name and that are nobody's, those of most rows first."""
    found = await link_queries.unmatched(connection, source, limit)
    alike = await link_queries.like(connection, sorted({one.employee_key for one in found}))
    return [Unmatched(one, tuple(alike.get(one.employee_key, ()))) for one in found]


async def link(db: Database, row: LinkRow, entry: Entry) -> int:
    """Say whose an id is from a day on; how many stored rows are somebody else's by that.

    DataError ``days`` or ``overlap``: an id is one person's on each day.
    """
    async with db.writing() as connection:
        _, source = await load_source(connection, row.source)
        await source_queries.hold(connection, row.source)
        if not await link_queries.is_employee(connection, row.employee):
            raise NotFoundError(f"employee {row.employee}")
        if row.valid_to is not None and row.valid_to < row.valid_from:
            raise DataError("the last day is before the first", "days")
        _refuse_overlaps(row, await link_queries.links(connection, row.source, row.employee_key))
        await link_queries.put_link(connection, row)
        changed = await _attribute(connection, row.source, row.employee_key, source.zone)
        detail = {"key": row.employee_key, "employee": row.employee, "from": row.valid_from.isoformat()}
        await log_queries.append(connection, replace(entry, object=row.source, detail=detail))
    return changed


async def unlink(db: Database, name: str, key: str, valid_from: dt.date, entry: Entry) -> int:
    """Take a link back; how many stored rows are nobody's or somebody else's by that. NotFoundError: there is none."""
    async with db.writing() as connection:
        _, source = await load_source(connection, name)
        await source_queries.hold(connection, name)
        if not await link_queries.drop_link(connection, name, key, valid_from):
            raise NotFoundError(f"link of {key} in {name} from {valid_from}")
        changed = await _attribute(connection, name, key, source.zone)
        detail = {"key": key, "from": valid_from.isoformat()}
        await log_queries.append(connection, replace(entry, object=name, detail=detail))
    return changed


async def end(db: Database, row: UnlinkRow, last: dt.date, entry: Entry) -> int:
    """Say on which day a link was the last time; how many stored rows are nobody's by that.

    NotFoundError: there is none; DataError ``days``: it begins later; ``overlap``: another one begins before.
    """
    async with db.writing() as connection:
        _, source = await load_source(connection, row.source)
        await source_queries.hold(connection, row.source)
        there = await link_queries.links(connection, row.source, row.employee_key)
        known = next((one for one in there if one.valid_from == row.valid_from), None)
        if known is None:
            raise NotFoundError(f"link of {row.employee_key} in {row.source} from {row.valid_from}")
        if last < known.valid_from:
            raise DataError("the last day is before the first", "days")
        ended = replace(known, valid_to=last)
        _refuse_overlaps(ended, [one for one in there if one is not known])
        await link_queries.end_link(connection, known, last)
        changed = await _attribute(connection, row.source, row.employee_key, source.zone)
        detail = {"key": row.employee_key, "from": row.valid_from.isoformat(), "to": last.isoformat()}
        await log_queries.append(connection, replace(entry, object=row.source, detail=detail))
    return changed


async def correct(db: Database, row: UnlinkRow, employee: str, entry: Entry) -> int:
    """From this day on the id is somebody else's, for as long as the link of that day holds; how many rows follow.

    The day before is the last of whose it was. NotFoundError: no such employee; DataError ``no_link``: it was nobody's.
    """
    day = row.valid_from
    async with db.writing() as connection:
        _, source = await load_source(connection, row.source)
        await source_queries.hold(connection, row.source)
        if not await link_queries.is_employee(connection, employee):
            raise NotFoundError(f"employee {employee}")
        there = await link_queries.links(connection, row.source, row.employee_key)
        known = next((one for one in there if one.valid_from <= day and _lasts(one, day)), None)
        if known is None:
            raise DataError(f"{row.employee_key} is nobody's on {day}: link it", "no_link")
        if known.valid_from == day:
            await link_queries.drop_link(connection, row.source, row.employee_key, day)
        else:
            await link_queries.end_link(connection, known, day - dt.timedelta(days=1))
        await link_queries.put_link(connection, replace(known, valid_from=day, employee=employee))
        changed = await _attribute(connection, row.source, row.employee_key, source.zone)
        detail = {"key": row.employee_key, "from": day.isoformat(), "was": known.employee, "employee": employee}
        await log_queries.append(connection, replace(entry, object=row.source, detail=detail))
    return changed


def _lasts(one: LinkRow, day: dt.date) -> bool:
    return one.valid_to is None or day <= one.valid_to


def _refuse_overlaps(row: LinkRow, others: Sequence[LinkRow]) -> None:
    for other in others:
        if _overlap(row, other):
            raise DataError(
                f"{row.employee_key} is {other.employee}'s from {other.valid_from}",
                "overlap",
                {"employee": other.employee},
            )


def _overlap(one: LinkRow, other: LinkRow) -> bool:
    starts_before_end = other.valid_to is None or one.valid_from <= other.valid_to
    return starts_before_end and (one.valid_to is None or other.valid_from <= one.valid_to)


async def _attribute(connection: AsyncConnection, name: str, key: str, zone: ZoneInfo) -> int:
    """Give the rows of an id to whom it belonged on their days, and settle what follows."""
    links = [
        Link(row.valid_from, row.valid_to, row.employee) for row in await link_queries.links(connection, name, key)
    ]
    changed, facts = 0, {LINKS}
    for fact, table in FACT_TABLES.items():
        moved: list[tuple[str, str | None]] = []
        for row in await link_queries.rows_of(connection, table, name, key):
            at_ms = row.changed_ms if row.occurred_at_ms is None else row.occurred_at_ms
            person = link_on(links, from_ms(at_ms).astimezone(zone).date())
            if person != row.employee:
                moved.append((row.source_key, person))
        if moved:
            await link_queries.set_people(connection, table, name, moved)
            await _settle(connection, fact, name, [moved_key for moved_key, _ in moved])
            changed += len(moved)
            facts.add(fact)
    await attribute_writes.settle(connection, {LINKS: [{"source": name, "employee_key": key}]})
    await fact_marks.move(connection, facts)
    return changed


async def _settle(connection: AsyncConnection, fact: str, name: str, keys: Sequence[str]) -> None:
    rows = await attribute_writes.key_rows(connection, fact, name, keys)
    await attribute_writes.settle(connection, {fact: rows})
