"""The gateway's side of the delivery protocol as a state machine: messages and time in, messages and writes out.

hello after each connect, one message per page of streams, repeated until the server has answered all of them; then
``ev`` batches, oldest rows first. Only the server's acks, sent after its commit, make a row acked. Times are
monotonic milliseconds. What is known of a stream is ranges of seqs, never something per row.

Source: reliability.md section 3, architecture.md section 9.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.clock import ClockAnchor, MonotonicMs, WallMs
from shared.ranges import Ranges, covers, difference, intersection, ranges, size, union
from shared.wire import (
    MAX_EVENTS,
    MAX_HELLO_STREAMS,
    MAX_SEQ,
    Ack,
    Hello,
    StreamAck,
    StreamState,
    encode_ev,
)

WINDOW = 8
"""Batches un-acked at most."""
LIVE_TURN = 4
"""Every fourth batch is a live one while older rows wait."""
FIRST_TIMEOUT_MS = 5_000
LONGEST_TIMEOUT_MS = 60_000
JITTER = 0.2
SILENCE_MS = 600_000
"""Connected and waiting this long without an application ack is an alarm."""
LONGEST_BUSY_MS = 60_000
DOUBT_MS = 60_000
"""At most one hello in this time because an ack covered less than we hold as acked."""


class StreamRows(Protocol):
    """What the outbox holds of one stream."""

    @property
    def stream(self) -> bytes:
        """Its id, 16 bytes."""
        ...

    @property
    def first(self) -> int:
        """Lowest seq held, acked rows included."""
        ...

    @property
    def last(self) -> int:
        """Highest seq held."""
        ...

    @property
    def acked(self) -> Ranges:
        """Seqs that the server has confirmed."""
        ...

    @property
    def open(self) -> bool:
        """Whether new rows still join it."""
        ...

    @property
    def anchor(self) -> ClockAnchor:
        """Its monotonic clock tied to wall time."""
        ...


class Row(Protocol):
    """One row of the outbox."""

    @property
    def seq(self) -> int:
        """Its number in the stream."""
        ...

    @property
    def body(self) -> bytes:
        """The event as it was encoded when accepted."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What hello tells beside the streams."""

    machine: str
    wall_ms: WallMs
    clock_synced: bool
    free_bytes: int
    software: str
    newest_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows to read and to hand to ``sent``: consecutive ones from ``first``, none beyond ``last``."""

    stream: bytes
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Writes:
    """What an ack changes in the outbox; ``unsent`` before ``acked``."""

    acked: list[tuple[bytes, Ranges]] = field(default_factory=list)
    unsent: list[tuple[bytes, Ranges]] = field(default_factory=list)
    start_stream: bool = False
    rejected: int = 0
    """Rows the server has put into quarantine; they count as received."""


@dataclass(slots=True)
class _Stream:
    first: int
    last: int
    open: bool
    anchor: ClockAnchor
    acked: Ranges
    flying: Ranges = field(default_factory=list)
    missing: Ranges = field(default_factory=list)
    """Holes: within ``first`` and ``last``, but not in the outbox."""
    beyond: bool = False
    """The server has acked more than we hold."""

    def next_gap(self, low: int = 1, high: int = MAX_SEQ) -> tuple[int, int] | None:
        """The lowest run of rows within the bounds that nobody has acked and nothing carries now."""
        bounds = [(max(low, self.first), min(high, self.last))]
        if bounds[0][0] > bounds[0][1] or covers(self.acked, *bounds[0]):
            return None
        gaps = difference(difference(difference(bounds, self.acked), self.flying), self.missing)
        return gaps[0] if gaps else None


@dataclass(slots=True)
class _Batch:
    stream: bytes
    first: int
    last: int
    sent_ms: MonotonicMs
    due_ms: MonotonicMs


@dataclass(slots=True)
class _Page:
    """A part of the latest hello that the server has not answered yet."""

    streams: list[bytes]
    more: bool
    due_ms: MonotonicMs = 0
    times: int = 0


class Session:
    """One gateway's conversation with its server, over any number of connections."""

    def __init__(self, draw: random.Random, new_id: Callable[[], bytes]) -> None:
        self._draw = draw
        self._new_id = new_id
        self._streams: dict[bytes, _Stream] = {}
        """Oldest first."""
        self._online = False
        self._pages: dict[bytes, _Page] | None = None
        self._greeted = False
        self._hello_ms: MonotonicMs = 0
        self._doubt = False
        self._batches: list[_Batch] = []
        self._window = WINDOW
        self._backoff = 0
        self._punished_until: MonotonicMs = 0
        self._round_trip_ms: float = 0.0
        self._paused_until: MonotonicMs = 0
        self._turn = 0
        self._live_from: dict[bytes, int] = {}
        """First seq of an open stream that came after the link: what is older is backlog."""
        self._waiting_since: MonotonicMs | None = None
        self._lasting_alarms: set[str] = set()

    # --- the link ---------------------------------------------------------------------------------------------------

    def connected(self, now: MonotonicMs) -> None:
        """A link is there: what was on its way over an earlier one counts as unsent, and hello comes first."""
        self._online, self._greeted, self._pages = True, False, None
        self._doubt = False
        self._waiting_since = now
        self._paused_until = 0
        self._backoff, self._punished_until = 0, 0
        self._forget(list(self._batches))

    def disconnected(self) -> None:
        """The link is gone; nothing is sent until the next one."""
        self._online, self._waiting_since = False, None

    @property
    def greeted(self) -> bool:
        """Whether the server has answered this link's hello."""
        return self._online and self._greeted

    def alarms(self, now: MonotonicMs) -> tuple[str, ...]:
        """Codes of what needs a person, in alphabetical order.

        ``no_ack``: connected, but the server is silent. ``ack_beyond``: the server has more than this outbox: an old
        copy of the disk. ``hole``: rows are missing from the outbox.
        """
        silent = self._waiting_since is not None and now - self._waiting_since >= SILENCE_MS
        return tuple(sorted(self._lasting_alarms | ({"no_ack"} if silent else set())))

    # --- what the outbox holds --------------------------------------------------------------------------------------

    def observe(self, streams: Sequence[StreamRows]) -> None:
        """Take over which rows there are, oldest stream first; what we know as acked is kept."""
        fresh: dict[bytes, _Stream] = {}
        for rows in streams:
            if rows.first > rows.last:  # no row left
                continue
            known = self._streams.get(rows.stream)
            if known is None:
                known = _Stream(rows.first, rows.last, rows.open, rows.anchor, list(rows.acked))
                if rows.open and self.greeted:
                    self._live_from[rows.stream] = rows.first
            known.first, known.last, known.open, known.anchor = rows.first, rows.last, rows.open, rows.anchor
            fresh[rows.stream] = known
        self._streams = fresh
        self._batches = [batch for batch in self._batches if batch.stream in fresh]

    # --- hello ------------------------------------------------------------------------------------------------------

    def hello_due(self, now: MonotonicMs) -> bool:
        """Whether ``hellos`` has something to say: after a connect, without an answer, or in doubt."""
        if not self._online:
            return False
        if self._pages:
            return any(page.due_ms <= now for page in self._pages.values())
        return self._pages is None or (self._doubt and now >= self._hello_ms + DOUBT_MS)

    def hellos(self, now: MonotonicMs, facts: Facts) -> list[Hello]:
        """The pages of hello that are due now: all after a connect, later those without an answer."""
        if not self.hello_due(now):
            return []
        if not self._pages:
            self._pages = self._new_pages()
            self._hello_ms, self._doubt = now, False
        due = []
        for id_, page in self._pages.items():
            if page.due_ms <= now:
                page.due_ms = now + self._timeout_ms(page.times)
                page.times += 1
                due.append(self._hello(id_, page, facts))
        if due:
            self._expect(now)
        return due

    def _new_pages(self) -> dict[bytes, _Page]:
        names = list(self._streams)
        starts = range(0, max(len(names), 1), MAX_HELLO_STREAMS)
        return {
            self._new_id(): _Page(names[start : start + MAX_HELLO_STREAMS], start + MAX_HELLO_STREAMS < len(names))
            for start in starts
        }

    def _hello(self, id_: bytes, page: _Page, facts: Facts) -> Hello:
        held = [(name, self._streams[name]) for name in page.streams if name in self._streams]
        return Hello(
            id=id_,
            streams=[
                StreamState(name, s.first, s.last, _acked_upto(s.first, s.acked), s.open, s.anchor) for name, s in held
            ],
            more=page.more,
            newest_digest=facts.newest_digest,
            machine=facts.machine,
            wall_ms=facts.wall_ms,
            clock_synced=facts.clock_synced,
            free_bytes=facts.free_bytes,
            software=facts.software,
        )

    # --- batches ----------------------------------------------------------------------------------------------------

    def wanted(self, now: MonotonicMs) -> Wanted | None:
        """The rows to send next; None while the window is full, the server is busy or nothing waits."""
        if not self.greeted or now < self._paused_until:
            return None
        self._expire(now)
        if len(self._batches) >= self._window:
            return None
        backlog, live = self._backlog(), self._live()
        choice = live if live and (backlog is None or self._turn % LIVE_TURN == LIVE_TURN - 1) else backlog
        if choice is None:
            return None
        stream, (first, last) = choice
        return Wanted(stream, first, min(last, first + MAX_EVENTS - 1))

    def sent(self, wanted: Wanted, rows: Sequence[Row], now: MonotonicMs) -> bytes | None:
        """The ``ev`` message of these rows, taken as sent from now; None when the outbox no longer has them.

        Rows may begin later than wanted or be none at all: then the first one wanted is a hole, which alarms and is not
        asked for again.
        """
        stream = self._streams.get(wanted.stream)
        if stream is None or not self.greeted:
            return None
        start = rows[0].seq if rows else wanted.first + 1
        if start > wanted.first:
            self._note_hole(stream, wanted.first, start - 1)
        if not rows:
            return None
        batch = _Batch(wanted.stream, start, rows[-1].seq, now, now + self._timeout_ms(self._backoff))
        self._batches.append(batch)
        stream.flying = union(stream.flying, [(batch.first, batch.last)])
        self._turn += 1
        self._expect(now)
        return encode_ev(batch.stream, batch.first, [row.body for row in rows])

    def _note_hole(self, stream: _Stream, low: int, high: int) -> None:
        lost = difference([(max(low, stream.first), min(high, stream.last))], stream.acked)
        if lost and lost[0][0] <= lost[0][1]:
            stream.missing = union(stream.missing, lost)
            self._lasting_alarms.add("hole")

    def _backlog(self) -> tuple[bytes, tuple[int, int]] | None:
        for name, stream in self._streams.items():
            high = self._live_from.get(name, MAX_SEQ) - 1 if stream.open else MAX_SEQ
            if gap := stream.next_gap(high=high):
                return name, gap
        return None

    def _live(self) -> tuple[bytes, tuple[int, int]] | None:
        for name in reversed(self._streams):
            if self._streams[name].open:
                gap = self._streams[name].next_gap(low=self._live_from.get(name, MAX_SEQ))
                return (name, gap) if gap else None
        return None

    def _draw_live_line(self) -> None:
        """From here on new rows are live ones; all that is older is backlog."""
        self._live_from = {name: stream.last + 1 for name, stream in self._streams.items() if stream.open}

    def _expire(self, now: MonotonicMs) -> None:
        """Take batches that nobody answered in time as unsent; the window halves once per time-out."""
        late = [batch for batch in self._batches if batch.due_ms <= now]
        if not late:
            return
        self._forget(late)
        if now >= self._punished_until:
            self._window = max(1, self._window // 2)
            self._backoff += 1
            self._punished_until = now + FIRST_TIMEOUT_MS

    def _forget(self, gone: list[_Batch]) -> None:
        self._batches = [batch for batch in self._batches if batch not in gone]
        for name in {batch.stream for batch in gone} & self._streams.keys():
            self._streams[name].flying = ranges((b.first, b.last) for b in self._batches if b.stream == name)

    def _timeout_ms(self, failures: int) -> int:
        """max(5 s, 4 x smoothed round trip), doubled per failure to 60 s, and up to 20 % later."""
        base = max(FIRST_TIMEOUT_MS, 4 * self._round_trip_ms)
        doubled = min(base * 2 ** min(failures, 10), LONGEST_TIMEOUT_MS)
        return int(doubled * (1 + JITTER * self._draw.random()))

    # --- acks -------------------------------------------------------------------------------------------------------

    def acknowledged(self, ack: Ack, now: MonotonicMs) -> Writes:
        """What an ack changes: it adds, and as the first answer to a part of the latest hello it also takes back."""
        page = self._pages.pop(ack.re, None) if self._pages is not None and ack.re is not None else None
        unsent = self._take_back(page, ack.streams) if page is not None else []
        acked, start_stream = self._add(ack.streams)
        if page is not None and not self._pages and not self._greeted:
            self._greeted = True
            self._draw_live_line()
        self._settle(now, progress=bool(acked))
        if ack.busy_ms > 0:
            self._paused_until = now + min(ack.busy_ms, LONGEST_BUSY_MS)
        self._waiting_since = None
        if self._batches or self._pages:
            self._expect(now)
        rejected = sum(len(answer.rejected) for answer in ack.streams)
        return Writes(acked, unsent, start_stream, rejected)

    def _take_back(self, page: _Page, answers: Sequence[StreamAck]) -> list[tuple[bytes, Ranges]]:
        """Rows of the page's streams that we hold as acked and the server's database does not have."""
        covered = {answer.stream: _covered(answer) for answer in answers}
        taken = []
        for name in page.streams:
            stream = self._streams.get(name)
            if stream is None:
                continue
            lost = difference(intersection(stream.acked, [(stream.first, stream.last)]), covered.get(name, []))
            if lost:
                stream.acked = difference(stream.acked, lost)
                taken.append((name, lost))
        return taken

    def _add(self, answers: Sequence[StreamAck]) -> tuple[list[tuple[bytes, Ranges]], bool]:
        """Newly acked rows by stream, and whether the open stream has to end because the server knows more of it."""
        added: list[tuple[bytes, Ranges]] = []
        start_stream = False
        for answer in answers:
            stream = self._streams.get(answer.stream)
            if stream is None:
                continue
            held = [(stream.first, stream.last)]
            claimed = _covered(answer)
            covered = intersection(claimed, held)
            if fresh := difference(covered, stream.acked):
                stream.acked = union(stream.acked, fresh)
                added.append((answer.stream, fresh))
            elif size(covered) < size(intersection(stream.acked, held)):
                self._doubt = True  # late, or from a server that was restored: only a hello can tell
            if claimed and claimed[-1][1] > stream.last and not stream.beyond:
                stream.beyond = True
                self._lasting_alarms.add("ack_beyond")
                start_stream = start_stream or stream.open
        return added, start_stream

    def _settle(self, now: MonotonicMs, *, progress: bool) -> None:
        """Drop batches that are acked whole, learn the round trip, open the window."""
        done = [batch for batch in self._batches if covers(self._streams[batch.stream].acked, batch.first, batch.last)]
        if done:
            self._forget(done)
            sample = now - done[-1].sent_ms
            self._round_trip_ms += (sample - self._round_trip_ms) / 8 if self._round_trip_ms else sample
        if progress:
            self._window = min(WINDOW, self._window + 1)
            if self._backoff:  # the server is back: what came meanwhile is backlog, what comes now is live
                self._backoff = 0
                self._draw_live_line()

    # --- time -------------------------------------------------------------------------------------------------------

    def due_ms(self, now: MonotonicMs) -> MonotonicMs | None:
        """When something becomes due by time alone; None when only a message or a new row can change anything."""
        if not self._online:
            return None
        times = [page.due_ms for page in (self._pages or {}).values()]
        times += [max(batch.due_ms, self._paused_until) for batch in self._batches]
        if self._pages is None:
            times.append(now)
        if self._doubt and not self._pages:
            times.append(self._hello_ms + DOUBT_MS)
        if self._paused_until > now:
            times.append(self._paused_until)
        return min(times, default=None)

    def _expect(self, now: MonotonicMs) -> None:
        if self._waiting_since is None:
            self._waiting_since = now


def reconnect_delay_s(failures: int, draw: random.Random) -> float:
    """Seconds until the next attempt after ``failures`` in a row (from 0): 1 s doubling to 120 s, with full jitter.

    A depot-wide return of power must not make two hundred gateways knock at one moment.
    """
    return draw.uniform(0, min(120.0, 2.0 ** min(failures, 10)))


def _covered(answer: StreamAck) -> Ranges:
    return ranges([(1, answer.upto), *((low, high) for low, high in answer.also)])


def _acked_upto(first: int, acked: Ranges) -> int:
    """Every seq up to here is acked; rows below ``first`` are gone because they were."""
    return next((high for low, high in acked if low <= first <= high), first - 1)
