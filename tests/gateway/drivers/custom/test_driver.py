"""Custom devices from the wire to the outbox, over HTTP and over a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiomqtt
import pytest

from emulators.custom import CustomDevice
from gateway.config import PushConfig, TerminalConfig
from gateway.driver import Terminal
from gateway.drivers.custom.driver import DRIVER
from gateway.drivers.custom.intake import OFFLINE_AFTER_MS, Intake
from gateway.profile import load_profile
from shared.clock import from_ms
from shared.errors import ConfigError, DataError, RetryableError
from shared.punch import Punch
from shared.scan import ScanKind
from tests.support.loopback import free_port
from tests.support.mosquitto import Mosquitto
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until

KEY = "0123456789abcdef0123456789abcdef"
AT = datetime(2026, 11, 23, 8, 59)
NOW = from_ms(NOW_MS)


class Depot:
    """A gateway's way in for custom devices, and its outbox."""

    def __init__(self, folder: Path, *names: str, profile: str = "generic/custom", port: int = 0) -> None:
        self.sink, self.clock, self.port = RecordingSink(), TurnedClock(), port or free_port()
        self.strangers: list[str] = []
        self.terminals = [self._terminal(folder, name, profile) for name in names]
        self._profile = profile

    def _terminal(self, folder: Path, name: str, profile: str) -> Terminal:
        path = folder / f"{name}.key"
        path.write_text(KEY + "\n")
        host = {"host": "127.0.0.1", "port": self.port} if profile.endswith("mqtt") else {}
        return terminal(TerminalConfig(name=name, profile=profile, key_file=path, kind="inbound", **host))  # type: ignore[arg-type]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        push = PushConfig(port=self.port) if self._profile == "generic/custom" else None
        made = context(self.sink, self.clock, push, lambda _family, serial: self.strangers.append(serial))
        (task,) = DRIVER.tasks(self.terminals, made)
        running = asyncio.create_task(_forever(task.run))  # type: ignore[arg-type]
        if push is not None:
            async with asyncio.timeout(20):
                while True:
                    with suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                        writer.close()
                        break
                    await asyncio.sleep(0.01)
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def post(self, device: CustomDevice) -> tuple[int, dict[str, Any]]:
        return await asyncio.to_thread(device.post, "127.0.0.1", self.port, from_ms(self.clock.wall_ms))


async def _forever(run: Callable[[], AsyncIterator[None]]) -> None:
    """As the supervisor does, without its delay."""
    while True:
        with suppress(RetryableError):
            await run()  # type: ignore[misc]
        await asyncio.sleep(0.05)


async def test_punches_and_scans_are_taken_and_sent_twice_are_repeats(tmp_path: Path) -> None:
    depot, device = Depot(tmp_path, "gate"), CustomDevice("gate", KEY)
    device.punch("1007", AT, direction="in", method="card")
    device.scan("SF1", AT)
    body = (list(device.punches), list(device.scans))
    async with depot.running():
        assert await depot.post(device) == (200, {"accepted": 2, "repeats": 0, "damaged": []})
        device.punches, device.scans = body
        assert await depot.post(device) == (200, {"accepted": 0, "repeats": 2, "damaged": []})
    assert [(punch.terminal, punch.user, punch.native_seq) for punch in depot.sink.punches] == [("gate", "1007", 1)]
    assert [(scan.code, scan.kind) for scan in depot.sink.scans] == [("SF1", ScanKind.INBOUND)]
    state = depot.terminals[0].state
    assert (state.state, state.problem, state.last_contact_ms) == ("online", None, NOW_MS)
    assert state.last_event_ms == NOW_MS


async def test_rel01_cursor_after_commit(tmp_path: Path) -> None:
    """No answer before the commit; a refusal is told, and what was refused comes again."""
    depot, device = Depot(tmp_path, "gate"), CustomDevice("gate", KEY)
    device.punch("1007", AT)
    async with depot.running():
        depot.sink.held = asyncio.Event()
        sending = asyncio.create_task(depot.post(device))
        await until(lambda: depot.terminals[0].state.state == "online")
        assert not sending.done()
        assert depot.sink.cursors == {}
        depot.sink.refusing = True
        depot.sink.held.set()
        status, said = await sending
        assert (status, said["code"]) == (503, "not_stored")
        assert depot.terminals[0].state.problem == "buffer_refused"
        depot.sink.refusing = False
        assert (await depot.post(device))[0] == 200
    assert depot.sink.cursors == {"custom:gate": b"1"}
    assert len(depot.sink.punches) == 1
    assert depot.terminals[0].state.problem is None


async def test_only_the_devices_own_key_is_taken(tmp_path: Path) -> None:
    depot = Depot(tmp_path, "gate")
    async with depot.running():
        for name, key in (("gate", KEY[::-1]), ("other", KEY)):
            device = CustomDevice(name, key)
            device.punch("1007", AT)
            status, said = await depot.post(device)
            assert (status, said["code"]) == (401, "not_signed")
    assert depot.sink.events == []
    assert depot.terminals[0].state.problem == "bad_signature"
    assert depot.strangers == ["other"]


@pytest.mark.parametrize("off_s", [-301, 301])
async def test_a_copy_or_a_wrong_clock_is_refused_with_the_right_time(tmp_path: Path, off_s: int) -> None:
    depot, device = Depot(tmp_path, "gate"), CustomDevice("gate", KEY, clock_offset_s=off_s)
    device.punch("1007", AT)
    async with depot.running():
        status, said = await depot.post(device)
        assert (status, said["code"], said["now"]) == (401, "stale", "2026-11-23T00:59:01+00:00")
        assert depot.terminals[0].state.problem == "clock_drift"
        device.clock_offset_s = off_s - off_s / abs(off_s) * 2
        assert (await depot.post(device))[0] == 200
    assert depot.sink.punches[0].drift_ms == round(device.clock_offset_s * 1000)
    assert depot.terminals[0].state.problem == "clock_drift", "299 s off is taken, and told"


async def test_a_bad_entry_is_kept_and_named_and_the_others_go_on(tmp_path: Path) -> None:
    depot, device = Depot(tmp_path, "gate"), CustomDevice("gate", KEY)
    device.punch("1007", AT)
    device.punch("", AT, photo="FACE-TEMPLATE")
    async with depot.running():
        status, said = await depot.post(device)
    assert (status, said["accepted"]) == (200, 2)
    (damaged,) = said["damaged"]
    assert (damaged["place"], damaged["code"]) == ("punches[1]", "bad_entry")
    assert [(one.source, one.reason) for one in depot.sink.damaged] == [("gate", "bad_entry")]
    assert b'"number":2' in depot.sink.damaged[0].raw
    assert b"FACE-TEMPLATE" not in depot.sink.raw


async def test_what_is_no_such_request_is_told_so_in_json(tmp_path: Path) -> None:
    depot = Depot(tmp_path, "gate")
    cases = (
        (b"GET /v1/events HTTP/1.1\r\n\r\n", 405, "method"),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 404, "not_found"),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", 400, "bad_json"),
        (b"POST /v1/events HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413, "too_large"),
    )
    async with depot.running():
        for request, status, code in cases:
            reader, writer = await asyncio.open_connection("127.0.0.1", depot.port)
            writer.write(request)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            writer.close()
            assert head.startswith(f"HTTP/1.1 {status} ".encode())
            assert b"application/json" in head
            assert json.loads(body)["code"] == code
    assert depot.sink.events == []


async def test_garbage_and_a_slow_drip_do_not_hold_up_the_next_device(tmp_path: Path) -> None:
    depot, device = Depot(tmp_path, "gate"), CustomDevice("gate", KEY)
    device.punch("1007", AT)
    async with depot.running():
        _, drip = await asyncio.open_connection("127.0.0.1", depot.port)
        drip.write(b"POST /v1/ev")
        _, garbage = await asyncio.open_connection("127.0.0.1", depot.port)
        garbage.write(bytes(range(256)))
        assert (await depot.post(device))[0] == 200
        drip.close()
        garbage.close()


async def test_counters_that_begin_anew_lose_nothing(tmp_path: Path) -> None:
    depot, device = Depot(tmp_path, "gate"), CustomDevice("gate", KEY, next_number=500)
    device.punch("1007", AT)
    async with depot.running():
        await depot.post(device)
        again = CustomDevice("gate", KEY)
        again.punch("1008", AT)
        assert await depot.post(again) == (200, {"accepted": 1, "repeats": 0, "damaged": []})
    assert [punch.native_seq for punch in depot.sink.punches] == [500, 1]


async def test_a_silent_device_is_offline_until_it_says_that_it_is_alive(tmp_path: Path) -> None:
    depot, device = Depot(tmp_path, "gate"), CustomDevice("gate", KEY)
    intake = Intake(depot.terminals, context(depot.sink, depot.clock))
    state = depot.terminals[0].state
    answer = await intake.take(*device.message(NOW))
    assert (answer.status, state.state) == (200, "online")
    assert depot.sink.puts == []
    depot.clock.advance(OFFLINE_AFTER_MS + 1)
    intake.notice_silence()
    assert state.state == "offline"
    await intake.take(*device.message(from_ms(depot.clock.wall_ms)))
    assert state.state == "online"


def test_settings_that_can_not_work_are_refused_without_repeating_the_key(tmp_path: Path) -> None:
    depot = Depot(tmp_path, "gate")
    bare = context(depot.sink, depot.clock)
    open_ = context(depot.sink, depot.clock, PushConfig(port=depot.port))
    with pytest.raises(ConfigError, match=r"\[push.custom\]"):
        DRIVER.tasks(depot.terminals, bare)
    with pytest.raises(ConfigError, match="listed twice"):
        DRIVER.tasks(depot.terminals * 2, open_)
    (tmp_path / "gate.key").write_text("shortkey\n")
    with pytest.raises(ConfigError, match="at least 16") as error:
        DRIVER.tasks(depot.terminals, open_)
    assert "shortkey" not in str(error.value)
    for config, said in (
        (TerminalConfig(name="a", profile="generic/custom"), "key_file"),
        (TerminalConfig(name="a", profile="generic/custom-mqtt", key_file=tmp_path / "k"), "host"),
        (TerminalConfig(name="a/b", profile="generic/custom-mqtt", host="h", key_file=tmp_path / "k"), "name"),
    ):
        with pytest.raises(ConfigError, match=said):
            DRIVER.tasks([terminal(config)], open_)


async def test_over_mqtt_what_is_not_stored_stays_with_the_broker(
    tmp_path: Path, start_broker_process: Callable[[str], Mosquitto]
) -> None:
    broker = start_broker_process("allow_anonymous true\npersistence false")
    depot = Depot(tmp_path, "gate", profile="generic/custom-mqtt", port=broker.port)
    device = CustomDevice("gate", KEY)
    device.punch("1007", AT)
    body, signature = device.message(NOW)
    depot.sink.refusing = True
    async with aiomqtt.Client("127.0.0.1", broker.port, timeout=10) as client, depot.running():
        await client.subscribe("local/gate/re", qos=1)
        async with asyncio.timeout(30):
            while not depot.sink.refused:  # until the gateway has subscribed
                await client.publish("local/gate/ev", f"{signature}\n".encode() + body, qos=1)
                await asyncio.sleep(0.05)
            depot.sink.refusing = False
            answers = []
            async for message in client.messages:
                answers.append(json.loads(bytes(message.payload)))
                if answers[-1].get("accepted") == 1:
                    break
    assert answers == [{"accepted": 1, "repeats": 0, "damaged": []}]
    assert len(depot.sink.punches) == 1


async def test_over_mqtt_a_bad_signature_is_told_and_does_not_come_again(tmp_path: Path, mosquitto: Mosquitto) -> None:
    depot = Depot(tmp_path, "gate", profile="generic/custom-mqtt", port=mosquitto.port)
    device = CustomDevice("gate", KEY)
    device.punch("1007", AT)
    body, signature = device.message(NOW)
    answers: list[dict[str, object]] = []
    async with aiomqtt.Client("127.0.0.1", mosquitto.port, timeout=10) as client, depot.running():
        await client.subscribe("local/gate/re", qos=1)

        async def hear() -> None:
            async for message in client.messages:
                answers.extend([json.loads(bytes(message.payload))])

        hearing = asyncio.create_task(hear())
        async with asyncio.timeout(30):
            while not answers:
                await client.publish("local/gate/ev", b"0" * 64 + b"\n" + body, qos=1)
                await asyncio.sleep(0.05)
            await client.publish("local/gate/ev", f"{signature}\n".encode() + body, qos=1)
            await until(lambda: any("accepted" in one for one in answers))
        hearing.cancel()
        with suppress(asyncio.CancelledError):
            await hearing
    assert {one.get("code") for one in answers} == {"not_signed", None}
    assert len(depot.sink.punches) == 1


async def test_a_broker_that_is_away_is_tried_again(tmp_path: Path) -> None:
    depot = Depot(tmp_path, "gate", profile="generic/custom-mqtt")
    (task,) = DRIVER.tasks(depot.terminals, context(depot.sink, depot.clock))
    with pytest.raises(RetryableError, match="broker 127"):
        await task.run()


def test_a_captured_message_is_decoded_with_or_without_its_signature() -> None:
    device = CustomDevice("gate", KEY)
    device.punch("1007", AT)
    device.punch("", AT)
    body, signature = device.message(NOW)
    profile, zone = load_profile("generic/custom"), ZoneInfo("Asia/Shanghai")
    for data in (body, f"{signature}\n".encode() + body):
        (told,) = DRIVER.decode(data, profile, zone, "x")
        assert [event.terminal for event in told.events if isinstance(event, Punch)] == ["gate"]
        assert [problem.code for problem in told.problems] == ["bad_entry"]
    with pytest.raises(DataError):
        DRIVER.decode(b"garbage", profile, zone, "x")


def test_now_of_the_tests_is_that_of_the_sink() -> None:
    assert datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC) == NOW
