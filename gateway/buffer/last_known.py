"""A small file beside the database that remembers what was there: SQLite does not tell when it lost its tail."""

import os
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.buffer.state import State
from shared.clock import ClockAnchor, WallMs
from shared.ranges import Ranges, covers


class KnownStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream as it was when the file was written."""

    number: int
    stream: bytes
    anchor: ClockAnchor
    first: int
    last: int
    acked: Ranges


class LastKnown(msgspec.Struct, frozen=True, kw_only=True):
    """What was there when the file was written."""

    wall_ms: WallMs
    age_ms: int
    """How long the outbox had been running, all starts together."""
    next_number: int
    oldest_unacked_ms: WallMs | None
    streams: list[KnownStream]


def remember(folder: Path, state: State, wall_ms: WallMs, age_ms: int, oldest_unacked_ms: WallMs | None) -> None:
    """Write the file so that a power loss leaves the old one or the new one; OSError when the disk does not take it."""
    streams = [
        KnownStream(
            number=info.number,
            stream=info.stream,
            anchor=info.anchor,
            first=info.first,
            last=info.last,
            acked=info.acked,
        )
        for info in state.streams.values()
    ]
    known = LastKnown(
        wall_ms=wall_ms,
        age_ms=age_ms,
        next_number=state.next_number,
        oldest_unacked_ms=oldest_unacked_ms,
        streams=streams,
    )
    target, fresh = folder / "last-known.json", folder / "last-known.new"
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(known))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
    sync_folder(folder)


def recall(folder: Path) -> LastKnown | None:
    """What was there; None when nobody wrote it down or it can not be read."""
    try:
        return msgspec.json.decode((folder / "last-known.json").read_bytes(), type=LastKnown)
    except (OSError, msgspec.DecodeError):
        return None


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Held(Protocol):
    """A stream as it was."""

    @property
    def stream(self) -> bytes:
        """Its id."""
        ...

    @property
    def last(self) -> int:
        """Its highest seq."""
        ...


def shrunk(state: State, known: LastKnown) -> list[KnownStream]:
    """Streams that have lost rows since: their last row is gone, and it was not deleted for having been acked."""
    lost: list[KnownStream] = []
    for stream in known.streams:
        held = state.find(stream.stream)
        may_be_gone = stream.first > stream.last or covers(stream.acked, stream.first, stream.last)
        if held.last < stream.last if held else not may_be_gone:
            lost.append(stream)
    return lost
