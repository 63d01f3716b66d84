"""Data keys as they are stored, and the sealed values that have to move to a new one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import Table, func, insert, literal, null, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.catalogue import SEALED
from server.store.fact_tables import FACT_TABLES
from server.store.key_tables import data_keys
from server.store.source_tables import fact_quarantine, hook_bodies, raw_pages, source_streams
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class DataKeyRow:
    """A wrapped key; ``purpose`` is ``seal`` or ``digest``."""

    id: int
    purpose: str
    suite: str
    master: str
    wrapped: bytes
    uses: int
    created_ms: WallMs
    retired_ms: WallMs | None


Kept: TypeAlias = Literal["page", "call"]
"""What a body is: a page that was read, or a vendor's call."""


class SealedRow(NamedTuple):
    """A sealed value of a row."""

    row: tuple[Any, ...]
    value: Any


async def data_key_rows(connection: AsyncConnection) -> list[DataKeyRow]:
    """Every data key, oldest first."""
    columns = [data_keys.c[name] for name in DataKeyRow.__slots__]
    return [DataKeyRow(*row) for row in await connection.execute(select(*columns).order_by(data_keys.c.id))]


async def add_data_key(connection: AsyncConnection, row: DataKeyRow) -> None:
    """A new key; those of its purpose before it only read from now on."""
    older = data_keys.c.purpose == row.purpose, data_keys.c.retired_ms.is_(None)
    await connection.execute(update(data_keys).where(*older).values(retired_ms=row.created_ms))
    await connection.execute(insert(data_keys).values({name: getattr(row, name) for name in DataKeyRow.__slots__}))


async def set_wrapped(connection: AsyncConnection, number: int, master: str, wrapped: bytes) -> None:
    """The same key under another master key."""
    which = update(data_keys).where(data_keys.c.id == number)
    await connection.execute(which.values(master=master, wrapped=wrapped))


async def count_uses(connection: AsyncConnection, number: int, more: int) -> int:
    """So many more values were sealed by a key; how many that makes."""
    which = update(data_keys).where(data_keys.c.id == number).values(uses=data_keys.c.uses + more)
    return int((await connection.execute(which.returning(data_keys.c.uses))).scalar_one())


async def sealed_facts(connection: AsyncConnection, fact: str, after: tuple[str, str], limit: int) -> list[SealedRow]:
    """Rows of a fact with a sealed value, by source and key after these."""
    table = FACT_TABLES[fact]
    later = (table.c.source > after[0]) | ((table.c.source == after[0]) & (table.c.source_key > after[1]))
    which = select(table.c.source, table.c.source_key, table.c.sealed).where(table.c.sealed.is_not(None), later)
    rows = await connection.execute(which.order_by(table.c.source, table.c.source_key).limit(limit).with_for_update())
    return [SealedRow((source, key), value) for source, key, value in rows]


async def set_sealed_fact(connection: AsyncConnection, fact: str, row: SealedRow, value: bytes) -> None:
    """The same values under another key; nothing where the row was changed meanwhile."""
    table, (source, key) = FACT_TABLES[fact], row.row
    same = table.c.source == source, table.c.source_key == key, table.c.sealed == row.value
    await connection.execute(update(table).where(*same).values(sealed=value))


async def sealed_waiting(connection: AsyncConnection, after: int, limit: int) -> list[tuple[int, SealedRow]]:
    """Waiting rows of facts with pay after a number, with their own."""
    table = fact_quarantine
    columns = (table.c.id, table.c.source, table.c.stream, table.c.digest, table.c.raw)
    which = select(*columns).where(table.c.fact.in_(list(SEALED)), table.c.id > after)
    rows = await connection.execute(which.order_by(table.c.id).limit(limit).with_for_update())
    return [(number, SealedRow(tuple(place), raw)) for number, *place, raw in rows]


async def set_waiting_raw(connection: AsyncConnection, number: int, raw: Any) -> None:
    """The same raw row under another key."""
    await connection.execute(update(fact_quarantine).where(fact_quarantine.c.id == number).values(raw=raw))


@dataclass(frozen=True, slots=True)
class BodyRow:
    """A kept page or a vendor's call that may carry pay."""

    number: int
    source: str
    body: bytes
    received_ms: WallMs | None
    """Of a call; none: a page."""


BODIES: Mapping[Kept, Table] = {"page": raw_pages, "call": hook_bodies}
"""Bodies that are kept encrypted where their source tells of pay."""


async def bodies(connection: AsyncConnection, kept: Kept, after: int, limit: int) -> list[BodyRow]:
    """Bodies of sources with pay, by number after that."""
    paying = select(source_streams.c.source).where(source_streams.c.fact.in_(list(SEALED)))
    table = BODIES[kept]
    received = table.c.received_ms if kept == "call" else null()
    which = select(table.c.id, table.c.source, table.c.body, received)
    which = which.where(table.c.source.in_(paying), table.c.id > after).order_by(table.c.id).limit(limit)
    return [BodyRow(*row) for row in await connection.execute(which.with_for_update(of=table))]


async def set_body(connection: AsyncConnection, kept: Kept, number: int, body: bytes) -> None:
    """The same body under another key."""
    table = BODIES[kept]
    await connection.execute(update(table).where(table.c.id == number).values(body=body))


async def sealed_rows(connection: AsyncConnection, table: Table, after: tuple[Any, ...], limit: int) -> list[SealedRow]:
    """Rows of a table with a column ``sealed``, by primary key after these; empty at first."""
    key = list(table.primary_key.columns)
    which = select(*key, table.c.sealed).where(table.c.sealed.is_not(None)).order_by(*key).limit(limit)
    if after:
        last = (literal(value, column.type) for value, column in zip(after, key, strict=True))
        which = which.where(tuple_(*key) > tuple_(*last))
    return [SealedRow(tuple(row[:-1]), row.sealed) for row in await connection.execute(which.with_for_update())]


async def set_sealed(connection: AsyncConnection, table: Table, row: SealedRow, value: bytes) -> None:
    """The same values under another key; nothing where the row was changed meanwhile."""
    same = [column == one for column, one in zip(table.primary_key.columns, row.row, strict=True)]
    await connection.execute(update(table).where(*same, table.c.sealed == row.value).values(sealed=value))


async def count_sealed(connection: AsyncConnection, fact: str) -> int:
    """Rows of a fact with a sealed value."""
    table = FACT_TABLES[fact]
    which = select(func.count()).select_from(table).where(table.c.sealed.is_not(None))
    return await connection.scalar(which) or 0
