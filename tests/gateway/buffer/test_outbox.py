"""What drivers and the session are promised."""

import asyncio
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway.buffer import store
from gateway.buffer.connection import Connection
from gateway.buffer.outbox import Outbox
from gateway.buffer.state import State
from gateway.buffer.store import NewRow
from gateway.config import BufferConfig
from gateway.driver import Cursor, Stored
from shared.errors import ConfigError, RetryableError
from shared.punch import Punch
from shared.scan import Damaged
from shared.wire import MAX_EVENTS, MAX_MESSAGE, decode_event, encode_ev, encode_event
from tests.gateway.buffer.samples import DAY_MS, HOUR_MS, NOON_S, SMALL, Time, events, open_outbox, punch, rows, scan


def database(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "outbox.db", isolation_level=None)


async def test_rel01_cursor_after_commit(tmp_path: Path) -> None:
    """Another process that looks at any moment never sees the cursor without its events."""
    outbox = open_outbox(tmp_path)
    looking = database(tmp_path)
    assert await outbox.cursor("zk4370:CKJG0001") is None
    for n in range(50):
        putting = asyncio.create_task(outbox.put([punch(n)], Cursor("zk4370:CKJG0001", str(n).encode())))
        while not putting.done():
            await asyncio.sleep(0)
            looking.execute("begin")
            ((cursors,),) = looking.execute("select count(*) from cursors").fetchall()
            place = int(looking.execute("select value from cursors").fetchall()[0][0]) if cursors else -1
            ((stored,),) = looking.execute("select count(*) from rows").fetchall()
            looking.execute("commit")
            assert stored == place + 1
        assert await outbox.cursor("zk4370:CKJG0001") == str(n).encode()
    looking.close()
    await outbox.close()


async def test_rel04_pragmas(tmp_path: Path) -> None:
    """reliability.md section 4, asked of the connection that writes."""
    outbox = open_outbox(tmp_path, limits=BufferConfig(quota_mib=8, ballast_mib=0))
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "wal_autocheckpoint": 200,
        "journal_size_limit": 4 * 1024 * 1024,
    }
    connection = outbox._writer._connection
    assert connection is not None
    found = {name: connection.execute(f"pragma {name}").fetchall()[0][0] for name in wanted}
    assert found == wanted
    await outbox.put([punch(1)])
    assert connection.execute("pragma max_page_count").fetchall() == [(8 * 1024 * 1024 // 4096,)]
    await outbox.close()


async def test_rel05_stream_identity(tmp_path: Path) -> None:
    """A stream per start, seqs without gaps from 1, and no key with two digests, whatever is lost in between."""
    seen: dict[tuple[bytes, int], bytes] = {}
    for start in range(6):
        outbox = open_outbox(tmp_path)
        assert not any(held.open for held in await outbox.streams()), "a stream exists from its first row"
        await outbox.put([punch(100 * start + n) for n in range(10)])
        (opened,) = [held for held in await outbox.streams() if held.open]
        assert (opened.first, opened.last, len(opened.stream)) == (1, 10, 16)
        for held in await outbox.streams():
            for row in await rows(outbox, held.stream):
                key = (held.stream, row.seq)
                assert seen.setdefault(key, row.body) == row.body
        await outbox.close()
        if start % 2:  # the tail is lost
            with database(tmp_path) as connection:
                connection.execute("delete from rows where id in (select id from rows order by id desc limit 5)")
            connection.close()
    assert len({stream for stream, _ in seen}) == 6


async def test_starts_without_events_leave_nothing(tmp_path: Path) -> None:
    for _ in range(3):
        outbox = open_outbox(tmp_path)
        assert await outbox.streams() == []
        await outbox.close()
    with database(tmp_path) as connection:
        assert connection.execute("select count(*) from streams").fetchall() == [(0,)]
    connection.close()


async def test_rel09_business_dedupe(tmp_path: Path) -> None:
    """A terminal that is read again adds nothing; two punches of one person in different seconds are both kept."""
    outbox = open_outbox(tmp_path)
    log = [punch(n) for n in range(300)]
    assert await outbox.put(log) == Stored(300, 0)
    again = [
        *log,
        Punch("CKJG0001", "1001", NOON_S + 3601, 28_800, 0),
        Punch("CKJG0001", "1001", NOON_S + 3602, 28_800, 0),
    ]
    assert await outbox.put(again) == Stored(2, 300)
    assert await outbox.put([scan(1), scan(1)]) == Stored(2, 0), "two parcels may carry one code in a second"
    await outbox.close()
    outbox = open_outbox(tmp_path)
    assert await outbox.put(log) == Stored(0, 300), "a restart forgets no key"
    assert outbox.stats().rows == 304
    await outbox.close()


async def test_push_and_pull_meet_in_one_key(tmp_path: Path) -> None:
    """Direction and codes are not part of the key; the record number counts only while the clock is suspect."""
    outbox = open_outbox(tmp_path)
    reset = 946_684_800  # 1 January 2000
    assert await outbox.put([Punch("T", "7", NOON_S, 0, 0, native_seq=1)]) == Stored(1, 0)
    assert await outbox.put([Punch("T", "7", NOON_S, 0, 0, raw_codes=(1, 4), native_seq=2)]) == Stored(0, 1)
    assert await outbox.put([Punch("T", "7", reset, 0, 0, native_seq=n) for n in (1, 2)]) == Stored(2, 0)
    await outbox.close()


async def test_repeats_inside_one_commit_are_counted_where_they_come_second(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outcomes = await asyncio.gather(outbox.put([punch(1), punch(2)]), outbox.put([punch(2), punch(3), punch(3)]))
    assert list(outcomes) == [Stored(2, 0), Stored(1, 2)]
    assert await events(outbox) == [punch(1), punch(2), punch(3)]
    await outbox.close()


async def test_keys_outlive_rows(tmp_path: Path) -> None:
    """Rows go 14 days after their ack, keys stay 400 days and then as long as the terminal still sends them."""
    time = Time()
    outbox = open_outbox(tmp_path, time)
    await outbox.put([punch(1), punch(2)])
    (held,) = await outbox.streams()
    await outbox.mark_acked([(held.stream, [(1, 2)])])
    time.pass_ms(15 * DAY_MS)
    await until(lambda: outbox.stats().rows == 0)
    assert await outbox.put([punch(1), punch(2)]) == Stored(0, 2)
    time.pass_ms(300 * DAY_MS)
    assert await outbox.put([punch(1)]) == Stored(0, 1)
    time.pass_ms(110 * DAY_MS)
    await until(lambda: keys(tmp_path) == 1)
    assert await outbox.put([punch(1), punch(2)]) == Stored(1, 1)
    await outbox.close()


def keys(folder: Path) -> int:
    with database(folder) as connection:
        ((found,),) = connection.execute("select count(*) from keys").fetchall()
    connection.close()
    assert isinstance(found, int)
    return found


async def until(true: Callable[[], bool], within_s: float = 10) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not true():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def test_a_jump_of_the_wall_clock_deletes_nothing(tmp_path: Path) -> None:
    time = Time()
    outbox = open_outbox(tmp_path, time)
    await outbox.put([punch(1)])
    (held,) = await outbox.streams()
    await outbox.mark_acked([(held.stream, [(1, 1)])])
    time.wall += 500 * DAY_MS
    time.pass_ms(2 * HOUR_MS)
    await outbox.put([punch(2)])
    await until(lambda: outbox._writer._tick_at_ms > time.mono and not outbox._writer._more_to_do)
    assert outbox.stats().rows == 2
    assert keys(tmp_path) == 2
    await outbox.close()


async def test_acks_may_repeat_overlap_and_reach_beyond(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    await outbox.put([punch(n) for n in range(10)])
    (held,) = await outbox.streams()
    await outbox.mark_acked([(held.stream, [(8, 99)]), (held.stream, [(1, 3)]), (b"\0" * 16, [(1, 5)])])
    await outbox.mark_acked([(held.stream, [(1, 4), (8, 9)])])
    assert (await outbox.streams())[0].acked == [(1, 4), (8, 10)]
    assert outbox.stats().backlog == 3
    await outbox.mark_unsent(held.stream, [(2, 8)])
    await outbox.close()
    outbox = open_outbox(tmp_path)
    assert (await outbox.streams())[0].acked == [(1, 1), (9, 10)]
    await outbox.close()


async def test_unacked_rows_are_never_deleted_by_age(tmp_path: Path) -> None:
    time = Time()
    outbox = open_outbox(tmp_path, time)
    await outbox.put([punch(n) for n in range(4)])
    (held,) = await outbox.streams()
    await outbox.mark_acked([(held.stream, [(1, 1), (3, 4)])])
    time.pass_ms(100 * DAY_MS)
    await until(lambda: outbox.stats().rows == 3)
    (left,) = await outbox.streams()
    assert (left.first, left.last, left.acked) == (2, 4, [(3, 4)]), "from the front only, so that no hole opens"
    await outbox.close()


async def test_a_run_fits_one_message(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    noise = [Damaged("T", "noise", hashlib.shake_256(bytes([n])).digest(16_000), NOON_S * 1000) for n in range(20)]
    await outbox.put(noise)
    await outbox.put([punch(n) for n in range(1200)])
    (held,) = await outbox.streams()
    at, runs = 1, 0
    while at <= held.last:
        run = await outbox.read(held.stream, at, held.last)
        assert [row.seq for row in run] == list(range(at, at + len(run)))
        assert len(encode_ev(held.stream, at, [row.body for row in run])) <= MAX_MESSAGE
        assert len(run) <= MAX_EVENTS
        at, runs = run[-1].seq + 1, runs + 1
    assert runs == 3 + 2  # 20 of 16 kB make three messages, the third filled up with punches
    assert await outbox.read(held.stream, held.last + 1, held.last + 9) == []
    assert await outbox.read(b"?" * 16, 1, 9) == []
    await outbox.close()


async def test_an_event_too_long_for_a_message_is_kept_as_damaged(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    await outbox.put([Punch("T", "7" * 100_000, NOON_S, 0, 0)])
    (kept,) = await events(outbox)
    assert isinstance(kept, Damaged)
    assert (kept.source, kept.reason, len(kept.raw)) == ("T", "oversize", 16 * 1024)
    await outbox.close()


async def test_a_damaged_row_is_sent_with_its_raw_bytes_and_a_reason(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    await outbox.put([punch(n) for n in range(3)])
    (held,) = await outbox.streams()
    with database(tmp_path) as connection:
        connection.execute("update rows set body = cast('nonsense' as blob) where id & 0xff = 2")
    connection.close()
    found = [decode_event(row.body) for row in await outbox.read(held.stream, 1, 3)]
    assert (found[0], found[2]) == (punch(0), punch(2))
    assert isinstance(found[1], Damaged)
    assert (found[1].reason, found[1].raw) == ("digest", b"nonsense")
    assert [decode_event(row.body) for row in await outbox.read(held.stream, 1, 3)] == found, "the same ever after"
    await until(lambda: "damaged_row" in outbox.stats().alarms)
    await outbox.close()


async def test_digest_is_sha256_of_the_bytes_sent(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    assert outbox.newest_digest() is None
    await outbox.put([punch(1), punch(2)])
    assert outbox.newest_digest() == hashlib.sha256(encode_event(punch(2))).digest()
    await outbox.close()
    outbox = open_outbox(tmp_path)
    assert outbox.newest_digest() == hashlib.sha256(encode_event(punch(2))).digest()
    await outbox.close()


async def test_start_stream_closes_the_open_one(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    await outbox.put([punch(1)])
    await outbox.start_stream()
    assert [held.open for held in await outbox.streams()] == [False]
    await outbox.put([punch(2)])
    assert [(held.open, held.last) for held in await outbox.streams()] == [(False, 1), (True, 1)]
    await outbox.close()


async def test_anchor_ties_seen_ms_to_the_wall_clock(tmp_path: Path) -> None:
    time = Time()
    outbox = open_outbox(tmp_path, time)
    time.pass_ms(700)
    await outbox.put([punch(1)])
    (held,) = await outbox.streams()
    assert (held.anchor.mono_ms, held.anchor.wall_ms, held.anchor.synced) == (700, NOON_S * 1000 + 700, False)
    time.pass_ms(300)
    time.wall += 10_000
    await outbox.read_clock(synced=True)
    (held,) = await outbox.streams()
    assert (held.anchor.mono_ms, held.anchor.wall_ms, held.anchor.synced) == (1000, NOON_S * 1000 + 11_000, True)
    await outbox.close()
    outbox = open_outbox(tmp_path, time)
    assert (await outbox.streams())[0].anchor == held.anchor
    await outbox.close()


async def test_subscribers_hear_of_new_rows_only(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    heard: list[int] = []
    outbox.subscribe(lambda: heard.append(outbox.stats().rows))
    await outbox.put([punch(1)])
    await outbox.put([punch(1)])
    (held,) = await outbox.streams()
    await outbox.mark_acked([(held.stream, [(1, 1)])])
    assert heard == [1]
    await outbox.close()


async def test_one_commit_takes_at_most_a_thousand_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = open_outbox(tmp_path)
    sizes: list[int] = []
    append = store.append

    def noting(connection: Connection, state: State, new: Sequence[NewRow]) -> State:
        sizes.append(len(new))
        return append(connection, state, new)

    monkeypatch.setattr(store, "append", noting)
    await asyncio.gather(*(outbox.put([punch(100 * p + n) for n in range(100)]) for p in range(45)))
    assert sum(sizes) == 4500
    assert max(sizes) <= 1000
    assert len(sizes) < 45, "what waits goes together"
    await outbox.close()


async def test_rel31_close_commits_what_waits_and_then_refuses(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    waiting = [asyncio.create_task(outbox.put([punch(200 * p + n) for n in range(200)])) for p in range(50)]
    await asyncio.sleep(0)
    begin = asyncio.get_running_loop().time()
    await outbox.close()
    assert asyncio.get_running_loop().time() - begin < 10
    assert sum([stored.accepted for stored in await asyncio.gather(*waiting)]) == 10_000
    with pytest.raises(RetryableError, match="closed"):
        await outbox.put([punch(1)])
    with pytest.raises(RetryableError, match="closed"):
        await outbox.cursor("k")
    await outbox.close()
    assert not (tmp_path / "outbox.db-wal").exists()
    outbox = open_outbox(tmp_path)
    assert outbox.stats().rows == 10_000
    await outbox.close()


async def test_one_folder_has_one_owner(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    with pytest.raises(ConfigError, match="in use by another gateway process"):
        open_outbox(tmp_path)
    await outbox.close()
    await open_outbox(tmp_path).close()


def test_a_folder_that_is_a_file_is_a_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="can not be used"):
        Outbox.open(tmp_path / "data", SMALL, Time().clocks)


async def test_stats_tell_age_and_hours_left(tmp_path: Path) -> None:
    time = Time()
    outbox = open_outbox(tmp_path, time)
    began = time.wall
    await outbox.put([Punch("T", str(n), NOON_S, 0, 0, seen_ms=outbox.seen_ms()) for n in range(2000)])
    time.pass_ms(2 * HOUR_MS)
    await until(lambda: outbox._writer._tick_at_ms > time.mono)
    stats = outbox.stats()
    assert stats.oldest_unacked_ms == began
    assert (stats.backlog, stats.rows, stats.refused, stats.alarms) == (2000, 2000, 0, ())
    # 1,000 rows in 2 h, and 64 MiB hold some 300,000 to 600,000 rows of this size.
    assert stats.hours_left is not None
    assert 500 < stats.hours_left < 1300
    (held,) = await outbox.streams()
    await outbox.mark_acked([(held.stream, [(1, 2000)])])
    assert outbox.stats().oldest_unacked_ms is None
    await outbox.close()


def test_sqlite_utils_is_not_loaded_for_current_tables(tmp_path: Path) -> None:
    asyncio.run(open_outbox(tmp_path).close())
    code = (
        "import asyncio, sys; from pathlib import Path; from gateway.buffer.outbox import Outbox;"
        "from gateway.config import BufferConfig; from shared.clock import system_clocks;"
        f"o = Outbox.open(Path({str(tmp_path)!r}), BufferConfig(), system_clocks()); asyncio.run(o.close());"
        "print('sqlite_utils' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
