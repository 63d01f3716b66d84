"""The emulated network, packet and keyboard scanners, read without any of our drivers."""

import asyncio
import struct
from pathlib import Path

import serial

from emulators.scanner_hid import HidScanner
from emulators.scanner_ssi import SsiScanner
from emulators.scanner_tcp import TcpScanner

ACK = bytes.fromhex("04D00400FF28")
"""CMD_ACK of the host, as in the vendor's manual."""


async def test_a_network_scanner_sends_codes_to_whoever_connects() -> None:
    scanner = TcpScanner(aim="]C0")
    await scanner.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", scanner.port)
    await scanner.scan("YT1")
    assert await reader.readexactly(7) == b"]C0YT1\r"
    assert scanner.emitted == 1
    writer.close()
    await scanner.stop()


async def test_a_packet_scanner_repeats_until_it_is_acknowledged(tmp_path: Path) -> None:
    scanner = SsiScanner(tmp_path / "line", repeat_s=0.1)
    await scanner.start()
    scanning = asyncio.create_task(scanner.scan("YT1"))
    with serial.Serial(scanner.device, 9600, timeout=5) as line:
        first = await asyncio.to_thread(line.read, 10)
        again = await asyncio.to_thread(line.read, 10)
        line.write(ACK)
        await scanning
    assert first[:8] == bytes.fromhex("08F3000003595431")
    assert sum(first[:8]) + int.from_bytes(first[8:], "big") == 0x10000
    assert again[3] == 1, "the retransmit bit"
    assert (scanner.emitted, scanner.acknowledged) == (1, 1)
    await scanner.stop()


async def test_a_keyboard_scanner_writes_the_kernels_events(tmp_path: Path) -> None:
    scanner = HidScanner(tmp_path / "events")
    await scanner.start()
    scanner.scan("a1")
    events = struct.iter_unpack("@llHHi", await asyncio.to_thread(Path(scanner.device).read_bytes))
    keys = [(code, value) for _, _, kind, code, value in events if kind == 1]
    assert keys == [(30, 1), (30, 0), (2, 1), (2, 0), (28, 1), (28, 0)], "KEY_A, KEY_1, KEY_ENTER"
    await scanner.stop()
