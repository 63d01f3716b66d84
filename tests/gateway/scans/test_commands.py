"""Command barcodes: what a sheet says, and for how long."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import TerminalConfig
from gateway.scans.commands import OPERATOR_MS, Orders, SetKind, SetOperator, command_of
from gateway.scans.frames import Frame, Read
from gateway.scans.station import Desk, decode_reads, station_of
from shared.clock import from_ms
from shared.errors import DataError
from shared.scan import Damaged, Scan, ScanKind
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal

PAGE = (Path(__file__).parents[3] / "docs/howto/command-barcodes.md").read_text(encoding="utf-8")


def desk(clock: TurnedClock, **settings: object) -> Desk:
    config = TerminalConfig(name="desk", profile="zebra/serial", kind="returned", **settings)  # type: ignore[arg-type]
    return Desk(station_of(terminal(config)), context(RecordingSink(), clock))


def scan(one: Desk, code: str) -> Scan | None:
    events = one.events_of([Frame(code.encode())])
    assert all(isinstance(event, Scan) for event in events)
    return next((event for event in events if isinstance(event, Scan)), None)


@pytest.mark.parametrize(
    ("code", "command"),
    [
        ("MUSTER:KIND:damaged", SetKind(ScanKind.DAMAGED)),
        ("muster:kind:OUT_FOR_DELIVERY", SetKind(ScanKind.OUT_FOR_DELIVERY)),
        ("MUSTER:KIND:station", SetKind(None)),
        ("MUSTER:OPERATOR:17", SetOperator("17")),
        ("MUSTER:OPERATOR:李雷", SetOperator("李雷")),
        ("MUSTER:OPERATOR:", SetOperator(None)),
        ("YT1234567890123", None),
        ("MUSTERKIND", None),
    ],
)
def test_a_sheet_says(code: str, command: object) -> None:
    assert command_of(code) == command


@pytest.mark.parametrize("code", ["MUSTER:", "MUSTER:KIND:broken", "MUSTER:KIND", "MUSTER:OPERATOR", "MUSTER:X:1"])
def test_a_command_that_does_not_exist_is_a_data_error(code: str) -> None:
    with pytest.raises(DataError):
        command_of(code)


def test_the_page_lists_commands_that_exist() -> None:
    texts = re.findall(r"`(MUSTER:[^`]+:[^`]*)`", PAGE)
    assert len(texts) >= 5
    for text in texts:
        assert command_of(text) is not None
    for kind in set(ScanKind) - {ScanKind.UNKNOWN}:
        assert kind.name.lower() in PAGE


def test_the_next_scans_are_damaged_for_a_minute() -> None:
    clock = TurnedClock()
    one = desk(clock)
    assert scan(one, "MUSTER:KIND:damaged") is None
    kinds = []
    for _ in range(4):
        found = scan(one, "YT1")
        assert found is not None
        kinds.append(found.kind)
        clock.advance(20_000)
    assert kinds == [ScanKind.DAMAGED, ScanKind.DAMAGED, ScanKind.DAMAGED, ScanKind.RETURNED]


def test_a_number_of_scans_is_enough_too() -> None:
    one = desk(TurnedClock(), command_scans=1)
    scan(one, "MUSTER:KIND:damaged")
    assert [scan(one, f"YT{n}").kind for n in range(2)] == [ScanKind.DAMAGED, ScanKind.RETURNED]  # type: ignore[union-attr]


def test_without_limit_a_kind_lasts_until_the_station_sheet() -> None:
    clock = TurnedClock()
    one = desk(clock, command_s=0)
    scan(one, "MUSTER:KIND:damaged")
    clock.advance(86_400_000)
    assert scan(one, "YT1").kind is ScanKind.DAMAGED  # type: ignore[union-attr]
    scan(one, "MUSTER:KIND:station")
    assert scan(one, "YT1").kind is ScanKind.RETURNED  # type: ignore[union-attr]


def test_an_operator_logs_on_and_off_and_is_forgotten_by_the_next_shift() -> None:
    clock = TurnedClock()
    one = desk(clock)
    scan(one, "MUSTER:OPERATOR:17")
    assert scan(one, "YT1").operator == "17"  # type: ignore[union-attr]
    scan(one, "MUSTER:OPERATOR:")
    assert scan(one, "YT1").operator is None  # type: ignore[union-attr]
    scan(one, "MUSTER:OPERATOR:18")
    clock.advance(OPERATOR_MS)
    assert scan(one, "YT1").operator is None  # type: ignore[union-attr]


def test_a_wrong_command_is_kept_as_damaged_and_shown() -> None:
    one = desk(TurnedClock())
    (event,) = one.events_of([Frame(b"MUSTER:KIND:broken")])
    assert event == Damaged("desk", "bad_command", b"MUSTER:KIND:broken", NOW_MS, 77)
    assert one.station.terminal.state.problem == "bad_command"


def test_in_a_batch_the_scanners_own_time_counts() -> None:
    one = desk(TurnedClock())
    start = from_ms(NOW_MS).replace(tzinfo=None)
    walls = [start, start.replace(second=30), start.replace(minute=start.minute - 5)]
    reads = [Read("MUSTER:KIND:damaged", wall=start), *(Read("YT1", wall=wall) for wall in walls[1:])]
    late = Read("YT1", wall=start.replace(hour=start.hour + 1))
    kinds = [event.kind for event in one.events([*reads, late]) if isinstance(event, Scan)]
    assert kinds[0] is ScanKind.DAMAGED
    assert kinds[-1] is ScanKind.RETURNED


def test_a_capture_shows_its_commands() -> None:
    one = terminal(TerminalConfig(name="x", profile="zebra/serial"))
    zone = desk(TurnedClock()).station.zone
    reads = [Read("MUSTER:KIND:damaged"), Read("YT1"), Read("MUSTER:NO")]
    decoded = decode_reads("reads", reads, one.profile, zone, "S1")
    assert [(e.code, e.kind) for e in decoded.events if isinstance(e, Scan)] == [("YT1", ScanKind.DAMAGED)]
    assert [fact.code for fact in decoded.health] == ["command"]
    assert [problem.code for problem in decoded.problems] == ["bad_command"]


@given(st.text(max_size=120), st.integers(0, 10**13))
def test_any_text_is_a_command_a_parcel_or_a_data_error(text: str, now: int) -> None:
    orders = Orders(ScanKind.LOAD, 60_000, 0)
    try:
        command = command_of(text)
    except DataError:
        return
    if command is not None:
        orders.take(command, now)
    orders.next(now)
