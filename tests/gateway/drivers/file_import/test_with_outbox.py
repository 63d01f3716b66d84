"""Files and the real outbox: a reading that is cut off anywhere goes on, and each line is stored once."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig, TerminalConfig
from gateway.driver import DriverContext
from gateway.drivers.file_import.driver import Folder
from shared.clock import system_clocks
from shared.punch import Punch
from shared.scan import Damaged
from shared.wire import decode_event
from tests.support.recording_sink import terminal

AT = datetime(2026, 11, 23, 8, 59, 1)


async def stored(outbox: Outbox) -> tuple[list[str], list[bytes]]:
    """Users and damaged lines that the outbox holds."""
    users: list[str] = []
    damaged: list[bytes] = []
    for stream in await outbox.streams():
        first = stream.first
        while rows := await outbox.read(stream.stream, first, stream.last):
            for event in (decode_event(row.body) for row in rows):
                if isinstance(event, Punch):
                    users.append(event.user)
                elif isinstance(event, Damaged):
                    damaged.append(event.raw)
            first = rows[-1].seq + 1
    return users, damaged


async def test_rel01_a_reading_that_is_cut_off_goes_on_and_stores_each_line_once(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    lines = [f"{n}\t{AT + timedelta(seconds=n)}\t1\t0\t1\t0\n" for n in range(5000)]
    (stick / "1_attlog.dat").write_text("".join(lines) + "bad\n")
    config = TerminalConfig(name="yard", profile="zkteco/usb-attlog", folder=stick, poll_s=0.01)
    for within_s in (0.15, 0.3, 20.0):
        outbox = Outbox.open(tmp_path / "outbox", BufferConfig(), system_clocks())
        one = terminal(config)
        folder = Folder(one, DriverContext(outbox, system_clocks(), outbox.seen_ms))
        await folder.look()
        looking = asyncio.create_task(folder.look())
        await asyncio.wait([looking], timeout=within_s)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        users, damaged = await stored(outbox)
        await outbox.close()
    assert users == [str(n) for n in range(5000)]
    assert damaged == [b"1_attlog.dat:5001: bad"]
    assert one.state.problem in (None, "rejected_lines")
