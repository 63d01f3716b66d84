"""Saved replies through a source file, without network or database: what integrators and tests use."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec

from server.connectors.errors import ReplyError
from server.connectors.mapping import Mapped, Rejected, map_rows
from server.connectors.reply import Page, read_reply
from server.connectors.source_file import Source, Stream
from shared.errors import ConfigError

MASK = "***"


@dataclass(frozen=True, slots=True)
class Saved:
    """A reply in a file; ``stream`` is None to be found out."""

    name: str
    body: bytes
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """A row as it came, and where what it became stands."""

    file: str
    row: int
    """Counted from 1; several of one row where a map takes it apart."""
    raw: Any
    """None where it may hold what is masked."""
    fits: bool
    at: int
    """Place in ``rows`` where it fits, else in ``quarantine``."""


@dataclass(slots=True)
class Outcome:
    """What became of the rows and of the replies."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    origins: list["Origin"] = field(default_factory=list)
    """What each of the rows and of those in quarantine came from, in the order in which they came."""
    hidden: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Fields that are masked, by fact."""

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """For printing."""
        return {"rows": self.rows, "quarantine": self.quarantine, "errors": self.errors}


def map_saved(
    source: Source, replies: Iterable[Saved], hidden: Mapping[str, Collection[str]] = MappingProxyType({})
) -> Outcome:
    """Every reply in order. One that fails as a whole gives no rows and would leave the cursor where it is.

    ``hidden`` are fields that are masked, by fact; of such a fact no bad value is shown: it may be in a wrong column.
    """
    outcome = Outcome(hidden=hidden)
    seen: dict[tuple[str, bytes], str] = {}
    for saved in replies:
        try:
            stream, page = _read(source, saved)
            _refuse_repeated(stream, page, saved, seen)
        except ReplyError as error:
            outcome.errors.append(
                {
                    "file": saved.name,
                    "code": error.code,
                    "retry": error.retry,
                    "advance_cursor": False,
                    "message": str(error),
                }
            )
            continue
        _map(source, stream, page, saved, outcome)
    return outcome


def _refuse_repeated(stream: Stream, page: Page, saved: Saved, seen: dict[tuple[str, bytes], str]) -> None:
    mark = (stream.id, hashlib.sha256(msgspec.json.encode(page.rows)).digest())
    if page.rows and mark in seen:
        raise ReplyError(f"the same rows as {seen[mark]}", "page_repeated", retry=True)
    seen[mark] = saved.name


def _map(source: Source, stream: Stream, page: Page, saved: Saved, outcome: Outcome) -> None:
    hidden = outcome.hidden.get(stream.fact, ())
    for one in map_rows(source, stream, page.rows):
        fits = isinstance(one, Mapped)
        at = len(outcome.rows if fits else outcome.quarantine)
        outcome.origins.append(Origin(saved.name, one.number, None if hidden else one.raw, fits, at))
        if isinstance(one, Mapped):
            fields = one.row.model_dump(mode="json", exclude_none=True)
            fields |= {name: MASK for name in fields if name in hidden}
            key = fields.pop("source_key")
            outcome.rows.append({"fact": stream.fact, "source_key": key, "fields": fields})
        else:
            outcome.quarantine.append(_waiting(stream, one, saved, masked=bool(hidden)))


def _waiting(stream: Stream, row: Rejected, saved: Saved, *, masked: bool) -> dict[str, Any]:
    return {
        "file": saved.name,
        "row": row.number,
        "fact": stream.fact,
        "source_key": row.source_key,
        "codes": list(row.codes),
        "fields": [
            {"field": fault.field, "code": fault.code, "value": MASK if masked else fault.value} for fault in row.faults
        ],
    }


def _read(source: Source, saved: Saved) -> tuple[Stream, Page]:
    """The stream that the reply belongs to: the one named, else the first whose rows fit best."""
    streams = _candidates(source, saved.stream)
    if len(streams) == 1:
        return streams[0], read_reply(source, streams[0], saved.body)
    failures: list[ReplyError] = []
    found: list[tuple[int, Stream, Page]] = []
    for stream in streams:
        try:
            page = read_reply(source, stream, saved.body)
        except ReplyError as error:
            failures.append(error)
            continue
        fitting = sum(isinstance(one, Mapped) for one in map_rows(source, stream, page.rows[:20]))
        found.append((fitting, stream, page))
    if not found:
        raise failures[0]
    _, stream, page = max(found, key=lambda one: one[0])
    return stream, page


def _candidates(source: Source, wanted: str | None) -> Sequence[Stream]:
    if wanted is None:
        return source.streams
    named = [stream for stream in source.streams if stream.id == wanted]
    streams = named or [stream for stream in source.streams if stream.fact == wanted]
    if not streams:
        there = ", ".join(stream.id for stream in source.streams)
        raise ConfigError(f"{source.source} has no stream {wanted!r}; it has {there}")
    return streams
