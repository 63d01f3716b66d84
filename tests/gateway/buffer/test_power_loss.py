"""Power loss on the real outbox: what was answered for is there afterwards (fault F2)."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.buffer.connection import connect_sqlite
from gateway.driver import Cursor
from shared.errors import ConfigError, RetryableError
from shared.keys import Event
from shared.scan import Damaged
from tests.gateway.buffer.samples import NOON_S, Time, events, open_outbox, punch
from tests.support.powerloss_vfs import Disk, PowerLossVfs, Write

LOSSES = 2000
PARTS = 4


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A folder in memory: what the model calls durable is kept apart, so the real disk only costs time."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def vfs() -> PowerLossVfs:
    return PowerLossVfs()


@dataclass
class Life:
    """What the outbox answered for before the power went."""

    stored: list[Event] = field(default_factory=list)
    cursor: int = 0
    tried: int = 0


async def live(folder: Path, vfs: PowerLossVfs, luck: random.Random, life: Life) -> None:
    """Put events until the power goes; some are long, and some are confirmed in between."""
    outbox = open_outbox(folder, Time(), connect=vfs.connect)
    try:
        while True:
            first = life.tried
            batch: list[Event] = [punch(first + n) for n in range(luck.choice((1, 1, 5, 40)))]
            batch.append(Damaged("T", "noise", luck.randbytes(luck.choice((80, 300, 5000))), NOON_S * 1000 + first))
            life.tried += len(batch)
            await outbox.put(batch, Cursor("k", str(life.tried).encode()))
            life.stored += batch
            life.cursor = life.tried
            if luck.random() < 0.2:
                held = (await outbox.streams())[0]
                await outbox.mark_acked([(held.stream, [(held.first, held.last)])])
    except RetryableError:
        pass
    finally:
        await outbox.close()


async def lose_power_once(folder: Path, vfs: PowerLossVfs, template: Path, seed: int) -> int:
    """One life and the start after it; how many events had been answered for."""
    luck = random.Random(seed)
    before, after = folder / "before", folder / "after"
    for fresh in (before, after):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
    shutil.copy(template, before / "outbox.db")
    vfs.disk = Disk(fails_at=luck.randint(5, 120))
    life = Life()
    try:
        await live(before, vfs, luck, life)
    except ConfigError:
        assert not life.stored, "the power went while it was being opened"
    vfs.disk.lose_power(after, luck)
    if (before / "last-known.json").exists():  # synced before it was renamed
        shutil.copy(before / "last-known.json", after)
    outbox = open_outbox(after)
    found = await events(outbox)
    alarms = outbox.stats().alarms
    place = int(await outbox.cursor("k") or b"0")
    await outbox.put([punch(99_999)])
    await outbox.close()
    assert found[: len(life.stored)] == life.stored, f"seed {seed}: lost"
    assert len(found) <= life.tried, f"seed {seed}: more than was put"
    assert place in (life.cursor, life.tried), f"seed {seed}: cursor"
    assert place == len(found), f"seed {seed}: cursor and events part"
    assert not list(after.glob("corrupt-*")), f"seed {seed}: taken for damaged"
    assert alarms == (), f"seed {seed}: {alarms}"
    return len(life.stored)


@pytest.mark.timeout(600)  # 15 s each on an idle machine
@pytest.mark.parametrize("part", range(PARTS))
async def test_rel03_power_loss_vfs(memory_folder: Path, vfs: PowerLossVfs, part: int) -> None:
    await open_outbox(memory_folder / "template").close()
    template = memory_folder / "template/outbox.db"
    losses = range(part * LOSSES // PARTS, (part + 1) * LOSSES // PARTS)
    answered = [await lose_power_once(memory_folder, vfs, template, seed) for seed in losses]
    assert sum(answered) > 10 * len(losses), "the power goes while much is going on"


async def test_the_model_notices_commits_that_are_not_synced(
    memory_folder: Path, vfs: PowerLossVfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With synchronous=NORMAL the same run loses what was answered for; else the model would prove nothing."""
    await open_outbox(memory_folder / "template").close()
    template = memory_folder / "template/outbox.db"
    connect = vfs.connect

    def careless(path: Path, *, readonly: bool = False) -> object:
        connection = connect(path, readonly=readonly)
        run = connection.execute
        monkeypatch.setattr(
            connection, "execute", lambda sql, *rest: run(sql.replace("synchronous=full", "synchronous=normal"), *rest)
        )
        return connection

    monkeypatch.setattr(vfs, "connect", careless)
    caught = 0
    for seed in range(60):
        try:
            await lose_power_once(memory_folder, vfs, template, seed)
        except AssertionError:
            caught += 1
    assert caught > 10


def test_the_default_connection_is_pythons_own(tmp_path: Path) -> None:
    connection = connect_sqlite(tmp_path / "a.db")
    assert type(connection).__module__ == "sqlite3"
    connection.close()


def test_a_torn_write_keeps_whole_sectors() -> None:
    disk = Disk()
    disk.durable["f"], disk.pending["f"] = bytearray(b"a" * 2048), []
    disk.write("f", Write(0, b"b" * 2048))
    with tempfile.TemporaryDirectory() as folder:
        seen = set()
        for seed in range(200):
            disk.lose_power(Path(folder), random.Random(seed))
            left = Path(folder, "f").read_bytes()
            seen.add(tuple(left[at : at + 1] for at in range(0, 2048, 512)))
            assert all(len(set(left[at : at + 512])) == 1 for at in range(0, 2048, 512))
    assert len(seen) > 8
