"""Follows the feed: each punch and scan exists once, every report of it is a source, its clock judged, its owner found.

One transaction for a portion: new rows, sources, touched days, merged parcels, changes and the watermark, all or none.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.clock import judge_clock
from server.attendance.policy import Policy
from server.attendance.touch import touched_dates
from server.ingest.log_numbers import watch_numbers
from server.services.parcels import merge_scans
from server.store import identity_queries, ingest_queries, policy_queries
from server.store.attendance_queries import touch_days
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.identity_queries import Matched, PunchValues, ScanValues, SourceValues, StoredEvent
from server.store.ingest_queries import Quarantined, StreamKey
from shared.clock import WallMs
from shared.errors import DataError
from shared.keys import BusinessKey, business_key, digest
from shared.punch import Punch
from shared.scan import Damaged, Scan
from shared.wire import decode_event

PORTION = 10_000
"""Events of one transaction."""
TOUCH_AHEAD_MS = 10 * 24 * 3_600_000
"""A time further ahead of its receipt names no day that anybody computes."""

MINUTE_MS = 60_000

log = structlog.get_logger("server.ingest")


async def identify(db: Database, now_ms: WallMs, zone: ZoneInfo) -> int:
    """Work on the next portion of the feed; how many events it had, 0 when there is nothing new.

    ``zone`` is the site's default, for employees whose site has none that is known.
    """
    async with db.reading() as connection:
        if not await identity_queries.has_news(connection):
            return 0
    async with db.writing() as connection:
        done = await identity_queries.hold_watermark(connection)
        portion = await identity_queries.next_portion(connection, done, PORTION)
        if portion is None:
            return 0
        events = await identity_queries.stored_events(connection, portion.spans)
        streams = await identity_queries.stream_keys(connection, {event.stream_id for event in events})
        sizes = await policy_queries.window_sizes(connection)
        work = _read(events, streams, _Work(zone, sizes.widest, {number: key[0] for number, key in streams.items()}))
        await _add_punches(connection, work, now_ms)
        await _add_scans(connection, work, now_ms)
        await identity_queries.add_sources(connection, work.sources)
        await ingest_queries.put_quarantine(connection, work.damaged)
        await touch_days(connection, work.touched)
        await identity_queries.note_last_events(connection, work.newest)
        await identity_queries.move_watermark(connection, portion.feed_id)
        await note_changes(connection, work.topics, now_ms)
    log.debug("identified", events=len(events), **work.counts)
    return len(events)


@dataclass(slots=True)
class _Work:
    """What the events of a portion turn into."""

    zone: ZoneInfo
    widest: Policy
    """Its windows hold those of every policy."""
    gateways: dict[int, str]
    punches: list[tuple[StoredEvent, Punch]] = field(default_factory=list)
    scans: list[tuple[StoredEvent, Scan]] = field(default_factory=list)
    damaged: list[Quarantined] = field(default_factory=list)
    sources: list[SourceValues] = field(default_factory=list)
    touched: set[tuple[str, date]] = field(default_factory=set)
    newest: dict[str, WallMs] = field(default_factory=dict)
    topics: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def note_event(self, source: str, true_ms: WallMs | None) -> None:
        """A terminal spoke of an instant that is believed."""
        if true_ms is not None and true_ms > self.newest.get(source, -1):
            self.newest[source] = true_ms
        self.topics.add("devices")


def _read(events: Sequence[StoredEvent], streams: dict[int, StreamKey], work: _Work) -> _Work:
    for event in events:
        try:
            value = decode_event(event.body)
        except DataError as error:  # stored by a newer version that understood it
            code = error.code
        else:
            match value:
                case Punch():
                    work.punches.append((event, value))
                    continue
                case Scan():
                    work.scans.append((event, value))
                    continue
                case Damaged():
                    code = value.reason
        gateway, stream = streams[event.stream_id]
        kept = (event.seq, code, digest(event.body), event.body, event.received_ms)
        work.damaged.append(Quarantined(gateway, stream, *kept))
    return work


async def _add_punches(connection: AsyncConnection, work: _Work, now_ms: WallMs) -> None:
    """New punches by business key; further reports of one are sources of the first."""
    keys = [business_key(punch) for _, punch in work.punches]
    known = await identity_queries.known_punches(connection, {key for key in keys if key is not None})
    fresh = _first_reports(keys, known)
    ids = await identity_queries.draw_punch_ids(connection, len(fresh))
    owners = await identity_queries.matched_users(
        connection, {(punch.terminal, punch.user) for _, punch in (work.punches[index] for index in fresh)}
    )
    rows: list[PunchValues] = []
    new: dict[int, int] = {}
    for number, index in zip(ids, fresh, strict=True):
        event, punch = work.punches[index]
        key = keys[index]
        if key is not None:
            known[key] = number
        new[index] = number
        owner = owners.get((punch.terminal, punch.user))
        rows.append(_punch_row(number, (event, punch), key, owner, work))
        _touch(rows[-1], owner, event, punch, work)
    await identity_queries.add_punches(connection, rows)
    await watch_numbers(connection, [work.punches[index][1] for index in fresh], now_ms)
    for index, (event, _) in enumerate(work.punches):
        key, mine = keys[index], new.get(index)
        first = mine if mine is not None else known[key] if key is not None else None
        work.sources.append((event.stream_id, event.seq, first, None, mine is None))
    work.counts["punches"] += len(rows)


async def _add_scans(connection: AsyncConnection, work: _Work, now_ms: WallMs) -> None:
    """New scans; only numbered ones can be told to be repeats."""
    keys = [business_key(scan) for _, scan in work.scans]
    known = await identity_queries.known_scans(connection, {key for key in keys if key is not None})
    fresh = _first_reports(keys, known)
    ids = await identity_queries.draw_scan_ids(connection, len(fresh))
    rows: list[ScanValues] = []
    new: dict[int, int] = {}
    for number, index in zip(ids, fresh, strict=True):
        event, scan = work.scans[index]
        key = keys[index]
        if key is not None:
            known[key] = number
        new[index] = number
        rows.append(_scan_row(number, event, scan, work.gateways[event.stream_id]))
        work.note_event(scan.station, judge_clock(scan.at, None, event.received_ms).true_ms)
    await identity_queries.add_scans(connection, rows)
    for index, (event, _) in enumerate(work.scans):
        key, mine = keys[index], new.get(index)
        first = mine if mine is not None else known[key] if key is not None else None
        work.sources.append((event.stream_id, event.seq, None, first, mine is None))
    await merge_scans(connection, ids, now_ms)
    work.counts["scans"] += len(rows)


def _first_reports(keys: Sequence[BusinessKey | None], known: dict[BusinessKey, int]) -> list[int]:
    """Indexes of what is new: known by no row, and the first of its key here."""
    seen: set[BusinessKey] = set()
    fresh: list[int] = []
    for index, key in enumerate(keys):
        if key is None:
            fresh.append(index)
        elif key not in known and key not in seen:
            seen.add(key)
            fresh.append(index)
    return fresh


def _punch_row(
    number: int, report: tuple[StoredEvent, Punch], key: BusinessKey | None, owner: Matched | None, work: _Work
) -> PunchValues:
    event, punch = report
    judged = judge_clock(punch.at, punch.drift_ms, event.received_ms)
    return (
        number,
        punch.terminal,
        punch.user,
        punch.at_device,
        key[3] if key is not None else -1,
        punch.utc_offset_s,
        punch.at,
        int(punch.direction),
        int(punch.method),
        json.dumps(punch.raw_codes),
        punch.native_seq,
        punch.drift_ms,
        int(punch.flags),
        event.received_ms,
        work.gateways[event.stream_id],
        owner.employee if owner else None,
        judged.true_ms,
        judged.held,
        None,
    )


def _scan_row(number: int, event: StoredEvent, scan: Scan, gateway: str) -> ScanValues:
    return (
        number,
        scan.station,
        scan.code,
        scan.symbology,
        int(scan.kind),
        scan.at,
        scan.operator,
        scan.native_seq,
        int(scan.flags),
        event.received_ms,
        gateway,
    )


def _touch(row: PunchValues, owner: Matched | None, event: StoredEvent, punch: Punch, work: _Work) -> None:
    """Days to compute again; a held punch touches the day that it claims, which shows it as held."""
    true_ms = row[-3]
    work.note_event(punch.terminal, true_ms)
    if owner is None:
        work.topics.add("unmatched")
        return
    at_ms = punch.at if true_ms is None else true_ms
    if at_ms <= event.received_ms + TOUCH_AHEAD_MS:
        days = _dates(at_ms // MINUTE_MS, _zone(owner.zone, work.zone), work.widest)
        work.touched.update((owner.employee, day) for day in days)


@lru_cache(20_000)
def _dates(minute: int, zone: ZoneInfo, widest: Policy) -> tuple[date, ...]:
    """Dates that a punch in that minute touches: zones, windows and shifts all change at whole minutes."""
    return touched_dates(minute * MINUTE_MS, zone, widest)


@lru_cache(100)
def _zone(name: str, default: ZoneInfo) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return default
