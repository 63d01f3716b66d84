"""One run of one stream: asked page by page, each page and how far it leads in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.errors import ReplyError
from server.connectors.fetch.opening import Opened, opened, read_pass
from server.connectors.fetch.paging import Fetched
from server.connectors.fetch.position import Position, seconds
from server.connectors.fetch.retry import DOWN_AFTER, next_run_s
from server.connectors.fetch.secrets import Secrets
from server.connectors.mapping import Mapped, Rejected, map_rows
from server.connectors.source_file import Paging, Source, Stream
from server.services.fact_store import Arrival, Counts, delete_unseen, store_page
from server.services.sealing import keep_page
from server.services.sources import load_source
from server.store import source_queries
from server.store.database import Database
from server.store.open_parcels import open_parcels
from server.store.source_queries import SourceRow
from shared.clock import Clocks, WallMs, from_ms, to_ms
from shared.errors import ConfigError, DataError

RunState: TypeAlias = Literal["ok", "partial", "rejected", "failed"]
COMPARE_MS = {"daily": 86_400_000, "weekly": 7 * 86_400_000}
LEASE_MS = 120_000
"""A process that was killed keeps a source for so long at most; one that lives renews it four times as often."""
OPEN_DAYS = 60
"""A parcel that nobody has seen arrive for so long is lost, and not asked for any more."""
FEW_ROWS = 20
"""Of fewer rows a share says nothing: one bad row of three does not stop a page."""

log = structlog.get_logger("server.connectors")


@dataclass(slots=True)
class Run:
    """A run as it goes, and how it ended."""

    id: int
    kind: Literal["pull", "compare"]
    pages: int = 0
    counts: Counts = field(default_factory=Counts)
    watermark_ms: WallMs | None = None
    """Time of the newest event that the stream has shown, in this run or before."""
    state: RunState = "ok"
    error: str | None = None
    message: str = ""


Progress: TypeAlias = Callable[[Run], None]


class _RejectedError(DataError):
    """Too many rows of a page do not fit: the source has changed, or its map is wrong."""


class _LeaseLostError(DataError):
    """Another process has the source by now: this one was away for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who wants a source to be read, and how."""

    clocks: Clocks
    holder: str
    """Of the source's lease while it is read."""
    actor: str = "system"
    files: Path = Path("files")
    """Folder of the server that systems leave their files in."""
    whole: bool = False
    """Read everything, and then mark what is gone."""
    confirmed: bool = False
    """A person has said yes to many rows being gone."""
    progress: Progress = lambda _run: None


@dataclass(frozen=True, slots=True)
class Job:
    """A stream to be read."""

    db: Database
    row: SourceRow
    source: Source
    stream: Stream
    at: Opened
    order: Order

    @property
    def now_ms(self) -> WallMs:
        """The time."""
        return self.order.clocks.wall_ms()


class _Page(NamedTuple):
    """Rows as they came and as they fit, and where the pass goes on after them."""

    rows: list[Any]
    mapped: list[Mapped | Rejected]
    after: Position


async def run_stream(job: Job) -> Run:
    """Read what is new, or everything where that is due; the source's faults end up in the run, never in an error."""
    run, position, ids = await _begin(job)
    try:
        await _read(job, run, position, ids)
    except ReplyError as error:
        run.state, run.error, run.message = ("partial" if run.pages else "failed"), error.code, str(error)
    except _RejectedError as error:
        run.state, run.error, run.message = "rejected", error.code, str(error)
    except _LeaseLostError as error:
        run.state, run.error, run.message = ("partial" if run.pages else "failed"), error.code, str(error)
    except ConfigError as error:
        run.state, run.error, run.message = "failed", "settings", str(error)
    except DataError as error:  # many rows gone: what came is stored, only the deletion waits for a yes
        run.state, run.error, run.message = "partial", error.code, str(error)
    await _end(job, run, position)
    job.order.progress(run)
    return run


async def run_source(
    db: Database, name: str, due: Callable[[Source], Sequence[Stream]], secrets: Secrets, order: Order
) -> list[tuple[Stream, Run]]:
    """Run streams of a source one after the other, alone: empty where another process runs it."""
    async with db.writing() as connection:
        row, source = await load_source(connection, name)
        if not await _leased(connection, name, order):
            return []
        await source_queries.close_broken_runs(connection, name, order.clocks.wall_ms())
    done: list[tuple[Stream, Run]] = []
    renewing = asyncio.create_task(_renew(db, name, order))
    try:
        async with opened(source, secrets, files=order.files) as at:
            for stream in due(source):
                done.append((stream, await run_stream(Job(db, row, source, stream, at, order))))
                if done[-1][1].error == "auth_failed":
                    break  # the others would be refused too, and may lock the account
    finally:
        renewing.cancel()
        async with db.writing() as connection:
            await source_queries.give_lease_back(connection, name, order.holder)
    return done


async def _leased(connection: AsyncConnection, name: str, order: Order) -> bool:
    """Whether the source is ours for a while from now on."""
    now_ms = order.clocks.wall_ms()
    return await source_queries.take_lease(connection, name, order.holder, now_ms, now_ms + LEASE_MS)


async def _renew(db: Database, name: str, order: Order) -> None:
    """Until it is cancelled: a page may take longer than a lease."""
    while True:
        await asyncio.sleep(LEASE_MS / 4_000)
        async with db.writing() as connection:
            await _leased(connection, name, order)


async def _begin(job: Job) -> tuple[Run, Position, list[str]]:
    name, stream, now_ms = job.row.id, job.stream, job.now_ms
    async with job.db.writing() as connection:
        [known] = [one for one in await source_queries.streams_of(connection, [name]) if one.stream == stream.id]
        every_ms = COMPARE_MS.get(stream.full_compare)
        due = every_ms is not None and (known.compared_ms is None or now_ms - known.compared_ms >= every_ms)
        kind: Literal["pull", "compare"] = "compare" if job.order.whole or due else "pull"
        started = {"source": name, "stream": stream.id, "kind": kind, "map_version": job.row.map_version}
        number = await source_queries.begin_run(connection, {**started, "actor": job.order.actor, "started_ms": now_ms})
        ids = await _ids(connection, name, stream, now_ms)
    position = Position() if kind == "compare" else Position.of(known.cursor)
    return Run(number, kind, watermark_ms=known.watermark_ms), position, ids


async def _ids(connection: AsyncConnection, name: str, stream: Stream, now_ms: WallMs) -> list[str]:
    """What a source has to be asked about one by one: of the paging or of what it is within."""
    paging: Paging | None = stream.page
    while paging is not None:
        if paging.type == "id_batches" and paging.of == "open_parcels":
            return await open_parcels(connection, name, paging.carriers, now_ms - OPEN_DAYS * 86_400_000)
        paging = paging.within
    return await source_queries.people_keys(connection, name)


async def _read(job: Job, run: Run, position: Position, ids: Sequence[str]) -> None:
    """Page by page; each is asked for and mapped while the one before is stored, and told wrong only after that."""
    seen: set[str] = set()
    pages = _pages(job, position, ids)
    following = asyncio.create_task(anext(pages, None))
    try:
        while (page := await following) is not None:
            following = asyncio.create_task(anext(pages, None))
            if run.kind == "compare":
                seen |= _keys(page.mapped)
            run.watermark_ms = _newest(page.mapped, run.watermark_ms)
            await _store(job, run, page)
            job.order.progress(run)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await _through(job, run, seen)


async def _pages(job: Job, position: Position, ids: Sequence[str]) -> AsyncIterator[_Page]:
    """Those of a pass, ready to be stored. ReplyError, or _RejectedError, for one that must not be."""
    source, stream = job.source, job.stream
    before: Sequence[Any] = ()
    now = from_ms(job.now_ms)
    async for fetched, known in read_pass(job.at, stream, position, now=now, ids=ids):
        mapped = await asyncio.to_thread(_mapped, source, stream, fetched, now)  # meanwhile people's pages are answered
        if source.kind != "file" and fetched.rows:  # two files may well say the same
            if fetched.rows == before:
                raise ReplyError("the same page came twice in a row", "page_repeated", retry=True)
            before = fetched.rows
        _refuse_bad_page(stream, mapped)
        yield _Page(fetched.rows, mapped, known)


async def _store(job: Job, run: Run, page: _Page) -> None:
    """A page, its raw rows and how far it leads, all or nothing."""
    name, stream, at_ms = job.row.id, job.stream, job.now_ms
    async with job.db.writing() as connection:
        counts = replace(run.counts)
        counts += await store_page(connection, Arrival(name, stream, job.source.zone, run.id, at_ms), page.mapped)
        if page.rows:
            await keep_page(connection, run=run.id, name=name, stream=stream, at_ms=at_ms, rows=page.rows)
        await source_queries.set_stream(connection, name, stream.id, cursor=page.after.kept())
        pages = run.pages + bool(page.rows)
        await source_queries.set_run(connection, run.id, {"pages": pages, **asdict(counts)})
        if not await _leased(connection, name, job.order):
            raise _LeaseLostError(
                "another process reads the source by now; nothing of this page is stored", "lease_lost"
            )
    run.pages, run.counts = pages, counts


async def _through(job: Job, run: Run, seen: set[str]) -> None:
    """The pass has shown everything: that is how fresh the stream is now, and what it did not show is gone."""
    name, stream, at_ms = job.row.id, job.stream, job.now_ms
    async with job.db.writing() as connection:
        await source_queries.set_stream(connection, name, stream.id, last_ok_ms=at_ms, watermark_ms=run.watermark_ms)
    if run.kind == "compare" and stream.full_compare != "never":
        async with job.db.writing() as connection:
            arrival = Arrival(name, stream, job.source.zone, run.id, at_ms)
            run.counts += await delete_unseen(connection, arrival, seen, confirmed=job.order.confirmed)
            await source_queries.set_stream(connection, name, stream.id, compared_ms=at_ms)


def _mapped(source: Source, stream: Stream, fetched: Fetched, now: datetime) -> list[Mapped | Rejected]:
    return list(map_rows(source, stream, fetched.rows, now=now, lines=fetched.lines))


def _refuse_bad_page(stream: Stream, rows: Sequence[Mapped | Rejected]) -> None:
    bad = [one for one in rows if isinstance(one, Rejected)]
    if len(rows) >= FEW_ROWS and len(bad) > len(rows) * stream.expect.max_reject_ratio:
        codes = sorted({code for one in bad for code in one.codes})
        raise _RejectedError(
            f"{len(bad)} of {len(rows)} rows of a page do not fit ({', '.join(codes)}): nothing of it is stored; "
            "mend the map, or raise expect.max_reject_ratio",
            "rejected",
        )


def _keys(rows: Sequence[Mapped | Rejected]) -> set[str]:
    """Keys that the source showed: a row that waits is not gone."""
    keys = (one.row.source_key if isinstance(one, Mapped) else one.source_key for one in rows)
    return {key for key in keys if key is not None}


def _newest(rows: Sequence[Mapped | Rejected], known_ms: WallMs | None) -> WallMs | None:
    times = (one.row.occurred_at for one in rows if isinstance(one, Mapped) and one.row.occurred_at is not None)
    newest = max(times, default=None)
    if newest is None:
        return known_ms
    return to_ms(newest) if known_ms is None else max(to_ms(newest), known_ms)


async def _end(job: Job, run: Run, position: Position) -> None:
    """How the run ended, how the source does, when the stream is due again."""
    row, stream, now_ms = job.row, job.stream, job.now_ms
    failed = run.state != "ok" and run.error != "many_deleted"
    async with job.db.writing() as connection:
        now = await source_queries.source(connection, row.id)
        failures = (0 if now is None else now.failures) + 1 if failed else 0
        state = "ok" if not failures else "down" if failures >= DOWN_AFTER else "late"
        state = "auth_failed" if run.error == "auth_failed" else state
        await source_queries.set_state(connection, row.id, state, failures)
        ended = {"state": run.state, "error": run.error, "ended_ms": now_ms, "detail": {"message": run.message}}
        await source_queries.set_run(connection, run.id, {"pages": run.pages, **asdict(run.counts), **ended})
        wait_s = next_run_s(seconds(stream.every), failures)
        values: dict[str, Any] = {"next_ms": now_ms + wait_s * 1000}
        if failed and run.pages == 0 and position.after is not None:
            values["cursor"] = position.anew().kept()  # a link or token of an older run may have ended
        await source_queries.set_stream(connection, row.id, stream.id, **values)
    if failed:
        log.warning(
            "sync_failed", source=row.id, stream=stream.id, code=run.error, reason=run.message, failures=failures
        )
