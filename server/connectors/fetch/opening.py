"""Opens a source and reads one pass over one of its streams."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from random import Random
from typing import Protocol

from server.connectors.fetch import paging
from server.connectors.fetch.asking import Asker
from server.connectors.fetch.auth import SignIn
from server.connectors.fetch.client import Client, LaterError, Sleep
from server.connectors.fetch.database import DatabaseAsker
from server.connectors.fetch.paging import Ask, Fetched, Pass, Values
from server.connectors.fetch.position import Position
from server.connectors.fetch.retry import delay_s
from server.connectors.fetch.secrets import Secrets
from server.connectors.reply import Page
from server.connectors.source_file import Source, Stream, missing_for_asking
from shared.errors import ConfigError


class Opened(Protocol):
    """A source that can be asked."""

    def asks(self, stream: Stream) -> Ask:
        """How a page of the stream is got."""


@dataclass(frozen=True, slots=True)
class _Web:
    source: Source
    client: Client
    sign_in: SignIn
    sleep: Sleep
    random: Random

    def asks(self, stream: Stream) -> Ask:
        asker = Asker(
            self.source, stream, client=self.client, sign_in=self.sign_in, sleep=self.sleep, random=self.random
        )
        return asker.ask


@dataclass(frozen=True, slots=True)
class _Tables:
    database: DatabaseAsker
    sleep: Sleep
    random: Random

    def asks(self, stream: Stream) -> Ask:
        return partial(self._ask, stream)

    async def _ask(self, stream: Stream, values: Values) -> Page:
        failures = 0
        while True:
            try:
                return await self.database.ask(stream, values)
            except LaterError:
                failures += 1
                wait_s = delay_s(failures, self.random)
                if wait_s is None:
                    raise
                await self.sleep(wait_s)


@asynccontextmanager
async def opened(
    source: Source, secrets: Secrets, *, sleep: Sleep = asyncio.sleep, random: Random | None = None
) -> AsyncIterator[Opened]:
    """The source, ready to be asked; ConfigError says what its file or a secret lacks."""
    if missing := missing_for_asking(source):
        raise ConfigError(f"{source.source} can not be asked: its file lacks {', '.join(missing)}")
    chance = random or Random()  # noqa: S311  (spreads waiting, keeps no secret)
    match source.kind:
        case "http_json" | "jsonrpc":
            client = Client(source, secrets, sleep)
            try:
                yield _Web(source, client, SignIn(source, client, secrets), sleep, chance)
            finally:
                await client.close()
        case "sql":
            database = DatabaseAsker(source, secrets)
            try:
                yield _Tables(database, sleep, chance)
            finally:
                await database.close()
        case _:
            raise ConfigError(f"{source.source}: a source of kind {source.kind} is not asked, it sends")


async def read_pass(
    ask: Ask, source: Source, stream: Stream, position: Position, *, now: datetime, ids: Sequence[str] = ()
) -> AsyncIterator[tuple[Fetched, Position]]:
    """Pages of a pass, each with the position to be kept with its rows; the last is through."""
    since = position.start(stream)
    about = Pass(source.zone, _today(source, now), since, position.after, ids, _start(stream))
    known = position
    async for fetched in paging.pages(stream.page, ask, about, {"since": since, "until": now}):
        known = known.past(stream, source.zone, fetched.rows, fetched.after)
        if fetched.covered is not None:
            known = Position(known.since, fetched.covered, fetched.after)
        yield fetched, known
    yield Fetched([]), known.through()


def _today(source: Source, now: datetime) -> date:
    return now.astimezone(source.zone).date()


def _start(stream: Stream) -> date | None:
    return None if stream.cursor is None else stream.cursor.start
