"""Raw pages that are kept, mapped again by the map of today; the source is not asked."""

from collections.abc import Callable
from dataclasses import asdict

from server.connectors.mapping import map_rows
from server.connectors.source_file import Stream
from server.services.fact_store import Arrival, Counts, store_page
from server.services.sealing import kept_page
from server.services.sources import load_source
from server.store import log_queries, push_queries, source_queries
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import Clocks, from_ms

Progress = Callable[[int, int], None]
"""Pages done, pages there are."""


async def replay(
    db: Database, name: str, stream: Stream, *, clocks: Clocks, entry: Entry, progress: Progress = lambda _n, _all: None
) -> Counts:
    """Map every kept page of a stream again, oldest first, a transaction each.

    It can be broken off and repeated. A row whose source told when it changed ends as the newest page has it; one that
    did not ends as the last page has it, as when the pages came. What is gone from the source stays gone.
    Vendors' calls that no stream understood wait for the worker again.
    """
    async with db.writing() as connection:
        row, source = await load_source(connection, name)
        there = await source_queries.count_pages(connection, name, stream.id)
        started = {"source": name, "stream": stream.id, "kind": "replay", "map_version": row.map_version}
        started |= {"actor": entry.actor, "started_ms": clocks.wall_ms(), "detail": {"of": there}}
        run = await source_queries.begin_run(connection, started)
        await push_queries.wait_again(connection, name)
        await log_queries.append(connection, entry)
    counts, done, after = Counts(), 0, 0
    while True:
        async with db.reading() as connection:
            page = await kept_page(connection, name, stream, after)
        if page is None:
            break
        after, rows = page
        async with db.writing() as connection:
            now_ms = clocks.wall_ms()
            arrival = Arrival(name, stream, source.zone, run, now_ms, revives=False)
            mapped = map_rows(source, stream, rows, now=from_ms(now_ms))
            counts += await store_page(connection, arrival, mapped)
            await source_queries.set_run(connection, run, {"pages": done + 1, **asdict(counts)})
        done += 1
        progress(done, there)
    async with db.writing() as connection:
        await source_queries.set_run(connection, run, {"state": "ok", "ended_ms": clocks.wall_ms()})
    return counts
