"""A full run beside the live scorecards of open periods: both are made by one definition and have to agree (REL-27)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.config import ServerConfig
from server.scoring.window import days_of
from server.services.scoring import Computed, compute_anew, score_touched, whole_of
from server.store import fleet_queries, period_queries, score_queries, sweep_queries, verify_queries
from server.store.company_zone import company_zone
from server.store.counting_executor import Executor, OnDatabase
from server.store.database import Database
from server.store.lake_counting import OnLake
from server.store.lake_writing import has_duckdb, write_lake
from server.store.score_queries import Card, ScoreRow
from server.store.verify_queries import CardHead
from shared.clock import Clocks, WallMs, from_ms

ALARM = "score_difference"
SWEEP = "verified"
LOOK_S = 300.0
AT_HOUR = 3
"""Local hour after which a night's run begins."""
BATCH = 2_000
"""People who are counted together."""
ROUNDS = 2
"""What differs is looked at again: rows may have come between the lake and the live scores."""
SETTLING = 50
Progress: TypeAlias = Callable[[int, int], None]
"""Told how many scorecards are done, of how many."""

log = structlog.get_logger("server.verifying")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not what a full run makes of the same rows."""

    employee: str
    indicator: str
    """Empty for the total."""
    live: str
    full: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a full run of a period found."""

    period: str
    by: Literal["lake", "database"]
    cards: int
    """Compared; closed ones and those that wait to be computed are not."""
    differences: tuple[Difference, ...]


def lake_folder(config: ServerConfig) -> Path:
    """Where the lake is kept."""
    return config.data / "lake"


async def run(db: Database, config: ServerConfig, clocks: Clocks) -> None:
    """Verify this month and the last one every night for the life of the process."""
    while True:
        await run_if_due(db, config, clocks)
        await asyncio.sleep(LOOK_S)


async def run_if_due(db: Database, config: ServerConfig, clocks: Clocks) -> None:
    """Verify when a night has begun since the last time."""
    if not await _is_due(db, clocks.wall_ms()):
        return
    async with db.writing() as connection:
        await sweep_queries.set_swept(connection, SWEEP, clocks.wall_ms())
    for period in await _periods(db, clocks.wall_ms()):
        found = await verify(db, period, clocks, lake_folder(config))
        log.info("verified", period=period, by=found.by, cards=found.cards, differ=len(found.differences))


async def verify(
    db: Database, period: str, clocks: Clocks, folder: Path | None, progress: Progress = lambda _done, _all: None
) -> Verified:
    """Compare, on the lake in ``folder`` or without one in the database, and raise or clear the alarm.

    DataError for a text that is no period.
    """
    days_of(period)
    by: Literal["lake", "database"] = "lake" if folder is not None and has_duckdb() else "database"
    suspects: Collection[str] | None = None
    cards, differences = 0, tuple[Difference, ...]()
    for _ in range(ROUNDS):
        await _settle(db, clocks)
        if folder is not None and by == "lake":
            await write_lake(db, folder)
        async with db.reading() as connection, _executor(connection, folder if by == "lake" else None) as executor:
            live = await _open_cards(connection, period, suspects)
            found = await _compare(connection, period, live, executor, now_ms=clocks.wall_ms(), progress=progress)
        cards, differences = cards or len(live), tuple(found)
        suspects = {one.employee for one in differences}
        if not suspects:
            break
    await _tell(db, period, cards, differences, clocks.wall_ms())
    return Verified(period, by, cards, differences)


async def _settle(db: Database, clocks: Clocks) -> None:
    for _ in range(SETTLING):
        if not await score_touched(db, clocks.wall_ms()):
            return


@asynccontextmanager
async def _executor(connection: AsyncConnection, folder: Path | None) -> AsyncIterator[Executor]:
    if folder is None:
        yield OnDatabase(connection)
        return
    lake = OnLake(folder)
    try:
        await lake.know_units(connection)
        yield lake
    finally:
        lake.close()


async def _open_cards(connection: AsyncConnection, period: str, among: Collection[str] | None) -> dict[str, CardHead]:
    heads = await verify_queries.card_heads(connection, period)
    closed = await period_queries.closed_among(connection, [(person, period) for person in heads])
    return {
        person: head
        for person, head in heads.items()
        if (person, period) not in closed and (among is None or person in among)
    }


async def _compare(
    connection: AsyncConnection,
    period: str,
    live: Mapping[str, CardHead],
    executor: Executor,
    *,
    now_ms: WallMs,
    progress: Progress,
) -> list[Difference]:
    people, found = sorted(live), list[Difference]()
    for start in range(0, len(people), BATCH):
        some = people[start : start + BATCH]
        rows = await score_queries.score_rows(connection, Scope.system(), period, some)
        now = await compute_anew(connection, [(person, period) for person in some], now_ms, executor)
        for person in some:
            if not _differ(person, live[person], rows.get(person, ()), now.get((person, period))):
                continue
            # A running period has gone on since the scores were counted: up to then it has to be the same.
            then = await _as_counted(connection, (person, period), live[person], rows.get(person, ()), executor)
            found += _differ(person, live[person], rows.get(person, ()), then)
        progress(start + len(some), len(people))
    return found


async def _as_counted(
    connection: AsyncConnection, card: Card, head: CardHead, rows: Collection[ScoreRow], executor: Executor
) -> Computed | None:
    """A card with each score as of when it was counted: one that holds was not counted again with the others."""
    found: dict[WallMs, Computed] = {}
    for at_ms in {head.computed_ms, *(row.computed_ms for row in rows)}:
        if card in (now := await compute_anew(connection, [card], at_ms, executor)):
            found[at_ms] = now[card]
    newest = found.get(head.computed_ms)
    counted = {row.indicator: row.computed_ms for row in rows}
    if newest is None or len(found) == 1 or newest.segments:
        return newest
    then = {at_ms: {row.indicator: row for row in one.rows} for at_ms, one in found.items()}
    return whole_of(
        [then.get(counted.get(row.indicator, head.computed_ms), {}).get(row.indicator, row) for row in newest.rows]
    )


def _differ(person: str, head: CardHead, rows: Collection[ScoreRow], full: Computed | None) -> list[Difference]:
    if full is None:
        return [Difference(person, "", _head(head.total, head.coverage), "none")]
    coverage = full.total.coverage.numerator, full.total.coverage.denominator
    pairs = [("", _head(head.total, head.coverage), _head(full.total.centi, coverage))]
    live, anew = ({row.indicator: _text(row) for row in side} for side in (rows, full.rows))
    pairs += [(name, live.get(name, "none"), anew.get(name, "none")) for name in sorted(live.keys() | anew.keys())]
    return [Difference(person, name, one, other) for name, one, other in pairs if one != other]


def _head(total: int | None, coverage: tuple[int, int]) -> str:
    return f"{'no total' if total is None else total} covering {coverage[0]}/{coverage[1]}"


def _text(row: ScoreRow) -> str:
    told = row.lineage
    points = row.no_score if row.points is None else row.points
    weight = "/".join(str(number) for number in told.weight)
    whose = f"{told.query.level} {told.query.unit}"
    return f"{told.numerator}/{told.denominator} of {row.sample}, {points} points x {weight}, {whose}"


async def _tell(db: Database, period: str, cards: int, differences: Collection[Difference], now_ms: WallMs) -> None:
    """An alarm says how many; who they are is told to whoever asks for the list."""
    async with db.writing() as connection:
        if differences:
            detail = {"cards": cards, "differ": len({one.employee for one in differences})}
            await fleet_queries.raise_alarm(connection, ALARM, period, detail, now_ms)
        else:
            await fleet_queries.clear_alarms(connection, [ALARM], period, now_ms)


async def _is_due(db: Database, now_ms: WallMs) -> bool:
    """Whether a night has begun since the last run; an installation's first one waits for it."""
    async with db.reading() as connection:
        last_ms = await sweep_queries.swept_until(connection, SWEEP)
        zone = await company_zone(connection)
    if last_ms is None:
        async with db.writing() as connection:
            await sweep_queries.set_swept(connection, SWEEP, now_ms)
        return False
    night = from_ms(now_ms).astimezone(zone) - timedelta(hours=AT_HOUR)
    return (from_ms(last_ms).astimezone(zone) - timedelta(hours=AT_HOUR)).date() < night.date()


async def _periods(db: Database, now_ms: WallMs) -> list[str]:
    """Those with scores from last month on."""
    async with db.reading() as connection:
        zone = await company_zone(connection)
        today = from_ms(now_ms).astimezone(zone).date()
        last = today.replace(day=1) - timedelta(days=1)
        since = await score_queries.cards_since(connection, f"{last:%Y-%m}")
    return sorted({period for _, period in since})
