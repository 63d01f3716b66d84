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

    ``log`` was asked for in this transaction. Entries are numbered in the order of their commits.
    """
    known = kept(connection, log)
    if read not in known:
        known[read] = await read(connection)
    value: Value = known[read]
    return value


def kept(connection: AsyncConnection, log: int) -> dict[Hashable, Any]:
    """All that is remembered of a database since that entry, to be added to."""
    engine = connection.sync_engine
    known = _KNOWN.get(engine)
    if known is None or known[0] != log:
        known = log, {}
        _KNOWN[engine] = known
    return known[1]
