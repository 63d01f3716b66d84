"""Files that other systems leave in the server's folder: each new or changed one is read, oldest first, in parts."""

import asyncio
import datetime as dt
import fnmatch
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from server.connectors.errors import ReplyError
from server.connectors.fetch.paging import Fetched, Pass
from server.connectors.reply import Page, read_reply
from server.connectors.source_file import Source, Stream
from shared.errors import ConfigError

PART = 1_000
"""Rows of one transaction."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file, as it was when it was looked at."""

    name: str
    """Below the folder."""
    path: Path
    changed: dt.datetime


async def file_pages(folder: Path, source: Source, stream: Stream, about: Pass) -> AsyncIterator[Fetched]:
    """Rows of the files that were changed since the last pass, or at its last moment.

    A pass that was cut off goes on after the part that it stored. ReplyError names a file that can not be read; those
    after it wait until it is mended or taken away.
    """
    begun, done = _begun(about.after)
    for found in await asyncio.to_thread(found_files, folder, stream.call.files or "", source.source):
        if about.since is not None and found.changed < about.since:
            continue
        page = await asyncio.to_thread(_page, found, source, stream)
        rows, lines = page.rows, page.lines
        first = done if found.name == begun else 0
        for start in range(first, len(rows), PART):
            part = rows[start : start + PART]
            places = None if lines is None else lines[start : start + PART]
            yield Fetched(part, f"{start + len(part)}|{found.name}", lines=places)
        yield Fetched([], None, found.changed)


def _begun(after: object) -> tuple[str, int]:
    """The file that a pass was cut off in, and how many of its rows are stored."""
    number, bar, name = str(after or "").partition("|")
    return (name, int(number)) if bar and number.isdigit() else ("", 0)


def found_files(folder: Path, wanted: str, source: str) -> list[Found]:
    """Files below the folder that a pattern names, oldest first; ConfigError where the folder is not there."""
    if not folder.is_dir():
        raise ConfigError(f"{source}: there is no folder {folder}; make it, or name another as `files`")
    inside = folder.resolve()
    found = []
    for path in inside.rglob("*"):
        name = path.relative_to(inside).as_posix()
        # A link that leads elsewhere is not followed.
        if fnmatch.fnmatchcase(name, wanted) and path.is_file() and path.resolve().is_relative_to(inside):
            found.append(Found(name, path, dt.datetime.fromtimestamp(int(path.stat().st_mtime), dt.UTC)))
    return sorted(found, key=lambda one: (one.changed, one.name))


def body_of(found: Found, most: int) -> bytes:
    """What a file holds, ``most`` bytes and one more at most; ReplyError where it can not be read."""
    try:
        with found.path.open("rb") as opened:
            return opened.read(most + 1)
    except OSError as error:
        raise ReplyError(f"{found.name}: can not be read ({error.strerror})", "unreachable", retry=True) from error


def _page(found: Found, source: Source, stream: Stream) -> Page:
    body = body_of(found, source.limits.max_page_bytes)
    try:
        return read_reply(source, stream, body)
    except ReplyError as error:
        raise ReplyError(f"{found.name}: {error}", error.code, retry=False) from error
