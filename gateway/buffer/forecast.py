"""How long what is waiting has waited, and how long the room that is left will do."""

from gateway.buffer.connection import Connection
from gateway.buffer.disk import Usage
from gateway.buffer.state import State, StreamInfo
from gateway.buffer.store import read_rows
from shared.clock import WallMs
from shared.errors import DataError
from shared.wire import decode_event

SAMPLE_ROWS = 1000
HOUR_MS = 3_600_000


def accepted_ms(connection: Connection, info: StreamInfo, seq: int) -> WallMs | None:
    """When the gateway took a row, by its monotonic clock and the stream's anchor; None for an unreadable row."""
    for _, body, _ in read_rows(connection, info.number, seq, seq):
        try:
            event = decode_event(body)
        except DataError:
            return None
        return info.anchor.wall_ms + event.seen_ms - info.anchor.mono_ms
    return None


def oldest_unacked_ms(connection: Connection, state: State) -> WallMs | None:
    """When the gateway took the oldest row that the server has not confirmed; None when there is none."""
    oldest = state.oldest_unacked
    return accepted_ms(connection, *oldest) if oldest else None


def rows_per_hour(connection: Connection, state: State, now_ms: WallMs) -> float:
    """Rate over the newest thousand rows of the newest stream, until now; 0 when there are none."""
    newest = next(reversed(state.streams.values()), None)
    if newest is None or not newest.rows:
        return 0.0
    first = max(newest.first, newest.last - SAMPLE_ROWS + 1)
    began = accepted_ms(connection, newest, first)
    if began is None:
        return 0.0
    return (newest.last - first + 1) * HOUR_MS / max(now_ms - began, 1000)


def hours_left(usage: Usage, rows: int, per_hour: float) -> float | None:
    """Hours until the outbox is full at this rate, if nothing were confirmed; None while nothing comes in."""
    if not rows or per_hour <= 0:
        return None
    return max(0, usage.limit - usage.used) / (usage.used / rows) / per_hour
