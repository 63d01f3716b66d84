"""The independent counter: plain SQL on the server's tables, nothing of the code under test."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import asyncpg

Value = str | int | bytes | None
PUNCHES = "select terminal, user_code, at_device from punches"


def rows(url: str, query: str) -> Sequence[tuple[Value, ...]]:
    """What the query gives, on either database."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(f"file:{Path(url.removeprefix('sqlite:///'))}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
    return asyncio.run(_fetch(url, query))


def number(url: str, query: str) -> int:
    """The single number that the query gives."""
    ((value,),) = rows(url, query)
    assert isinstance(value, int)
    return value


def stored_punches(url: str) -> Counter[tuple[Value, ...]]:
    """How often each (terminal, user, device second) is stored; more than once is a fault."""
    return Counter(tuple(row) for row in rows(url, PUNCHES))


def check_nothing_lost_or_doubled(url: str, kept: set[tuple[str, str, int]], sent: set[tuple[str, str, int]]) -> None:
    """All that the gateway answered for is there once; beyond it only what was sent; each event went somewhere."""
    stored = stored_punches(url)
    lost = kept - set(stored)
    doubled = [key for key, times in stored.items() if times > 1]
    assert not lost, f"{len(lost)} lost, such as {sorted(lost)[:3]}"
    assert not doubled, f"{len(doubled)} doubled, such as {doubled[:3]}"
    assert set(stored) <= sent, "stored what nobody sent"
    assert number(url, "select count(*) from quarantine") == 0
    assert number(url, "select count(*) from events") == number(url, "select count(*) from sources")
    assert number(url, "select count(*) from sources where not repeat") == len(stored)


async def _fetch(url: str, query: str) -> list[tuple[Value, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
