"""The server session against a model that keeps every message: what is stored once, refused, and acked."""

from dataclasses import dataclass, field

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from server.ingest.session import (
    CONFLICT,
    FOREIGN,
    MESSAGE_CODES,
    Known,
    Seen,
    Taken,
    covered,
    greet,
    holes,
    read_batch,
    refused,
    seen_of,
    take,
)
from shared.clock import ClockAnchor
from shared.errors import DataError
from shared.keys import digest
from shared.punch import Punch
from shared.scan import Damaged, Scan, ScanKind
from shared.wire import Hello, StreamState, encode_ev, encode_event

STREAM = bytes(range(16))
OWNED = frozenset({"T1"})
ANCHOR = ClockAnchor(0, 0)


def body(number: int, *, terminal: str = "T1", user: str = "7") -> bytes:
    at = 1_793_577_600 + number
    return encode_event(Punch(terminal, user, at, 28_800, (at - 28_800) * 1000))


def message(first: int, last: int) -> bytes:
    return encode_ev(STREAM, first, [body(seq) for seq in range(first, last + 1)])


def versioned(version: int, first: int, n: int, packed: bytes = b"\xc1\xc1") -> bytes:
    return msgspec.msgpack.encode((version, STREAM, first, n, packed))


@dataclass
class Store:
    """One stream in memory."""

    known: Known = field(default_factory=Known)
    events: dict[int, bytes] = field(default_factory=dict)
    quarantine: list[tuple[int, bytes, str]] = field(default_factory=list)

    def take(self, *payloads: bytes) -> Taken:
        batches = [read_batch(payload) for payload in payloads]
        asked = {seq for a, b in covered(self.known, batches) for seq in range(a, b + 1)}
        seen = seen_of(
            ((seq, digest(kept)) for seq, kept in self.events.items() if seq in asked),
            (row for row in self.quarantine if row[0] in asked),
        )
        taken = take(self.known, batches, seen, OWNED)
        for row in taken.rows:
            assert row.seq not in self.events, "stored twice under one key"
            self.events[row.seq] = row.body
        self.quarantine += [(reject.seq, reject.digest, reject.code) for reject in taken.rejects]
        self.known = taken.known
        return taken

    @property
    def codes(self) -> list[tuple[int, str]]:
        return [(seq, code) for seq, _, code in self.quarantine]


SEQS = st.integers(1, 40)
SPANS = st.tuples(SEQS, st.integers(0, 6)).map(lambda span: (span[0], span[0] + span[1]))


@given(st.lists(st.lists(SPANS, min_size=1, max_size=3), max_size=12))
def test_any_order_of_batches_is_stored_once_and_acked_exactly(transactions: list[list[tuple[int, int]]]) -> None:
    store, sent = Store(), set[int]()
    for spans in transactions:
        taken = store.take(*(message(*span) for span in spans))
        sent |= {seq for first, last in spans for seq in range(first, last + 1)}
        acked = set(range(1, taken.ack.upto + 1)) | {s for a, b in taken.ack.also for s in range(a, b + 1)}
        assert acked == sent == set(store.events)
        assert taken.ack.upto + 1 not in sent, "the watermark stops at the first hole, and only there"
        assert taken.ack.rejected == []
    assert store.quarantine == []


def test_rel08_watermark_stops_at_a_hole_and_moves_when_it_is_filled() -> None:
    store = Store()
    assert store.take(message(1, 3)).ack.upto == 3
    taken = store.take(message(6, 8), message(10, 10))
    assert (taken.ack.upto, taken.ack.also) == (3, [(6, 8), (10, 10)])
    assert holes(store.known) == [(4, 5), (9, 9)]
    taken = store.take(message(4, 5))
    assert (taken.ack.upto, taken.ack.also) == (8, [(10, 10)])
    assert store.take(message(9, 9)).ack.upto == 10
    assert holes(store.known) == []


def test_rel05_other_bytes_under_a_known_seq_are_a_conflict_and_the_first_stays() -> None:
    store = Store()
    store.take(message(1, 3))
    other = encode_ev(STREAM, 2, [body(2, user="8"), body(3)])
    taken = store.take(other)
    assert [(r.seq, r.code, r.raw) for r in taken.rejects] == [(2, CONFLICT, body(2, user="8"))]
    assert (taken.ack.upto, taken.ack.rejected) == (3, [(2, CONFLICT)])
    assert store.events[2] == body(2)
    assert store.take(other).rejects == [], "known by now"
    assert store.take(message(1, 3)).ack.rejected == []


def test_rel05_a_conflict_inside_one_transaction_is_seen_too() -> None:
    store = Store()
    taken = store.take(message(1, 2), encode_ev(STREAM, 1, [body(1, user="8")]), message(1, 2))
    assert [(row.seq, row.body) for row in taken.rows] == [(1, body(1)), (2, body(2))]
    assert store.codes == [(1, CONFLICT)]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (body(2, terminal="T9"), FOREIGN),
        (b"\xc1", "bad_event"),
        (encode_event(Damaged("T1", "noise", b"\x00\xff", 1)), "noise"),
        (encode_event(Damaged("", "", b"", 1)), "damaged"),
        (encode_event(Damaged("", "a\0b", b"", 1)), "ab"),
        (body(2, user="a\0b"), "bad_event"),
        (encode_event(Punch("T1", "7", 2**64 - 1, None, 1)), "bad_event"),
        (encode_event(Punch("T1", "7", 1, None, 1, raw_codes=(2**63,))), "bad_event"),
        (encode_event(Punch("T1", "7", 1, 2**31, 1)), "bad_event"),
        (encode_event(Punch("T1", "7", 1, None, 2**62)), "bad_event"),
        (encode_event(Scan("T1", "c\0", "", ScanKind.LOAD, 1)), "bad_event"),
        (encode_event(Scan("T9", "c", "", ScanKind.LOAD, 1)), FOREIGN),
    ],
)
def test_rel10_quarantine_takes_a_poison_event_and_the_stream_goes_on(bad: bytes, code: str) -> None:
    store = Store()
    payload = encode_ev(STREAM, 1, [body(1), bad, body(3)])
    taken = store.take(payload)
    assert sorted(store.events) == [1, 3]
    assert [(r.seq, r.code, r.raw) for r in taken.rejects] == [(2, code, bad)]
    assert (taken.ack.upto, taken.ack.rejected) == (3, [(2, code)])
    again = store.take(payload)
    assert (again.rows, again.rejects, again.ack.rejected) == ([], [], [(2, code)])


@pytest.mark.parametrize("at", [0, 946_684_800_000, 4_070_908_800_000])
def test_rel10_quarantine_refuses_no_event_for_its_time(at: int) -> None:
    store = Store()
    store.take(encode_ev(STREAM, 1, [encode_event(Punch("T1", "7", at // 1000, 0, at))]))
    assert sorted(store.events) == [1]


HUGE = zstandard.compress(bytes(2_000_000))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (versioned(9, 1, 3), "unknown_version"),
        (versioned(1, 1, 3), "bad_body"),
        (versioned(1, 1, 3, HUGE), "oversize"),
    ],
)
def test_rel10_quarantine_takes_an_unreadable_message_under_its_seqs(payload: bytes, code: str) -> None:
    assert code in MESSAGE_CODES
    store = Store()
    store.take(message(2, 2))
    taken = store.take(payload)
    assert store.codes == [(1, code), (3, code)], "what was stored before stays stored"
    assert taken.rejects[0].raw == payload
    assert taken.ack.upto == 3
    assert dict(taken.ack.rejected) == {1: code, 3: code}
    again = store.take(payload, message(1, 3))
    assert (again.rows, again.rejects) == ([], []), "nothing to compare with: no conflict"


def test_rel10_quarantine_takes_all_of_a_revoked_gateway() -> None:
    batch = refused(read_batch(message(1, 2)), "revoked_gateway")
    taken = take(Known(), [batch], {}, OWNED)
    assert (taken.rows, taken.ack.upto) == ([], 2)
    assert [(r.seq, r.raw) for r in taken.rejects] == [(1, message(1, 2)), (2, b"")]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_batch_or_a_data_error(payload: bytes) -> None:
    try:
        batch = read_batch(payload)
    except DataError:
        return
    assert batch.code is None or not batch.items


# --- hello ----------------------------------------------------------------------------------------------------------


def hello(*states: StreamState) -> Hello:
    return Hello(
        id=b"h" * 16,
        streams=list(states),
        machine="m",
        wall_ms=0,
        clock_synced=True,
        free_bytes=1,
        software="1",
    )


def state(first: int, last: int, *, open_: bool = False) -> StreamState:
    return StreamState(STREAM, first, last, 0, open_, ANCHOR)


def test_a_hello_is_answered_from_the_database_alone() -> None:
    known = Known(3, [(6, 8)])
    greeting = greet({STREAM: known}, hello(state(1, 9, open_=True)))
    assert greeting.ack.re == b"h" * 16
    (answer,) = greeting.ack.streams
    assert (answer.stream, answer.upto, answer.also) == (STREAM, 3, [(6, 8)])
    assert greeting.lost == {}
    (unknown,) = greet({}, hello(state(4, 9, open_=True))).ack.streams
    assert (unknown.upto, unknown.also) == (0, [])


def test_rel08_watermark_passes_what_a_closed_stream_no_longer_holds() -> None:
    greeting = greet({STREAM: Known(3, [(6, 8)])}, hello(state(10, 12)))
    assert greeting.lost == {STREAM: [(4, 5), (9, 9)]}
    after = greeting.known[STREAM]
    assert (after.upto, after.also, after.lost, after.closed) == (9, [], [(4, 5), (9, 9)], True)
    again = greet(greeting.known, hello(state(10, 12)))
    assert again.lost == {}, "told once"


def test_rel08_watermark_waits_in_an_open_stream_and_for_rows_that_are_still_held() -> None:
    known = Known(3, [(6, 8)])
    assert greet({STREAM: known}, hello(state(10, 12, open_=True))).known[STREAM].upto == 3
    assert greet({STREAM: known}, hello(state(4, 12))).known[STREAM].upto == 3


def test_a_late_hello_does_not_open_a_closed_stream_again() -> None:
    closed = greet({}, hello(state(1, 2))).known
    assert greet(closed, hello(state(1, 2, open_=True))).known[STREAM].closed


def test_a_seq_given_up_as_lost_is_welcome_after_all() -> None:
    store = Store(known=greet({}, hello(state(5, 6))).known[STREAM])
    assert store.known.upto == 4
    taken = store.take(message(3, 5))
    assert [row.seq for row in taken.rows] == [3, 4, 5]
    assert (store.known.lost, store.known.upto) == ([(1, 2)], 5)
    assert store.take(message(3, 3)).rows == []


def test_what_came_first_gives_the_reason() -> None:
    found = seen_of([(1, b"a")], [(1, b"b", CONFLICT), (2, b"c", FOREIGN), (2, b"d", CONFLICT), (3, b"m", "bad_body")])
    assert found == {
        1: Seen(frozenset([b"a", b"b"])),
        2: Seen(frozenset([b"c", b"d"]), FOREIGN),
        3: Seen(frozenset(), "bad_body"),
    }
