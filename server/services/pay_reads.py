"""Amounts of rewards that people read: pay, so whose they were and who read them goes to the operation log (ADR 17)."""

from collections.abc import Iterable, Set
from typing import Literal, TypeAlias

from server.services.act import Act
from server.store import log_queries
from server.store.database import Database

PayRead: TypeAlias = Literal[
    "scores.read_rewards", "scores.read_adjustments", "scores.read_bases", "scores.read_preview"
]
"""What was read: rewards of a published card, money of adjustments, base amounts, rewards in a preview of weights."""


HOUR_MS = 3_600_000


async def note_read(db: Database, act: Act, what: PayRead, subject: str, whose: Iterable[str | None]) -> None:
    """Note whose amounts are about to be given, in one entry, also where one of them is 0.

    One's own are not noted, and None is nobody's.
    """
    await _note(db, act, what, subject, _others(act, whose))


async def note_preview(db: Database, act: Act, period: str, whose: Iterable[str | None]) -> None:
    """The same for a preview, which follows each move of a slider: whom an entry of the last hour names is left out."""
    others = _others(act, whose)
    async with db.reading() as connection:
        entry = act.entry("scores.read_preview", period)
        for before in await log_queries.repeated(connection, entry, act.at_ms - HOUR_MS):
            others.difference_update(before.detail["whose"])  # type: ignore[arg-type]
    await _note(db, act, "scores.read_preview", period, others)


def _others(act: Act, whose: Iterable[str | None]) -> set[str]:
    return {one for one in whose if one is not None and one != act.viewer.employee}


async def _note(db: Database, act: Act, what: PayRead, subject: str, others: Set[str]) -> None:
    if others:
        async with db.writing() as connection:
            await log_queries.append(connection, act.entry(what, subject, whose=sorted(others)))
