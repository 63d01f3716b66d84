"""The first valid order of each customer carries a mark: who is a new customer is asked for every period.

A customer's orders are looked through only when the order with the mark itself has changed; else the mark can only
move to one of the rows that came.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.resolve.rule import Row, own_key
from server.store.fact_tables import FACT_TABLES

_ORDERS = FACT_TABLES["sales_order"]
_VALUES = 500


class _Order(NamedTuple):
    """An order of a customer, first by time, then by key."""

    paid_at_ms: int
    source: str
    source_key: str


async def settle(connection: AsyncConnection, touched: Sequence[Row]) -> None:
    """Put the marks right after these orders were added, changed or deleted; rows as they were and as they are."""
    known = {own_key(row) for row in touched if "first_valid" in row}
    new = [row for row in touched if _may_be_first(row) and own_key(row) not in known]
    customers = {_customer(row) for row in touched if own_key(row) in known} | {_customer(row) for row in new}
    customers.discard(None)
    if not customers:
        return
    marked = await _marked(connection, customers)
    keys = {own_key(row) for row in touched}
    candidates: dict[str, list[_Order]] = defaultdict(list)
    again = {_customer(row) for row in touched if row.get("first_valid")} - {None}
    for customer, orders in marked.items():
        if any((order.source, order.source_key) in keys for order in orders):
            again.add(customer)
        candidates[customer] += orders
    for row in new:
        candidates[_customer(row)].append(_Order(row["paid_at_ms"], *own_key(row)))
    for customer, order in await _valid(connection, known):
        candidates[customer].append(order)
    for customer in again:
        candidates[customer] = []
    for customer, order in await _valid_of(connection, again):
        candidates[customer].append(order)
    first = {customer: min(orders) for customer, orders in candidates.items() if orders}
    before = {order for orders in marked.values() for order in orders}
    before.update(await _still_marked(connection, {own_key(row) for row in touched if row.get("first_valid")}))
    await _mark(connection, before - set(first.values()), None)
    await _mark(connection, set(first.values()) - before, True)


def _customer(row: Row) -> str:
    customer: str = row.get("customer") or row["customer_key"]
    return customer


def _may_be_first(order: Row) -> bool:
    """Whether an order that was not there before is a valid one of somebody; nothing can have been taken back yet.

    Where something has, a refund came before the order: then the order was changed again, and is read anew.
    """
    return (
        order["customer_key"] is not None
        and order["paid_at_ms"] is not None
        and order["status"] != "cancelled"
        and not order["is_test"]
    )


async def _marked(connection: AsyncConnection, customers: Collection[str]) -> dict[str, list[_Order]]:
    found: dict[str, list[_Order]] = defaultdict(list)
    for part in _parts(sorted(customers)):
        for own in _of_customers(part):
            rows = await connection.execute(_orders().where(own, _ORDERS.c.first_valid.is_not(None)))
            for customer, order in _read(rows):
                found[customer].append(order)
    return found


async def _still_marked(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> list[_Order]:
    """Those of the rows that have the mark, though they may be nobody's orders by now."""
    table, found = _ORDERS.c, list[_Order]()
    for source, own in _by_source(keys).items():
        for part in _parts(own):
            same = (table.source == source, table.source_key.in_(part), table.first_valid.is_not(None))
            rows = await connection.execute(select(table.paid_at_ms, table.source, table.source_key).where(*same))
            found += [_Order(paid_at_ms or 0, *key) for paid_at_ms, *key in rows]
    return found


def _by_source(keys: Collection[tuple[str, str]]) -> dict[str, list[str]]:
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, key in sorted(keys):
        by_source[source].append(key)
    return by_source


async def _valid(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> list[tuple[str, _Order]]:
    """Those of the rows that are valid orders of somebody."""
    found: list[tuple[str, _Order]] = []
    for source, own in _by_source(keys).items():
        for part in _parts(own):
            same = (_ORDERS.c.source == source, _ORDERS.c.source_key.in_(part), _ORDERS.c.customer_key.is_not(None))
            found += _read(await connection.execute(_orders().where(*same, *_VALID)))
    return found


async def _valid_of(connection: AsyncConnection, customers: Collection[str]) -> list[tuple[str, _Order]]:
    found: list[tuple[str, _Order]] = []
    for part in _parts(sorted(customers)):
        for own in _of_customers(part):
            found += _read(await connection.execute(_orders().where(own, *_VALID)))
    return found


_VALID = (
    _ORDERS.c.deleted.is_(False),
    _ORDERS.c.paid_at_ms.is_not(None),
    _ORDERS.c.status != "cancelled",
    _ORDERS.c.is_test.is_not(True),
    _ORDERS.c.taken_back.is_(None),
)


def _orders() -> Select[tuple[str | None, str, int, str, str]]:
    table = _ORDERS.c
    return select(table.customer, table.customer_key, table.paid_at_ms, table.source, table.source_key)


def _of_customers(customers: Sequence[str]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Two questions, as each has its own index."""
    merged, own = _ORDERS.c.customer, _ORDERS.c.customer_key
    return merged.in_(customers), and_(merged.is_(None), own.in_(customers))


def _read(rows: Iterable[Any]) -> list[tuple[str, _Order]]:
    return [(merged or own, _Order(paid_at_ms, source, key)) for merged, own, paid_at_ms, source, key in rows]


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + _VALUES] for start in range(0, len(values), _VALUES))


async def _mark(connection: AsyncConnection, orders: Collection[_Order], value: bool | None) -> None:
    if not orders:
        return
    statement = (
        update(_ORDERS)
        .where(_ORDERS.c.source == bindparam("own_source"), _ORDERS.c.source_key == bindparam("own_key"))
        .values(first_valid=value)
    )
    await connection.execute(
        statement, [{"own_source": order.source, "own_key": order.source_key} for order in sorted(orders)]
    )
