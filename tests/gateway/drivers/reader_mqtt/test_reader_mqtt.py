"""Publishing RFID readers: messages of the protocol page, and a real broker in between."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from gateway.config import AntennaConfig, TerminalConfig
from gateway.driver import Terminal
from gateway.drivers.reader_mqtt.codec import Tag, tags_of
from gateway.drivers.reader_mqtt.driver import DRIVER
from gateway.profile import device_zone, load_profile
from gateway.scans import station
from gateway.scans.frames import Noise
from gateway.supervisor import supervise
from shared.errors import ConfigError, DataError
from shared.scan import Scan, ScanKind
from tests.support.mosquitto import Mosquitto
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

PROFILE = "zebra/fx9600-iot"
EPC = "3035a537c8377540000003e9"
ZEBRA = (
    '{"data":{"eventNum":1,"format":"epc","idHex":"3035a537c8377540000003e9","antenna":1,"peakRssi":-47,"reads":3,'
    '"channel":911.25},"timestamp":"2026-11-23T00:59:01.123+0000","type":"SIMPLE"}'
)
IMPINJ = (
    '[{"timestamp":"2026-11-23T00:59:01Z","eventType":"tagInventory","tagInventoryEvent":{"epc":"MDWlN8g3dUAAAAPp",'
    '"epcHex":"3035A537C8377540000003E9","antennaPort":1,"peakRssiCdbm":-5400}}]'
)
AT = datetime(2026, 11, 23, 0, 59, 1, 123000, tzinfo=UTC)


def test_the_message_of_the_page() -> None:
    assert tags_of(ZEBRA.encode()) == [Tag(EPC, 1, AT, 1)]


def test_an_array_of_them() -> None:
    assert tags_of(f"[{ZEBRA}, {ZEBRA}]".encode()) == [Tag(EPC, 1, AT, 1)] * 2


def test_the_impinj_message_of_the_page() -> None:
    assert tags_of(IMPINJ.encode()) == [Tag(EPC, 1, AT.replace(microsecond=0))]


def test_status_messages_say_nothing() -> None:
    assert tags_of(b'{"type":"heartbeat","data":{"cpu":3}}') == []
    assert tags_of(b'[{"eventType":"inventoryStatus"}]') == []


def test_a_bad_tag_does_not_keep_back_the_others() -> None:
    bad = ['{"data":{"idHex":"xyz"}}', "7", ZEBRA.replace("2026-11-23", "2026-13-23"), ZEBRA.replace("+0000", "")]
    found = tags_of(f"[{','.join([*bad, ZEBRA])}]".encode())
    assert [one.reason if isinstance(one, Noise) else one.epc for one in found] == [
        "bad_tag",
        "bad_tag",
        "bad_time",
        "bad_time",
        EPC,
    ]


def fuzz(count: int) -> None:
    chance = random.Random(20261123)
    for _ in range(count):
        data = bytearray(chance.choice((ZEBRA, IMPINJ)).encode())
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        try:
            assert all(isinstance(one, Tag | Noise) for one in tags_of(bytes(data)))
        except DataError:
            continue


def test_sec33_ten_thousand_inputs() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_a_hundred_thousand_inputs() -> None:
    fuzz(100_000)


class Gate:
    """A reader that publishes, its broker and the driver."""

    def __init__(self, broker: Mosquitto, **settings: object) -> None:
        config = TerminalConfig(
            name="gate",
            profile=PROFILE,
            host="127.0.0.1",
            port=broker.port,
            topic="fx/tags",
            antennas={"1": AntennaConfig(station="dock 1", kind="inbound")},
            **settings,  # type: ignore[arg-type]
        )
        self.broker, self.sink = broker, RecordingSink()
        self.terminal: Terminal = terminal(config)
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        (task,) = DRIVER.tasks([self.terminal], context(self.sink, TurnedClock()))
        self._running = asyncio.create_task(supervise([task]))

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def publish(self, *payloads: str | bytes) -> None:
        async with aiomqtt.Client("127.0.0.1", self.broker.port) as reader:
            for payload in payloads:
                await reader.publish("fx/tags", payload, qos=1)


@pytest.fixture
async def gate(mosquitto: Mosquitto) -> AsyncIterator[Gate]:
    one = Gate(mosquitto)
    one.start()
    await until(lambda: one.terminal.state.state == "online")
    yield one
    await one.stop()


def event(number: int, second: int, antenna: int = 1) -> str:
    message = json.loads(ZEBRA)
    message["data"].update(eventNum=number, antenna=antenna)
    message["timestamp"] = f"2026-11-23T00:59:{second:02}.000+0000"
    return json.dumps(message)


async def test_a_stay_at_an_antenna_is_one_scan_of_its_dock(gate: Gate) -> None:
    await gate.publish(event(1, 1), event(2, 3), event(3, 5), event(4, 20), event(5, 20, antenna=2))
    await until(lambda: len(gate.sink.scans) == 3)
    assert [(s.station, s.code, s.kind, s.native_seq) for s in gate.sink.scans] == [
        ("dock 1", EPC, ScanKind.INBOUND, 1),
        ("dock 1", EPC, ScanKind.INBOUND, 4),
        ("gate", EPC, ScanKind.UNKNOWN, 5),
    ]


async def test_garbage_is_kept_as_damaged_and_the_next_message_counts(gate: Gate) -> None:
    await gate.publish(b"\xff\x00", event(1, 1))
    await until(lambda: len(gate.sink.scans) == 1)
    assert [one.reason for one in gate.sink.damaged] == ["bad_json"]


async def test_rel01_cursor_after_commit(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that dies before the commit gets the message again: the broker has no confirmation."""
    monkeypatch.setattr(station, "LOOK_S", 0.02)
    gate.sink.refusing = True
    await gate.publish(event(1, 1))
    await until(lambda: gate.sink.refused > 2)
    await gate.stop()
    gate.sink.refusing = False
    gate.start()
    await until(lambda: [scan.native_seq for scan in gate.sink.scans] == [1])
    await gate.stop()
    gate.start()
    await gate.publish(event(2, 30))
    await until(lambda: len(gate.sink.scans) == 2)
    assert gate.sink.repeats == 0, "confirmed after the commit, so it did not come a third time"


async def test_what_is_published_while_the_gateway_is_away_comes_later(gate: Gate) -> None:
    await gate.stop()
    await gate.publish(event(1, 1))
    gate.start()
    await until(lambda: len(gate.sink.scans) == 1)


async def test_a_broker_that_goes_away_is_shown_and_found_again(gate: Gate) -> None:
    gate.broker.stop()
    await until(lambda: gate.terminal.state.problem == "no_contact")
    gate.broker.start()
    await until(lambda: gate.terminal.state.state == "online")
    await gate.publish(event(1, 1))
    await until(lambda: len(gate.sink.scans) == 1)


async def test_a_refused_account_is_parked(start_broker_process: Callable[[str], Mosquitto], tmp_path: Path) -> None:
    account = tmp_path / "account"
    account.write_text("gate:secret-password")
    one = Gate(start_broker_process("allow_anonymous false"), key_file=account)
    (task,) = DRIVER.tasks([one.terminal], context(one.sink, TurnedClock()))
    with pytest.raises(ConfigError, match="key_file") as error:
        await task.run()
    assert "secret" not in str(error.value)


def test_settings_that_can_not_work_are_named(tmp_path: Path) -> None:
    account = tmp_path / "account"
    account.write_text("nothing")
    for settings in ({"host": "127.0.0.1"}, {"topic": "x"}, {"host": "h", "topic": "x", "key_file": account}):
        config = TerminalConfig(name="x", profile=PROFILE, **settings)
        with pytest.raises(ConfigError):
            DRIVER.tasks([terminal(config)], context(RecordingSink(), TurnedClock()))


def test_a_captured_message_is_decoded() -> None:
    profile = load_profile(PROFILE)
    (decoded,) = DRIVER.decode(ZEBRA.encode(), profile, device_zone(profile, None, "Asia/Shanghai"), "gate")
    (scan,) = decoded.events
    assert isinstance(scan, Scan)
    assert (scan.code, scan.native_seq) == (EPC, 1)
