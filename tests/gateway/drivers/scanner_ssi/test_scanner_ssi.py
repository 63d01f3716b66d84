"""SSI packets, and a scanner that waits for its acknowledgement."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.scanner_ssi import SsiScanner
from gateway.config import TerminalConfig
from gateway.driver import Terminal
from gateway.drivers.scanner_ssi.codec import ACK, HOST, Packet, PacketDecoder, checksum, encode, symbology_of
from gateway.drivers.scanner_ssi.driver import DRIVER
from gateway.profile import device_zone, load_profile
from gateway.scans import station
from gateway.scans.frames import Noise
from shared.errors import ConfigError
from shared.scan import Scan
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

PROFILE = "zebra/ssi"


def cut(stream: bytes, step: int = 0) -> list[Packet | Noise]:
    decoder = PacketDecoder()
    chunks = [stream[n : n + step] for n in range(0, len(stream), step)] if step else [stream]
    return [*(piece for chunk in chunks for piece in decoder.feed(chunk)), *decoder.silence()]


def test_the_acknowledgement_of_the_vendors_manual() -> None:
    """CMD_ACK of the SSI programmer's guide: 04 D0 04 00 FF 28."""
    assert encode(Packet(ACK, 0, b"", HOST)) == bytes.fromhex("04D00400FF28")


def test_the_checksum_is_the_twos_complement_of_the_sum() -> None:
    body = bytes.fromhex("07F3000003414243")
    assert (sum(body) + int.from_bytes(checksum(body), "big")) & 0xFFFF == 0


@pytest.mark.parametrize(
    ("code_type", "aim"), [(0x01, "]A0"), (0x03, "]C0"), (0x0B, "]E0"), (0x0F, "]C1"), (0x1C, "]Q1"), (0x2E, "ssi:2E")]
)
def test_code_types_of_the_page_become_identifiers(code_type: int, aim: str) -> None:
    assert symbology_of(code_type) == aim


@given(st.lists(st.binary(max_size=251), max_size=5), st.integers(1, 300))
def test_any_cutting_yields_the_same_packets(bodies: list[bytes], step: int) -> None:
    packets = [Packet(0xF3, 0, body) for body in bodies]
    assert cut(b"".join(map(encode, packets)), step) == packets


def test_a_packet_behind_garbage_is_found() -> None:
    packet = Packet(0xF3, 0, b"\x03YT1")
    assert cut(b"\xff\x00\x01" + encode(packet)) == [Noise("noise", b"\xff\x00\x01"), packet]


@given(st.binary(min_size=1, max_size=40), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_noticed(body: bytes, place: int, change: int) -> None:
    packet = Packet(0xF3, 0, body)
    stream = bytearray(encode(packet))
    stream[place % len(stream)] ^= change
    assert packet not in cut(bytes(stream))


def fuzz(count: int) -> None:
    chance = random.Random(20261123)
    for _ in range(count):
        stream = chance.randbytes(chance.randrange(80))
        pieces = cut(stream, chance.randrange(1, 40))
        size = sum(len(p.raw) if isinstance(p, Noise) else len(encode(p)) for p in pieces)
        assert size == len(stream), "no byte is lost, none is made up"


def test_sec33_ten_thousand_inputs() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_a_hundred_thousand_inputs() -> None:
    fuzz(100_000)


class Dock:
    def __init__(self, scanner: SsiScanner, one: Terminal, sink: RecordingSink) -> None:
        self.scanner, self.terminal, self.sink = scanner, one, sink


@pytest.fixture
async def dock(tmp_path: Path) -> AsyncIterator[Dock]:
    scanner, sink = SsiScanner(tmp_path / "line", repeat_s=0.3), RecordingSink()
    await scanner.start()
    one = terminal(TerminalConfig(name="dock", profile=PROFILE, device=scanner.device))
    (task,) = DRIVER.tasks([one], context(sink, TurnedClock()))
    running: asyncio.Task[None] = asyncio.create_task(task.run())  # type: ignore[arg-type]  # a coroutine, as the supervisor has it
    yield Dock(scanner, one, sink)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await scanner.stop()


async def test_a_read_is_acknowledged(dock: Dock) -> None:
    await dock.scanner.scan("0690123456789", 0x0B)
    assert [(scan.code, scan.symbology) for scan in dock.sink.scans] == [("0690123456789", "]E0")]
    assert dock.scanner.acknowledged == 1


async def test_rel01_cursor_after_commit(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    dock.sink.refusing = True
    scanning = asyncio.create_task(dock.scanner.scan("YT1"))
    await until(lambda: dock.sink.refused > 2 and dock.scanner.repeated > 0)
    assert dock.scanner.acknowledged == 0
    dock.sink.refusing = False
    await scanning
    await dock.scanner.scan("YT2")
    await until(lambda: len(dock.sink.scans) >= 2)  # a late answer to a repetition may have ended this scan early
    assert [scan.code for scan in dock.sink.scans] == ["YT1", "YT2"]


async def test_a_lost_acknowledgement_does_not_double_the_read(dock: Dock) -> None:
    dock.scanner.deaf_to = 1
    await dock.scanner.scan("YT1")
    assert dock.scanner.repeated == 1
    await dock.scanner.scan("YT1")
    assert [scan.code for scan in dock.sink.scans] == ["YT1", "YT1"], "two parcels may carry one code"


async def test_f20_a_damaged_packet_is_asked_for_again(dock: Dock) -> None:
    dock.scanner.spoil_next = True
    await dock.scanner.scan("YT1")
    assert [scan.code for scan in dock.sink.scans] == ["YT1"]
    assert [event.reason for event in dock.sink.damaged][:1] == ["noise"]


async def test_a_message_of_several_packets_is_kept_as_damaged(dock: Dock) -> None:
    dock.scanner.send(dock.scanner.packet(0xF3, 2, b"\x1chalf of a long code"))
    await until(lambda: bool(dock.sink.damaged))
    assert dock.sink.damaged[0].reason == "bad_packet"
    assert dock.sink.scans == []


def test_a_device_must_be_set() -> None:
    with pytest.raises(ConfigError, match="device"):
        DRIVER.tasks([terminal(TerminalConfig(name="x", profile=PROFILE))], context(RecordingSink(), TurnedClock()))


def test_a_capture_is_decoded() -> None:
    profile = load_profile(PROFILE)
    data = encode(Packet(0xF3, 0, b"\x03YT1")) + encode(Packet(0xF3, 1, b"\x03YT1"))
    (decoded,) = DRIVER.decode(data, profile, device_zone(profile, None, "Asia/Shanghai"), "dock")
    assert [event.code for event in decoded.events if isinstance(event, Scan)] == ["YT1"]
