"""Opens a source and reads one pass over one of its streams."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import structlog

from server.connectors.errors import ReplyError
from server.connectors.fetch import paging
from server.connectors.fetch.asking import Asker
from server.connectors.fetch.auth import SignIn
from server.connectors.fetch.client import Client, LaterError, Sleep
from server.connectors.fetch.database import DatabaseAsker
from server.connectors.fetch.files import file_pages
from server.connectors.fetch.paging import Ask, Fetched, Pass, Values
from server.connectors.fetch.position import Position
from server.connectors.fetch.register import complete, read_register
from server.connectors.fetch.retry import delay_s
from server.connectors.fetch.secrets import Secrets
from server.connectors.paths import look
from server.connectors.reply import Page
from server.connectors.source_file import Detail, Paging, Register, Source, Stream, missing_for_asking
from server.connectors.values import kept
from shared.errors import ConfigError, DataError

log = structlog.get_logger("server.connectors")


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that can be asked; a page that fails is tried again, as long as that may help."""

    source: Source
    once: Callable[[Stream], Ask] | None
    """How a page of a stream is asked for, once; None where files are read."""
    sleep: Sleep
    random: Random
    files: Path
    """Folder of the server that sources and people leave files in."""

    def asks(self, stream: Stream) -> Ask:
        """How a page of the stream is got; ReplyError when it can not be had."""
        return partial(self._ask, stream)

    def fetches(self, stream: Stream, about: Pass, values: Values) -> AsyncIterator[Fetched]:
        """The pages of a pass over the stream."""
        if self.once is None:
            return file_pages(self.files, self.source, stream, about)
        found = paging.pages(stream.page, self.asks(stream), about, values)
        return found if stream.register_ is None else self._completed(stream, stream.register_, found)

    async def _completed(
        self, stream: Stream, register: Register, found: AsyncIterator[Fetched]
    ) -> AsyncIterator[Fetched]:
        """The same pages, their rows with what the register says of them."""
        lines = await asyncio.to_thread(read_register, self.files, self.source, register)
        async for fetched in found:
            complete(stream, register, lines, fetched.rows)
            yield fetched

    async def _ask(self, stream: Stream, values: Values) -> Page:
        page = await self._tried(stream, values)
        if stream.detail is None:
            return page
        return replace(page, rows=[await self._with_detail(stream, stream.detail, row) for row in page.rows])

    async def _with_detail(self, stream: Stream, detail: Detail, row: Any) -> Any:
        """The row with what its own call says; one without an id has none."""
        try:
            key = look(row, detail.id)
        except DataError:
            key = None
        if not isinstance(row, dict) or not isinstance(key, str | int):
            return row  # the mapping says what is wrong with it
        call = stream.call.model_copy(
            update={
                "path": detail.path.replace("{id}", quote(str(key), safe="")),
                "params": detail.params,
                "method": None,
                "body": None,
                "form": False,
            }
        )
        own = {"call": call, "rows": detail.rows, "page": Paging(type="none"), "cursor": None, "keyed": None}
        page = await self._tried(stream.model_copy(update=own), {"id": key})
        return {**row, detail.into: list(kept(detail, row, page.rows))}

    async def _tried(self, stream: Stream, values: Values) -> Page:
        assert self.once is not None  # noqa: S101  (files are not asked)
        once, failures = self.once(stream), 0
        while True:
            try:
                return await once(values)
            except ReplyError as error:
                failures += 1
                asked_s = error.retry_after_s if isinstance(error, LaterError) else None
                wait_s = delay_s(failures, self.random, asked_s) if error.retry else None
                if wait_s is None:
                    raise
                log.info("asked_again", source=self.source.source, stream=stream.id, code=error.code, in_s=wait_s)
            await self.sleep(wait_s)


@asynccontextmanager
async def opened(
    source: Source,
    secrets: Secrets,
    *,
    files: Path = Path("files"),
    sleep: Sleep = asyncio.sleep,
    random: Random | None = None,
) -> AsyncIterator[Opened]:
    """The source, ready to be asked; ConfigError says what its file or a secret lacks."""
    if missing := missing_for_asking(source):
        raise ConfigError(f"{source.source} can not be asked: its file lacks {', '.join(missing)}")
    chance = random or Random()  # noqa: S311  (spreads waiting, keeps no secret)
    match source.kind:
        case "http_json" | "jsonrpc":
            client = Client(source, secrets, sleep)
            try:
                asker = Asker(source, client, SignIn(source, client, secrets))
                yield Opened(source, lambda stream: partial(asker.ask, stream), sleep, chance, files)
            finally:
                await client.close()
        case "sql":
            database = DatabaseAsker(source, secrets)
            try:
                yield Opened(source, lambda stream: partial(database.ask, stream), sleep, chance, files)
            finally:
                await database.close()
        case "file":
            yield Opened(source, None, sleep, chance, files)
        case _:
            raise ConfigError(f"{source.source}: a source of kind {source.kind} is not asked, it sends")


async def read_pass(
    at: Opened, stream: Stream, position: Position, *, now: datetime, ids: Sequence[str] = ()
) -> AsyncIterator[tuple[Fetched, Position]]:
    """Pages of a pass, each with the position to be kept with its rows; the last is through."""
    source = at.source
    since = position.start(stream, source.zone)
    about = Pass(source.zone, now.astimezone(source.zone).date(), since, position.after, ids, source.limits.concurrency)
    known = position
    async for fetched in at.fetches(stream, about, {"since": since, "until": now}):
        known = known.past(stream, source.zone, fetched.rows, fetched.after, now)
        if fetched.covered is not None:
            known = Position(known.since, fetched.covered, fetched.after)
        yield fetched, known
    yield Fetched([]), known.through()
