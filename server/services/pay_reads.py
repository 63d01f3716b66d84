"""Amounts of rewards that people read: pay, so whose they were and who read them goes to the operation log (ADR 17)."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from server.services.act import Act
from server.store import log_queries
from server.store.database import Database

PayRead: TypeAlias = Literal[
    "scores.read_rewards", "scores.read_adjustments", "scores.read_bases", "scores.read_preview"
]
"""What was read: rewards of a published card, money of adjustments, base amounts, rewards in a preview of weights."""


async def note_read(db: Database, act: Act, what: PayRead, subject: str, whose: Iterable[str | None]) -> None:
    """Note whose amounts are about to be given, in one entry, also where one of them is 0.

    One's own are not noted, and None is nobody's.
    """
    others = sorted({one for one in whose if one is not None} - {act.viewer.employee})
    if others:
        async with db.writing() as connection:
            await log_queries.append(connection, act.entry(what, subject, whose=others))
