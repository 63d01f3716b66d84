"""The migration wizard: a file of an old system on its way to facts, from upload to a signed import.

``uploaded`` → ``mapped`` → (``checking``) → ``checked`` → (``running``, ``reconciling``) → ``imported`` → ``signed``,
or (``undoing``) → ``undone``. States in brackets are work that ``file_work`` does, in any process.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import msgspec
import zstandard
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.connectors.errors import ReplyError
from server.connectors.profile import ColumnProfile, Profiler
from server.connectors.source_file import Source, Stream, read_source
from server.connectors.tables import is_table, numbered_rows
from server.crypto.envelope import Place
from server.facts.catalogue import FACTS
from server.services.fact_decisions import ALONE
from server.services.sealing import has_pay, open_bytes, seal_bytes
from server.services.sources import put_source, stream_named
from server.store import file_import_queries as queries
from server.store import log_queries, source_queries
from server.store.database import Database
from server.store.file_import_queries import FileImport
from server.store.log_queries import Entry
from shared.clock import WallMs
from shared.errors import DataError

State: TypeAlias = Literal[
    "uploaded", "mapped", "checking", "checked", "running", "reconciling", "imported", "signed", "undoing", "undone"
]
WORKING: Final[tuple[State, ...]] = ("checking", "running", "reconciling", "undoing")
_OPEN: Final[tuple[State, ...]] = ("uploaded", "mapped", "checked")
_STORED: Final[tuple[State, ...]] = ("running", "reconciling", "imported", "signed", "undoing")
Work: TypeAlias = Literal["check", "import", "reconcile", "undo"]
_BEGINS: Final[dict[Work, tuple[State, tuple[State, ...]]]] = {
    "check": ("checking", ("mapped", "checked", "checking")),
    "import": ("running", ("checked", "running")),
    "reconcile": ("reconciling", ("imported", "reconciling")),
    "undo": ("undoing", ("imported", "running", "reconciling", "undoing")),
}
"""What a file is while the work goes on, and from which states it may begin or go on."""
PART: Final = 1_000
"""Rows of one transaction."""
KEEP_UPLOADS_MS: Final = 30 * 86_400_000
"""So long a file that was never imported is kept."""
SHOWN_LOG: Final = 200

OnRows: TypeAlias = Callable[[int], None]
Numbered: TypeAlias = tuple[int, Any]
"""A row and the line on which it stands."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A file that somebody brings."""

    name: str
    body: bytes
    fact: str
    """What its rows are about."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as rows, packed in parts."""

    rows: int
    profile: dict[str, Any]
    parts: list[tuple[int, int, bytes]]


async def upload(db: Database, brought: Brought, entry: Entry, on_rows: OnRows = lambda _n: None) -> FileImport:
    """Keep a file's rows and look at its columns; nothing becomes a fact yet.

    DataError with the reason for a file that is no table, ``no_fact``, ``no_rows``, and ``imported_before`` for one
    whose bytes are stored already.
    """
    fact, name = brought.fact, brought.name
    if fact not in FACTS:
        raise DataError(f"there is no fact {fact!r}", "no_fact", {"fact": fact})
    digest = hashlib.sha256(brought.body).digest()
    async with db.reading() as connection:
        known = await queries.same_content(connection, digest, _STORED)
    if known is not None:
        raise DataError(
            f"file {known} has the same content and is imported; undo it first", "imported_before", {"file": str(known)}
        )
    read = await asyncio.to_thread(_read, brought.body, on_rows)
    async with db.writing() as connection:
        values = {"name": name, "sha256": digest, "fact": fact, "rows": read.rows, "profile": read.profile}
        number = await queries.add(connection, {**values, "actor": entry.actor}, entry.at_ms)
        for first, rows, packed in read.parts:
            kept = await seal_bytes(connection, fact, packed, part_place(number, first))
            await queries.add_part(connection, number, first, rows, kept)
        await _log(connection, entry, "file.upload", number, {"name": name[:SHOWN_LOG], "rows": str(read.rows)})
        return await _one(connection, number)


async def put_map(db: Database, number: int, text: str, stream: str | None, entry: Entry) -> FileImport:
    """Say what the columns mean, by a source file of kind ``file``; the stream is the file's fact unless named.

    SourceFileError with every fault and its line; DataError ``other_kind``, ``other_fact``, ``import_state``.
    """
    async with db.writing() as connection:
        file = await _one(connection, number)
        source = read_source(text, f"{file.name}.yaml")
        found = _stream(source, file.fact, stream)
        if source.kind != "file":
            raise DataError(f"kind {source.kind}: a file is mapped by a source of kind file", "other_kind")
        values = {"source": source.source, "stream": found.id, "map": text, "state": "mapped", "report": None}
        if not await queries.change(connection, number, _OPEN, entry.at_ms, **values, done_rows=0, error=None):
            raise _in_state(file)
        await _log(connection, entry, "file.map", number, {"source": source.source, "stream": found.id})
        return await _one(connection, number)


async def begin(db: Database, number: int, work: Work, entry: Entry) -> FileImport:
    """Have the file checked, imported, reconciled or taken back; whoever runs ``file_work`` does it.

    Work that broke off goes on where it stands. DataError ``import_state``; ``live_source`` and ``other_streams`` for
    a source that is something else; ``undo_newer_first``.
    """
    state, before = _BEGINS[work]
    file = await find(db, number)
    if work == "import" and file.state == "checked":
        await _put_source(db, file, entry)
    async with db.writing() as connection:
        file = await _one(connection, number)
        if file.state not in before:
            raise _in_state(file)
        fresh = file.state != state
        values: dict[str, Any] = {"state": state, "error": None}
        if fresh:
            values["done_rows"] = 0
        if work == "import" and fresh:
            values |= {"run": await _begin_run(connection, file, entry), "imported_by": entry.actor}
        if work == "undo" and (newer := await queries.later(connection, file, _STORED)) is not None:
            raise DataError(
                f"file {newer} was imported after this one: undo that first", "undo_newer_first", {"file": str(newer)}
            )
        await queries.change(connection, number, before, entry.at_ms, **values)
        await _log(connection, entry, f"file.{work}", number, {"source": file.source or ""})
        return await _one(connection, number)


async def sign(db: Database, number: int, note: str, entry: Entry) -> FileImport:
    """Say that what is stored is right: from now on it is not undone, and the file's rows are let go.

    DataError ``import_state``; ``second_person`` where whoever imported may not sign; ``note_needed`` while rows wait
    or sums differ.
    """
    async with db.writing() as connection:
        file = await _one(connection, number)
        if file.state != "imported":
            raise _in_state(file)
        if needs_second(file) and entry.actor in (file.imported_by, file.actor):
            raise DataError(
                f"{file.rows} rows: more than {ALONE}, or pay, are signed by another person", "second_person"
            )
        reconciled = file.reconciled or {}
        open_ends = reconciled.get("waiting_open", 0) or reconciled.get("differing", 0)
        if open_ends and not note.strip():
            raise DataError("rows wait or sums differ: say in a note why that is right", "note_needed")
        values = {"state": "signed", "signed_by": entry.actor, "note": note.strip()}
        await queries.change(connection, number, ("imported",), entry.at_ms, **values)
        await queries.forget_parts(connection, number)
        if file.run is not None:
            await source_queries.set_run(connection, file.run, {"state": "signed"})
        await _log(connection, entry, "file.sign", number, {"note": note.strip()[:SHOWN_LOG]})
        return await _one(connection, number)


def needs_second(file: FileImport) -> bool:
    """Whether another person than the importer has to sign."""
    return file.rows > ALONE or has_pay(file.fact)


async def find(db: Database, number: int) -> FileImport:
    """A file; NotFoundError."""
    async with db.reading() as connection:
        return await _one(connection, number)


async def forget_uploads(db: Database, now_ms: WallMs) -> None:
    """Delete files that nobody has imported for a month."""
    async with db.writing() as connection:
        await queries.forget_before(connection, _OPEN, now_ms - KEEP_UPLOADS_MS)


async def rows_from(connection: AsyncConnection, number: int, first: int) -> list[Numbered] | None:
    """Rows of a file from this place on, each with its line; None after the last."""
    body = await queries.part(connection, number, first)
    if body is None:
        return None
    packed = await open_bytes(connection, body, part_place(number, first))
    rows: list[Numbered] = msgspec.json.decode(zstandard.decompress(packed), type=list[tuple[int, Any]])
    return rows


def profile_of(body: bytes, on_rows: OnRows = lambda _n: None) -> tuple[int, tuple[ColumnProfile, ...]]:
    """How many rows a file has, and its columns; nothing is kept. Errors as of ``upload``."""
    profiler = Profiler()
    for _, row in _numbered(body):
        profiler.add(row)
        if profiler.rows % PART == 0:
            on_rows(profiler.rows)
    return profiler.rows, profiler.columns()


def mapping_of(file: FileImport) -> tuple[Source, Stream]:
    """The source and stream that a mapped file is read by."""
    if file.map is None or file.stream is None:
        raise _in_state(file)
    source = read_source(file.map, f"{file.name}.yaml")
    return source, stream_named(source, file.stream)


def part_place(number: int, first: int) -> Place:
    """Where rows of a file belong."""
    return Place("file_import_parts", "body", (number, first))


def _read(body: bytes, on_rows: OnRows) -> _Read:
    profiler, parts, part = Profiler(), [], list[Numbered]()
    for one in _numbered(body):
        profiler.add(one[1])
        part.append(one)
        if len(part) == PART:
            parts.append(_packed(profiler.rows - PART, part))
            part = []
            on_rows(profiler.rows)
    if part:
        parts.append(_packed(profiler.rows - len(part), part))
    if not profiler.rows:
        raise DataError("the file has no rows below its heading", "no_rows")
    return _Read(profiler.rows, {"columns": [asdict(one) for one in profiler.columns()]}, parts)


def _numbered(body: bytes) -> Iterator[Numbered]:
    if is_table(body) or body.lstrip().startswith(b"{"):
        yield from numbered_rows(body)
        return
    try:
        rows = msgspec.json.decode(body, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReplyError(f"no list of JSON objects: {error}", "bad_body", retry=False) from error
    yield from enumerate(rows, 1)


def _packed(first: int, rows: Sequence[Numbered]) -> tuple[int, int, bytes]:
    return first, len(rows), zstandard.compress(msgspec.json.encode(rows))


def _stream(source: Source, fact: str, name: str | None) -> Stream:
    streams = [one for one in source.streams if one.fact == fact and name in (None, one.id)]
    if not streams:
        there = ", ".join(f"{one.id} ({one.fact})" for one in source.streams)
        raise DataError(f"the map has {there}; the file was brought as {fact}", "other_fact", {"fact": fact})
    return streams[0]


async def _put_source(db: Database, file: FileImport, entry: Entry) -> None:
    """The source that the rows are kept under: never asked, so that its age spoils no score."""
    source, _ = mapping_of(file)
    async with db.reading() as connection:
        known = await source_queries.source(connection, source.source)
        there = {row.stream for row in await source_queries.streams_of(connection, [source.source])}
    if known is not None and not known.disabled:
        raise DataError(
            f"{source.source} is a source that is read by itself; name another one in the map, "
            f"such as {source.source}_history",
            "live_source",
            {"source": source.source},
        )
    if lost := sorted(there - {one.id for one in source.streams}):
        raise DataError(
            f"{source.source} has {', '.join(lost)} already; name another source in the map", "other_streams"
        )
    await put_source(db, file.map or "", f"{file.name}.yaml", replace(entry, action="source.put"), disabled=True)


async def _begin_run(connection: AsyncConnection, file: FileImport, entry: Entry) -> int:
    known = await source_queries.source(connection, file.source or "")
    started = {"source": file.source, "stream": file.stream, "kind": "file", "started_ms": entry.at_ms}
    version = 1 if known is None else known.map_version
    return await source_queries.begin_run(connection, {**started, "actor": entry.actor, "map_version": version})


async def _one(connection: AsyncConnection, number: int) -> FileImport:
    file = await queries.one(connection, number)
    if file is None:
        raise NotFoundError(f"file {number}")
    return file


def _in_state(file: FileImport) -> DataError:
    return DataError(f"file {file.id} is {file.state}", "import_state", {"state": file.state})


async def _log(connection: AsyncConnection, entry: Entry, action: str, number: int, detail: dict[str, str]) -> None:
    await log_queries.append(connection, replace(entry, action=action, object=f"file/{number}", detail=detail))
