"""Kill, full disk, failing disk and damaged files on the real outbox (faults F1, F3, F4, F5)."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.buffer import disk
from gateway.buffer.connection import Connection, Records, Value, connect_sqlite
from gateway.buffer.wal_check import FRAME_BYTES, HEADER_BYTES, wal_is_damaged
from gateway.config import BufferConfig
from gateway.driver import Cursor, Stored
from shared.errors import RetryableError
from shared.keys import Event
from shared.scan import Damaged
from tests.gateway.buffer.samples import (
    DAY_MS,
    NOON_S,
    Time,
    events,
    open_outbox,
    punch,
    put_each,
    rows,
    scan,
    seconds,
)

ROUNDS = 20
FEEDER = """
import asyncio, sys
from contextlib import suppress
from pathlib import Path
from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig
from gateway.driver import Cursor
from shared.clock import system_clocks
from tests.gateway.buffer.samples import punch

async def main(folder, first):
    outbox = Outbox.open(Path(folder), BufferConfig(quota_mib=64, ballast_mib=0), system_clocks())
    async def feed(lane):
        at = first + lane * 10_000
        while True:
            await outbox.put([punch(at + n) for n in range(7)], Cursor(f"lane-{lane}", str(at + 7).encode()))
            at += 7
            sys.stdout.write(f"{lane} {at}\\n")
            sys.stdout.flush()
    await asyncio.gather(*map(feed, range(4)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def kill_while_feeding(folder: Path, first: int, after_lines: int) -> dict[int, int]:
    """By lane, up to where the feeder said that its punches were stored before it was killed."""
    child = subprocess.Popen([sys.executable, "-c", FEEDER, str(folder), str(first)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(after_lines)]
    os.kill(child.pid, signal.SIGKILL)
    told += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    whole = [line.split() for line in told if line.endswith("\n")]
    assert len(whole) >= after_lines
    return {int(lane): int(at) for lane, at in whole}


def test_rel02_kill9_loop_of_the_outbox(tmp_path: Path) -> None:
    """Twenty kills at random moments: what was answered for is there, with its cursor, under one key each."""
    luck = random.Random(20261125)
    stored: set[int] = set()
    for round_number in range(ROUNDS):
        first = round_number * 50_000
        lanes = kill_while_feeding(tmp_path, first, luck.randint(1, 120))
        for lane, upto in lanes.items():
            stored |= {NOON_S + n for n in range(first + lane * 10_000, upto)}

    async def look() -> None:
        outbox = open_outbox(tmp_path)
        found = await events(outbox)
        assert stored <= seconds(found)
        assert len(found) == len(seconds(found)), "each once"
        for lane, upto in lanes.items():
            place = await outbox.cursor(f"lane-{lane}")
            assert place is not None
            assert int(place) >= upto
            assert {NOON_S + n for n in range(first + lane * 10_000, int(place))} <= seconds(found)
        assert outbox.stats().alarms == ()
        assert len(await outbox.streams()) == ROUNDS
        await outbox.close()

    asyncio.run(look())


class FailingDisk:
    """A ``ConnectionFactory`` whose commits fail with ``code`` while it is set."""

    def __init__(self) -> None:
        self.code = 0
        self.opens = True
        self.failed = 0

    def __call__(self, path: Path, *, readonly: bool = False) -> Connection:
        if not self.opens:
            raise self.error(sqlite3.SQLITE_CANTOPEN)
        return _Failing(connect_sqlite(path, readonly=readonly), self)

    def error(self, code: int) -> sqlite3.Error:
        self.failed += 1
        error = sqlite3.OperationalError(f"disk says {code}")
        error.sqlite_errorcode = code
        return error


class _Failing:
    def __init__(self, connection: Connection, disk_: FailingDisk) -> None:
        self._connection, self._disk = connection, disk_

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Sequence[Value] = (), /) -> Records:
        if sql == "commit" and self._disk.code:
            raise self._disk.error(self._disk.code)
        return self._connection.execute(sql, parameters)

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_FULL])
async def test_rel16_io_errors_of_a_commit(tmp_path: Path, code: int) -> None:
    """Not stored, cursor where it was, and once the disk is well the same events go in, under another stream."""
    failing = FailingDisk()
    outbox = open_outbox(tmp_path, connect=failing)
    await outbox.put([punch(1)], Cursor("k", b"1"))
    failing.code = code
    for _ in range(3):
        with pytest.raises(RetryableError):
            await outbox.put([punch(2), scan(1)], Cursor("k", b"2"))
    assert await events(outbox) == [punch(1)]
    assert await outbox.cursor("k") == b"1"
    assert outbox.stats().refused == 6
    failing.code = 0
    assert await outbox.put([punch(2), scan(1)], Cursor("k", b"2")) == Stored(2, 0)
    assert [(held.last, held.open) for held in await outbox.streams()] == [(1, False), (2, True)]
    assert await outbox.cursor("k") == b"2"
    await outbox.close()


async def test_rel16_a_disk_that_is_gone_for_a_while(tmp_path: Path) -> None:
    """Asked once a second, not at every put; acks meanwhile are refused, not lost in silence."""
    failing, time = FailingDisk(), Time()
    outbox = open_outbox(tmp_path, time, connect=failing)
    await outbox.put([punch(1)])
    (held,) = await outbox.streams()
    failing.code, failing.opens = sqlite3.SQLITE_IOERR, False
    for _ in range(20):
        with pytest.raises(RetryableError):
            await outbox.put([punch(2)])
    assert failing.failed < 5
    with pytest.raises(RetryableError):
        await outbox.mark_acked([(held.stream, [(1, 1)])])
    failing.code, failing.opens = 0, True
    time.pass_ms(1000)
    assert await outbox.put([punch(2)]) == Stored(1, 0)
    await outbox.mark_acked([(held.stream, [(1, 1)])])
    assert outbox.stats().backlog == 1
    await outbox.close()


FULL = BufferConfig(quota_mib=8, ballast_mib=1)


async def fill(outbox: "object", cursor: Cursor | None, first: int) -> int:
    """Put noise until it is refused; number of the first one that was."""
    from gateway.buffer.outbox import Outbox

    assert isinstance(outbox, Outbox)
    luck = random.Random(first)
    while True:
        try:
            await outbox.put([Damaged("T", "noise", luck.randbytes(4000), first + n) for n in range(10)], cursor)
        except RetryableError:
            return first
        first += 10


async def test_rel15_disk_full_levels_of_the_quota(tmp_path: Path) -> None:
    """95 %: terminals with a log wait. 100 %: all wait, counted. Acks make room, and nothing taken before is lost."""
    time = Time()
    outbox = open_outbox(tmp_path, time, limits=FULL)
    upto = await fill(outbox, Cursor("log", b"1"), 0)
    assert 95 <= outbox.stats().quota_used_pct < 98
    assert {"buffer_70", "buffer_85", "buffer_95"} <= set(outbox.stats().alarms)
    upto = await fill(outbox, None, upto)
    assert outbox.stats().quota_used_pct >= 98
    assert outbox.stats().refused == 20
    assert outbox.stats().rows == upto
    (held,) = await outbox.streams()
    assert len(await rows(outbox, held.stream)) == upto, "reading goes on"
    await outbox.mark_acked([(held.stream, [(1, upto - 100)])])
    await until(lambda: outbox.stats().quota_used_pct < 82)
    assert (await outbox.put([scan(1)], Cursor("log", b"2"))).accepted == 1
    assert [event.at for event in await events(outbox) if isinstance(event, Damaged)][-100:] == [
        *range(upto - 100, upto)
    ]
    await until(lambda: "buffer_95" not in outbox.stats().alarms)
    await outbox.close()


async def until(true: Callable[[], bool], within_s: float = 20) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not true():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


def fill_up(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(65536))


@pytest.fixture
def small_disk(tmp_path: Path) -> "Path":
    """A filesystem of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=True)
    return place


@pytest.fixture(autouse=True)
def _unmounted(tmp_path: Path) -> "object":
    yield
    if os.path.ismount(tmp_path / "disk"):
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)


async def test_rel15_disk_full_by_somebody_else(small_disk: Path) -> None:
    """The quota is larger than the disk, and another program eats the rest; freed, it goes on, also after a restart."""
    limits = BufferConfig(quota_mib=64, ballast_mib=4)
    outbox = open_outbox(small_disk, limits=limits)
    await outbox.put([punch(n) for n in range(500)])
    (held,) = await outbox.streams()
    eaten = small_disk / "log"
    fill_up(eaten)
    taken = 500
    with pytest.raises(RetryableError):  # noqa: PT012 - some may still fit the space of the log
        for n in range(500, 100_000, 100):
            await outbox.put([punch(n + i) for i in range(100)])
            taken = n + 100
    assert outbox.stats().backlog == taken
    await outbox.mark_acked([(held.stream, [(1, 400)])])
    assert outbox.stats().backlog == taken - 400
    await outbox.close()
    outbox = open_outbox(small_disk, limits=limits)
    assert outbox.stats().backlog == taken - 400
    assert seconds(await events(outbox)) >= {NOON_S + n for n in range(400, taken)}
    eaten.unlink()
    await until(lambda: disk.free_bytes(small_disk) > 8 * 1024 * 1024)
    await until(lambda: "buffer_full" not in outbox.stats().alarms)
    assert (await outbox.put([punch(200_000)])).accepted == 1
    await until((small_disk / "ballast").exists)
    await outbox.close()


def leave_unclosed(folder: Path, wanted: Sequence[Event], acked: int = 0) -> None:
    """Files of an outbox whose process was killed: one commit an event, the last ones in the log only."""

    async def run() -> None:
        outbox = open_outbox(folder / "alive", Time())
        await outbox.put([punch(n) for n in range(5000, 5000 + 3000)], Cursor("k", b"1"))
        await put_each(outbox, wanted)
        if acked:
            (held,) = await outbox.streams()
            await outbox.mark_acked([(held.stream, [(1, acked)])])
        shutil.copytree(folder / "alive", folder / "dead")
        await outbox.close()

    asyncio.run(run())


def cut_log(folder: Path) -> None:
    wal = folder / "outbox.db-wal"
    os.truncate(wal, HEADER_BYTES + 3 * FRAME_BYTES)


def flip_in_log(folder: Path) -> None:
    wal = folder / "outbox.db-wal"
    data = bytearray(wal.read_bytes())
    data[HEADER_BYTES + 5 * FRAME_BYTES + 2000] ^= 4
    wal.write_bytes(data)


def flip_in_log_header(folder: Path) -> None:
    wal = folder / "outbox.db-wal"
    data = bytearray(wal.read_bytes())
    data[17] ^= 1
    wal.write_bytes(data)


def bad_header(folder: Path) -> None:
    with (folder / "outbox.db").open("r+b") as file:
        file.write(b"nonsense" * 12)


def cut_file(folder: Path) -> None:
    size = (folder / "outbox.db").stat().st_size
    os.truncate(folder / "outbox.db", size // 2)


def flip_many_pages(folder: Path) -> None:
    luck = random.Random(7)
    data = bytearray((folder / "outbox.db").read_bytes())
    for page in luck.sample(range(2, len(data) // 4096), 8):
        data[page * 4096 : page * 4096 + 64] = luck.randbytes(64)
    (folder / "outbox.db").write_bytes(data)


def page_of_rows(folder: Path) -> None:
    """One page of events is gone; the business keys of these events, in pages of their own, are not."""
    data = bytearray((folder / "outbox.db").read_bytes())
    leaves = [at for at in range(4096, len(data), 4096) if data[at] == 13 and data[at : at + 4096].count(b"p1") > 10]
    at = leaves[len(leaves) // 2]
    data[at : at + 4096] = bytes(4096)
    (folder / "outbox.db").write_bytes(data)


def no_file(folder: Path) -> None:
    (folder / "outbox.db").unlink()


def no_log(folder: Path) -> None:
    (folder / "outbox.db-wal").unlink()


ALL = {NOON_S + n for n in [*range(60), *range(5000, 8000)]}
NONE: set[int] = set()


@pytest.mark.parametrize(
    ("damage", "survive"),
    [
        pytest.param(flip_in_log, ALL, id="bit flip in the log"),
        pytest.param(flip_in_log_header, ALL, id="bit flip in the log's header"),
        pytest.param(bad_header, ALL, id="bad header"),
        pytest.param(cut_file, NONE, id="file cut off"),
        pytest.param(flip_many_pages, NONE, id="pages overwritten"),
        pytest.param(no_file, NONE, id="file missing"),
    ],
)
def test_rel17_corruption_is_salvaged(tmp_path: Path, damage: Callable[[Path], None], survive: set[int]) -> None:
    """Damaged files kept as they were, rows under their old keys, holes said aloud, cursors gone, an alarm raised."""
    leave_unclosed(tmp_path, [punch(n) for n in range(60)])
    dead = tmp_path / "dead"
    damage(dead)
    before = {path.name: path.read_bytes() for path in dead.glob("outbox.db*") if not path.name.endswith("-shm")}

    async def look() -> None:
        outbox = open_outbox(dead, Time())
        (kept,) = dead.glob("corrupt-*")
        for name, content in before.items():
            assert (kept / name).read_bytes() == content
        assert "salvaged" in outbox.stats().alarms
        assert await outbox.cursor("k") is None
        assert outbox.reread_from_ms is not None
        assert outbox.reread_from_ms <= NOON_S * 1000 + 5000 - 2 * DAY_MS
        found = await events(outbox)
        assert len(survive - seconds(found)) <= 1, "only the row that was hit itself"
        assert seconds(found) <= ALL
        for held in await outbox.streams():
            assert not held.open
            seqs = [row.seq for row in await rows(outbox, held.stream)]
            assert seqs == list(range(held.first, held.last + 1))
        lost = [event for event in found if isinstance(event, Damaged)]
        assert all(event.reason == "lost" for event in lost)
        assert len(seconds(found)) + len(lost) == len(found), "none twice"
        again = await outbox.put([punch(n) for n in [*range(60), *range(5000, 8000)]])
        assert again.repeats == len(seconds(found)), "keys of saved rows are known, and those of lost rows are not"
        await outbox.close()
        outbox = open_outbox(dead, Time())
        assert "salvaged" in outbox.stats().alarms, "a restart does not hide it"
        assert len(list(dead.glob("corrupt-*"))) == 1
        await outbox.close()

    asyncio.run(look())


async def test_rel17_corruption_lost_rows_are_taken_again_from_the_terminal(tmp_path: Path) -> None:
    """Their business keys outlived them, in other pages; they must not turn the second reading away."""
    outbox = open_outbox(tmp_path, Time())
    await outbox.put([punch(n) for n in range(3000)])
    await outbox.close()
    page_of_rows(tmp_path)
    outbox = open_outbox(tmp_path, Time())
    saved = seconds(await events(outbox))
    assert 0 < len(saved) < 3000
    again = await outbox.put([punch(n) for n in range(3000)])
    assert (again.accepted, again.repeats) == (3000 - len(saved), len(saved))
    assert seconds(await events(outbox)) == {NOON_S + n for n in range(3000)}
    await outbox.close()


@pytest.mark.parametrize("damage", [pytest.param(cut_log, id="log cut off"), pytest.param(no_log, id="log missing")])
def test_rel17_corruption_a_lost_tail_is_noticed(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """SQLite opens it as if nothing had been; the side file knows better."""
    leave_unclosed(tmp_path, [punch(n) for n in range(60)])
    dead = tmp_path / "dead"
    known = (dead / "last-known.json").read_bytes()
    assert b'"last":0' not in known
    damage(dead)
    # The side file is written once a minute; here it knew of the last row.
    alive = (tmp_path / "alive/last-known.json").read_bytes()
    (dead / "last-known.json").write_bytes(alive)

    async def look() -> None:
        outbox = open_outbox(dead, Time())
        assert "tail_lost" in outbox.stats().alarms
        assert await outbox.cursor("k") is None
        assert outbox.reread_from_ms is not None
        assert (await outbox.put([punch(n) for n in range(60)])).accepted > 0, "read again, they are taken again"
        assert seconds(await events(outbox)) >= {NOON_S + n for n in range(60)}
        await outbox.close()

    asyncio.run(look())


def test_rel17_corruption_acked_rows_stay_acked(tmp_path: Path) -> None:
    leave_unclosed(tmp_path, [punch(1)], acked=2500)
    bad_header(tmp_path / "dead")
    # With the header gone only the side file can tell, and it knew by the end.
    (tmp_path / "dead/last-known.json").write_bytes((tmp_path / "alive/last-known.json").read_bytes())

    async def look() -> None:
        outbox = open_outbox(tmp_path / "dead", Time())
        assert [(held.first, held.last, held.acked) for held in await outbox.streams()] == [(1, 3001, [(1, 2500)])]
        await outbox.close()

    asyncio.run(look())


def test_salvage_that_is_interrupted_is_done_again(tmp_path: Path) -> None:
    leave_unclosed(tmp_path, [punch(n) for n in range(60)])
    dead = tmp_path / "dead"
    bad_header(dead)

    class Killed(BaseException):
        pass

    original = Path.rename
    for stop_at in range(1, 5):
        calls = 0

        def rename_some(self: Path, target: Path, stop_at: int = stop_at) -> Path:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise Killed
            return original(self, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "rename", rename_some)
            with pytest.raises(Killed):
                open_outbox(dead, Time())

    async def look() -> None:
        outbox = open_outbox(dead, Time())
        assert seconds(await events(outbox)) == ALL
        await outbox.close()

    asyncio.run(look())


async def test_damage_while_running_is_salvaged(tmp_path: Path) -> None:
    """The writer meets it, goes on with a new file, and the reader follows."""
    time = Time()
    outbox = open_outbox(tmp_path, time)
    await outbox.put([punch(n) for n in range(3000)])
    connection = outbox._writer._connection
    assert connection is not None
    await until(lambda: outbox._writer._tick_at_ms > time.mono and not outbox._writer._more_to_do)
    connection.execute("pragma wal_checkpoint(truncate)").fetchall()  # the writer sleeps
    flip_many_pages(tmp_path)
    (held,) = await outbox.streams()
    for at in range(1, 3000, 500):
        try:
            await outbox.read(held.stream, at, at + 499)
        except RetryableError:
            break
    time.pass_ms(1000)
    outbox._writer.suspect()
    await until(lambda: "salvaged" in outbox.stats().alarms)
    time.pass_ms(1000)
    assert (await outbox.put([punch(9000)])).accepted == 1
    found = await events(outbox)
    assert len(found) == 3001
    assert NOON_S + 9000 in seconds(found)
    await outbox.close()


def test_wal_check_lets_an_unfinished_transaction_pass(tmp_path: Path) -> None:
    """Every cut and every torn last transaction of a sound log is ordinary; a hole before a later one is not."""
    connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma wal_autocheckpoint=0")
    connection.execute("create table t (b blob)")
    ends = []
    for n in range(6):
        connection.execute("insert into t values (?)", (bytes([n]) * 9000,))
        ends.append((tmp_path / "a.db-wal").stat().st_size)
    data = (tmp_path / "a.db-wal").read_bytes()
    copy = tmp_path / "copy-wal"

    def damaged(content: bytes) -> bool:
        copy.write_bytes(content)
        return wal_is_damaged(copy)

    assert not damaged(data)
    assert not damaged(b"")
    assert not any(damaged(data[:size]) for size in range(0, len(data), 500))
    last = ends[-2] + 24 + 100
    assert not damaged(data[:last] + b"?" + data[last + 1 :]), "the last transaction may be torn"
    for end in ends[:-2]:
        assert damaged(data[: end + 124] + b"?" + data[end + 125 :])
    (salt,) = struct.unpack_from(">I", data, 16)
    assert damaged(data[:16] + struct.pack(">I", salt + 1) + data[20:])
    assert not wal_is_damaged(tmp_path / "none")
    connection.close()
