"""Plain pyzk 0.9, written by others for real terminals, must not tell the emulator from one."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from zk import ZK

from emulators.zk4370 import RecordSize, UserSize, ZkTerminal, ZkUser

# pyzk never closes the socket that it opens in its constructor.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

START = datetime(2026, 11, 23, 8, 59, 1)


@asynccontextmanager
async def running(terminal: ZkTerminal) -> AsyncIterator[ZkTerminal]:
    await terminal.start()
    try:
        yield terminal
    finally:
        await terminal.stop()


def connected(terminal: ZkTerminal, key: int = 0, timeout_s: float = 5) -> Any:
    udp = terminal.transport == "udp"
    client = ZK("127.0.0.1", terminal.port, timeout=timeout_s, password=key, force_udp=udp, ommit_ping=True)
    return client.connect()


async def through_pyzk(terminal: ZkTerminal, work: Callable[[Any], Any], key: int = 0) -> Any:
    def session() -> Any:
        client = connected(terminal, key)
        try:
            return work(client)
        finally:
            client.disconnect()

    return await asyncio.to_thread(session)


@pytest.mark.parametrize(
    ("transport", "record_size", "user_size", "chunked", "key"),
    list(itertools.product(["tcp", "udp"], [8, 16, 40], [28, 72], [False, True], [0, 123456])),
)
async def test_pyzk_reads_back_what_was_punched(
    transport: Any, record_size: RecordSize, user_size: UserSize, chunked: bool, key: int
) -> None:
    people = [ZkUser(n, str(1000 + n), f"P{n}", card=n) for n in range(1, 150 if chunked else 6)]
    terminal = ZkTerminal(
        "A1", users=people, key=key, record_size=record_size, user_size=user_size, transport=transport
    )
    for n in range(2500 if chunked else 12):
        person = people[n % len(people)]
        terminal.punch(person.user_id, START + timedelta(seconds=37 * n), verify=(1, 15)[n % 2], state=n % 2)
    expected = [(row.user.user_id, row.at, row.verify, row.state) for row in terminal.log]

    async with running(terminal):
        users, log = await through_pyzk(terminal, lambda zk: (zk.get_users(), zk.get_attendance()), key)

    assert [(u.uid, u.user_id, u.name, u.card) for u in users] == [(p.uid, p.user_id, p.name, p.card) for p in people]
    assert [(row.user_id, row.timestamp, row.status, row.punch) for row in log] == expected


async def test_pyzk_reads_identity_clock_and_counters() -> None:
    terminal = ZkTerminal("AEYU2118", users=["7", "8"], log_capacity=500)
    terminal.punch("7", START)
    terminal.set_clock(datetime(2026, 11, 23, 9, 0))

    def facts(zk: Any) -> Any:
        zk.read_sizes()
        return zk.get_serialnumber(), zk.get_firmware_version(), zk.get_time(), (zk.users, zk.records, zk.rec_cap)

    async with running(terminal):
        serial, firmware, clock, counters = await through_pyzk(terminal, facts)
    assert (serial, firmware, counters) == ("AEYU2118", "Ver 6.60 Apr 26 2016", (2, 1, 500))
    assert timedelta(0) <= clock - datetime(2026, 11, 23, 9, 0) < timedelta(seconds=5)


async def test_pyzk_hears_a_punch_as_it_happens() -> None:
    terminal = ZkTerminal("A1", users=["1000"])
    loop = asyncio.get_running_loop()

    def listen(zk: Any) -> Any:
        events = zk.live_capture(new_timeout=5)
        loop.call_soon_threadsafe(wait_for_registration)
        return next(event for event in events if event is not None)

    def wait_for_registration() -> None:
        if any(command == 500 for command, _ in terminal.requests):
            terminal.punch("1000", START, verify=15)
        else:
            loop.call_later(0.005, wait_for_registration)

    async with running(terminal):

        def session() -> Any:
            client = connected(terminal)
            event = listen(client)
            client.disconnect()
            return event

        event = await asyncio.to_thread(session)
    assert (event.user_id, event.timestamp, event.status, event.punch) == ("1000", START, 15, 0)


async def test_wrong_key_is_refused() -> None:
    async with running(ZkTerminal("A1", key=4711)) as terminal:
        with pytest.raises(Exception, match="Unauthenticated"):
            await asyncio.to_thread(connected, terminal, 4712)


async def test_second_client_gets_no_answer_until_the_first_has_gone() -> None:
    async with running(ZkTerminal("A1")) as terminal:
        first = await asyncio.to_thread(connected, terminal)
        with pytest.raises(Exception, match="timed out"):
            await asyncio.to_thread(connected, terminal, 0, 0.3)
        await asyncio.to_thread(first.disconnect)
        second = await asyncio.to_thread(connected, terminal)
        await asyncio.to_thread(second.disconnect)
    assert terminal.sessions == 2


async def test_full_log_forgets_its_oldest_punch_and_counters_agree() -> None:
    terminal = ZkTerminal("A1", users=["7"], log_capacity=3)
    for n in range(5):
        terminal.punch("7", START + timedelta(seconds=n))

    async with running(terminal):
        log, records = await through_pyzk(terminal, lambda zk: (zk.get_attendance(), zk.records))
    assert [row.timestamp for row in log] == [START + timedelta(seconds=n) for n in (2, 3, 4)]
    assert (records, terminal.emitted) == (3, 5)


async def test_damaged_request_gets_no_answer() -> None:
    async with running(ZkTerminal("A1")) as terminal:
        reader, writer = await asyncio.open_connection("127.0.0.1", terminal.port)
        writer.write(bytes.fromhex("5050827d08000000 e80318fc00000000"))  # CONNECT, one bit off in its checksum
        writer.write(bytes.fromhex("5050827d08000000 e80317fc00000000"))
        assert (await reader.readexactly(16)).hex() == "5050827d08000000d007" + "fbe5" + "34120000"
        assert terminal.sessions == 1
        writer.close()
        await writer.wait_closed()
