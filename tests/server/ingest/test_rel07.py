"""REL-07: an ack says committed, whatever ingest was doing when it died; the next process stores the rest once."""

import contextlib
import gc
import sqlite3
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import event

from server.ingest.consumer import Consumer
from server.ingest.inbox import Message
from server.store.database import Database
from shared.wire import Ack, encode_message
from tests.server.ingest.world import CLOCKS, OTHER, STREAM, A, ev, held, hello, make_world, punch, punches, rows

_T = TypeVar("_T")


class CrashError(BaseException):
    """The process dies here: nothing catches it and goes on."""


class DyingAt:
    """Awaits a coroutine and lets it die when its n-th wait is over, before it goes on."""

    def __init__(self, work: Awaitable[_T], step: int) -> None:
        self._work = work
        self._left = step
        self.finished = False

    def __await__(self) -> Generator[Any, Any, None]:
        running = self._work.__await__()
        try:
            waiting = next(running)
            while True:
                try:
                    answer = yield waiting
                except BaseException as error:  # noqa: BLE001 - passed on
                    waiting = running.throw(error)
                    continue
                self._left -= 1
                waiting = running.throw(CrashError()) if self._left == 0 else running.send(answer)
        except StopIteration:
            self.finished = True


MESSAGES = [
    Message(A, "hello", encode_message(hello(held(1, 30, open_=True), held(1, 5, stream=OTHER)))),
    Message(A, "ev", punches(1, 12)),
    Message(A, "ev", punches(9, 20)),
    Message(A, "ev", ev(1, [punch(101), punch(102, terminal="T9"), punch(103)], stream=OTHER)),
]


class Process:
    """A consumer with connections of its own, which are cut when it dies."""

    def __init__(self, url: str) -> None:
        self.db = Database(url)
        self.consumer = Consumer(self.db, CLOCKS)
        self._connections: list[Any] = []
        engine = self.db._engine.sync_engine
        event.listen(engine, "connect", lambda adapted, _: self._connections.append(adapted.driver_connection))

    async def warm_up(self) -> None:
        """Connect, so that what dies is ingest and not the opening of a connection."""
        async with self.db.writing():
            pass

    async def die(self) -> None:
        for connection in self._connections:
            if isinstance(connection, aiosqlite.Connection):
                with contextlib.suppress(ValueError, sqlite3.Error):  # closed already
                    await connection.rollback()
                await connection.close()
            else:
                connection.terminate()
        with contextlib.suppress(Exception):
            await self.db.close()
        gc.collect()  # a dead statement's cursor would keep SQLite's lock; what was there before is frozen


def acks_of(consumer: Consumer) -> list[Ack]:
    found = []
    while not consumer._acks.empty():
        found.append(consumer._acks.get_nowait()[1])
    return found


async def committed(db: Database) -> dict[bytes, set[int]]:
    """Seqs that a new connection finds stored or quarantined, by stream."""
    events = await rows(db, "SELECT s.stream, e.seq FROM events e JOIN streams s ON s.id = e.stream_id")
    kept = await rows(db, "SELECT stream, seq FROM quarantine WHERE stream IS NOT NULL")
    found: dict[bytes, set[int]] = {STREAM: set(), OTHER: set()}
    for stream, seq in events + kept:
        assert isinstance(seq, int)
        found[bytes(stream)].add(seq)  # type: ignore[call-overload]
    return found


def covered_by(ack: Ack) -> dict[bytes, set[int]]:
    return {
        one.stream: set(range(1, one.upto + 1)) | {s for a, b in one.also for s in range(a, b + 1)}
        for one in ack.streams
    }


async def test_rel07_ack_after_commit(migrated_url: str) -> None:
    """A crash at each await point in turn; every process goes on where the last one died."""
    db = await make_world(migrated_url)
    gc.freeze()
    step = acked = 0
    finished = False
    while not finished:
        process = Process(migrated_url)
        await process.warm_up()
        step += 1
        dying = DyingAt(process.consumer.deal_with(MESSAGES), step)
        with contextlib.suppress(CrashError):
            await dying
        finished = dying.finished
        await process.die()
        stored = await committed(db)
        for ack in acks_of(process.consumer):
            acked += 1
            for stream, seqs in covered_by(ack).items():
                assert seqs <= stored[stream], f"crash at {step}: acked, not committed"
    assert step > 20, "no await points were met: the test proves nothing"
    assert acked > 1
    assert await committed(db) == {STREAM: set(range(1, 21)), OTHER: {1, 2, 3}}
    assert await rows(db, "SELECT count(*) FROM events") == [(22,)]
    assert await rows(db, "SELECT count(*) FROM quarantine") == [(1,)]
    assert await rows(db, "SELECT sum(last - first + 1) FROM feed") == [(22,)]
    gc.unfreeze()
    await db.close()
