"""Drafts of schemes and the versions that they became; the engine reads all of it, so none of these takes a scope."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias, cast

import msgspec
from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.rules import Book, Change, Item, Kind, changed
from server.store.scheme_tables import scheme_changes, scheme_drafts
from shared.clock import WallMs

State: TypeAlias = Literal["draft", "submitted", "published", "rejected", "withdrawn"]
LOCK = 7_023
"""Advisory lock on PostgreSQL: whoever publishes holds it until the commit, so that versions have no gaps."""


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft, or the version that it became."""

    id: int
    title: str
    state: State
    based_on: int
    revision: int
    version: int | None
    first_on: date | None
    written_by: str
    authors: tuple[str, ...]
    """Everybody who wrote on it, as ``login:`` and ``employee:``."""
    written_ms: WallMs
    submitted_ms: WallMs | None
    decided_by: str | None
    decided_ms: WallMs | None
    note: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a draft is kept with beside its lines."""

    title: str
    based_on: int
    first_on: date | None
    by: str
    authors: tuple[str, ...]
    at_ms: WallMs


async def newest_version(connection: AsyncConnection) -> int:
    """Number of the version in force; 0 before the first."""
    return await connection.scalar(select(func.max(scheme_drafts.c.version))) or 0


async def newest_publication(connection: AsyncConnection) -> tuple[int, WallMs] | None:
    """Number of the version in force, and when it was published; None before the first."""
    table = scheme_drafts.c
    newest = select(table.version, table.decided_ms).where(table.version.is_not(None))
    row = (await connection.execute(newest.order_by(table.version.desc()).limit(1))).first()
    return None if row is None else (row.version, row.decided_ms)


async def book_at(connection: AsyncConnection, version: int | None = None) -> Book:
    """Everything that was published up to a version, or until now: the newest line of each key."""
    published = select(scheme_drafts.c.version, scheme_changes.c.kind, scheme_changes.c.key, scheme_changes.c.item)
    published = published.select_from(scheme_drafts.join(scheme_changes)).where(scheme_drafts.c.version.is_not(None))
    if version is not None:
        published = published.where(scheme_drafts.c.version <= version)
    rows: Iterable[Row[Any]] = await connection.execute(published.order_by(scheme_drafts.c.version))
    return changed({}, (_change(row) for row in rows))


async def draft_rows(connection: AsyncConnection, states: Sequence[State], limit: int = 200) -> list[DraftRow]:
    """Drafts in one of these states, the newest first."""
    wanted = select(scheme_drafts).where(scheme_drafts.c.state.in_(states))
    newest = (func.coalesce(scheme_drafts.c.version, 0).desc(), scheme_drafts.c.id.desc())
    return [_draft(row) for row in await connection.execute(wanted.order_by(*newest).limit(limit))]


async def draft_row(connection: AsyncConnection, draft: int) -> DraftRow | None:
    """A draft."""
    row = (await connection.execute(select(scheme_drafts).where(scheme_drafts.c.id == draft))).first()
    return None if row is None else _draft(row)


async def version_row(connection: AsyncConnection, version: int) -> DraftRow | None:
    """The draft that became a version."""
    row = (await connection.execute(select(scheme_drafts).where(scheme_drafts.c.version == version))).first()
    return None if row is None else _draft(row)


async def changes_of(connection: AsyncConnection, draft: int) -> tuple[Change, ...]:
    """Lines of a draft, by kind and key."""
    wanted = select(scheme_changes).where(scheme_changes.c.draft == draft)
    rows = await connection.execute(wanted.order_by(scheme_changes.c.kind, scheme_changes.c.key))
    return tuple(_change(row) for row in rows)


async def add_draft(connection: AsyncConnection, written: Written, changes: Iterable[Change]) -> int:
    """Keep a new draft; its number."""
    told = scheme_drafts.insert().values(**_told(written), state="draft", revision=1, note="")
    number: int = (await connection.execute(told.returning(scheme_drafts.c.id))).scalar_one()
    await _put_changes(connection, number, changes)
    return number


async def change_draft(connection: AsyncConnection, row: DraftRow, written: Written, changes: Iterable[Change]) -> bool:
    """Write a draft anew; False when somebody else did since ``row`` was read, or it is no draft any more."""
    same = (scheme_drafts.c.id == row.id, scheme_drafts.c.revision == row.revision, scheme_drafts.c.state == "draft")
    values = {**_told(written), "revision": row.revision + 1}
    values["authors"] = list(dict.fromkeys([*row.authors, *written.authors]))
    done = await connection.execute(update(scheme_drafts).where(*same).values(**values))
    if done.rowcount != 1:
        return False
    await connection.execute(delete(scheme_changes).where(scheme_changes.c.draft == row.id))
    await _put_changes(connection, row.id, changes)
    return True


async def set_state(connection: AsyncConnection, row: DraftRow, state: State, **values: Any) -> bool:
    """Move a draft on from the state and revision that were looked at; False when it is not there any more."""
    same = (
        scheme_drafts.c.id == row.id,
        scheme_drafts.c.revision == row.revision,
        scheme_drafts.c.state == row.state,
    )
    done = await connection.execute(update(scheme_drafts).where(*same).values(state=state, **values))
    return done.rowcount == 1


async def hold_versions(connection: AsyncConnection) -> None:
    """Nobody else publishes before this transaction ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))


async def _put_changes(connection: AsyncConnection, draft: int, changes: Iterable[Change]) -> None:
    rows = [
        {
            "draft": draft,
            "kind": one.kind,
            "key": one.key,
            "item": None if one.item is None else msgspec.to_builtins(one.item),
        }
        for one in changes
    ]
    if rows:
        await connection.execute(scheme_changes.insert(), rows)


def _told(written: Written) -> dict[str, Any]:
    return {
        "title": written.title,
        "based_on": written.based_on,
        "first_on": written.first_on,
        "written_by": written.by,
        "authors": list(written.authors),
        "written_ms": written.at_ms,
    }


def _change(row: Row[Any]) -> Change:
    item = None if row.item is None else msgspec.convert(row.item, cast("type[Item]", Item))
    return Change(cast("Kind", row.kind), row.key, item)


def _draft(row: Row[Any]) -> DraftRow:
    told = {name: getattr(row, name) for name in DraftRow.__slots__}
    return DraftRow(**told | {"authors": tuple(row.authors)})
