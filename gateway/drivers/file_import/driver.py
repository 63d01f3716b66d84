"""A watched folder: files that appear in it, or on a stick that is mounted there, are read once and never changed."""

import asyncio
import hashlib
import hmac
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import msgspec
import structlog

from gateway.device import Decoded, HealthFact, Trouble
from gateway.driver import Cursor, DriverContext, DriverTask, Terminal
from gateway.drivers.file_import.codec import FILE_LIMIT, Reject, Row, Sheet, read_file
from gateway.profile import FileFacts, Profile, device_zone, utc_offset_s
from shared.clock import CLOCK_SUSPECT_BEFORE_S, device_seconds
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event
from shared.punch import Direction, Flag, Method, Punch
from shared.scan import DAMAGED_RAW_LIMIT, Damaged

FAMILY = "file_import"
SETTLE_S = 2.0
"""A file that has not changed for so long is complete."""
SLICE = 500
FILES_KEPT, REJECTS_KEPT = 4096, 4096
"""Digests that are remembered, oldest forgotten first; beyond them the business key still tells repeats apart."""
SEPARATE_REJECTS = 100
"""Rejected lines of a file that become a damaged row each; the rest share rows: garbage must not fill the disk."""
KEY_BYTES = 16
FILES_LIMIT = 1000
"""Files of a folder that are looked at."""

log = structlog.get_logger("gateway")


class FileImport:
    """The family of export files."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per terminal; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, [t], Folder(t, context).run) for t in terminals]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The punches of a file. National ids become ``person-1``, ``person-2``, so that the result can be shown."""
        sheet = read_file(data, _facts(profile))
        people: dict[str, str] = {}

        def conceal(person: str) -> str:
            return people.setdefault(person, f"person-{len(people) + 1}")

        reader = Reader(profile, _facts(profile), zone, conceal)
        punches = tuple(reader.punch(row, terminal, 0) for row in sheet.rows)
        health = [HealthFact(note) for note in sheet.notes]
        health += [HealthFact("unknown_word", {"text": word}) for word in sorted(reader.unknown)]
        problems = tuple(Trouble(r.reason, f"line {r.line}", r.raw.encode()) for r in sheet.rejects)
        return [Decoded(sheet.kind, punches, tuple(health), problems)]


DRIVER = FileImport()


def _facts(profile: Profile) -> FileFacts:
    if profile.file is None:
        raise ConfigError(f"profile {profile.brand}/{profile.model}: an export needs the table [file]")
    return profile.file


class Reader:
    """Rows of files to punches."""

    def __init__(self, profile: Profile, facts: FileFacts, zone: tzinfo, conceal: Callable[[str], str]) -> None:
        self._profile, self._facts, self._zone, self._conceal = profile, facts, zone, conceal
        self.unknown: set[str] = set()
        """Words for direction or method that the profile does not know."""

    def punch(self, row: Row, terminal: str, seen_ms: int) -> Punch:
        """The event of a row."""
        at_device = device_seconds(row.wall)
        offset = row.wall.utcoffset()
        offset_s = utc_offset_s(self._zone, at_device) if offset is None else int(offset.total_seconds())
        return Punch(
            terminal=row.device or terminal,
            user=self._conceal(row.user) if row.private else row.user,
            at_device=at_device,
            utc_offset_s=offset_s,
            at=(at_device - offset_s) * 1000,
            direction=self._direction(row.direction),
            method=self._method(row.method),
            raw_codes=row.codes,
            native_seq=row.number,
            seen_ms=seen_ms,
            flags=Flag.CLOCK_SUSPECT if at_device < CLOCK_SUSPECT_BEFORE_S else Flag(0),
        )

    def _direction(self, code: str | int | None) -> Direction:
        if isinstance(code, str):
            return Direction[self._name(code, self._facts.directions)]
        return Direction.UNKNOWN if code is None else self._profile.direction(code)

    def _method(self, code: str | int | None) -> Method:
        if isinstance(code, str):
            return Method[self._name(code, self._facts.methods)]
        return Method.UNKNOWN if code is None else self._profile.method(code)

    def _name(self, word: str, known: dict[str, str]) -> str:
        name = known.get(word.lower())
        if name is None and len(self.unknown) < 50:
            self.unknown.add(word)
        return (name or "unknown").upper()


class Concealer:
    """National ids to what may be stored: a keyed digest, since eleven digits alone are soon guessed."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    def __call__(self, person: str) -> str:
        """``id-`` and 20 hexadecimal digits; ConfigError without key."""
        if self._key is None:
            raise ConfigError("this file names people by national id: set key_file to a file with 16 random characters")
        return f"id-{hmac.new(self._key, person.encode(), hashlib.sha256).hexdigest()[:20]}"


class Memory(msgspec.Struct, array_like=True):
    """What of a folder has been read; the cursor of the outbox."""

    files: bytes = b""
    """Digests of files that are done, 16 bytes each."""
    rejects: bytes = b""
    """Digests of rejected lines, 8 bytes each: a file that grew tells them once."""
    current: bytes = b""
    done: int = 0
    """Rows of ``current`` that are stored."""

    def knows_file(self, digest: bytes) -> bool:
        """Whether this file is done."""
        return digest in {self.files[n : n + 16] for n in range(0, len(self.files), 16)}


@dataclass(slots=True)
class Counts:
    """What became of the lines of one file."""

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it looked: it is complete when it looks the same later."""

    name: str
    size: int
    changed_ns: int


class Folder:
    """The import of one terminal's files."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        config, profile = terminal.config, terminal.profile
        if config.folder is None:
            raise ConfigError(f"terminal {config.name}: set folder, such as /media/usb, where its files appear")
        self._folder = config.folder
        self._facts = _facts(profile)
        self._config, self._state, self._context = config, terminal.state, context
        zone = device_zone(profile, config.zone, terminal.site_zone)
        key = None if config.key_file is None else read_key(config.key_file)
        if self._facts.layout == "afd" and key is None:
            Concealer(None)("")
        self._reader = Reader(profile, self._facts, zone, Concealer(key))
        self._cursor_key = f"{FAMILY}:{config.serial or config.name}"
        self._state.serial = config.serial
        self._before: set[Seen] = set()
        self._done: set[Seen] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            waiting = await self.look()
            await asyncio.sleep(min(SETTLE_S, self._config.poll_s) if waiting else self._config.poll_s)

    async def look(self) -> bool:
        """Read the files that are complete; whether others are still being written."""
        try:
            seen = await asyncio.to_thread(self._list)
        except OSError as error:
            self._state.state, self._before = "offline", set()
            self._note("folder_missing", f"{self._folder}: {error.strerror}; plug the stick in or correct folder")
            return False
        if self._state.problem == "folder_missing":
            self._state.problem = None
        self._state.state, self._state.last_contact_ms = "online", self._context.clocks.wall_ms()
        stable, self._before = seen & self._before, seen
        self._done &= seen
        for one in sorted(stable - self._done, key=lambda s: (s.changed_ns, s.name)):
            await self._import(one)
        return bool(seen - stable)

    def _list(self) -> set[Seen]:
        found: set[Seen] = set()
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if len(found) < FILES_LIMIT and self._is_ours(entry.name) and entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    found.add(Seen(entry.name, facts.st_size, facts.st_mtime_ns))
        return found

    def _is_ours(self, name: str) -> bool:
        """Whether the profile takes such names, and no other terminal's serial number stands in this one."""
        if name.startswith((".", "~$")) or not any(fnmatch(name.lower(), mask.lower()) for mask in self._facts.names):
            return False
        serial = self._serial_in(name)
        return serial is None or self._config.serial is None or serial == self._config.serial

    def _serial_in(self, name: str) -> str | None:
        found = re.search(self._facts.serial_pattern, name) if self._facts.serial_pattern else None
        return found["serial"] if found else None

    async def _import(self, one: Seen) -> None:
        try:
            data = await asyncio.to_thread(read_bytes, self._folder / one.name, one)
        except OSError as error:
            self._note("unreadable", f"{one.name}: {error.strerror or error}")
            return
        if data is None:
            return  # it changed under the reading: next time
        digest = hashlib.sha256(data).digest()[:16]
        memory = await self._memory()
        if not memory.knows_file(digest):
            await self._store(one.name, data, digest, memory)
        self._done.add(one)

    async def _memory(self) -> Memory:
        value = await self._context.sink.cursor(self._cursor_key)
        try:
            return Memory() if value is None else msgspec.msgpack.decode(value, type=Memory)
        except msgspec.MsgspecError:
            return Memory()  # take everything: what is known already is recognised

    async def _store(self, name: str, data: bytes, digest: bytes, memory: Memory) -> None:
        problem = None
        try:
            sheet = await asyncio.to_thread(partial(read_file, data, self._facts, name))
        except DataError as error:
            sheet, problem = Sheet("none", (), (Reject(0, error.code, str(error)),)), "bad_file"
        terminal = self._config.serial or self._serial_in(name) or self._config.name
        if memory.current != digest:
            memory.current, memory.done = digest, 0
        counts = Counts(read=len(sheet.rows) + len(sheet.rejects), rejected=len(sheet.rejects))
        counts.duplicate = memory.done  # stored by a reading that was cut off
        while memory.done < len(sheet.rows):
            rows = sheet.rows[memory.done : memory.done + SLICE]
            seen_ms = self._context.seen_ms()
            memory.done += len(rows)
            await self._put([self._reader.punch(row, terminal, seen_ms) for row in rows], memory, counts)
        marks, events = self._damaged(terminal, name, sheet.rejects, memory)
        last = max(len(events) - 1, 0) // SLICE * SLICE
        for start in range(0, last, SLICE):
            await self._put(events[start : start + SLICE], memory, Counts())
        memory.files = (memory.files + digest)[-16 * FILES_KEPT :]
        memory.rejects = (memory.rejects + marks)[-8 * REJECTS_KEPT :]
        memory.current, memory.done = b"", 0
        await self._put(events[last:], memory, Counts())
        self._tell(name, sheet, counts, problem)

    def _tell(self, name: str, sheet: Sheet, counts: Counts, problem: str | None) -> None:
        log.info(
            "imported",
            terminal=self._config.name,
            file=name,
            kind=sheet.kind,
            read=counts.read,
            accepted=counts.accepted,
            duplicate=counts.duplicate,
            rejected=counts.rejected,
        )
        if problem is None and sheet.notes:
            problem = sheet.notes[0]
        if problem is None and self._reader.unknown:
            problem = "unknown_word"
            log.info("unknown words", terminal=self._config.name, words=sorted(self._reader.unknown))
            self._reader.unknown.clear()
        if problem is None and sheet.rejects:
            problem = "rejected_lines"
        self._state.problem = None
        if problem is not None:
            self._note(problem, f"{name}: {counts.rejected} of {counts.read} lines rejected")

    def _damaged(
        self, terminal: str, name: str, rejects: Sequence[Reject], memory: Memory
    ) -> tuple[bytes, list[Event]]:
        """Rejected lines with file and number, and their digests; those of an earlier version of the file are known."""
        known = {memory.rejects[n : n + 8] for n in range(0, len(memory.rejects), 8)}
        marks = bytearray()
        fresh: list[tuple[str, bytes]] = []
        for reject in rejects:
            mark = hashlib.sha256(f"{reject.reason}\0{reject.raw}".encode()).digest()[:8]
            if mark not in known:
                marks += mark
                raw = f"{name}:{reject.line}: {reject.raw}".encode()[:DAMAGED_RAW_LIMIT]
                fresh.append((reject.reason, raw))
        now, seen_ms = self._context.clocks.wall_ms(), self._context.seen_ms()
        return bytes(marks), [Damaged(terminal, reason, raw, now, seen_ms) for reason, raw in _bounded(fresh)]

    async def _put(self, events: Sequence[Event], memory: Memory, counts: Counts) -> None:
        """Commit events and what is read in one transaction."""
        try:
            cursor = Cursor(self._cursor_key, msgspec.msgpack.encode(memory))
            stored = await self._context.sink.put(events, cursor)
        except RetryableError as error:
            self._note("buffer_refused", str(error))
            raise
        counts.accepted += stored.accepted
        counts.duplicate += stored.repeats
        times = [event.at for event in events if isinstance(event, Punch)]
        if times:
            self._state.last_event_ms = max(times)

    def _note(self, problem: str, reason: str) -> None:
        if self._state.problem != problem:
            log.warning("terminal", terminal=self._config.name, problem=problem, reason=reason)
        self._state.problem = problem


def _bounded(rejects: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The first as they are, the others joined up to the size of one damaged row, none left out."""
    yield from rejects[:SEPARATE_REJECTS]
    joined = bytearray()
    for _, raw in rejects[SEPARATE_REJECTS:]:
        if joined and len(joined) + 1 + len(raw) > DAMAGED_RAW_LIMIT:
            yield "bad_rows", bytes(joined)
            joined.clear()
        joined += (b"\n" if joined else b"") + raw
    if joined:
        yield "bad_rows", bytes(joined)


def read_bytes(path: Path, expected: Seen) -> bytes | None:
    """Content of a plain file; None when it is not the one that was seen. A link leads nowhere: OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(FILE_LIMIT + 1)
        facts = os.fstat(descriptor)
    same = facts.st_size == expected.size and facts.st_mtime_ns == expected.changed_ns
    return data if same and stat.S_ISREG(facts.st_mode) else None


def read_key(path: Path) -> bytes:
    """The secret that conceals national ids; ConfigError does not repeat it."""
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: the key can not be read ({type(error).__name__})") from error
    if len(key) < KEY_BYTES:
        raise ConfigError(f"{path}: expected {KEY_BYTES} random characters or more")
    return key
