"""How far a stream has been read: pure. Kept as JSON beside the stream, in the transaction of its page."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from server.connectors.convert import As, Reading, convert
from server.connectors.paths import look, parse_path
from server.connectors.source_file import Stream, TimeForm
from shared.errors import DataError

After = str | int | None
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(span: str) -> int:
    """Of a span such as ``5m``."""
    return int(span[:-1]) * _UNITS[span[-1]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stream goes on.

    A pass asks for what changed at ``since`` or later and goes from page to page by ``after``; ``newest`` is the newest
    change it has seen, and becomes ``since`` only when the pass is through: until then rows of that time may be on a
    page to come.
    """

    since: dt.datetime | None = None
    newest: dt.datetime | None = None
    after: After = None
    """Within a pass: the last key, the next link, the token, the first date of the next window."""

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None) -> "Position":
        """From what is kept."""
        kept = kept or {}
        return cls(_at(kept.get("since")), _at(kept.get("newest")), kept.get("after"))

    def kept(self) -> dict[str, Any]:
        """To be kept."""
        told = {"since": _text(self.since), "newest": _text(self.newest), "after": self.after}
        return {name: value for name, value in told.items() if value is not None}

    def start(self, stream: Stream, zone: ZoneInfo) -> dt.datetime | None:
        """What the pass asks for: a little before ``since``, as clocks differ and rows are committed late.

        Before the first pass the day that the file names; None: everything.
        """
        cursor = stream.cursor
        if self.since is None:
            first = None if cursor is None else cursor.start
            return None if first is None else dt.datetime.combine(first, dt.time(), zone)
        spans = [span for span in (stream.lookback, cursor and cursor.overlap) if span]
        return self.since - dt.timedelta(seconds=max(map(seconds, spans), default=0))

    def past(self, stream: Stream, zone: ZoneInfo, rows: Iterable[Any], after: After, now: dt.datetime) -> "Position":
        """After a page with these raw rows; a change that lies ahead would hide all others until then, so it is now."""
        seen = [min(at, now) for row in rows if (at := changed_at(stream, zone, row)) is not None]
        newest = max((*seen, self.newest)) if self.newest is not None else max(seen, default=None)
        return replace(self, newest=newest, after=after)

    def through(self) -> "Position":
        """After the last page; what was seen never moves it back."""
        if self.newest is None or (self.since is not None and self.newest < self.since):
            return Position(self.since)
        return Position(self.newest)

    def anew(self) -> "Position":
        """From the start of the pass."""
        return Position(self.since)


def changed_at(stream: Stream, zone: ZoneInfo, row: Any) -> dt.datetime | None:
    """When the source says that the row changed: the first of its cursor's fields that is set and can be read."""
    if stream.cursor is None:
        return None
    if stream.columns is not None and isinstance(row, list):
        row = dict(zip(stream.columns, row, strict=False))
    for field in stream.cursor.field:
        try:
            value = look(row, parse_path(field))
            at = None if value in (None, "", False) else convert(value, _kind(stream.cursor.as_, value), Reading(zone))
        except (DataError, ValueError):
            continue  # the mapping says what is wrong with the row
        if isinstance(at, dt.datetime):
            return at
    return None


def _kind(form: TimeForm, value: Any) -> As:
    """What it is read as: some are asked by seconds or milliseconds, and answer with a date and a time of day."""
    if isinstance(value, str) and (not form.startswith("epoch") or not value.replace(".", "", 1).isdigit()):
        return "datetime"
    return "epoch_ms" if form == "epoch_ms" else "epoch_s"


def _at(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)


def _text(at: dt.datetime | None) -> str | None:
    return None if at is None else at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
