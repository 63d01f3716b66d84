"""What all scores go by and no entry of the operation log tells of, by one statement: it is asked after every event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, CompoundSelect, Text, case, cast, func, literal, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.fact_marks import Marks
from server.store.ready import run
from server.store.source_tables import source_streams
from server.store.tables import followers, operation_log, shipments
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class Moment:
    """How far everything has come."""

    marks: Marks
    log: int
    """Number of the newest entry of the operation log; 0 before the first."""
    heard: Mapping[tuple[str, str], WallMs | None]
    """When each stream of a source was last read whole; None before its first time."""
    parcels_seen: bool
    """Whether there are parcels of our own."""


async def moment(connection: AsyncConnection) -> Moment:
    """As it is now."""
    rows = [tuple(row) for row in await run(connection, _statement)]
    told = {(what, one): number for what, one, _, number in rows if what in ("log", "seen")}
    return Moment(
        Marks({one: number for what, one, _, number in rows if what == "mark"}),
        told["log", ""],
        {(one, two): number for what, one, two, number in rows if what == "heard"},
        bool(told["seen", ""]),
    )


def _statement() -> CompoundSelect[Any]:
    nothing, heard = literal("", Text), source_streams.c
    newest = select(func.max(operation_log.c.id)).scalar_subquery()
    seen = select(shipments.c.tracking_no).exists()
    return union_all(
        select(literal("mark", Text), followers.c.name, cast(null(), Text), cast(followers.c.feed_id, BigInteger)),
        select(literal("heard", Text), heard.source, heard.stream, heard.last_ok_ms),
        select(literal("log", Text), nothing, nothing, func.coalesce(newest, 0)),
        select(literal("seen", Text), nothing, nothing, case((seen, 1), else_=0)),
    )
