"""The emulated scanner, read by plain pyserial."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest
import serial

from emulators.scanner_serial import SerialScanner

AT = datetime(2026, 11, 23, 8, 59, 1)


async def read(line: serial.Serial, size: int) -> bytes:
    data: bytes = await asyncio.to_thread(line.read, size)
    return data


@pytest.fixture
async def scanner(tmp_path: Path) -> SerialScanner:
    scanner = SerialScanner(link=tmp_path / "scanner")
    await scanner.start()
    return scanner


async def test_nothing_is_sent_until_somebody_opens_the_line(scanner: SerialScanner) -> None:
    sending = asyncio.create_task(scanner.scan("YT1"))
    done, _ = await asyncio.wait([sending], timeout=0.1)
    assert not done
    with serial.Serial(scanner.device, 9600, timeout=5) as line:
        await sending
        assert await read(line, 4) == b"YT1\r"
    assert scanner.emitted == 1


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        ({}, b"YT1\r"),
        ({"suffix": b"\r\n"}, b"YT1\r\n"),
        ({"suffix": b"\t", "prefix": b"\x02"}, b"\x02YT1\t"),
        ({"suffix": b"", "aim": "]C0"}, b"]C0YT1"),
    ],
)
def test_a_read_is_framed_as_set_up(how: dict[str, bytes], sent: bytes) -> None:
    assert SerialScanner(**how).frame(b"YT1") == sent  # type: ignore[arg-type]


async def test_a_batch_larger_than_the_line_waits_for_its_reader(scanner: SerialScanner) -> None:
    lines = b"".join(b"%d,YT%d,2026-11-23 08:59:01\r" % (n + 1, n) for n in range(1000))
    sending = asyncio.create_task(scanner.batch((f"YT{n}", AT) for n in range(1000)))
    with serial.Serial(scanner.device, 9600, timeout=10) as line:
        assert await read(line, len(lines)) == lines
        await sending
        again = asyncio.create_task(scanner.send_batch())
        assert await read(line, len(lines)) == lines
        await again
    assert scanner.emitted == 1000


async def test_an_unnumbered_batch_has_code_and_time_only(tmp_path: Path) -> None:
    scanner = SerialScanner(numbered=False, link=tmp_path / "scanner")
    scanner.keep("YT1", AT)
    assert scanner.batch_file == [b"YT1,2026-11-23 08:59:01"]


async def test_an_unplugged_line_ends_for_its_reader_and_comes_back(scanner: SerialScanner) -> None:
    with serial.Serial(scanner.device, 9600, timeout=5) as line:
        scanner.unplug()
        with pytest.raises(serial.SerialException):
            await read(line, 1)
    assert not await asyncio.to_thread(Path(scanner.device).exists)
    scanner.plug()
    with serial.Serial(scanner.device, 9600, timeout=5) as line:
        await scanner.scan("YT2")
        assert await read(line, 4) == b"YT2\r"


async def test_noise_of_one_seed_is_the_same_and_holds_no_suffix(tmp_path: Path) -> None:
    sent = []
    for name in ("a", "b"):
        scanner = SerialScanner(link=tmp_path / name, seed=7)
        await scanner.start()
        with serial.Serial(scanner.device, 9600, timeout=5) as line:
            await scanner.noise(30)
            sent.append(await read(line, 31))
        await scanner.stop()
    assert sent[0] == sent[1]
    assert sent[0].index(b"\r") == 30
