"""The gateway's side of the protocol, rule by rule: reliability.md section 3, architecture.md section 9."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from gateway.sync.session import Facts, Session, Wanted, reconnect_delay_s
from shared.clock import ClockAnchor
from shared.ranges import Ranges
from shared.wire import Ack, Hello, StreamAck, decode_ev_body, decode_ev_head

A, B, C = b"A" * 16, b"B" * 16, b"C" * 16
FACTS = Facts(machine="m1", wall_ms=5, clock_synced=True, free_bytes=7, software="muster 1", newest_digest=b"d")


@dataclass(frozen=True)
class Rows:
    stream: bytes
    first: int
    last: int
    acked: Ranges = field(default_factory=list)
    open: bool = False
    anchor: ClockAnchor = field(default_factory=lambda: ClockAnchor(1, 2))


class Row(NamedTuple):
    seq: int
    body: bytes


class NoJitter(random.Random):
    """Draws 0 each time."""

    def random(self) -> float:
        return 0.0


def new_session(*streams: Rows) -> Session:
    ids = (number.to_bytes(16, "big") for number in itertools.count(1))
    session = Session(NoJitter(), lambda: next(ids))
    session.observe(streams)
    session.connected(0)
    return session


def greet(session: Session, now: int = 0, **covered: StreamAck) -> None:
    """Send hello and let the server answer it: it has nothing but what is given."""
    for hello in session.hellos(now, FACTS):
        session.acknowledged(answer(hello, *covered.values()), now)


def answer(hello: Hello, *streams: StreamAck) -> Ack:
    told = {one.stream: one for one in streams}
    return Ack(re=hello.id, streams=[told.get(state.stream, StreamAck(state.stream, 0)) for state in hello.streams])


def send(session: Session, now: int = 0, limit: int = 100) -> list[tuple[bytes, int, int]]:
    """All batches that the session wants to send now, as (stream, first, last)."""
    sent: list[tuple[bytes, int, int]] = []
    while (wanted := session.wanted(now)) and len(sent) < limit:
        payload = session.sent(wanted, read(wanted), now)
        assert payload is not None
        head, packed = decode_ev_head(payload)
        assert decode_ev_body(head, packed) == [b"%d" % seq for seq in range(head.first, head.last + 1)]
        sent.append((head.stream, head.first, head.last))
    return sent


def read(wanted: Wanted) -> list[Row]:
    return [Row(seq, b"%d" % seq) for seq in range(wanted.first, wanted.last + 1)]


def ack(*streams: StreamAck, busy_ms: int = 0) -> Ack:
    return Ack(streams=list(streams), busy_ms=busy_ms)


# --- hello ----------------------------------------------------------------------------------------------------------


def test_hello_comes_first_and_nothing_else_before_its_answer() -> None:
    session = new_session(Rows(A, 1, 3))
    assert session.wanted(0) is None
    (hello,) = session.hellos(0, FACTS)
    assert session.wanted(0) is None
    session.acknowledged(answer(hello), 0)
    assert send(session) == [(A, 1, 3)]


def test_hello_says_what_the_outbox_holds() -> None:
    session = new_session(Rows(A, 11, 40, [(11, 20), (25, 30)]), Rows(B, 1, 2, open=True))
    (hello,) = session.hellos(0, FACTS)
    a, b = hello.streams
    assert (a.stream, a.first, a.last, a.acked_upto, a.open) == (A, 11, 40, 20, False)
    assert (b.stream, b.first, b.last, b.acked_upto, b.open) == (B, 1, 2, 0, True)
    assert (hello.machine, hello.newest_digest, hello.more) == ("m1", b"d", False)


def test_hello_follows_the_outbox_that_lets_old_rows_go() -> None:
    session = new_session(Rows(A, 1, 100, [(1, 60)]))
    session.observe([Rows(A, 51, 120, [(51, 60)])])
    (hello,) = session.hellos(0, FACTS)
    assert [(s.first, s.last, s.acked_upto) for s in hello.streams] == [(51, 120, 60)]


def test_an_empty_outbox_says_hello_too() -> None:
    (hello,) = new_session().hellos(0, FACTS)
    assert hello.streams == []


def test_hello_is_repeated_after_5_10_20_40_60_60_seconds_until_answered() -> None:
    session = new_session(Rows(A, 1, 3))
    now, gaps, ids = 0, [], set()
    (hello,) = session.hellos(0, FACTS)
    for _ in range(6):
        due = session.due_ms(now)
        assert due is not None
        assert session.hellos(due - 1, FACTS) == []
        (again,) = session.hellos(due, FACTS)
        gaps.append(due - now)
        ids.add(again.id)
        now = due
    assert gaps == [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]
    assert ids == {hello.id}
    session.acknowledged(answer(hello), now)
    assert session.hellos(now + 1_000_000, FACTS) == []


def test_more_than_a_thousand_streams_take_more_than_one_hello() -> None:
    streams = [Rows(number.to_bytes(16, "big"), 1, 1) for number in range(2_001)]
    session = new_session(*streams)
    pages = session.hellos(0, FACTS)
    assert [len(page.streams) for page in pages] == [1000, 1000, 1]
    assert [page.more for page in pages] == [True, True, False]
    assert [state.stream for page in pages for state in page.streams] == [rows.stream for rows in streams]
    session.acknowledged(answer(pages[0]), 0)
    session.acknowledged(answer(pages[2]), 0)
    assert session.wanted(0) is None, "one page is not answered"
    session.acknowledged(answer(pages[1]), 0)
    assert session.wanted(0) is not None


def test_the_first_answer_takes_back_what_a_restored_server_does_not_have() -> None:
    session = new_session(Rows(A, 1, 100, [(1, 100)]), Rows(B, 1, 50, [(1, 50)]))
    (hello,) = session.hellos(0, FACTS)
    writes = session.acknowledged(answer(hello, StreamAck(A, 60, [(70, 79)])), 0)
    assert dict(writes.unsent) == {A: [(61, 69), (80, 100)], B: [(1, 50)]}
    assert writes.acked == []
    assert send(session) == [(A, 61, 69), (A, 80, 100), (B, 1, 50)]


def test_a_second_answer_to_the_same_hello_only_adds() -> None:
    session = new_session(Rows(A, 1, 100))
    (hello,) = session.hellos(0, FACTS)
    session.acknowledged(answer(hello), 0)
    send(session)
    session.acknowledged(ack(StreamAck(A, 100)), 1)
    writes = session.acknowledged(answer(hello), 2)
    assert (writes.unsent, writes.acked) == ([], [])
    assert session.wanted(3) is None


def test_an_answer_to_the_hello_of_an_earlier_link_only_adds() -> None:
    session = new_session(Rows(A, 1, 100, [(1, 40)]))
    (old,) = session.hellos(0, FACTS)
    session.disconnected()
    session.connected(10)
    session.hellos(10, FACTS)
    writes = session.acknowledged(answer(old, StreamAck(A, 20, [(90, 95)])), 11)
    assert writes.unsent == []
    assert writes.acked == [(A, [(90, 95)])]
    assert session.wanted(11) is None


# --- batches --------------------------------------------------------------------------------------------------------


def test_batches_hold_at_most_500_events_and_go_oldest_stream_first() -> None:
    session = new_session(Rows(A, 1, 700), Rows(B, 1, 10))
    greet(session)
    assert send(session) == [(A, 1, 500), (A, 501, 700), (B, 1, 10)]


def test_at_most_eight_batches_are_unanswered() -> None:
    session = new_session(Rows(A, 1, 10_000))
    greet(session)
    assert len(send(session)) == 8
    session.acknowledged(ack(StreamAck(A, 500)), 1)
    assert send(session, 1) == [(A, 4001, 4500)]


def test_what_is_acked_is_not_sent() -> None:
    session = new_session(Rows(A, 1, 100, [(1, 10), (20, 100)]))
    greet(session, a=StreamAck(A, 10, [(20, 100)]))
    assert send(session) == [(A, 11, 19)]


def test_an_ack_gives_only_what_is_new_to_the_outbox_and_twice_changes_nothing() -> None:
    session = new_session(Rows(A, 1, 100))
    greet(session)
    send(session)
    first = ack(StreamAck(A, 30, [(50, 60)]))
    assert session.acknowledged(first, 1).acked == [(A, [(1, 30), (50, 60)])]
    assert session.acknowledged(first, 2).acked == []
    assert session.acknowledged(ack(StreamAck(A, 40)), 3).acked == [(A, [(31, 40)])]


def test_a_late_ack_takes_nothing_back() -> None:
    session = new_session(Rows(A, 1, 1000))
    greet(session)
    send(session)
    session.acknowledged(ack(StreamAck(A, 1000)), 1)
    writes = session.acknowledged(ack(StreamAck(A, 500)), 2)
    assert (writes.acked, writes.unsent) == ([], [])
    assert session.wanted(3) is None


def test_an_ack_of_an_unknown_stream_is_nothing() -> None:
    session = new_session(Rows(A, 1, 10))
    greet(session)
    writes = session.acknowledged(ack(StreamAck(C, 10)), 1)
    assert (writes.acked, writes.start_stream, session.alarms(1)) == ([], False, ())


def test_rejected_rows_count_as_received() -> None:
    session = new_session(Rows(A, 1, 3))
    greet(session)
    send(session)
    writes = session.acknowledged(ack(StreamAck(A, 3, [], [(2, "foreign_terminal")])), 1)
    assert (writes.acked, writes.rejected) == ([(A, [(1, 3)])], 1)


def test_the_lowest_unanswered_batch_is_sent_again_after_5_10_20_40_60_seconds() -> None:
    session = new_session(Rows(A, 1, 10))
    greet(session)
    now, gaps = 0, []
    assert send(session, now) == [(A, 1, 10)]
    for _ in range(6):
        due = session.due_ms(now)
        assert due is not None
        assert session.wanted(due - 1) is None
        assert send(session, due) == [(A, 1, 10)]
        gaps.append(due - now)
        now = due
    assert gaps == [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]


def test_a_slow_link_waits_four_round_trips() -> None:
    session = new_session(Rows(A, 1, 10))
    greet(session)
    send(session)
    session.acknowledged(ack(StreamAck(A, 10)), 4_000)
    session.observe([Rows(A, 1, 20)])
    send(session, 4_000)
    assert session.due_ms(4_000) == 4_000 + 16_000


def test_jitter_adds_up_to_a_fifth() -> None:
    times = set()
    for seed in range(200):
        session = Session(random.Random(seed), lambda: A)
        session.connected(0)
        session.hellos(0, FACTS)
        times.add(session.due_ms(0))
    assert 5_000 <= min(filter(None, times)) < 5_100
    assert 5_900 < max(filter(None, times)) <= 6_000


def test_the_window_halves_on_a_timeout_and_grows_by_one_per_ack() -> None:
    session = new_session(Rows(A, 1, 100_000))
    greet(session)
    assert len(send(session)) == 8
    assert len(send(session, 5_000)) == 4
    session.acknowledged(ack(StreamAck(A, 500)), 5_100)
    assert len(send(session, 5_100)) == 2, "one place was freed and one more is allowed"


def test_one_outage_halves_the_window_once_however_many_batches_it_takes() -> None:
    session = new_session(Rows(A, 1, 100_000))
    greet(session)
    for now in range(0, 80, 10):
        send(session, now, limit=1)
    again = [batch for now in range(5_000, 5_080, 10) for batch in send(session, now)]
    assert [first for _, first, _ in again] == [1, 501, 1001, 1501]


def test_after_a_reconnect_all_that_is_unanswered_goes_out_at_once() -> None:
    session = new_session(Rows(A, 1, 1000))
    greet(session)
    assert send(session) == [(A, 1, 500), (A, 501, 1000)]
    session.disconnected()
    assert session.wanted(10) is None
    session.connected(20)
    greet(session, 20)
    assert send(session, 20) == [(A, 1, 500), (A, 501, 1000)]


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks() -> None:
    session = new_session(Rows(A, 1, 10_000))
    greet(session)
    send(session)
    session.acknowledged(ack(StreamAck(A, 500), busy_ms=700), 100)
    assert session.wanted(799) is None
    assert session.due_ms(100) == 800
    assert session.wanted(800) is not None


@pytest.mark.parametrize("busy_ms", [10**15, 60_001])
def test_no_server_can_ask_for_more_than_a_minute(busy_ms: int) -> None:
    session = new_session(Rows(A, 1, 10_000))
    greet(session)
    session.acknowledged(ack(busy_ms=busy_ms), 100)
    assert session.wanted(60_100) is not None


def test_every_fourth_batch_is_a_live_one_during_a_backlog() -> None:
    session = new_session(Rows(A, 1, 100_000), Rows(B, 1, 1000, open=True))
    greet(session)
    live: Sequence[Rows] = [Rows(A, 1, 100_000), Rows(B, 1, 5000, open=True)]
    session.observe(live)
    sent = send(session)
    assert [(stream, first) for stream, first, _ in sent if stream == B] == [(B, 1001), (B, 1501)]
    assert [stream for stream, _, _ in sent] == [A, A, A, B, A, A, A, B]


def test_the_first_punch_of_a_new_stream_is_live_during_a_backlog() -> None:
    session = new_session(Rows(A, 1, 100_000))
    greet(session)
    send(session, limit=3)
    session.observe([Rows(A, 1, 100_000), Rows(B, 1, 1, open=True)])
    assert send(session)[0] == (B, 1, 1)


def test_what_gathered_while_the_server_was_away_is_backlog_for_what_comes_after() -> None:
    session = new_session(Rows(B, 1, 10, open=True))
    greet(session)
    send(session)
    session.observe([Rows(B, 1, 20_000, open=True)])
    send(session)
    send(session, 5_000)
    session.acknowledged(ack(StreamAck(B, 510)), 5_100)
    session.observe([Rows(B, 1, 20_001, open=True)])
    session.acknowledged(ack(StreamAck(B, 2_510)), 5_200)
    assert (B, 20_001, 20_001) in send(session, 5_200)[:4]


def test_rows_of_a_hole_are_not_asked_for_again_and_alarm() -> None:
    session = new_session(Rows(A, 1, 20))
    greet(session)
    wanted = session.wanted(0)
    assert wanted == Wanted(A, 1, 20)
    assert session.sent(wanted, [Row(5, b"5"), Row(6, b"6")], 0) is not None
    assert session.alarms(0) == ("hole",)
    assert session.wanted(0) == Wanted(A, 7, 20)
    session.acknowledged(ack(StreamAck(A, 0, [(5, 6)])), 1)
    assert session.sent(Wanted(A, 7, 20), [], 1) is None
    assert session.wanted(1) == Wanted(A, 8, 20)


def test_a_stream_that_the_outbox_has_let_go_is_forgotten() -> None:
    session = new_session(Rows(A, 1, 20))
    greet(session)
    send(session)
    session.observe([])
    assert session.acknowledged(ack(StreamAck(A, 20)), 1).acked == []
    assert session.due_ms(1) is None


# --- alarms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_open", [True, False])
def test_an_ack_beyond_what_is_held_marks_it_alarms_and_ends_the_open_stream_once(is_open: bool) -> None:
    session = new_session(Rows(A, 1, 10, open=is_open))
    greet(session)
    writes = session.acknowledged(ack(StreamAck(A, 25)), 1)
    assert writes.acked == [(A, [(1, 10)])]
    assert writes.start_stream is is_open
    assert session.alarms(1) == ("ack_beyond",)
    assert session.acknowledged(ack(StreamAck(A, 25)), 2).start_stream is False


def test_ten_minutes_without_an_ack_while_connected_alarm_and_an_ack_ends_it() -> None:
    session = new_session(Rows(A, 1, 10))
    greet(session)
    send(session, 1_000)
    assert session.alarms(600_999) == ()
    assert session.alarms(601_000) == ("no_ack",)
    session.acknowledged(ack(StreamAck(A, 10)), 601_001)
    assert session.alarms(601_001) == ()
    assert session.alarms(10_000_000) == (), "nothing waits for an answer"


def test_a_server_that_never_answers_hello_alarms() -> None:
    session = new_session()
    session.hellos(0, FACTS)
    assert session.alarms(600_000) == ("no_ack",)
    session.disconnected()
    assert session.alarms(700_000) == ()


def test_an_ack_that_covers_less_than_is_held_asks_by_hello_at_most_once_a_minute() -> None:
    """It is late, or the server was restored; only the answer to a hello tells which."""
    session = new_session(Rows(A, 1, 100, [(1, 100)]))
    greet(session, a=StreamAck(A, 100))
    session.observe([Rows(A, 1, 110, [(1, 100)])])
    assert send(session, 1_000) == [(A, 101, 110)]
    session.acknowledged(ack(StreamAck(A, 50, [(101, 110)])), 1_100)  # new to us: no doubt yet
    session.acknowledged(ack(StreamAck(A, 50, [(101, 110)])), 1_200)
    assert session.hellos(1_200, FACTS) == []
    (hello,) = session.hellos(60_000, FACTS)
    writes = session.acknowledged(answer(hello, StreamAck(A, 50, [(101, 110)])), 60_100)
    assert writes.unsent == [(A, [(51, 100)])]
    assert send(session, 60_100) == [(A, 51, 100)]


# --- reconnect ------------------------------------------------------------------------------------------------------


def test_reconnect_delays_double_to_two_minutes_with_full_jitter() -> None:
    draw = random.Random(1)
    for failures, cap in ((0, 1), (1, 2), (2, 4), (6, 64), (7, 120), (100, 120)):
        delays = [reconnect_delay_s(failures, draw) for _ in range(2_000)]
        assert 0 <= min(delays) < cap * 0.01
        assert cap * 0.99 < max(delays) <= cap


def test_rel13_no_stampede() -> None:
    """200 gateways whose broker was away for long: no second holds more than 5 % of them."""
    draw = random.Random(20261125)
    seconds = [int(reconnect_delay_s(9, draw)) for _ in range(200)]
    assert max(seconds.count(second) for second in set(seconds)) <= 10
