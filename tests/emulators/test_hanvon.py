"""The emulator speaks the text of the protocol page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from emulators.hanvon import HanvonTerminal, HanvonUser

REQUEST = b'GetRecord(start_time="2026-11-23 0:0:0" end_time="2026-11-23 23:59:59")'


@asynccontextmanager
async def client(emulator: HanvonTerminal) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    await emulator.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await emulator.stop()


def terminal(key: str = "") -> HanvonTerminal:
    people = [HanvonUser("1000", "WANG WEI"), HanvonUser("1001", "LI (B)")]
    emulator = HanvonTerminal("6710000000000001", users=people, key=key, padded=True, row_kind=None)
    emulator.punch("1000", datetime(2026, 11, 22, 8, 59, 1))
    emulator.punch("1000", datetime(2026, 11, 23, 8, 59, 1))
    emulator.punch("1001", datetime(2026, 11, 23, 18, 2, 3), state=2)
    return emulator


@pytest.mark.parametrize("end", [b"", b"\r\n"])
async def test_the_rows_of_the_worked_example_come_after_a_wait(end: bytes) -> None:
    emulator = terminal()
    emulator.faults.wait = 1
    async with client(emulator) as (reader, writer):
        writer.write(REQUEST + end)
        assert await reader.readuntil(b")") == b'Wait(wait_time="1")'
        rows = (await reader.readuntil(b'")')).decode().split("\r\n")
    assert rows[0].startswith('Return(result="success" dev_id="6710000000000001" total="')
    assert rows[1].startswith('time="2026-11-23 08:59:01" id="1000" name="WANG WEI" workcode="0" status="1"')
    assert rows[2].startswith('time="2026-11-23 18:02:03" id="1001" name="LI (B)" workcode="0" status="2"')
    assert len(rows) == 3


async def test_the_enciphered_request_of_the_page_is_understood() -> None:
    emulator = terminal(key="2026")
    async with client(emulator) as (reader, writer):
        writer.write(bytes.fromhex("75 54 40 77 49 53 7f 13 7c 19 1d"))
        answer = await reader.read(65536)
    assert emulator.requests == ["GetMAC_SN()"]
    key = bytes.fromhex("32 31 34 3A 08 10 20 40")
    clear = bytes(byte ^ key[n % 8] for n, byte in enumerate(answer))
    assert clear == b'Return(result="success" mac="00:0E:E3:01:02:03" sn="6710000000000001")'


async def test_a_second_client_is_turned_away() -> None:
    emulator = terminal()
    async with client(emulator) as (reader, writer):
        writer.write(b"DetectDevice()")
        assert await reader.readuntil(b")") == b'Return(result="success")'
        second, other = await asyncio.open_connection("127.0.0.1", emulator.port)
        assert await second.read() == b""
        other.close()


async def test_names_are_gbk_and_dates_have_no_leading_zeros() -> None:
    emulator = HanvonTerminal("1", users=[HanvonUser("7", "王伟")])
    emulator.punch("7", datetime(2009, 1, 10, 8, 5, 1))
    async with client(emulator) as (reader, writer):
        writer.write(b"GetRecord()")
        answer = await reader.readuntil(b'")')
    assert 'time="2009-1-10 8:5:1" id="7" name="王伟"'.encode("gbk") in answer
