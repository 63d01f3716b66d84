"""The life of a server process: parts start again, one process holds what can not be shared."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from server import app
from server.app import ALL_ROLES, Part, check_roles
from server.config import BrokerConfig, DatabaseConfig, ServerConfig
from server.store.process_lock import only_process
from shared.errors import ConfigError, RetryableError

POSTGRES = ServerConfig(database=DatabaseConfig(url="postgresql://muster@127.0.0.1/muster"))


@pytest.mark.parametrize("error", [RetryableError("later"), ConfigError("no password"), ValueError("a bug"), None])
async def test_a_part_that_ends_is_started_again(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    monkeypatch.setattr(app, "FIRST_RETRY_S", 0.001)
    runs, twice = 0, asyncio.Event()

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            twice.set()
            await asyncio.Event().wait()
        if error is not None:
            raise error

    stop = asyncio.Event()
    running = asyncio.create_task(app._run_until(stop, [Part("part", run)]))
    async with asyncio.timeout(5):
        await twice.wait()
        stop.set()
        await running
    assert runs == 3


async def test_a_part_finishes_its_write_before_the_process_ends() -> None:
    began, done = asyncio.Event(), []

    async def run() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            done.append("committed")

    stop = asyncio.Event()
    running = asyncio.create_task(app._run_until(stop, [Part("part", run)]))
    await began.wait()
    stop.set()
    await running
    assert done == ["committed"]


async def test_a_part_that_will_not_end_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "STOP_S", 0.05)
    began, release = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            await release.wait()

    stop = asyncio.Event()
    running = asyncio.create_task(app._run_until(stop, [Part("part", run)]))
    await began.wait()
    stop.set()
    async with asyncio.timeout(5):
        await running
    release.set()


def test_one_process_may_run_all_roles_on_sqlite_and_no_other_split() -> None:
    check_roles(ServerConfig(), ALL_ROLES)
    check_roles(POSTGRES, frozenset({"ingest"}))
    with pytest.raises(ConfigError, match="PostgreSQL"):
        check_roles(ServerConfig(), frozenset({"api"}))
    embedded = msgspec.structs.replace(POSTGRES, broker=BrokerConfig(embedded=True))
    with pytest.raises(ConfigError, match="Mosquitto"):
        check_roles(embedded, frozenset({"api"}))


def test_a_lock_is_held_against_another_process_and_freed_by_its_death(tmp_path: Path) -> None:
    path = tmp_path / "data/server.lock"
    script = (
        "import sys, time, pathlib; from server.store.process_lock import only_process\n"
        f"with only_process(pathlib.Path({str(path)!r}), 'test'):\n    print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError, match=f"process {other.pid} holds"), only_process(path, "one server at a time"):
            pass
    finally:
        other.kill()
        other.communicate()
    with only_process(path, "one server at a time"):
        pass
