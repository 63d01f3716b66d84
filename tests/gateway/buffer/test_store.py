"""Acks, taking back and deleting against plain sets; short keys; whatever is put comes back."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.buffer import store
from gateway.buffer.connection import connect_sqlite, tune
from gateway.buffer.schema import migrate
from gateway.buffer.short_key import short_key
from gateway.buffer.state import State
from gateway.buffer.store import NewRow
from shared.clock import ClockAnchor
from shared.keys import business_key, digest
from shared.punch import Punch
from shared.ranges import Ranges

ROWS = 40
spans = st.lists(st.tuples(st.integers(-3, ROWS + 5), st.integers(-3, ROWS + 5)), max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ack"), spans),
        st.tuples(st.just("unsent"), spans),
        st.tuples(st.just("delete"), st.integers(1, 15)),
        st.tuples(st.just("reload"), st.none()),
    ),
    max_size=12,
)


def seqs(ranges: Ranges) -> set[int]:
    return {seq for low, high in ranges for seq in range(low, high + 1)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_acked_rows_are_what_sets_say(todo: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        connection = connect_sqlite(Path(folder, "a.db"))
        tune(connection, 10_000)
        connection.execute("pragma synchronous=off")
        migrate(connection)
        state = store.begin_stream(connection, State(), ClockAnchor(0, 0))
        bodies = [bytes([seq]) for seq in range(1, ROWS + 1)]
        state = store.append(connection, state, [NewRow(None, body, digest(body)) for body in bodies])
        (stream,) = [info.stream for info in state.streams.values()]
        held, acked = set(range(1, ROWS + 1)), set[int]()
        for hour, (what, how) in enumerate(todo):
            if what == "ack" and isinstance(how, list):
                state = store.mark_acked(connection, state, stream, how, hour)
                acked |= seqs(how) & held
            elif what == "unsent" and isinstance(how, list):
                state = store.mark_unsent(connection, state, stream, how)
                acked -= seqs(how)
            elif isinstance(how, int):
                state = store.delete_acked(connection, state, hour, how)
                gone = {seq for seq in held if acked >= {s for s in held if s <= seq}}
                left = set(sorted(gone)[how:])
                held, acked = held - (gone - left), acked - (gone - left)
            else:
                state = store.load(connection)
            info = state.find(stream)
            assert (info is not None and info.rows > 0) == bool(held)
            if info is not None and held:
                assert (info.first, info.last) == (min(held), max(held))
                assert seqs(info.acked) == acked
                assert seqs(info.unacked) == held - acked
                found = store.read_rows(connection, info.number, 1, ROWS)
                assert [(seq, body) for seq, body, _ in found] == [(seq, bytes([seq])) for seq in sorted(held)]
        connection.close()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
punches = st.builds(
    Punch,
    st.sampled_from(["A", "B", "A\0", ""]) | texts,
    st.sampled_from(["1", "01", "\x001"]) | texts,
    st.none() | st.integers(-(2**60), 2**60) | st.integers(1_400_000_000, 1_500_000_000),
    st.none(),
    st.integers(0, 2**40),
    native_seq=st.none() | st.integers(0, 5),
)


@given(st.lists(punches, max_size=30))
def test_short_keys_are_equal_where_business_keys_are(found: list[Punch]) -> None:
    for one in found:
        key = short_key(one)
        assert (key is None) == (business_key(one) is None)
        assert key is None or len(key) == 16
        for other in found:
            if key is not None and business_key(one) == business_key(other):
                assert short_key(other) == key
            else:
                assert key is None or short_key(other) != key


def test_short_keys_sort_by_device_second() -> None:
    keys = [short_key(Punch("T", "7", second, None, 0)) for second in (-5, 0, 946_684_800, 1_795_608_000)]
    assert [key for key in keys if key] == sorted(key for key in keys if key)
