"""Waits until all that was emitted is stored and every result is computed, and counts."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from muster.stage.ledger import Ledger, Stored, Tally
from server.store import tally_queries
from server.store.database import Database

LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Sources:
    """Whose rows count: serial numbers of terminals and scanners, and their gateways."""

    terminals: Collection[str]
    stations: Collection[str]
    gateways: Collection[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where things stand, for a progress bar."""

    tally: Tally
    results_waiting: int

    @property
    def done(self) -> bool:
        """All of it is stored and computed."""
        return self.tally.lost == 0 and self.results_waiting == 0


async def look(db: Database, ledger: Ledger, sources: Sources) -> Progress:
    """The state of this moment; what is still on its way counts as lost."""
    async with db.reading() as connection:
        stored = Stored(
            await tally_queries.punch_counts(connection, sources.terminals),
            await tally_queries.scan_counts(connection, sources.stations),
            await tally_queries.quarantined(connection, sources.gateways),
            await tally_queries.scorecard_count(connection),
        )
        return Progress(ledger.compare(stored), await tally_queries.waiting_results(connection))


async def drain(
    db: Database,
    ledger: Ledger,
    sources: Sources,
    patience_s: float,
    tell: Callable[[Progress], None] = lambda _progress: None,
) -> Progress:
    """Return when everything is done, or when nothing has moved for ``patience_s``."""
    before, moved = None, time.monotonic()
    while True:
        now = await look(db, ledger, sources)
        tell(now)
        if now.done:
            return now
        if now != before:
            before, moved = now, time.monotonic()
        if time.monotonic() - moved > patience_s:
            return now
        await asyncio.sleep(LOOK_S)
