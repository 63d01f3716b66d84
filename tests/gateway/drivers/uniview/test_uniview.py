"""Uniview terminals: what their messages say, and the conversation over real sockets; values from the protocol page."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.uniview import CONTROLLER, HEART, IDENTITY, PICTURE, VERIFICATION, Record, UniviewTerminal
from gateway.config import TerminalConfig
from gateway.drivers.uniview import codec
from gateway.drivers.uniview.driver import DRIVER
from gateway.profile import load_profile
from shared.clock import from_ms
from shared.errors import ConfigError, DataError
from shared.punch import Flag, Method, Punch
from tests.support.push_site import PushSite
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until

EXAMPLE = (Path(__file__).parents[3] / "captures" / "uniview" / "worked-example.json").read_bytes()
UTC_S = 1_795_395_541
SERIAL = "2102TEST"
OET = load_profile("uniview/oet")


@pytest.fixture
async def site() -> AsyncIterator[PushSite]:
    site = PushSite(DRIVER, [TerminalConfig(name="gate", profile="uniview/oet", serial=SERIAL)])
    await site.start()
    yield site
    await site.stop()


def device(site: PushSite, serial: str = SERIAL, **how: object) -> UniviewTerminal:
    return UniviewTerminal(serial, port=site.port, poll_s=0.02, **how)  # type: ignore[arg-type]


async def running(one: UniviewTerminal, acknowledged: int) -> None:
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: one.acknowledged >= acknowledged)
    finally:
        await one.stop()
        await task


def test_the_worked_example_decodes() -> None:
    (told,) = DRIVER.decode(EXAMPLE, OET, ZoneInfo("Asia/Shanghai"), "x")
    (punch,) = told.events
    assert isinstance(punch, Punch)
    assert (punch.terminal, punch.user, punch.method) == (SERIAL, "1000", Method.FACE)
    assert from_ms(punch.at) == datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC)
    assert from_ms((punch.at_device or 0) * 1000).replace(tzinfo=None) == datetime(2026, 11, 23, 8, 59, 1)
    assert (punch.native_seq, punch.flags) == (31, Flag.REALTIME)


def test_the_zone_moves_the_wall_clock_and_not_the_instant() -> None:
    for name in ("Asia/Shanghai", "America/New_York", "Asia/Kolkata"):
        (told,) = DRIVER.decode(EXAMPLE, OET, ZoneInfo(name), "x")
        assert [event.at for event in told.events] == [NOW_MS]


def test_a_resent_record_is_not_live() -> None:
    told = codec.decode_notification(EXAMPLE.replace(b'"NotificationType":0', b'"NotificationType":1'))
    assert not told.live


def test_a_card_is_a_card() -> None:
    body = UniviewTerminal(SERIAL).message(Record(1, "7", UTC_S, 1, card=True))
    (match,) = codec.decode_notification(body).found
    assert isinstance(match, codec.Match)
    assert (match.method, match.codes) == (Method.CARD, (2, 3, 3))


@pytest.mark.parametrize("status", [0, 2, 10, 99])
def test_strangers_and_refusals_are_no_punches(status: int) -> None:
    told = codec.decode_notification(EXAMPLE.replace(b'"MatchStatus":1', b'"MatchStatus":%d' % status))
    assert (told.found, told.failures) == ((), 1)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"PersonCode":"1000"', b'"PersonCode":""', "bad_user"),
        (b'"PersonCode":"1000"', b'"PersonCode":"' + b"9" * 65 + b'"', "bad_user"),
        (b'"Timestamp":1795395541', b'"Timestamp":9999999999', "bad_time"),
    ],
)
def test_what_is_no_punch_says_why(old: bytes, new: bytes, reason: str) -> None:
    (bad,) = codec.decode_notification(EXAMPLE.replace(old, new)).found
    assert isinstance(bad, codec.Bad)
    assert bad.reason == reason
    assert b"WANG" not in bad.raw


def test_numbers_may_be_text() -> None:
    body = EXAMPLE.replace(b'"MatchStatus":1,', b'"MatchStatus":"1",').replace(b"1795395541", b'"1795395541"')
    (match,) = codec.decode_notification(body).found
    assert isinstance(match, codec.Match)
    assert match.utc_s == UTC_S


async def test_both_paths_and_the_answer_echo_path_and_number(site: PushSite) -> None:
    one = device(site)
    for path in (VERIFICATION, CONTROLLER):
        answer = json.loads((await one.send(path, EXAMPLE)).text)["Response"]
        assert answer == {
            "ResponseURL": path,
            "StatusCode": 0,
            "StatusString": "Succeed",
            "Data": {"RecordID": 31},
        }
    assert len(site.sink.punches) == 1
    assert site.sink.repeats == 1


async def test_a_heartbeat_tells_the_clock_and_sets_it(site: PushSite) -> None:
    one = device(site)
    one.clock = datetime(2026, 11, 23, 9, 0, 41)
    answer = await one.heartbeat()
    assert json.loads(answer.text) == {"ResponseURL": HEART, "Code": 0, "Data": {"Time": "2026-11-23 08:59:01"}}
    assert one.clock == datetime(2026, 11, 23, 8, 59, 1)
    assert (site.states[SERIAL].drift_ms, site.states[SERIAL].problem) == (100_500, "clock_drift")
    await one.heartbeat()
    assert (site.states[SERIAL].state, site.states[SERIAL].problem) == ("online", None)
    one.clock = datetime(1970, 1, 1)
    await one.heartbeat()
    assert site.states[SERIAL].problem == "clock_reset"


async def test_rel01_cursor_after_commit(site: PushSite) -> None:
    site.sink.refusing = True
    one = device(site)
    answer = await one.send(VERIFICATION, EXAMPLE)
    assert not answer.ok
    assert (site.sink.cursors, site.states[SERIAL].problem) == ({}, "buffer_refused")
    site.sink.refusing = False
    assert (await one.send(VERIFICATION, EXAMPLE)).ok
    assert (site.sink.cursors, site.states[SERIAL].problem) == ({"uniview:2102TEST": b"31"}, None)


async def test_rel01_no_answer_before_the_commit(site: PushSite) -> None:
    site.sink.held = asyncio.Event()
    sent = asyncio.create_task(device(site).send(VERIFICATION, EXAMPLE))
    done, _ = await asyncio.wait([sent], timeout=0.3)
    assert not done
    site.sink.held.set()
    assert (await sent).ok


async def test_a_terminal_repeats_until_the_disk_has_room_and_each_punch_counts_once(site: PushSite) -> None:
    one = device(site)
    for n in range(20):
        one.punch(f"u{n}", UTC_S + n)
    site.sink.refusing = True
    task = asyncio.create_task(one.run())
    await until(lambda: site.sink.refused >= 3)
    assert one.acknowledged == 0
    site.sink.refusing = False
    await until(lambda: one.acknowledged == 20)
    await one.stop()
    await task
    assert [punch.user for punch in site.sink.punches] == [f"u{n}" for n in range(20)]


async def test_f20_a_reset_terminal_and_a_suspect_clock_lose_nothing(site: PushSite) -> None:
    one = device(site)
    one.punch("1", 1000)
    one.punch("1", 1000)
    await running(one, 2)
    assert [punch.native_seq for punch in site.sink.punches] == [1, 2]  # same second of a lost clock, two punches
    assert all(Flag.CLOCK_SUSPECT in punch.flags for punch in site.sink.punches)
    one.reset()
    one.punch("1", UTC_S)
    await running(one, 3)
    assert len(site.sink.punches) == 3


async def test_f20_garbage_and_broken_messages_harm_no_other(site: PushSite) -> None:
    one = device(site)
    one.punch("1000", UTC_S)
    one.faults = ["garbage", "cut_off", "broken_json"]
    await running(one, 1)
    assert (await one.send(VERIFICATION, EXAMPLE)).ok
    assert [row.reason for row in site.sink.damaged] == ["bad_json"]
    assert [punch.user for punch in site.sink.punches] == ["1000"]


async def test_sec11_no_biometrics(site: PushSite, capsys: pytest.CaptureFixture[str]) -> None:
    one = device(site)
    one.punch("1000", UTC_S)
    await running(one, 1)
    body = one.message(one.log[0])
    for cut in range(10, len(body), 97):
        await one.send(VERIFICATION, body[:cut])
    stored = bytes(site.sink.raw)
    logged = "".join(capsys.readouterr())
    for secret in (PICTURE[:12], IDENTITY, "WANG WEI"):
        assert secret.encode() not in stored
        assert secret not in repr(site.states)
        assert secret not in logged


async def test_an_unlisted_terminal_keeps_its_records_and_is_reported_once(site: PushSite) -> None:
    one = device(site, "STRANGER1")
    one.punch("1", UTC_S)
    for _ in range(2):
        assert not (await one.send(VERIFICATION, one.message(one.log[0]))).ok
    assert (await one.send("/LAPI/V1.0/Else", b"{}")).status == 404
    assert site.discovered == [("uniview", "STRANGER1")]
    assert site.sink.events == []


async def test_large_messages_at_once_do_not_fill_the_memory(site: PushSite) -> None:
    head = f"POST {VERIFICATION} HTTP/1.1\r\nContent-Length: {codec.BODY_LIMIT}\r\n\r\n".encode()
    held = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(4)]
    for _, writer in held:
        writer.write(head)
        await writer.drain()
    one = device(site)
    answers = [await one.send(VERIFICATION, EXAMPLE)]
    for _, writer in held:
        writer.close()
    await until(lambda: True)
    async with asyncio.timeout(10):
        while not answers[-1].ok:
            answers.append(await one.send(VERIFICATION, EXAMPLE))
    assert answers[0].status in (200, 400)


def test_sec35_no_port_without_its_table() -> None:
    given = context(RecordingSink(), TurnedClock())
    assert DRIVER.tasks([], given) == []
    listed = [terminal(TerminalConfig(name="gate", profile="uniview/oet", serial=SERIAL))]
    with pytest.raises(ConfigError, match=r"\[push\.uniview\]"):
        DRIVER.tasks(listed, given)


@given(
    st.integers(0, 4_000_000_000), st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=64)
)
def test_every_match_comes_back_as_it_was_sent(utc_s: int, user: str) -> None:
    told = codec.decode_notification(UniviewTerminal(SERIAL).message(Record(5, user, utc_s, 1, card=False)))
    assert told.found == (codec.Match(user, utc_s, Method.FACE, (1, 3, 3)),)


def attack(count: int) -> None:
    source = random.Random(count)
    whole = UniviewTerminal(SERIAL).message(Record(5, "7", UTC_S, 1, card=False))
    parts = (whole, EXAMPLE, b'{"LibMatInfoList":[', b"{", b"[" * 50, b"null", b'"Timestamp":-1')
    for _ in range(count):
        body = bytearray(source.choice(parts) + source.choice(parts))
        for _ in range(source.randint(0, 4)):
            body[source.randrange(len(body))] = source.randrange(256)
        data = bytes(body[source.randint(0, 5) : source.randint(0, len(body))])
        for read in (
            codec.decode_notification,
            codec.decode_heartbeat,
            lambda body: DRIVER.decode(body, OET, UTC, "x"),
        ):
            try:
                read(data)
            except DataError:
                continue
        codec.safe_start(data)


def test_sec33_codec_fuzz() -> None:
    began = time.monotonic()
    attack(10_000)
    with pytest.raises(DataError):
        codec.decode_notification(b'{"LibMatInfoList":' + b"[" * 1_000_000)
    assert time.monotonic() - began < 60


@pytest.mark.long
def test_sec33_codec_fuzz_long() -> None:
    attack(100_000)


def test_a_day_of_a_zone_with_summer_time_keeps_the_instants() -> None:
    zone = ZoneInfo("Europe/Berlin")
    for hour in range(4):
        utc_s = int(datetime(2026, 10, 25, hour, tzinfo=UTC).timestamp())
        (told,) = DRIVER.decode(UniviewTerminal("S").message(Record(1, "7", utc_s, 1, card=False)), OET, zone, "x")
        (punch,) = told.events
        assert from_ms(punch.at) == datetime(2026, 10, 25, tzinfo=UTC) + timedelta(hours=hour)
