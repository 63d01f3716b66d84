"""Files on their way to facts, their rows in parts, and what of them is stored. About no single person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.source_tables import fact_quarantine, file_import_parts, file_imports, sync_runs
from shared.clock import WallMs

_VALUES = 1_000


@dataclass(frozen=True, slots=True)
class FileImport:
    """A file, what it is to become, and how far it is."""

    id: int
    name: str
    sha256: bytes
    fact: str
    rows: int
    profile: Mapping[str, Any]
    source: str | None
    stream: str | None
    map: str | None
    state: str
    done_rows: int
    report: Mapping[str, Any] | None
    reconciled: Mapping[str, Any] | None
    run: int | None
    error: str | None
    actor: str
    imported_by: str | None
    signed_by: str | None
    note: str
    created_ms: WallMs
    changed_ms: WallMs


async def add(connection: AsyncConnection, values: Mapping[str, Any], at_ms: WallMs) -> int:
    """A new file; its number."""
    more = {"state": "uploaded", "done_rows": 0, "note": "", "created_ms": at_ms, "changed_ms": at_ms}
    statement = insert(file_imports).values({**values, **more}).returning(file_imports.c.id)
    return int((await connection.execute(statement)).scalar_one())


async def add_part(connection: AsyncConnection, number: int, first: int, rows: int, body: bytes) -> None:
    """Rows of a file from this place on."""
    await connection.execute(insert(file_import_parts).values(file=number, first=first, rows=rows, body=body))


async def part(connection: AsyncConnection, number: int, first: int) -> bytes | None:
    """The rows from this place on; None after the last."""
    table = file_import_parts
    body: bytes | None = await connection.scalar(
        select(table.c.body).where(table.c.file == number, table.c.first == first)
    )
    return body


async def forget_parts(connection: AsyncConnection, number: int) -> None:
    """The rows are not needed any more."""
    await connection.execute(delete(file_import_parts).where(file_import_parts.c.file == number))


async def one(connection: AsyncConnection, number: int) -> FileImport | None:
    """A file."""
    row = (await connection.execute(select(file_imports).where(file_imports.c.id == number))).first()
    return None if row is None else _file(row)


async def page(connection: AsyncConnection, *, limit: int, offset: int) -> tuple[int, list[FileImport]]:
    """How many files there are, and some of them, newest first."""
    total = await connection.scalar(select(func.count()).select_from(file_imports))
    which = select(file_imports).order_by(file_imports.c.id.desc()).limit(limit).offset(offset)
    return total or 0, [_file(row) for row in await connection.execute(which)]


async def in_states(connection: AsyncConnection, states: Sequence[str]) -> list[int]:
    """Files in these states that nothing has broken off, oldest first."""
    table = file_imports
    which = select(table.c.id).where(table.c.state.in_(list(states)), table.c.error.is_(None))
    return list(await connection.scalars(which.order_by(table.c.id)))


async def later(connection: AsyncConnection, file: FileImport, states: Sequence[str]) -> int | None:
    """A newer file of the same stream in one of these states."""
    table = file_imports
    same = (table.c.source == file.source, table.c.stream == file.stream, table.c.state.in_(list(states)))
    number: int | None = await connection.scalar(select(func.max(table.c.id)).where(*same, table.c.id > file.id))
    return number


async def same_content(connection: AsyncConnection, sha256: bytes, states: Sequence[str]) -> int | None:
    """A file of the same bytes in one of these states."""
    table = file_imports
    which = select(func.max(table.c.id)).where(table.c.sha256 == sha256, table.c.state.in_(list(states)))
    number: int | None = await connection.scalar(which)
    return number


async def change(connection: AsyncConnection, number: int, states: Sequence[str], at_ms: WallMs, **values: Any) -> bool:
    """Write values of a file that is in one of these states; False when it is in another by now."""
    which = update(file_imports).where(file_imports.c.id == number, file_imports.c.state.in_(list(states)))
    return (await connection.execute(which.values(**values, changed_ms=at_ms))).rowcount == 1


async def advance(connection: AsyncConnection, file: FileImport, done: int, at_ms: WallMs) -> bool:
    """Go on to so many rows; False when another process has, and then nothing of the part may be stored."""
    table = file_imports
    same = (table.c.id == file.id, table.c.state == file.state, table.c.done_rows == file.done_rows)
    return (await connection.execute(update(table).where(*same).values(done_rows=done, changed_ms=at_ms))).rowcount == 1


async def forget_before(connection: AsyncConnection, states: Sequence[str], before_ms: WallMs) -> int:
    """Delete files that stayed in these states for so long; how many."""
    table = file_imports
    old = select(table.c.id).where(table.c.state.in_(list(states)), table.c.changed_ms < before_ms)
    numbers = list(await connection.scalars(old))
    for number in numbers:
        await forget_parts(connection, number)
        await connection.execute(delete(table).where(table.c.id == number))
    return len(numbers)


async def count_run(connection: AsyncConnection, run: int, more: Mapping[str, int]) -> None:
    """Add to the counts of a run; several processes may."""
    table = sync_runs
    await connection.execute(
        update(table).where(table.c.id == run).values({name: table.c[name] + count for name, count in more.items()})
    )


async def stored_values(
    connection: AsyncConnection, table: Table, source: str, keys: Sequence[str], columns: Sequence[str]
) -> list[tuple[Any, ...]]:
    """These columns of the rows of these keys that are stored and not deleted."""
    found: list[tuple[Any, ...]] = []
    for n in range(0, len(keys), _VALUES):
        which = select(*(table.c[name] for name in columns)).where(
            table.c.source == source, table.c.source_key.in_(list(keys[n : n + _VALUES])), table.c.deleted.is_(False)
        )
        found += [tuple(row) for row in await connection.execute(which)]
    return found


async def keys_of_run(connection: AsyncConnection, table: Table, source: str, run: int, limit: int) -> list[str]:
    """Some keys of rows that a run stored last."""
    which = select(table.c.source_key).where(table.c.source == source, table.c.run == run).limit(limit)
    return list(await connection.scalars(which))


async def take_out(connection: AsyncConnection, table: Table, source: str, keys: Sequence[str]) -> int:
    """Delete rows as if they had never come; how many."""
    gone = 0
    for n in range(0, len(keys), _VALUES):
        which = delete(table).where(table.c.source == source, table.c.source_key.in_(list(keys[n : n + _VALUES])))
        gone += (await connection.execute(which)).rowcount
    return gone


async def count_waiting(connection: AsyncConnection, source: str, stream: str, run: int) -> dict[str, int]:
    """Rows of a run that wait or waited, by state."""
    table = fact_quarantine
    mine = (table.c.source == source, table.c.stream == stream, table.c.run == run)
    rows = await connection.execute(select(table.c.state, func.count()).where(*mine).group_by(table.c.state))
    return {state: count for state, count in rows}  # noqa: C416  (rows are no pairs to mypy)


async def decided_rows(
    connection: AsyncConnection, source: str, stream: str, run: int
) -> list[tuple[bytes, Any, Mapping[str, Any] | None]]:
    """Rows of a run that a person brought in after all: digest, raw row, patch."""
    table = fact_quarantine
    mine = (table.c.source == source, table.c.stream == stream, table.c.run == run)
    which = select(table.c.digest, table.c.raw, table.c.patch).where(*mine, table.c.state.in_(("fixed", "accepted")))
    return [(digest, raw, patch) for digest, raw, patch in await connection.execute(which)]


async def forget_waiting(connection: AsyncConnection, source: str, stream: str, run: int) -> int:
    """Nothing of a run waits any more; how many rows did."""
    table = fact_quarantine
    mine = delete(table).where(table.c.source == source, table.c.stream == stream, table.c.run == run)
    return (await connection.execute(mine)).rowcount


def _file(row: Row[Any]) -> FileImport:
    return FileImport(**row._mapping)  # noqa: SLF001  (public in SQLAlchemy, named so that it meets no column)
