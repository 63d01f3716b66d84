"""Runs the streams that are due, every source for itself, for as long as the server runs."""

import asyncio
import os
import socket
from collections.abc import Sequence

import structlog

from server.config import ServerConfig
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import Source, Stream
from server.services.sync import Order, run_source
from server.store import source_queries
from server.store.database import Database
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
            for name, streams in (await _due(db, clocks)).items():
                if name not in running:
                    running[name] = asyncio.create_task(_run(db, config, clocks, name, streams))
            await asyncio.sleep(LOOK_S)
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


async def forget_pages(db: Database, now_ms: int) -> None:
    """Let go of raw pages that are too old to be mapped again."""
    async with db.writing() as connection:
        await source_queries.forget_pages(connection, now_ms - KEEP_PAGES_MS)


async def _due(db: Database, clocks: Clocks) -> dict[str, list[str]]:
    """Streams whose time has come, by source; whom a source has locked out waits until a person has seen to it."""
    async with db.reading() as connection:
        rows = {row.id: row for row in await source_queries.sources(connection)}
        streams = await source_queries.streams_of(connection)
    found: dict[str, list[str]] = {}
    now_ms = clocks.wall_ms()
    for stream in streams:
        row = rows[stream.source]
        if not row.disabled and row.state != "auth_failed" and stream.next_ms <= now_ms:
            found.setdefault(stream.source, []).append(stream.stream)
    return found


async def _run(db: Database, config: ServerConfig, clocks: Clocks, name: str, streams: Sequence[str]) -> None:
    def due(source: Source) -> list[Stream]:
        return [stream for stream in source.streams if stream.id in streams]

    try:
        order = Order(clocks=clocks, holder=holder_name(), files=config.files)
        await run_source(db, name, due, secrets_of(config), order)
    except MusterError as error:
        log.warning("source_not_run", source=name, reason=str(error))
        await _wait_longer(db, name, streams, clocks)
    except Exception:
        log.exception("source_failed", source=name)
        await _wait_longer(db, name, streams, clocks)


async def _wait_longer(db: Database, name: str, streams: Sequence[str], clocks: Clocks) -> None:
    """A source that can not even be opened is looked at again after a minute."""
    async with db.writing() as connection:
        for stream in streams:
            await source_queries.set_stream(connection, name, stream, next_ms=clocks.wall_ms() + 60_000)
