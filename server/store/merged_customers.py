"""Where chains of merged customers end: followed whole, as a new link may move everything behind it."""

from collections.abc import Collection, Sequence

from sqlalchemy import Column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.resolve.commerce import roots
from server.facts.resolve.rule import Row, own_key
from server.store.attribute_rows import write_attributes
from server.store.fact_tables import FACT_TABLES

_CUSTOMERS = FACT_TABLES["customer"]
_COLUMNS = (
    _CUSTOMERS.c.source,
    _CUSTOMERS.c.source_key,
    _CUSTOMERS.c.customer_key,
    _CUSTOMERS.c.merged_into,
    _CUSTOMERS.c.root,
)
_VALUES = 500


async def settle(connection: AsyncConnection, touched: Sequence[Row]) -> list[Row]:
    """Write the ends of all chains that these customers are in; the rows that changed, as they were and are."""
    rows = await _chains(connection, {row["customer_key"] for row in touched})
    into: dict[str, str] = {}
    for row in sorted((row for row in rows if row["merged_into"] is not None), key=own_key):
        into.setdefault(row["customer_key"], row["merged_into"])
    ends = roots(into)
    changed: list[tuple[Row, Row]] = []
    for row in rows:
        root = ends.get(row["customer_key"])
        if row["root"] != root:
            changed.append((row, {"root": root}))
    return await write_attributes(connection, _CUSTOMERS, changed)


async def _chains(connection: AsyncConnection, customers: Collection[str]) -> list[Row]:
    """Rows of these customers, of those merged into them, and of those they were merged into, and so on."""
    found: dict[tuple[str, str], Row] = {}
    known: set[str] = set()
    frontier = set(customers)
    while frontier:
        known |= frontier
        new = [
            row
            for column in (_CUSTOMERS.c.customer_key, _CUSTOMERS.c.merged_into)
            for row in await _rows(connection, column, sorted(frontier))
        ]
        found |= {own_key(row): row for row in new}
        names = {row["customer_key"] for row in new} | {row["merged_into"] for row in new}
        frontier = names - known - {None}
    return list(found.values())


async def _rows(connection: AsyncConnection, column: Column[str], values: Sequence[str]) -> list[Row]:
    found: list[Row] = []
    for start in range(0, len(values), _VALUES):
        which = select(*_COLUMNS).where(_CUSTOMERS.c.deleted.is_(False), column.in_(values[start : start + _VALUES]))
        found += [row._asdict() for row in await connection.execute(which)]
    return found
