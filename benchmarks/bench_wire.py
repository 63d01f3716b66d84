"""Bytes on the wire for an event, in batches as a gateway sends them; beside them JSON of the same, uncompressed."""

import random
import secrets

import msgspec

from benchmarks.bench_outbox import punches
from benchmarks.figure import Figure, figure
from shared.scan import Scan, ScanKind
from shared.wire import MAX_EVENTS, STREAM_BYTES, encode_ev, encode_event

NAME = "wire"
LIVE = 20
START_MS = 1_795_579_200_000


def run() -> list[Figure]:
    """Whole messages divided by their events: a backlog of punches, one of scans, a live batch of punches."""
    figures = []
    for name, events in (
        (f"wire, {MAX_EVENTS} punches a message", punches(0, MAX_EVENTS)),
        (f"wire, {MAX_EVENTS} scans a message", _scans(MAX_EVENTS)),
    ):
        message = encode_ev(secrets.token_bytes(STREAM_BYTES), 1, [encode_event(event) for event in events])
        plain = msgspec.json.encode([msgspec.structs.asdict(event) for event in events])
        figures.append(
            figure(
                name,
                len(message) / len(events),
                "B/event",
                better="lower",
                target=40,
                limit_name="JSON",
                limit=len(plain) / len(events),
            )
        )
    live = encode_ev(secrets.token_bytes(STREAM_BYTES), 1, [encode_event(event) for event in punches(0, LIVE)])
    figures.append(figure(f"wire, {LIVE} punches a message", len(live) / LIVE, "B/event", better="lower"))
    return figures


def _scans(count: int) -> list[Scan]:
    """Reads of waybills at four stations; the numbers are as random as a day's mixed parcels."""
    luck = random.Random(count)
    return [
        Scan(
            f"DS22-{n % 4}",
            f"YT{luck.randint(10**12, 10**13 - 1)}",
            "]C1",
            ScanKind.INBOUND,
            START_MS + 700 * n + luck.randint(0, 500),
            seen_ms=700 * n,
        )
        for n in range(count)
    ]
