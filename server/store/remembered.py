"""What was read from a database and holds until somebody does something: every such change is in the operation log."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

Value = TypeVar("Value")
_KNOWN: WeakKeyDictionary[Engine, tuple[int, dict[Hashable, Any]]] = WeakKeyDictionary()


async def remembered(
    connection: AsyncConnection, log: int, read: Callable[[AsyncConnection], Awaitable[Value]]
) -> Value:
    """What ``read`` found when entry ``log`` was the newest of the operation log, or finds now.

    ``log`` was asked for in this transaction, before it adds an entry of its own, which may be undone. Entries are
    numbered in the order of their commits.
    """
    engine = connection.sync_engine
    since, known = _KNOWN.get(engine, (None, {}))
    if since != log:
        known = {}
        _KNOWN[engine] = log, known
    if read not in known:
        known[read] = await read(connection)
    value: Value = known[read]
    return value
