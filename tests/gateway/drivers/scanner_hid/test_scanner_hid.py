"""Keyboard scanners: raw events to reads, and a file of them into the outbox."""

import asyncio
import os
import random
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.scanner_hid import HidScanner
from gateway.config import TerminalConfig
from gateway.drivers.scanner_hid.codec import EVENT, KeyDecoder
from gateway.drivers.scanner_hid.driver import DRIVER
from gateway.profile import device_zone, load_profile
from gateway.scans import station
from gateway.scans.frames import Frame, Noise, Piece
from shared.errors import ConfigError, DataError
from shared.scan import Scan
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

PRINTABLE = "".join(chr(n) for n in range(32, 127))
PROFILE = "zebra/hid"


def keys(*strokes: tuple[int, int]) -> bytes:
    return b"".join(EVENT.pack(1, 0, 1, code, value) + EVENT.pack(1, 0, 0, 0, 0) for code, value in strokes)


def press(*codes: int) -> bytes:
    return keys(*((code, value) for code in codes for value in (1, 0)))


def read(events: bytes, step: int = 0) -> list[Piece]:
    decoder = KeyDecoder()
    chunks: Iterable[bytes] = (events[n : n + step] for n in range(0, len(events), step)) if step else [events]
    return [piece for chunk in chunks for piece in decoder.feed(chunk)]


def test_codes_of_the_kernel_spell_a_waybill() -> None:
    """Codes as in linux/input-event-codes.h: KEY_Y 21, KEY_T 20, KEY_1 2, KEY_LEFTSHIFT 42, KEY_ENTER 28."""
    events = keys((42, 1)) + press(21, 20) + keys((42, 0)) + press(2, 28)
    assert read(events) == [Frame(b"YT1")]


@pytest.mark.parametrize("end", [28, 96, 15])
def test_enter_and_tab_end_a_read(end: int) -> None:
    assert read(press(30, end, end)) == [Frame(b"a")]


@pytest.mark.parametrize(
    "gs",
    [keys((29, 1)) + press(27) + keys((29, 0)), press(66), keys((56, 1)) + press(82, 80, 73) + keys((56, 0))],
    ids=["ctrl+]", "F8", "alt+029"],
)
def test_gs_is_understood_however_it_is_typed(gs: bytes) -> None:
    assert read(press(2) + gs + press(3, 28)) == [Frame(b"1\x1d2")]


def test_caps_lock_turns_letters_only() -> None:
    assert read(press(58, 30, 2) + keys((42, 1)) + press(30) + keys((42, 0)) + press(58, 30, 28)) == [Frame(b"A1aa")]


def test_a_held_key_does_not_repeat() -> None:
    assert read(keys((30, 1), (30, 2), (30, 2), (30, 0)) + press(28)) == [Frame(b"a")]


def test_an_unknown_key_makes_the_read_damaged_instead_of_wrong() -> None:
    assert read(press(30, 113, 48, 28) + press(30, 28)) == [Noise("unknown_key", b"ab"), Frame(b"a")]


def test_events_that_the_kernel_dropped_make_the_read_damaged() -> None:
    assert read(press(30) + EVENT.pack(1, 0, 0, 3, 0) + press(48, 28)) == [Noise("dropped", b"ab")]


def test_an_unfinished_read_is_not_glued_to_the_next() -> None:
    decoder = KeyDecoder()
    assert list(decoder.feed(press(30))) == []
    assert decoder.waiting
    assert list(decoder.silence()) == [Noise("unfinished", b"a")]
    assert list(decoder.feed(press(48, 28))) == [Frame(b"b")]


def test_endless_keys_end_in_bounded_pieces() -> None:
    pieces = read(press(30) * 5000 + press(28))
    assert [(piece.reason, len(piece.raw)) for piece in pieces if isinstance(piece, Noise)] == [
        ("too_long", 4096),
        ("too_long", 904),
    ]


@given(st.text(PRINTABLE + "\x1d", min_size=1, max_size=40), st.integers(1, 100))
def test_any_code_comes_back_however_it_is_cut(code: str, step: int) -> None:
    scanner = HidScanner(Path("unused"))
    events = b"".join(map(scanner.type, code)) + scanner.stroke(28)
    assert read(events, step) == [Frame(code.encode())]


def fuzz(count: int) -> None:
    chance = random.Random(20261123)
    for _ in range(count):
        decoder = KeyDecoder()
        size = chance.randrange(1, 20)
        events = b"".join(
            EVENT.pack(0, 0, chance.choice((0, 1, 4)), chance.randrange(130), chance.choice((0, 1, 2)))
            for _ in range(size)
        )
        for piece in (*decoder.feed(events + chance.randbytes(chance.randrange(60))), *decoder.silence()):
            assert len(piece.raw) <= 4096 * 4


def test_sec33_ten_thousand_inputs() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_a_hundred_thousand_inputs() -> None:
    fuzz(100_000)


async def test_a_file_of_events_becomes_scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    scanner, sink = HidScanner(tmp_path / "events"), RecordingSink()
    one = terminal(TerminalConfig(name="desk", profile=PROFILE, device=scanner.device))
    (task,) = DRIVER.tasks([one], context(sink, TurnedClock()))
    running: asyncio.Task[None] = asyncio.create_task(task.run())  # type: ignore[arg-type]  # a coroutine, as the supervisor has it
    await until(lambda: one.state.problem == "port_missing")
    await scanner.start()
    scanner.scan("010690123456789210L7\x1d15261231")
    scanner.scan("YT1234567890123")
    await until(lambda: len(sink.scans) == scanner.emitted)
    assert [scan.code for scan in sink.scans] == ["010690123456789210L7\x1d15261231", "YT1234567890123"]
    assert one.state.state == "online"
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_rel01_cursor_after_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    os.mkfifo(tmp_path / "pipe")
    scanner, sink = HidScanner(tmp_path / "pipe"), RecordingSink(refusing=True)
    one = terminal(TerminalConfig(name="desk", profile=PROFILE, device=scanner.device))
    (task,) = DRIVER.tasks([one], context(sink, TurnedClock()))
    running: asyncio.Task[None] = asyncio.create_task(task.run())  # type: ignore[arg-type]
    await until(lambda: one.state.state == "online")
    scanner.scan("YT1")
    await until(lambda: sink.refused > 2)
    sink.refusing = False
    await until(lambda: [scan.code for scan in sink.scans] == ["YT1"])
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_real_device_needs_evdev(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "evdev", None)
    one = terminal(TerminalConfig(name="desk", profile=PROFILE, device="/dev/null"))
    (task,) = DRIVER.tasks([one], context(RecordingSink(), TurnedClock()))
    with pytest.raises(ConfigError, match="hid"):
        await task.run()


def test_a_device_must_be_set() -> None:
    with pytest.raises(ConfigError, match="device"):
        DRIVER.tasks([terminal(TerminalConfig(name="x", profile=PROFILE))], context(RecordingSink(), TurnedClock()))


def test_captured_events_are_decoded() -> None:
    profile = load_profile(PROFILE)
    zone = device_zone(profile, None, "Asia/Shanghai")
    (decoded,) = DRIVER.decode(press(30, 28), profile, zone, "desk")
    assert [event.code for event in decoded.events if isinstance(event, Scan)] == ["a"]
    with pytest.raises(DataError):
        DRIVER.decode(b"x", profile, zone, "desk")
