"""The work on files that people brought: dry run, import, reconciliation, undo, each part in its own transaction.

Any process may go on with it, several at once too: whoever comes second to a part stores nothing of it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.dry_run import DryRun
from server.connectors.mapping import Mapped, Rejected, map_rows, map_waiting
from server.connectors.reconcile import Group, Sums, compared
from server.connectors.source_file import Source, Stream
from server.facts.catalogue import FACTS, SEALED
from server.services.fact_store import Arrival, digest_of, store_page
from server.services.file_imports import WORKING, Numbered, find, mapping_of, rows_from
from server.services.sealing import has_pay, open_raw, waiting_place
from server.store import attribute_writes, fact_marks, fact_queries, source_queries
from server.store import file_import_queries as queries
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.file_import_queries import FileImport
from server.store.ingest_faults import is_passing
from server.store.sealer import sealer_of
from shared.clock import Clocks, from_ms, to_ms
from shared.errors import MusterError

LOOK_S = 2.0
"""Between two looks for files that are to be worked on."""

Progress: TypeAlias = Callable[[int], None]
"""Rows done."""

log = structlog.get_logger("server.connectors")


async def run(db: Database, clocks: Clocks) -> None:
    """Until it is cancelled: whatever people have begun, one file after the other."""
    while True:
        async with db.reading() as connection:
            numbers = await queries.in_states(connection, WORKING)
        for number in numbers:
            try:
                await work(db, number, clocks)
            except MusterError as error:
                log.warning("file_not_imported", file=number, reason=str(error))
            except Exception as error:
                if is_passing(error):
                    log.warning("database_away", reason=str(error).partition("\n")[0])
                else:
                    log.exception("file_failed", file=number)
        await asyncio.sleep(LOOK_S)


async def work(db: Database, number: int, clocks: Clocks, progress: Progress = lambda _rows: None) -> FileImport:
    """Do what the state of the file asks for, until nothing is left. Errors are raised.

    One stays with the file, until a person has it go on; not a passing fault of the database, after which ``run`` does.
    """
    while (file := await find(db, number)).state in WORKING:
        try:
            await _STEPS[file.state](_job(db, file, clocks, progress))
        except Exception as error:
            if is_passing(error):
                raise
            told = str(error) if isinstance(error, MusterError) else "internal error; the log of the server says more"
            async with db.writing() as connection:
                await queries.change(connection, number, (file.state,), clocks.wall_ms(), error=told)
            raise
    return file


@dataclass(frozen=True, slots=True)
class _Job:
    """A file that is worked on."""

    db: Database
    file: FileImport
    source: Source
    stream: Stream
    clocks: Clocks
    progress: Progress

    @property
    def run(self) -> int:
        """The run that stores its rows."""
        assert self.file.run is not None  # noqa: S101  (it is given with the state)
        return self.file.run

    @property
    def name(self) -> str:
        """Of the source."""
        return self.source.source

    def mapped(self, part: Sequence[Numbered]) -> list[Mapped | Rejected]:
        """Rows by the map, each with its line; in a thread, so that pages are answered meanwhile."""
        lines, rows = zip(*part, strict=True)
        return list(map_rows(self.source, self.stream, rows, now=from_ms(self.clocks.wall_ms()), lines=lines))


def _job(db: Database, file: FileImport, clocks: Clocks, progress: Progress) -> _Job:
    source, stream = mapping_of(file)
    return _Job(db, file, source, stream, clocks, progress)


async def _check(job: _Job) -> None:
    """A dry run over the whole file; begun anew by whoever goes on with it."""
    file, fact = job.file, job.stream.fact
    tally = DryRun(job.stream, job.source.zone, masked=has_pay(fact))
    async with job.db.reading() as connection:
        sealer = await sealer_of(connection) if has_pay(fact) else None
    while True:
        async with job.db.reading() as connection:
            part = await rows_from(connection, file.id, tally.rows)
            if part is None:
                break
            rows = await asyncio.to_thread(job.mapped, part)
            keys = sorted({one.row.source_key for one in rows if isinstance(one, Mapped)})
            stored = await fact_queries.stored_rows(connection, FACT_TABLES[fact], job.name, keys)
        told = [one if isinstance(one, Rejected) else (one, digest_of(fact, one.row, sealer)) for one in rows]
        tally.add(told, {key: row.payload_hash for key, row in stored.items()}, len(part))
        async with job.db.writing() as connection:
            await queries.change(connection, file.id, ("checking",), job.clocks.wall_ms(), done_rows=tally.rows)
        job.progress(tally.rows)
    async with job.db.writing() as connection:
        values = {"state": "checked", "report": tally.report(), "done_rows": 0}
        await queries.change(connection, file.id, ("checking",), job.clocks.wall_ms(), **values)


async def _import(job: _Job) -> None:
    """Part after part, with how far it leads in the same transaction."""
    number, now_ms = job.file.id, job.clocks.wall_ms
    while True:
        async with job.db.reading() as connection:
            file = await queries.one(connection, number)
            part = None if file is None else await rows_from(connection, number, file.done_rows)
        if file is None or file.state != "running":
            return  # somebody takes it back
        if part is None:
            break
        rows = await asyncio.to_thread(job.mapped, part)
        async with job.db.writing() as connection:
            done = file.done_rows + len(part)
            if await queries.advance(connection, file, done, now_ms()):
                arrival = Arrival(
                    job.name, job.stream, job.source.zone, job.run, now_ms(), replaces=False, revives=False
                )
                counts = await store_page(connection, arrival, rows)
                await queries.count_run(connection, job.run, {"pages": 1, **asdict(counts)})
        job.progress(done)
    async with job.db.writing() as connection:
        if await queries.change(connection, number, ("running",), now_ms(), state="reconciling", done_rows=0):
            await source_queries.set_run(connection, job.run, {"state": "ok", "ended_ms": now_ms()})
            await source_queries.set_stream(connection, job.name, job.stream.id, last_ok_ms=now_ms())


async def _reconcile(job: _Job) -> None:
    """What the file says against what is stored under its keys."""
    file, fact = job.file, job.stream.fact
    fields = FACTS[fact].row.model_fields
    amounts = [name for name in fields if name.endswith("_minor") and name not in SEALED.get(fact, ())]
    said, stored = Sums(amounts), Sums(amounts)
    columns = ["occurred_at_ms", "org_key", *(["currency"] if "currency" in fields else []), *amounts]
    seen: set[str] = set()
    first, waiting, duplicates = 0, 0, 0
    while True:
        async with job.db.reading() as connection:
            part = await rows_from(connection, file.id, first)
            if part is None:
                break
            mapped = await asyncio.to_thread(job.mapped, part)
            rows = [one.row for one in mapped if isinstance(one, Mapped)]
            fresh = {row.source_key: row for row in reversed(rows) if row.source_key not in seen}
            values = await queries.stored_values(connection, FACT_TABLES[fact], job.name, sorted(fresh), columns)
        waiting += len(mapped) - len(rows)
        duplicates += len(rows) - len(fresh)
        seen |= fresh.keys()
        for row in fresh.values():
            at_ms = None if row.occurred_at is None else to_ms(row.occurred_at)
            currency = [getattr(row, "currency")] if "currency" in fields else []  # noqa: B009  (not every fact's)
            _put(said, job, [at_ms, row.org_key, *currency, *(getattr(row, name) for name in amounts)])
        for one in values:
            _put(stored, job, one)
        first += len(part)
        job.progress(first)
    async with job.db.writing() as connection:
        states = await queries.count_waiting(connection, job.name, job.stream.id, job.run)
        counts = {"rows": first, "not_fitting": waiting, "again": duplicates}
        counts |= {"waiting_open": states.get("open", 0), "decided": sum(states.values()) - states.get("open", 0)}
        result = compared(said, stored, counts)
        now_ms = job.clocks.wall_ms()
        values_ = {"state": "imported", "reconciled": result, "done_rows": first}
        await queries.change(connection, file.id, ("reconciling",), now_ms, **values_)


def _put(sums: Sums, job: _Job, values: Sequence[Any]) -> None:
    at_ms, org_key, *rest = values
    amounts = rest[-len(sums.amounts) :] if sums.amounts else []
    currency = rest[0] if len(rest) > len(amounts) else None
    month = "" if at_ms is None else f"{from_ms(at_ms).astimezone(job.source.zone):%Y-%m}"
    sums.add(Group(month, org_key or "", currency or ""), amounts)


async def _undo(job: _Job) -> None:
    """Rows that the import added go as if they had never come; those it found stored stay."""
    file, table = job.file, FACT_TABLES[job.stream.fact]
    gone = 0
    while True:
        async with job.db.writing() as connection:
            keys = await queries.keys_of_run(connection, table, job.name, job.run, 1_000)
            gone += await _take_out(connection, job, keys)
        job.progress(gone)
        if not keys:
            break
    async with job.db.writing() as connection:
        await _take_out(connection, job, await _decided_keys(connection, job))
        await queries.forget_waiting(connection, job.name, job.stream.id, job.run)
        now_ms = job.clocks.wall_ms()
        await source_queries.set_run(connection, job.run, {"state": "undone", "ended_ms": now_ms})
        if await queries.change(connection, file.id, ("undoing",), now_ms, state="undone", done_rows=0):
            await queries.forget_parts(connection, file.id)


async def _take_out(connection: AsyncConnection, job: _Job, keys: Sequence[str]) -> int:
    if not keys:
        return 0
    fact = job.stream.fact
    await source_queries.hold(connection, job.name)
    as_they_were = await attribute_writes.key_rows(connection, fact, job.name, keys)
    gone = await queries.take_out(connection, FACT_TABLES[fact], job.name, keys)
    await attribute_writes.settle(connection, {fact: as_they_were})
    await fact_marks.move(connection, [fact])
    return gone


async def _decided_keys(connection: AsyncConnection, job: _Job) -> list[str]:
    """Keys of rows that waited and that a person has brought in since."""
    sealer = await sealer_of(connection) if has_pay(job.stream.fact) else None
    found = []
    for digest, raw, patch in await queries.decided_rows(connection, job.name, job.stream.id, job.run):
        opened = open_raw(sealer, raw, waiting_place(job.name, job.stream.id, digest))
        one = map_waiting(job.source, job.stream, opened, patch or {}, accepts=True)
        found += [one.row.source_key] if isinstance(one, Mapped) else []
    return found


_STEPS = {"checking": _check, "running": _import, "reconciling": _reconcile, "undoing": _undo}
