"""The server's side of hello, ev and ack: what the database knows and a message in, writes and an ack out.

No SQL, no network, no clock, and nothing kept between messages: with a shared subscription any worker gets any message.
A store calls it inside one transaction, with the streams' rows locked, and sends the ack only after the commit::

    batch = read_batch(payload)                             # DataError: not even its head is readable
    seen = seen_of(...)                                     # what is kept under the seqs of covered(known, [batch])
    taken = take(known, [batch], seen, owned)               # write taken.rows, taken.rejects, taken.known; commit
    Ack(streams=[taken.ack], busy_ms=...)                   # only now

    greeting = greet(known_by_stream, hello)                # write greeting.known; commit; send greeting.ack
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from shared.clock import ClockAnchor, WallMs
from shared.errors import DataError
from shared.keys import digest
from shared.punch import Punch
from shared.ranges import Ranges, covers, difference, intersection, union
from shared.scan import Damaged, Scan
from shared.wire import (
    MAX_SEQ,
    Ack,
    EvHead,
    Hello,
    StreamAck,
    StreamState,
    decode_ev_body,
    decode_ev_head,
    decode_event,
)

CONFLICT = "conflict"
FOREIGN = "foreign_terminal"
MESSAGE_CODES = frozenset({"unknown_version", "bad_body", "oversize", "revoked_gateway", "not_storable"})
"""Reasons for which a whole message is quarantined: its events were not read, so their digests are not known."""

LATEST_MS = 253_402_300_799_999
"""End of the year 9999; a number beyond is no time."""

MAX_REJECTED = 1_000
"""Rejected seqs named in one ack; they only inform."""
MAX_ALSO = 4_000
"""Ranges beyond the watermark named in one ack; the next ack names more."""

_INT32 = 2**31


class Item(NamedTuple):
    """One event of a batch, read but not yet judged against the database."""

    body: bytes
    digest: bytes
    at_ms: WallMs
    source: str
    """Terminal or station; empty when unknown."""
    code: str | None
    """Why it can not be an event; None for a good one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """An ``ev`` message; one whose body is unreadable has a ``code`` and no items, and blocks nothing."""

    head: EvHead
    items: tuple[Item, ...]
    code: str | None
    raw: bytes
    """The message itself."""
    sources: frozenset[str] = frozenset()
    """Terminals and stations of its good events."""
    sound: bool = False
    """Every item is a good event."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of one stream; the default is a stream never seen."""

    upto: int = 0
    """Every seq up to here is stored, quarantined or known lost."""
    also: Ranges = field(default_factory=list)
    """The same beyond ``upto``."""
    lost: Ranges = field(default_factory=list)
    """Seqs that the gateway no longer holds and never sent; inside ``upto`` and ``also``."""
    closed: bool = False
    anchor: ClockAnchor | None = None


class Row(NamedTuple):
    """An event to store."""

    seq: int
    at_ms: WallMs
    digest: bytes
    body: bytes


class Run(NamedTuple):
    """Events to store under consecutive seqs."""

    first: int
    items: Sequence[Item]

    @property
    def last(self) -> int:
        """Highest seq."""
        return self.first + len(self.items) - 1


class Reject(NamedTuple):
    """Something for the quarantine, under its seq."""

    seq: int
    code: str
    digest: bytes
    raw: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What batches of one stream change, and the ack for them after the commit."""

    runs: list[Run]
    """Events to store, in order of arrival."""
    rejects: list[Reject]
    known: Known
    ack: StreamAck

    @property
    def rows(self) -> list[Row]:
        """The events of all runs."""
        return [
            Row(seq, item.at_ms, item.digest, item.body)
            for first, items in self.runs
            for seq, item in enumerate(items, first)
        ]


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a hello changes, and the ack for it after the commit."""

    known: dict[bytes, Known]
    lost: dict[bytes, Ranges]
    """Seqs by stream found lost at the gateway just now."""
    ack: Ack


class Seen(NamedTuple):
    """What the database keeps under one seq."""

    digests: frozenset[bytes]
    """Of the event and of quarantined ones; empty when only an unreadable message was kept."""
    code: str | None = None
    """The reason when what came first is in quarantine."""


def seen_of(events: Iterable[tuple[int, bytes]], quarantined: Iterable[tuple[int, bytes, str]]) -> dict[int, Seen]:
    """What a store found under the seqs of ``covered``: (seq, digest) of events, (seq, digest, code) of quarantined."""
    found = {seq: Seen(frozenset([kept])) for seq, kept in events}
    for seq, kept, code in quarantined:
        before = found.get(seq)
        digests = frozenset() if code in MESSAGE_CODES else frozenset([kept])
        if before is not None:
            digests |= before.digests
        first = before.code if before is not None and (code == CONFLICT or before.code is None) else code
        found[seq] = Seen(digests, None if first == CONFLICT else first)
    return found


# --- ev -------------------------------------------------------------------------------------------------------------


def read_batch(payload: bytes) -> Batch:
    """An ``ev`` message with its events read; DataError when not even the head is readable."""
    head, packed = decode_ev_head(payload)
    try:
        bodies = decode_ev_body(head, packed)
    except DataError as error:
        return Batch(head, (), error.code, payload)
    items = tuple(map(read_item, bodies))
    good = [item.source for item in items if item.code is None]
    return Batch(head, items, None, payload, frozenset(good), len(good) == len(items))


def refused(batch: Batch, code: str) -> Batch:
    """The same batch, to be quarantined as a whole."""
    return Batch(batch.head, (), code, batch.raw)


def covered(known: Known, batches: Sequence[Batch]) -> Ranges:
    """Seqs of these batches whose digests the store has to look up before ``take``."""
    mine: Ranges = []
    for batch in batches:
        mine = union(mine, [(batch.head.first, batch.head.last)])
    return difference(intersection(mine, _all(known)), known.lost)


def take(known: Known, batches: Sequence[Batch], seen: Mapping[int, Seen], owned: Collection[str]) -> Taken:
    """Batches of one stream, in order; ``owned`` are the terminals that ever belonged to the gateway.

    A seq that is covered already is compared by digest: equal is a repeat, other bytes are a conflict and go to
    quarantine. A seq that was given up as lost is welcome after all.
    """
    work = _Work(dict(seen), owned, known)
    for batch in batches:
        if work.is_plain(batch):
            work.take_plain(batch)
        else:
            work.take_one_by_one(batch)
        work.after = _advanced(work.after, batch.head.first, batch.head.last)
    after, named = work.after, sorted(work.rejected.items())[:MAX_REJECTED]
    ack = StreamAck(batches[0].head.stream, after.upto, after.also[:MAX_ALSO], named)
    return Taken(work.runs, work.rejects, after, ack)


@dataclass(slots=True)
class _Work:
    """Batches of one stream on their way through one transaction."""

    here: dict[int, Seen]
    owned: Collection[str]
    after: Known
    runs: list[Run] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)
    noted: int = 0
    """How many of ``runs`` are in ``here`` already."""

    def is_plain(self, batch: Batch) -> bool:
        """Whether all of it is new, good and owned, as nearly always: then nothing is looked at twice."""
        span = [(batch.head.first, batch.head.last)]
        return (
            batch.sound
            and all(source in self.owned for source in batch.sources)
            and not intersection(_all(self.after), span)
            and not (self.here and any(seq in self.here for seq in range(span[0][0], span[0][1] + 1)))
        )

    def take_plain(self, batch: Batch) -> None:
        self.runs.append(Run(batch.head.first, batch.items))

    def take_one_by_one(self, batch: Batch) -> None:
        for first, items in self.runs[self.noted :]:  # those of plain batches
            self.here.update((seq, Seen(frozenset([item.digest]))) for seq, item in enumerate(items, first))
        self.noted = len(self.runs)
        done = difference(_all(self.after), self.after.lost)
        for seq, item in enumerate(_items(batch), batch.head.first):
            before = self.here.get(seq)
            if before is None and covers(done, seq, seq):
                before = Seen(frozenset())
            code = _why_not(item, self.owned) if before is None else _conflict(item, before, batch)
            if code is not None:
                self.rejects.append(Reject(seq, code, item.digest, item.body, item.source))
            elif before is None:
                self._add(seq, item)
            self._note(seq, batch, item, before, code)
        self.noted = len(self.runs)

    def _add(self, seq: int, item: Item) -> None:
        """Longer than the last run of this batch, or a new one."""
        if len(self.runs) > self.noted and self.runs[-1].last + 1 == seq:
            self.runs[-1] = Run(self.runs[-1].first, [*self.runs[-1].items, item])
        else:
            self.runs.append(Run(seq, [item]))

    def _note(self, seq: int, batch: Batch, item: Item, before: Seen | None, code: str | None) -> None:
        digests = frozenset() if batch.code else frozenset([item.digest])
        if before is None:
            self.here[seq] = Seen(digests, code)
        elif code is not None:
            self.here[seq] = Seen(before.digests | digests, before.code)
        shown = code or (before.code if before else None)
        if shown:
            self.rejected[seq] = shown


def read_item(body: bytes) -> Item:
    """One event, and why it can not be one."""
    try:
        event = decode_event(body)
    except DataError as error:
        return Item(body, digest(body), 0, "", error.code)
    match event:
        case Punch():
            source, code = event.terminal, None if _storable_punch(event) else "bad_event"
        case Scan():
            source, code = event.station, None if _storable_scan(event) else "bad_event"
        case Damaged():
            source, code = event.source, event.reason[:64].replace("\0", "") or "damaged"
    return Item(body, digest(body), event.at, source, code)


def _storable_punch(punch: Punch) -> bool:
    """Whether every column can hold it: texts without NUL, numbers of a sane size, a time that is one."""
    return (
        0 <= punch.at <= LATEST_MS
        and "\0" not in punch.terminal
        and "\0" not in punch.user
        and all(
            number is None or -MAX_SEQ <= number <= MAX_SEQ
            for number in (punch.at_device, punch.native_seq, punch.drift_ms, *punch.raw_codes)
        )
        and (punch.utc_offset_s is None or -_INT32 < punch.utc_offset_s < _INT32)
        and 0 <= punch.flags < _INT32
    )


def _storable_scan(scan: Scan) -> bool:
    return (
        0 <= scan.at <= LATEST_MS
        and not any("\0" in text for text in (scan.station, scan.code, scan.symbology, scan.operator or ""))
        and (scan.native_seq is None or -MAX_SEQ <= scan.native_seq <= MAX_SEQ)
        and 0 <= scan.flags < _INT32
    )


def _items(batch: Batch) -> Iterator[Item]:
    """One item for each seq; of an unreadable message the first seq keeps the raw bytes, the others the reason."""
    if batch.code is None:
        yield from batch.items
        return
    whole = digest(batch.raw)
    for number in range(batch.head.n):
        yield Item(b"" if number else batch.raw, whole, 0, "", batch.code)


def _why_not(item: Item, owned: Collection[str]) -> str | None:
    if item.code is not None:
        # Noise that can not be told to a terminal is the gateway's own; everything else needs an owner.
        return item.code
    return None if item.source in owned else FOREIGN


def _conflict(item: Item, before: Seen, batch: Batch) -> str | None:
    """A second payload under a known seq; an unreadable message has no digest of its events to compare."""
    if batch.code is not None or not before.digests or item.digest in before.digests:
        return None
    return CONFLICT


def _advanced(known: Known, first: int, last: int) -> Known:
    """The watermark after these seqs: it never passes a hole."""
    upto, also = _settled(known.upto, union(known.also, [(first, last)]))
    lost = difference(known.lost, [(first, last)])
    return replace(known, upto=upto, also=also, lost=lost)


# --- hello ----------------------------------------------------------------------------------------------------------


def greet(known: Mapping[bytes, Known], hello: Hello) -> Greeting:
    """Answer every stream of a hello from the database; what no longer can come is given up as lost."""
    after: dict[bytes, Known] = {}
    lost: dict[bytes, Ranges] = {}
    for state in hello.streams:
        after[state.stream], gone = _greet_one(after.get(state.stream) or known.get(state.stream) or Known(), state)
        if gone:
            lost[state.stream] = gone
    streams = [StreamAck(stream, one.upto, one.also[:MAX_ALSO]) for stream, one in after.items()]
    return Greeting(after, lost, Ack(re=hello.id, streams=streams))


def _greet_one(known: Known, state: StreamState) -> tuple[Known, Ranges]:
    """Only a closed stream loses seqs: nothing can come any more that the gateway does not hold."""
    after = replace(known, closed=known.closed or not state.open, anchor=state.anchor)
    if not after.closed or state.first <= known.upto + 1:
        return after, []
    gone = difference([(known.upto + 1, state.first - 1)], known.also)
    upto, also = _settled(known.upto, union(known.also, gone))
    return replace(after, upto=upto, also=also, lost=union(known.lost, gone)), gone


def holes(known: Known) -> Ranges:
    """Seqs below the highest known one that nobody has seen yet."""
    return difference([(known.upto + 1, known.also[-1][1])], known.also) if known.also else []


def _all(known: Known) -> Ranges:
    return [(1, known.upto), *known.also] if known.upto else known.also


def _settled(upto: int, also: Ranges) -> tuple[int, Ranges]:
    """Move the watermark over what touches it."""
    passed = 0
    for first, last in also:
        if first > upto + 1:
            break
        upto, passed = max(upto, last), passed + 1
    return upto, also[passed:]
