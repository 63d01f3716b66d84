"""Files that people bring: looked at, mapped, checked, applied in one transaction, undone in one.

What the rows mean is each kind's own; ``KINDS`` has them all.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from server.access.errors import ForbiddenError, NotFoundError
from server.access.viewer import Viewer
from server.services.accounts import Caller
from server.services.calendar_import import CALENDAR
from server.services.import_kind import Checked, ImportKind, Option, Question, Who, places_of, suggested
from server.services.people_import import PEOPLE
from server.services.roster_import import ROSTER
from server.services.shadow_import import MONTH_RESULT
from server.store import identity_queries, import_queries, log_queries
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.import_queries import ImportRow
from server.store.log_queries import Entry
from shared.clock import WallMs
from shared.errors import DataError
from shared.sheets import Sheet

LARGEST_FILE: Final = 10 * 1024 * 1024
SKIP: Final = "skip_bad_rows"
KEEP_UPLOADS_MS: Final = 7 * 24 * 3_600_000
"""Files that nobody applied hold people's data for nothing."""
SAMPLE: Final = 5

KINDS: dict[str, ImportKind] = {kind.name: kind for kind in (PEOPLE, CALENDAR, ROSTER, MONTH_RESULT)}

_at_a_time = asyncio.Semaphore(2)
"""Reading a workbook takes some ten times its memory."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file as the page shows it before anything is decided."""

    row: ImportRow
    kind: ImportKind
    header: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    same_as: int | None
    """An applied file with the very same content."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the columns mean, and how to go about it."""

    mapping: Mapping[str, str]
    """Column heading of each field."""
    options: Mapping[str, Option]


def kind_for(viewer: Viewer, name: str) -> ImportKind:
    """The kind of that name; NotFoundError when there is none, ForbiddenError when it is not the viewer's."""
    kind = KINDS.get(name)
    if kind is None:
        raise NotFoundError(f"files of kind {name!r}")
    if not viewer.may(kind.permission):
        raise ForbiddenError(f"{viewer.login} ({viewer.role}) lacks {kind.permission}")
    return kind


def who_of(viewer: Viewer, caller: Caller) -> Who:
    """In the name of a signed-in user."""
    return Who(viewer.login, viewer.scope, caller.at_ms, caller)


async def upload(db: Database, kind: ImportKind, who: Who, name: str, data: bytes) -> Opened:
    """Keep a file and look at it; DataError when it can not be read."""
    if len(data) > LARGEST_FILE:
        raise DataError(f"file of {len(data)} bytes, at most {LARGEST_FILE}; split it", "too_large")
    sheet = await _read(kind, data)
    mapping = suggested(kind.fields, sheet.header)
    digest = hashlib.sha256(data).digest()
    async with db.writing() as connection:
        number = await import_queries.add_import(
            connection,
            kind=kind.name,
            name=name,
            sha256=digest,
            content=data,
            mapping=mapping,
            rows=len(sheet.rows),
            actor=who.actor,
            at_ms=who.now_ms,
        )
        await log_queries.append(connection, _entry(who, "import.upload", kind, number, {"name": name}))
    return await open_file(db, kind, who, number)


async def open_file(db: Database, kind: ImportKind, who: Who, number: int) -> Opened:
    """A file that was brought before; NotFoundError for others' files where the scope is not everyone."""
    async with db.reading() as connection:
        row = await import_queries.import_row(connection, number)
        if row is None or not _may_see(row, kind, who):
            raise NotFoundError(f"file {number}")
        data = await import_queries.import_content(connection, number)
        same_as = await import_queries.applied_before(connection, kind.name, row.sha256)
    sheet = await _read(kind, data)
    sample = tuple(line.cells for line in sheet.rows[:SAMPLE])
    return Opened(row, kind, sheet.header, sample, same_as if same_as != number else None)


async def kind_of_file(db: Database, viewer: Viewer, number: int) -> ImportKind:
    """The kind of a stored file; NotFoundError, ForbiddenError."""
    async with db.reading() as connection:
        row = await import_queries.import_row(connection, number)
    if row is None:
        raise NotFoundError(f"file {number}")
    return kind_for(viewer, row.kind)


async def check(db: Database, kind: ImportKind, who: Who, number: int, meaning: Meaning) -> Checked:
    """What the file would do with this meaning of its columns; remembers the meaning, changes nothing else."""
    row, question = await _question(db, kind, who, number, meaning.options)
    columns, problems = places_of(kind.fields, question.sheet.header, meaning.mapping)
    if problems:
        return Checked(None, problems=problems)
    if row.state == "uploaded":
        async with db.writing() as connection:
            await import_queries.note_mapping(connection, number, meaning.mapping, question.options)
    async with db.reading() as connection:
        return await kind.check(connection, _with(question, columns))


async def apply(db: Database, kind: ImportKind, who: Who, number: int, meaning: Meaning) -> ImportRow:
    """Write what the check says now, all or nothing.

    DataError ``bad_rows`` while rows have problems and are not to be skipped, ``nothing_to_do``, ``import_state``.
    """
    _, question = await _question(db, kind, who, number, meaning.options)
    columns, problems = places_of(kind.fields, question.sheet.header, meaning.mapping)
    question = _with(question, columns)
    async with db.writing() as connection:
        if not await import_queries.take(connection, number, "uploaded", "applied", who.now_ms):
            raise DataError(f"file {number} was applied before", "import_state")
        if kind.gives_punches:
            await identity_queries.hold_watermark(connection)
        checked = Checked(None, problems=problems) if problems else await kind.check(connection, question)
        of_file = [problem for problem in checked.problems if problem.row is None]
        if of_file or (checked.problems and question.options[SKIP] is not True):
            raise DataError(f"{len(checked.problems)} rows of file {number} do not fit", "bad_rows")
        if not checked.added and not checked.changed:
            raise DataError(f"file {number} says nothing new", "nothing_to_do")
        applied = await kind.apply(connection, question, checked)
        counts = {"added": checked.added, "changed": checked.changed, "same": checked.same, **applied.counts}
        counts["skipped"] = len({problem.row for problem in checked.problems})
        await import_queries.note_mapping(connection, number, meaning.mapping, question.options)
        await import_queries.note_result(connection, number, applied.before, counts)
        await log_queries.append(connection, _entry(who, "import.apply", kind, number, counts))
        await note_changes(connection, applied.topics, who.now_ms)
    return await _stored(db, number)


async def undo(db: Database, kind: ImportKind, who: Who, number: int) -> ImportRow:
    """Put back what was there; DataError ``changed_since`` with what was changed meanwhile, ``import_state``."""
    await open_file(db, kind, who, number)
    async with db.writing() as connection:
        if not await import_queries.take(connection, number, "applied", "undone", who.now_ms):
            raise DataError(f"file {number} is not applied", "import_state")
        if kind.gives_punches:
            await identity_queries.hold_watermark(connection)
        undone = await kind.undo(connection, who, await import_queries.import_before(connection, number))
        await log_queries.append(connection, _entry(who, "import.undo", kind, number, undone.counts))
        await note_changes(connection, undone.topics, who.now_ms)
    return await _stored(db, number)


async def forget_uploads(db: Database, now_ms: WallMs) -> None:
    """Delete files that were brought a week ago and never applied."""
    async with db.writing() as connection:
        await import_queries.forget_uploads(connection, now_ms - KEEP_UPLOADS_MS)


async def _question(
    db: Database, kind: ImportKind, who: Who, number: int, options: Mapping[str, Option]
) -> tuple[ImportRow, Question]:
    known: dict[str, Option] = {SKIP: False, **kind.options}
    for name, value in options.items():
        if name not in known or type(known[name]) is not type(value):
            raise DataError(f"option {name!r}: expected one of {', '.join(known)}", "bad_option", {"option": name})
    async with db.reading() as connection:
        row = await import_queries.import_row(connection, number)
        if row is None or not _may_see(row, kind, who):
            raise NotFoundError(f"file {number}")
        data = await import_queries.import_content(connection, number)
    sheet = await _read(kind, data)
    return row, Question(row.name, data, sheet, {}, {**known, **options}, who)


def _with(question: Question, columns: Mapping[str, int]) -> Question:
    return Question(question.name, question.data, question.sheet, columns, question.options, question.who)


def _may_see(row: ImportRow, kind: ImportKind, who: Who) -> bool:
    return row.kind == kind.name and (who.scope.everyone or row.actor == who.actor)


async def _read(kind: ImportKind, data: bytes) -> Sheet:
    async with _at_a_time:
        return await asyncio.to_thread(kind.read, data)


async def _stored(db: Database, number: int) -> ImportRow:
    async with db.reading() as connection:
        row = await import_queries.import_row(connection, number)
    if row is None:
        raise NotFoundError(f"file {number}")
    return row


def _entry(who: Who, action: str, kind: ImportKind, number: int, detail: Mapping[str, int | str]) -> Entry:
    caller = who.caller
    return Entry(
        who.now_ms,
        who.actor,
        action,
        f"{kind.name}/{number}",
        ip=caller.ip if caller else None,
        request_id=caller.request_id if caller else None,
        detail=dict(detail),
    )
