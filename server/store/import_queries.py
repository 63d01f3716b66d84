"""Files that people brought. They are about no single person: whose files a viewer may see is asked with ``actor``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.people_tables import imports
from shared.clock import WallMs

State: TypeAlias = Literal["uploaded", "applied", "undone"]


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A file without its content."""

    id: int
    kind: str
    name: str
    sha256: bytes
    mapping: Mapping[str, str]
    options: Mapping[str, str | bool]
    state: State
    rows: int
    result: Mapping[str, int]
    actor: str
    uploaded_ms: WallMs
    applied_ms: WallMs | None
    undone_ms: WallMs | None


_COLUMNS = [column for column in imports.c if column.name not in ("content", "before")]


async def add_import(
    connection: AsyncConnection,
    *,
    kind: str,
    name: str,
    sha256: bytes,
    content: bytes,
    mapping: Mapping[str, str],
    rows: int,
    actor: str,
    at_ms: WallMs,
) -> int:
    """Keep a file; its id."""
    values = {"kind": kind, "name": name, "sha256": sha256, "content": content, "rows": rows, "actor": actor}
    more = {"mapping": dict(mapping), "options": {}, "before": {}, "result": {}, "state": "uploaded"}
    added = imports.insert().values(**values, **more, uploaded_ms=at_ms).returning(imports.c.id)
    number: int = (await connection.execute(added)).scalar_one()
    return number


async def import_row(connection: AsyncConnection, number: int) -> ImportRow | None:
    """One file."""
    row = (await connection.execute(select(*_COLUMNS).where(imports.c.id == number))).first()
    return None if row is None else _row(row)


async def import_rows(
    connection: AsyncConnection, kind: str, actor: str | None, *, limit: int, offset: int
) -> tuple[int, list[ImportRow]]:
    """How many files of a kind there are, of one user or of all, and a page of them, newest first."""
    conditions = [imports.c.kind == kind]
    if actor is not None:
        conditions.append(imports.c.actor == actor)
    total = await connection.scalar(select(func.count()).select_from(imports).where(*conditions))
    page = select(*_COLUMNS).where(*conditions).order_by(imports.c.id.desc()).limit(limit).offset(offset)
    return total or 0, [_row(row) for row in await connection.execute(page)]


async def import_content(connection: AsyncConnection, number: int) -> bytes:
    """What is in the file."""
    content: bytes = (await connection.execute(select(imports.c.content).where(imports.c.id == number))).scalar_one()
    return content


async def import_before(connection: AsyncConnection, number: int) -> dict[str, Any]:
    """What was kept to undo it."""
    before: dict[str, Any] = (
        await connection.execute(select(imports.c.before).where(imports.c.id == number))
    ).scalar_one()
    return before


async def applied_before(connection: AsyncConnection, kind: str, sha256: bytes) -> int | None:
    """The newest file of the same content that is applied."""
    same = (imports.c.kind == kind, imports.c.sha256 == sha256, imports.c.state == "applied")
    number: int | None = await connection.scalar(select(func.max(imports.c.id)).where(*same))
    return number


async def note_mapping(
    connection: AsyncConnection, number: int, mapping: Mapping[str, str], options: Mapping[str, str | bool]
) -> None:
    """Remember what the columns mean."""
    values = {"mapping": dict(mapping), "options": dict(options)}
    await connection.execute(update(imports).where(imports.c.id == number).values(**values))


async def take(connection: AsyncConnection, number: int, before: State, after: State, at_ms: WallMs) -> bool:
    """Move a file from one state to another; False when it is in another one, so that nobody does it twice."""
    values = {"state": after, "applied_ms" if after == "applied" else "undone_ms": at_ms}
    moved = await connection.execute(
        update(imports).where(imports.c.id == number, imports.c.state == before).values(**values)
    )
    return moved.rowcount == 1


async def note_result(
    connection: AsyncConnection, number: int, before: Mapping[str, Any], result: Mapping[str, int]
) -> None:
    """Keep what an applied file wrote."""
    values = {"before": dict(before), "result": dict(result)}
    await connection.execute(update(imports).where(imports.c.id == number).values(**values))


async def forget_uploads(connection: AsyncConnection, before_ms: WallMs) -> int:
    """Delete files that were never applied; how many."""
    old = (imports.c.state == "uploaded", imports.c.uploaded_ms < before_ms)
    return (await connection.execute(delete(imports).where(*old))).rowcount


def _row(row: Row[Any]) -> ImportRow:
    return ImportRow(**row._mapping)  # noqa: SLF001  (public in SQLAlchemy, named so that it meets no column)
