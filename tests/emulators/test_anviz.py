"""The emulator answers the frames of the protocol page byte for byte, and has the faults that the page lists."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from emulators.anviz import AnvizTerminal, AnvizUser

CAPTURE = Path(__file__).parents[1] / "captures" / "anviz" / "worked-example.hex"
LINES = [line for line in CAPTURE.read_text().splitlines() if line[0] in "<>"]
NINE = datetime(2026, 11, 23, 9, 0, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


def terminal() -> AnvizTerminal:
    """The terminal of the worked example: 20 users, 35 fingers, 2 passwords, 7 cards, 1,234 records, 2 of them new."""
    people = [
        AnvizUser(n, card=n if n <= 7 else 0, password=1 if n <= 2 else None, fingers=3 if n <= 15 else 1)
        for n in range(1, 21)
    ]
    emulator = AnvizTerminal("A1", users=people, device_id=7, now=lambda _zone: NINE)
    for _ in range(1232):
        emulator.punch(1, datetime(2026, 11, 20))
    emulator.take_flags()
    emulator.punch(1000, datetime(2026, 11, 23, 8, 59, 1))
    emulator.punch(4294967301, datetime(2026, 11, 23, 18, 2, 3), verify=8, state=0x81, work_code=5)
    return emulator


@asynccontextmanager
async def client(emulator: AnvizTerminal) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    await emulator.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await emulator.stop()


async def test_the_worked_example_is_answered_byte_for_byte() -> None:
    pairs = [(bytes.fromhex(LINES[n][1:]), bytes.fromhex(LINES[n + 1][1:])) for n in (0, 2, 4, 6)]
    async with client(terminal()) as (reader, writer):
        for request, answer in pairs:
            writer.write(request)
            assert (await reader.readexactly(len(answer))).hex() == answer.hex()


async def test_the_push_of_the_worked_example_comes_unasked() -> None:
    emulator = terminal()
    async with client(emulator) as (reader, writer):
        writer.write(bytes.fromhex(LINES[0][1:]))
        await reader.readexactly(len(bytes.fromhex(LINES[1][1:])))
        emulator.punch(1000, datetime(2026, 11, 23, 8, 59, 1))
        push = bytes.fromhex(LINES[-1][1:])
        assert (await reader.readexactly(len(push))).hex() == push.hex()


async def test_a_request_with_a_wrong_crc_gets_no_answer() -> None:
    request = bytes.fromhex(LINES[6][1:])
    async with client(terminal()) as (reader, writer):
        writer.write(request[:-1] + b"\0" + request)
        answer = bytes.fromhex(LINES[7][1:])
        assert await reader.readexactly(len(answer)) == answer
        assert not reader._buffer  # type: ignore[attr-defined]  # one answer for two requests


async def test_flags_are_taken_off_the_first_of_the_new_and_the_log_stays() -> None:
    emulator = terminal()
    async with client(emulator) as (reader, writer):
        writer.write(bytes.fromhex(LINES[4][1:]))
        await reader.readexactly(len(bytes.fromhex(LINES[5][1:])))
    assert (emulator.new, len(emulator.log)) == (0, 1234)


async def test_a_second_client_is_turned_away() -> None:
    emulator = terminal()
    async with client(emulator) as (reader, writer):
        writer.write(bytes.fromhex(LINES[6][1:]))
        await reader.readexactly(len(bytes.fromhex(LINES[7][1:])))
        second, other = await asyncio.open_connection("127.0.0.1", emulator.port)
        assert await second.read() == b""
        other.close()
