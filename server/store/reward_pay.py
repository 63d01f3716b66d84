"""Amounts of rewards as they are stored: sealed, as pay in contracts is, and bound to their row.

A row without amounts has nothing sealed, so that whoever pays no rewards needs no keys.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from server.crypto.envelope import Place
from server.store.period_tables import closed_cards, reward_bases, score_adjustments
from server.store.sealer import NO_KEYS, Sealer, count_uses, sealer_of
from shared.errors import ConfigError, DataError

TABLES = (reward_bases, closed_cards, score_adjustments)
"""Whose column ``sealed`` holds amounts of rewards."""
_AMOUNT = struct.Struct(">q")


def pay_place(table: Table, row: Sequence[Any]) -> Place:
    """Where the amounts of a row belong; ``row`` is its primary key."""
    # A name that was read from a database is another kind of text.
    return Place(str(table.name), "sealed", tuple(one.isoformat() if isinstance(one, date) else one for one in row))


def packed(amounts: Iterable[int]) -> bytes:
    """Amounts in minor units, each of one length, so that no length tells of them."""
    return b"".join(map(_AMOUNT.pack, amounts))


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens amounts of rows that were read."""

    sealer: Sealer | None

    def open(self, table: Table, row: Sequence[Any], sealed: bytes | None, number: int) -> tuple[int, ...]:
        """So many amounts of a row; 0 each where nothing is sealed."""
        if sealed is None:
            return (0,) * number
        if self.sealer is None:
            raise DataError(NO_KEYS, "no_keys")
        return tuple(one for (one,) in _AMOUNT.iter_unpack(self.sealer.open(sealed, pay_place(table, row))))


async def opener_for(connection: AsyncConnection, sealed: Iterable[bytes | None]) -> Opener:
    """What opens these values; DataError ``no_keys`` where there are some and the keys are missing."""
    return Opener(await _keys(connection) if any(one is not None for one in sealed) else None)


async def seal_pay(
    connection: AsyncConnection, table: Table, rows: Sequence[tuple[Sequence[Any], Sequence[int]]]
) -> list[bytes | None]:
    """Amounts of rows as they may be stored; DataError ``no_keys`` where there are some and no key."""
    if not any(any(amounts) for _, amounts in rows):
        return [None] * len(rows)
    sealer = await _keys(connection)
    sealed = [sealer.seal(packed(amounts), pay_place(table, row)) if any(amounts) else None for row, amounts in rows]
    await count_uses(connection, sealer)
    return sealed


async def _keys(connection: AsyncConnection) -> Sealer:
    try:
        sealer = await sealer_of(connection)
    except ConfigError as error:
        raise DataError(NO_KEYS, "no_keys") from error
    if sealer is None:
        raise DataError(NO_KEYS, "no_keys")
    return sealer
