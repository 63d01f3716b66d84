"""Gateway, broker and server in one thread: the two real session classes between stores in memory, a virtual clock
and one seed.

Faults: loss, duplication, reordering and delay of messages, a broker that forgets all, links that end, a server that
dies before its commit or between commit and ack, a server restored from a backup, a gateway that dies with acks not yet
written, or with the tail of its outbox.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.sync.session import Facts, Session, Wanted, Writes
from server.ingest.session import Known, Seen, covered, greet, read_batch, seen_of, take
from shared.clock import ClockAnchor
from shared.keys import digest
from shared.punch import Punch
from shared.ranges import Ranges, difference, intersection, union
from shared.wire import Ack, Hello, StreamAck, decode_message, encode_event, encode_message

TERMINAL = "T1"
FACTS = Facts(machine="m", wall_ms=0, clock_synced=True, free_bytes=1, software="simulated")
FAULTY_MS = 240_000
QUIET_MS = 1_800_000
"""After the faults everything must have arrived within this time."""
ROWS_PER_BATCH = 3
"""A read gives few rows, so that a few dozen events are many batches."""


class Row(NamedTuple):
    """A row of the simulated outbox."""

    seq: int
    body: bytes


@dataclass
class DiskStream:
    """One stream as it is on the gateway's disk."""

    stream: bytes
    rows: dict[int, bytes] = field(default_factory=dict)
    acked: Ranges = field(default_factory=list)
    open: bool = True
    anchor: ClockAnchor = field(default_factory=lambda: ClockAnchor(0, 0))

    @property
    def first(self) -> int:
        """Lowest seq held."""
        return next(iter(self.rows))

    @property
    def last(self) -> int:
        """Highest seq held."""
        return next(reversed(self.rows))


class Network:
    """A broker that delivers a message never, once or often, soon or late, in any order."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.generation = 0

    def send(self, deliver: Callable[[bytes], None], payload: bytes) -> None:
        """Hand the payload over some time later, or not at all."""
        draw, faulty = self.world.draw, self.world.faulty
        copies = (draw.random() >= 0.15) + (draw.random() < 0.15) if faulty else 1
        generation = self.generation
        for _ in range(copies):
            delay = draw.choice((5, 40, 400, 9_000, 70_000)) if faulty else 5
            self.world.after(
                draw.randint(1, delay), lambda: deliver(payload) if generation == self.generation else None
            )

    def wipe(self) -> None:
        """Forget everything that is under way."""
        self.generation += 1


class Server:
    """The real server session between stores in memory; what is committed survives a crash."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.known: dict[bytes, Known] = {}
        self.events: dict[tuple[bytes, int], bytes] = {}
        self.quarantine: list[tuple[bytes, int, bytes, str]] = []
        self.stored_twice = 0
        self._backup = self._state()

    def on_ev(self, payload: bytes) -> None:
        """One transaction, then the ack; it may die before either."""
        batch = read_batch(payload)
        stream = batch.head.stream
        known = self.known.get(stream, Known())
        if self.world.fault(0.06):
            return  # killed before the commit
        after = self.store(stream, known, payload)
        if not self.world.fault(0.1):  # killed between commit and ack
            self.world.to_gateway(Ack(streams=[after]))

    def store(self, stream: bytes, known: Known, payload: bytes) -> StreamAck:
        """What a transaction does."""
        batch = read_batch(payload)
        taken = take(known, [batch], self.seen(stream, covered(known, [batch])), {TERMINAL})
        for row in taken.rows:
            self.insert(stream, row.seq, row.body)
        self.quarantine += [(stream, reject.seq, reject.raw, reject.code) for reject in taken.rejects]
        self.known[stream] = taken.known
        return taken.ack

    def insert(self, stream: bytes, seq: int, body: bytes) -> None:
        """One row under its transport key."""
        self.stored_twice += (stream, seq) in self.events
        self.events[stream, seq] = body

    def seen(self, stream: bytes, asked: Ranges) -> dict[int, Seen]:
        """What is kept under these seqs."""
        seqs = {seq for low, high in asked for seq in range(low, high + 1)}
        events = [(seq, digest(self.events[stream, seq])) for seq in seqs if (stream, seq) in self.events]
        held = [(seq, digest(raw), code) for name, seq, raw, code in self.quarantine if name == stream and seq in seqs]
        return seen_of(events, held)

    def on_hello(self, payload: bytes) -> None:
        """Answer from what is committed."""
        greeting = greet(self.known, decode_message(payload, Hello))
        if self.world.fault(0.1):
            return
        self.known |= greeting.known
        if not self.world.fault(0.1):
            self.world.to_gateway(greeting.ack)

    def back_up(self) -> None:
        """Copy the database."""
        self._backup = self._state()

    def restore(self) -> None:
        """Go back to the copy."""
        self.known, self.events, self.quarantine = deepcopy(self._backup)

    def bodies(self) -> list[bytes]:
        """All that is stored or quarantined."""
        return [*self.events.values(), *(raw for _, _, raw, _ in self.quarantine)]

    def _state(self) -> tuple[dict[bytes, Known], dict[tuple[bytes, int], bytes], list[tuple[bytes, int, bytes, str]]]:
        return deepcopy((self.known, self.events, self.quarantine))


class Gateway:
    """The real gateway session above a disk in memory; the shell's work is done by ``pump``."""

    session_class: type[Session] = Session

    def __init__(self, world: "World") -> None:
        self.world = world
        self.disk: list[DiskStream] = []
        self.session = self._new_session()
        self.online = False
        self._pending: list[Writes] = []
        self._timer = itertools.count()
        self._armed = 0

    def put(self, body: bytes) -> None:
        """Commit one event."""
        if not self.disk or not self.disk[-1].open:
            self.disk.append(DiskStream(self.world.draw.randbytes(16)))
        stream = self.disk[-1]
        stream.rows[self.next_seq(stream)] = body
        self.pump()

    def next_seq(self, stream: DiskStream) -> int:
        """Numbers without gaps."""
        return stream.last + 1 if stream.rows else 1

    def connect(self) -> None:
        """A link to the broker."""
        self.online = True
        self.session.connected(self.world.now)
        self.pump()

    def disconnect(self) -> None:
        """The link ends."""
        self.online = False
        self.session.disconnected()

    def on_ack(self, payload: bytes) -> None:
        """Take an ack, if there is a link to get it by; its writes reach the disk a little later."""
        if self.online:
            self._pending.append(self.session.acknowledged(decode_message(payload, Ack), self.world.now))
            if not self.world.fault(0.3):
                self.flush()
            self.pump()

    def flush(self) -> None:
        """Bring what acks said to the disk."""
        disk = {stream.stream: stream for stream in self.disk}
        for writes in self._pending:
            for name, rows in writes.unsent:
                disk[name].acked = difference(disk[name].acked, rows)
            for name, rows in writes.acked:
                disk[name].acked = union(disk[name].acked, intersection(rows, [(1, disk[name].last)]))
            if writes.start_stream and self.disk:
                self.disk[-1].open = False
        self._pending = []

    def pump(self) -> None:
        """Send what the session wants to send now, and come back when it is due again."""
        now = self.world.now
        self.session.observe(self.disk)
        for hello in self.session.hellos(now, FACTS):
            self.world.to_server("hello", encode_message(hello))
        while wanted := self.session.wanted(now):
            rows = self._read(wanted)
            if payload := self.session.sent(wanted, rows, now):
                self.world.to_server("ev", payload)
                self.published(wanted.stream, rows)
        due = self.session.due_ms(now)
        if due is not None:
            self._armed = timer = next(self._timer)
            self.world.after(max(due - now, 1), lambda: self.pump() if self._armed == timer else None)

    def published(self, stream: bytes, rows: list[Row]) -> None:
        """The broker has confirmed it: means nothing."""

    def restart(self, tail: int) -> list[bytes]:
        """Die and start again; acks not yet written are gone, and so are the last ``tail`` rows, which are returned."""
        self._pending = []
        lost = self._lose(tail) if self.disk else []
        self.disk = [stream for stream in self.disk if stream.rows]
        self.begin_stream()
        self.session, self.online = self._new_session(), False
        return lost

    def begin_stream(self) -> None:
        """Each start has a stream of its own."""
        for stream in self.disk:
            stream.open = False

    def waiting(self) -> int:
        """Rows without an ack."""
        return sum(len(stream.rows) - _count(stream.acked) for stream in self.disk)

    def _lose(self, tail: int) -> list[bytes]:
        newest = self.disk[-1]
        seqs = list(newest.rows)[len(newest.rows) - min(tail, len(newest.rows)) :]
        lost = [newest.rows.pop(seq) for seq in seqs]
        newest.acked = difference(newest.acked, [(seq, seq) for seq in seqs])
        return lost

    def _read(self, wanted: Wanted) -> list[Row]:
        rows = next(stream.rows for stream in self.disk if stream.stream == wanted.stream)
        last = min(wanted.last, wanted.first + ROWS_PER_BATCH - 1)
        return [Row(seq, rows[seq]) for seq in range(wanted.first, last + 1) if seq in rows]

    def _new_session(self) -> Session:
        return self.session_class(self.world.draw, lambda: self.world.draw.randbytes(16))


@dataclass(frozen=True)
class Outcome:
    """What a run came to; all zero but ``events`` is what must be."""

    events: int
    lost: int
    twice: int
    stuck: int

    @property
    def failed(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.lost or self.twice or self.stuck)


class World:
    """One run from one seed."""

    def __init__(self, seed: int, gateway: type[Gateway] = Gateway, server: type[Server] = Server) -> None:
        self.draw = random.Random(seed)
        self.now = 0
        self.faulty = True
        self.restored = False
        self.truth: list[bytes] = []
        self.gone: set[bytes] = set()
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._number = itertools.count()
        self.network = Network(self)
        self.server = server(self)
        self.gateway = gateway(self)

    def run(self) -> Outcome:
        """Four minutes of events and faults, then quiet until all has arrived."""
        self._every(2_500, self._punch)
        self._every(9_000, self._trouble)
        self.gateway.connect()
        self._until(FAULTY_MS, lambda: False)
        self.faulty = False
        self.network.wipe()
        if self.restored:  # only a hello tells a gateway that its acked rows are needed again
            self.gateway.disconnect()
        self._reconnect()
        self._until(FAULTY_MS + QUIET_MS, self._done)
        kept = self.server.bodies()
        have = set(kept)
        lost = [body for body in self.truth if body not in have and body not in self.gone]
        twice = len(kept) - len(have) + self.server.stored_twice
        return Outcome(len(self.truth), len(lost), twice, self.gateway.waiting())

    def after(self, delay_ms: int, action: Callable[[], object]) -> None:
        """Do it later."""
        heapq.heappush(self._agenda, (self.now + delay_ms, next(self._number), action))

    def fault(self, probability: float) -> bool:
        """Whether something goes wrong here."""
        return self.faulty and self.draw.random() < probability

    def to_server(self, kind: str, payload: bytes) -> None:
        """Over the broker."""
        self.network.send(self.server.on_hello if kind == "hello" else self.server.on_ev, payload)

    def to_gateway(self, ack: Ack) -> None:
        """Over the broker."""
        self.network.send(self.gateway.on_ack, encode_message(ack))

    def _until(self, end_ms: int, done: Callable[[], bool]) -> None:
        while self._agenda and self._agenda[0][0] <= end_ms and not done():
            self.now, _, action = heapq.heappop(self._agenda)
            action()
        self.now = max(self.now, end_ms)

    def _done(self) -> bool:
        self.gateway.flush()
        return self.gateway.waiting() == 0 and not self._agenda_holds_messages()

    def _agenda_holds_messages(self) -> bool:
        return any(at <= self.now + 5 for at, _, _ in self._agenda)

    def _every(self, mean_ms: int, action: Callable[[], None]) -> None:
        def again() -> None:
            if self.faulty:
                action()
                self.after(self.draw.randint(1, 2 * mean_ms), again)

        self.after(self.draw.randint(1, 2 * mean_ms), again)

    def _punch(self) -> None:
        number = len(self.truth)
        body = encode_event(Punch(TERMINAL, str(number), 1_800_000_000 + number, 0, 1_800_000_000_000 + number))
        self.truth.append(body)
        self.gateway.put(body)

    def _trouble(self) -> None:
        happening = self.draw.random()
        if happening < 0.35:
            self.gateway.disconnect()
            self.after(self.draw.randint(1, 20_000), self._reconnect)
        elif happening < 0.5:
            self.network.wipe()
        elif happening < 0.75:
            tail = self.draw.choice((0, 0, 1, 3))
            self.gone |= set(self.gateway.restart(tail))
            self.after(self.draw.randint(1, 5_000), self._reconnect)
        elif happening < 0.9:
            self.server.back_up()
        else:
            self.restored = True
            self.server.restore()

    def _reconnect(self) -> None:
        if not self.gateway.online:
            self.gateway.connect()


def _count(held: Ranges) -> int:
    return sum(high - low + 1 for low, high in held)
