"""Runs the streams that are due or asked for, every source for itself, for as long as the server runs."""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from server.config import ServerConfig
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import Source, Stream
from server.services.replay import replay
from server.services.source_orders import Asked, asked_of, settle
from server.services.sources import load_source
from server.services.sync import Order, run_source
from server.store import source_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.source_queries import StreamRow
from shared.clock import Clocks
from shared.errors import MusterError

LOOK_S = 2.0
"""Between two looks for what is due."""
KEEP_PAGES_MS = 30 * 86_400_000
"""So long raw pages can be mapped again."""

log = structlog.get_logger("server.connectors")


def secrets_of(config: ServerConfig) -> Secrets:
    """Where this server's secrets are."""
    return Secrets(config.secrets)


def holder_name() -> str:
    """Who holds a lease: this process."""
    return f"{socket.gethostname()}:{os.getpid()}"


async def run(db: Database, config: ServerConfig, clocks: Clocks) -> None:
    """Until it is cancelled."""
    running: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            running = {name: task for name, task in running.items() if not task.done()}
            for name, streams in (await due_streams(db, clocks)).items():
                if name not in running:
                    running[name] = asyncio.create_task(run_due(db, config, clocks, name, streams))
            await asyncio.sleep(LOOK_S)
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


async def forget_pages(db: Database, now_ms: int) -> None:
    """Let go of raw pages that are too old to be mapped again."""
    async with db.writing() as connection:
        await source_queries.forget_pages(connection, now_ms - KEEP_PAGES_MS)


async def due_streams(db: Database, clocks: Clocks) -> dict[str, list[StreamRow]]:
    """Streams whose time has come or that a person asks for, by source.

    Whom a source has locked out waits until a person has seen to it.
    """
    async with db.reading() as connection:
        rows = {row.id: row for row in await source_queries.sources(connection)}
        streams = await source_queries.streams_of(connection)
    found: dict[str, list[StreamRow]] = {}
    now_ms = clocks.wall_ms()
    for stream in streams:
        row = rows[stream.source]
        due = stream.asked is not None or (row.state != "auth_failed" and stream.next_ms <= now_ms)
        if due and not row.disabled:
            found.setdefault(stream.source, []).append(stream)
    return found


async def run_due(db: Database, config: ServerConfig, clocks: Clocks, name: str, streams: Sequence[StreamRow]) -> None:
    """What is asked for first, each with the name of who asked, then what is due."""
    by_order: dict[Asked | None, list[str]] = {}
    for stream in sorted(streams, key=lambda one: one.asked is None):
        by_order.setdefault(asked_of(stream), []).append(stream.stream)
    for asked, named in by_order.items():
        await _do(_Part(db, config, clocks, name, named), asked)


@dataclass(frozen=True, slots=True)
class _Part:
    """Streams of a source that are worked on for the same reason."""

    db: Database
    config: ServerConfig
    clocks: Clocks
    name: str
    streams: Sequence[str]

    def of(self, source: Source) -> list[Stream]:
        """These, of those that the source has by now."""
        return [stream for stream in source.streams if stream.id in self.streams]


async def _do(part: _Part, asked: Asked | None) -> None:
    """An order that another process holds the source from stays, and is looked at again."""
    done = True
    try:
        if asked is not None and asked.work == "replay":
            await _replay(part, asked)
        else:
            order = Order(clocks=part.clocks, holder=holder_name(), files=part.config.files, **_wish(asked))
            done = bool(await run_source(part.db, part.name, part.of, secrets_of(part.config), order))
    except MusterError as error:
        log.warning("source_not_run", source=part.name, reason=str(error))
        await _not_run(part, asked, "settings", str(error))
    except Exception:
        log.exception("source_failed", source=part.name)
        await _not_run(part, asked, "internal", "")
    if done and asked is not None:
        await settle(part.db, part.name, part.streams, asked)


def _wish(asked: Asked | None) -> dict[str, Any]:
    if asked is None:
        return {}
    return {"actor": asked.actor, "whole": asked.work == "whole", "confirmed": asked.confirmed}


async def _replay(part: _Part, asked: Asked) -> None:
    async with part.db.reading() as connection:
        _, source = await load_source(connection, part.name)
    for stream in part.of(source):
        entry = Entry(part.clocks.wall_ms(), asked.actor, "source.replay", part.name, detail={"stream": stream.id})
        await replay(part.db, part.name, stream, clocks=part.clocks, entry=entry)


async def _not_run(part: _Part, asked: Asked | None, code: str, message: str) -> None:
    """A source that can not even be opened is looked at again after a minute; its newest run says why, once."""
    now_ms = part.clocks.wall_ms()
    async with part.db.writing() as connection:
        newest = await source_queries.newest_runs(connection)
        row = await source_queries.source(connection, part.name)
        for stream in part.streams:
            await source_queries.set_stream(connection, part.name, stream, next_ms=now_ms + 60_000)
            run, detail = newest.get((part.name, stream)), {"message": message}
            if run is not None and (run.state, run.error, run.detail) == ("failed", code, detail):
                number = run.id
            else:
                started = {"source": part.name, "stream": stream, "kind": "pull", "started_ms": now_ms}
                actor, version = (asked.actor if asked else "system"), (row.map_version if row else 0)
                started |= {"actor": actor, "map_version": version}
                number = await source_queries.begin_run(connection, started)
            await source_queries.set_run(
                connection, number, {"state": "failed", "error": code, "ended_ms": now_ms, "detail": detail}
            )
