"""Handhelds that post scans: a real HTTP client against the port."""

import asyncio
import hashlib
import hmac
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from gateway.config import PushConfig, TerminalConfig
from gateway.driver import Terminal
from gateway.drivers.handheld_http.codec import reads_of, signature
from gateway.drivers.handheld_http.driver import DRIVER
from gateway.profile import device_zone, load_profile
from gateway.scans.frames import LineRules, Noise, Read
from shared.errors import ConfigError, DataError
from shared.punch import Flag
from shared.scan import Scan, ScanKind
from tests.support.loopback import free_port
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until

KEY = "a-key-of-sixteen-or-more"
PROFILE = "generic/handheld-http"
SCAN = {"seq": 41, "code": "YT1234567890123", "at": "2026-11-23T08:59:01+08:00", "symbology": "LABEL-TYPE-CODE128"}


class Depot:
    def __init__(self, folder: Path) -> None:
        self.sink, self.port, self.strangers = RecordingSink(), free_port(), list[str]()
        (folder / "pda.key").write_text(KEY + "\n")
        config = TerminalConfig(
            name="PDA 17", profile=PROFILE, serial="PDA-17", key_file=folder / "pda.key", kind="delivered"
        )
        self.terminal: Terminal = terminal(config)
        push = PushConfig(port=self.port)
        found = context(self.sink, TurnedClock(), push, lambda _, serial: self.strangers.append(serial))
        (self.task,) = DRIVER.tasks([self.terminal], found)

    async def post(self, body: object, device: str = "PDA-17", headers: dict[str, str] | None = None) -> httpx.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = "sha256=" + hmac.new(KEY.encode(), device.encode() + b"\n" + data, hashlib.sha256).hexdigest()
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.post(
                f"http://127.0.0.1:{self.port}/scans/{device}",
                content=data,
                headers={"X-Muster-Signature": signed} if headers is None else headers,
            )


@pytest.fixture
async def depot(tmp_path: Path) -> AsyncIterator[Depot]:
    one = Depot(tmp_path)
    running: asyncio.Task[None] = asyncio.create_task(one.task.run())  # type: ignore[arg-type]
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.close()
            break
        await asyncio.sleep(0.01)
    yield one
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_a_scan_is_stored_with_the_devices_time_and_number(depot: Depot) -> None:
    answer = await depot.post({"scans": [{**SCAN, "operator": "17"}]})
    assert (answer.status_code, answer.json()) == (200, {"stored": 1, "bad": 0})
    assert depot.sink.events == [
        Scan(
            station="PDA-17",
            code="YT1234567890123",
            symbology="]C0",
            kind=ScanKind.DELIVERED,
            at=NOW_MS,
            operator="17",
            native_seq=41,
            seen_ms=77,
        )
    ]
    assert depot.terminal.state.state == "online"


async def test_a_bearer_token_is_taken_too(depot: Depot) -> None:
    assert (await depot.post({"scans": [SCAN]}, headers={"Authorization": f"Bearer {KEY}"})).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"X-Muster-Signature": "sha256=" + "0" * 64}], ids=str
)
async def test_without_proof_nothing_is_taken(depot: Depot, headers: dict[str, str]) -> None:
    assert (await depot.post({"scans": [SCAN]}, headers=headers)).status_code == 401
    assert depot.sink.events == []
    assert depot.terminal.state.problem == "refused"


async def test_the_signature_of_one_device_is_not_that_of_another(depot: Depot) -> None:
    body = json.dumps({"scans": [SCAN]}).encode()
    other = {"X-Muster-Signature": signature(KEY.encode(), "PDA-18", body)}
    assert (await depot.post(body, headers=other)).status_code == 401


async def test_an_unknown_device_is_refused_and_told_once(depot: Depot) -> None:
    for _ in range(2):
        assert (await depot.post({"scans": [SCAN]}, device="PDA-99")).status_code == 401
    assert depot.strangers == ["PDA-99"]


async def test_the_same_scans_sent_again_are_stored_once(depot: Depot) -> None:
    for _ in range(3):
        assert (await depot.post({"scans": [SCAN, {**SCAN, "seq": 42}]})).status_code == 200
    assert [scan.native_seq for scan in depot.sink.scans] == [41, 42]


async def test_rel01_cursor_after_commit(depot: Depot) -> None:
    depot.sink.refusing = True
    assert (await depot.post({"scans": [SCAN]})).status_code == 503
    assert depot.terminal.state.problem == "buffer_refused"
    depot.sink.refusing, depot.sink.held = False, asyncio.Event()
    waiting = asyncio.create_task(depot.post({"scans": [SCAN]}))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "no answer before the commit"
    depot.sink.held.set()
    assert (await waiting).status_code == 200


async def test_a_bad_scan_does_not_keep_back_the_others(depot: Depot) -> None:
    bad = [{**SCAN, "at": "2026-11-23T08:59:01"}, {"seq": -1, "code": "x"}, {**SCAN, "kind": "lost"}, 7]
    answer = await depot.post({"scans": [*bad, SCAN]})
    assert answer.json() == {"stored": 1, "bad": 4}
    assert [event.reason for event in depot.sink.damaged] == ["bad_time", "bad_scan", "bad_scan", "bad_scan"]


async def test_a_body_that_is_none_goes_to_quarantine(depot: Depot) -> None:
    assert (await depot.post(b"{scans")).status_code == 400
    assert [(event.source, event.reason, event.raw) for event in depot.sink.damaged] == [
        ("PDA-17", "bad_json", b"{scans")
    ]


async def test_a_command_changes_the_scans_behind_it_and_a_kind_of_its_own_wins(depot: Depot) -> None:
    command = {**SCAN, "seq": 1, "code": "MUSTER:KIND:damaged"}
    await depot.post({"scans": [command, {**SCAN, "seq": 2}, {**SCAN, "seq": 3, "kind": "refused"}]})
    assert [scan.kind for scan in depot.sink.scans] == [ScanKind.DAMAGED, ScanKind.REFUSED]


async def test_other_requests_are_told_what_is_expected(depot: Depot) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{depot.port}/scans/PDA-17")).status_code == 405
        assert (await client.post(f"http://127.0.0.1:{depot.port}/else")).status_code == 404


async def test_f20_garbage_and_half_a_request_harm_no_other(depot: Depot) -> None:
    for garbage in (b"\x00\xff" * 500 + b"\r\n\r\n", b"POST /scans/PDA-17 HTTP/1.1\r\nContent-Length: 99\r\n\r\n{"):
        _, writer = await asyncio.open_connection("127.0.0.1", depot.port)
        writer.write(garbage)
        await writer.drain()
        writer.close()
    assert (await depot.post({"scans": [SCAN]})).status_code == 200
    await until(lambda: len(depot.sink.scans) == 1)


def test_a_clock_that_was_reset_is_flagged() -> None:
    (read,) = reads_of(json.dumps({"scans": [{**SCAN, "at": "2001-01-01T00:00:00Z"}]}).encode(), LineRules())
    assert isinstance(read, Read)
    assert read.wall == datetime.fromisoformat("2001-01-01T00:00:00+00:00")
    assert Flag.CLOCK_SUSPECT  # set by the station, which all scanners share


def test_settings_that_can_not_work_are_named(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("secret")
    ctx = context(RecordingSink(), TurnedClock(), PushConfig())
    for key_file in (None, short, tmp_path / "absent"):
        config = TerminalConfig(name="x", profile=PROFILE, key_file=key_file)
        with pytest.raises(ConfigError) as error:
            DRIVER.tasks([terminal(config)], ctx)
        assert "secret" not in str(error.value)
    with pytest.raises(ConfigError, match=r"push\.handheld_http"):
        DRIVER.tasks([terminal(TerminalConfig(name="x", profile=PROFILE))], context(RecordingSink(), TurnedClock()))


def fuzz(count: int) -> None:
    chance = random.Random(20261123)
    sample = json.dumps({"scans": [SCAN, {"seq": 2, "code": "x"}]}).encode()
    for _ in range(count):
        data = bytearray(sample)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
        try:
            assert all(isinstance(one, Read | Noise) for one in reads_of(bytes(data), LineRules()))
        except DataError:
            continue


def test_sec33_ten_thousand_inputs() -> None:
    fuzz(10_000)


@pytest.mark.long
def test_sec33_a_hundred_thousand_inputs() -> None:
    fuzz(100_000)


def test_a_deep_body_is_a_data_error() -> None:
    with pytest.raises(DataError):
        reads_of(b"[" * 100_000, LineRules())
    (found,) = reads_of(b'{"scans": [{"seq": 1, "code": ' + b"[" * 300 + b"]" * 300 + b"}]}", LineRules())
    assert isinstance(found, Noise)


def test_a_captured_body_is_decoded() -> None:
    profile = load_profile(PROFILE)
    body = json.dumps({"scans": [SCAN]}).encode()
    (decoded,) = DRIVER.decode(body, profile, device_zone(profile, None, "Asia/Shanghai"), "PDA-17")
    (scan,) = decoded.events
    assert isinstance(scan, Scan)
    assert (scan.at, scan.native_seq) == (NOW_MS, 41)
