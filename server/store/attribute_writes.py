"""Attributes across rows, settled in the transaction that brings the rows: see ``server/facts/resolve``."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Table, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.facts.resolve.rule import LINKS, Row, Rule
from server.facts.resolve.rules import OWN_KEY, RULES, key_columns
from server.store import first_orders, merged_customers
from server.store.attribute_rows import write_attributes
from server.store.company_zone import company_zone
from server.store.fact_tables import FACT_TABLES
from server.store.source_tables import identity_links

Key: TypeAlias = tuple[Any, ...]
_VALUES = 500
"""Values of one IN list."""
_TABLES: Mapping[str, Table] = {**FACT_TABLES, LINKS: identity_links}


async def key_rows(connection: AsyncConnection, fact: str, source: str, keys: Sequence[str]) -> list[Row]:
    """Stored rows of a source, as far as ``settle`` has to know them; asked before they change."""
    columns = key_columns(fact)
    if not columns or not keys:
        return []
    wanted = {(source, key) for key in keys}
    return [row async for row in _rows(connection, FACT_TABLES[fact], OWN_KEY, wanted, columns)]


async def settle(connection: AsyncConnection, touched: Mapping[str, Sequence[Row]]) -> dict[str, set[Key]]:
    """Work out again what follows from rows that were added, changed or deleted; sources and keys of what changed.

    ``touched`` has their ``key_columns`` by fact, as they were and as they are. The outcome depends on the rows that
    are stored, never on the order in which they came.
    """
    followed: dict[str, set[Key]] = defaultdict(set)
    queue = {fact: list(rows) for fact, rows in touched.items() if rows and key_columns(fact)}
    if not queue:
        return followed
    if connection.dialect.name == "postgresql":
        # Of a table that has only just grown it would read all rows, for a handful of keys.
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
    zone = await company_zone(connection)
    orders = list(queue.get("sales_order", ()))
    there = await _facts_with_rows(connection)
    while queue:
        changed: dict[str, list[Row]] = defaultdict(list)
        if "customer" in queue:
            changed["customer"] += await merged_customers.settle(connection, queue["customer"])
        for rule in RULES:
            if _may_matter(rule, queue, there):
                changed[rule.fact] += await _apply(connection, rule, queue, zone)
        queue = {fact: rows for fact, rows in changed.items() if rows}
        orders += queue.get("sales_order", ())
        for fact, rows in queue.items():
            followed[fact] |= {_key(row, OWN_KEY) for row in rows}
    if orders:
        await first_orders.settle(connection, orders)
    return followed


async def _apply(
    connection: AsyncConnection, rule: Rule, queue: Mapping[str, Sequence[Row]], zone: ZoneInfo
) -> list[Row]:
    """Rows whose attributes changed, as they were and as they are."""
    by_cause = {_key(row, cause.key) for cause in rule.causes for row in queue.get(cause.fact, ())}
    own = {_key(row, OWN_KEY) for row in queue.get(rule.fact, ())}
    table = FACT_TABLES[rule.fact]
    columns = sorted({*key_columns(rule.fact), *rule.key, *rule.sets, *rule.reads})
    rows = {_key(row, OWN_KEY): row async for row in _live(connection, table, rule.key, by_cause, columns)}
    direct = own - rows.keys()
    rows |= {_key(row, OWN_KEY): row async for row in _live(connection, table, OWN_KEY, direct, columns)}
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows.values():
        groups[_key(row, rule.key)].append(row)
    causes = {cause.fact: await _by_key(connection, rule, cause.fact, groups) for cause in rule.causes}
    changed: list[tuple[Row, Row]] = []
    for key, group in groups.items():
        found = rule.resolve(group, {fact: known.get(key, ()) for fact, known in causes.items()}, zone)
        changed += [(row, new) for row, new in zip(group, found, strict=True) if any(row[k] != new[k] for k in new)]
    return await write_attributes(connection, table, changed)


async def _facts_with_rows(connection: AsyncConnection) -> frozenset[str]:
    """Of the many facts most companies use a few."""
    names = sorted({rule.fact for rule in RULES} | {cause.fact for rule in RULES for cause in rule.causes})
    some = [select(literal(1)).select_from(_TABLES[name]).exists().label(name) for name in names]
    row = (await connection.execute(select(*some))).one()
    return frozenset(name for name, there in zip(names, row, strict=True) if there)


def _may_matter(rule: Rule, queue: Mapping[str, Sequence[Row]], there: Collection[str]) -> bool:
    """Whether the rule can change anything: for rows that came, or for others by what came."""
    causes = {cause.fact for cause in rule.causes}
    if rule.fact in queue and (rule.alone or not causes.isdisjoint(there)):
        return True
    return rule.fact in there and not causes.isdisjoint(queue)


async def _by_key(connection: AsyncConnection, rule: Rule, fact: str, keys: Collection[Key]) -> dict[Key, list[Row]]:
    [cause] = [cause for cause in rule.causes if cause.fact == fact]
    identity = () if fact == LINKS else OWN_KEY
    columns = sorted({*identity, *cause.key, *cause.reads})
    found: dict[Key, list[Row]] = defaultdict(list)
    async for row in _live(connection, _TABLES[fact], cause.key, keys, columns):
        found[_key(row, cause.key)].append(row)
    return found


async def _live(
    connection: AsyncConnection, table: Table, key: Sequence[str], wanted: Collection[Key], columns: Sequence[str]
) -> AsyncIterator[Row]:
    there = () if table is identity_links else (table.c.deleted.is_(False),)
    async for row in _rows(connection, table, key, wanted, columns, *there):
        yield row


async def _rows(
    connection: AsyncConnection,
    table: Table,
    key: Sequence[str],
    wanted: Collection[Key],
    columns: Sequence[str],
    *which: ColumnElement[bool],
) -> AsyncIterator[Row]:
    """Rows of these keys; one that has an empty part is none's."""
    *first, last = (table.c[name] for name in key)
    names = tuple(columns)
    by_first: dict[Key, list[Any]] = defaultdict(list)
    for value in sorted(value for value in wanted if None not in value):
        by_first[value[:-1]].append(value[-1])
    for firsts, lasts in by_first.items():
        same = [column == value for column, value in zip(first, firsts, strict=True)]
        for start in range(0, len(lasts), _VALUES):
            query = select(*(table.c[name] for name in names)).where(
                *same, last.in_(lasts[start : start + _VALUES]), *which
            )
            for row in await connection.execute(query):
                yield dict(zip(names, row, strict=True))


def _key(row: Row, columns: Iterable[str]) -> Key:
    """A row on its way has no attributes yet."""
    return tuple(map(row.get, columns))
