"""Data keys as they are stored, and the sealed values that have to move to a new one."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.catalogue import SEALED
from server.store.fact_tables import FACT_TABLES
from server.store.key_tables import data_keys
from server.store.source_tables import fact_quarantine, raw_pages, source_streams
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


async def page_bodies(connection: AsyncConnection, after: int, limit: int) -> list[tuple[int, bytes]]:
    """Bodies of raw pages of streams with pay, by number after that."""
    table, streams = raw_pages, source_streams
    joined = table.join(streams, (streams.c.source == table.c.source) & (streams.c.stream == table.c.stream))
    which = select(table.c.id, table.c.body).select_from(joined)
    which = which.where(streams.c.fact.in_(list(SEALED)), table.c.id > after).order_by(table.c.id)
    which = which.limit(limit).with_for_update(of=table)
    return [(row.id, row.body) for row in await connection.execute(which)]


async def set_page_body(connection: AsyncConnection, number: int, body: bytes) -> None:
    """The same page under another key."""
    await connection.execute(update(raw_pages).where(raw_pages.c.id == number).values(body=body))


async def count_sealed(connection: AsyncConnection, fact: str) -> int:
    """Rows of a fact with a sealed value."""
    table = FACT_TABLES[fact]
    which = select(func.count()).select_from(table).where(table.c.sealed.is_not(None))
    return await connection.scalar(which) or 0
