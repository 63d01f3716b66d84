"""The conversation with FK web terminals, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from emulators.fkweb import FkTerminal
from gateway.config import PushConfig, TerminalConfig
from gateway.drivers.fkweb.driver import DRIVER
from gateway.transports import push_server
from shared.errors import ConfigError
from shared.punch import Direction, Flag, Method
from tests.support.push_site import PushSite
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

AT = datetime(2026, 11, 23, 8, 59, 1)
FK, BIOMAX, M82 = "FK0001", "BIO0001", "M820001"


@pytest.fixture
async def site() -> AsyncIterator[PushSite]:
    site = PushSite(
        DRIVER,
        [
            TerminalConfig(name="gate", profile="hysoon/4775", serial=FK),
            TerminalConfig(name="dock", profile="biomax/fk", serial=BIOMAX),
            TerminalConfig(name="yard", profile="ebkn/en-k190ftw", serial=M82),
        ],
    )
    await site.start()
    yield site
    await site.stop()


def device(site: PushSite, serial: str = FK, **how: object) -> FkTerminal:
    return FkTerminal(serial, port=site.port, poll_s=0.02, **how)  # type: ignore[arg-type]


async def running(one: FkTerminal, until_true: object) -> None:
    task = asyncio.create_task(one.run())
    try:
        await until(until_true)  # type: ignore[arg-type]
    finally:
        await one.stop()
        await task


async def test_a_punch_carries_all_that_was_seen(site: PushSite) -> None:
    one = device(site, picture=True)
    one.punch("A-77", AT)
    await running(one, lambda: one.acknowledged == 1)
    (punch,) = site.sink.punches
    assert (punch.terminal, punch.user, punch.direction, punch.method) == (FK, "A-77", Direction.IN, Method.FACE)
    assert (punch.utc_offset_s, punch.raw_codes, punch.seen_ms) == (28800, (0x40000000, 0x01000000), 77)


async def test_rel01_cursor_after_commit(site: PushSite) -> None:
    """No OK while the outbox refuses, and the place in the log moves with the last row only."""
    one = device(site, live=False)
    one.users = ["1", "2"]
    for n in range(1200):
        one.punch(f"u{n:04}", AT + timedelta(seconds=n))
    site.sink.refusing = True
    assert await one.ask()
    assert await one.ask()
    assert [code for code, _ in one.commands] == ["GET_DEVICE_STATUS", "GET_LOG_DATA"]
    assert site.sink.cursors == {}
    assert site.states[FK].problem == "buffer_refused"
    site.sink.refusing = False
    site.clock.advance(600_001)
    while len(one.commands) < 5:
        assert await one.ask()
    assert [count for count, _ in site.sink.puts] == [500, 500, 200]
    assert [place for _, place in site.sink.puts] == [b"0", b"0", b"20261123085901"]
    assert site.sink.cursors == {f"fkweb:{FK}": b"20261123085901"}
    assert [punch.user for punch in site.sink.punches] == [f"u{n:04}" for n in range(1200)]
    assert (site.states[FK].users, site.states[FK].log_used) == (2, 1200)


async def test_rel01_no_answer_before_the_commit(site: PushSite) -> None:
    site.sink.held = asyncio.Event()
    one = device(site)
    one.live = False
    one.punch("1", AT)
    sent = asyncio.create_task(one.send("realtime_glog", one.glog(one.log[0])))
    done, _ = await asyncio.wait([sent], timeout=0.3)
    assert not done
    site.sink.held.set()
    assert (await sent).code == "OK"


async def test_a_terminal_repeats_until_the_disk_has_room(site: PushSite) -> None:
    one = device(site, block=64)
    for n in range(20):
        one.punch(f"u{n}", AT + timedelta(seconds=n))
    site.sink.refusing = True
    task = asyncio.create_task(one.run())
    await until(lambda: site.sink.refused >= 3)
    assert one.acknowledged == 0
    site.sink.refusing = False
    await until(lambda: one.acknowledged == 20)
    await one.stop()
    await task
    assert [punch.user for punch in site.sink.punches] == [f"u{n}" for n in range(20)]


@pytest.mark.parametrize("library", ["HS100", "HS101", "HS102", "HS103", "HS104", "HS105", "HS200", "HS100-short"])
async def test_a_punch_pushed_and_read_from_the_log_is_one(site: PushSite, library: str) -> None:
    small = library in ("HS100", "HS101", "HS104", "HS200", "HS100-short")
    one = device(site, library=library.removesuffix("-short"), text=True)
    one.library = library
    one.users = ["1000"]
    one.punch("1000", AT, 1 if small else 0x10000000, 1 if small else 0x01000000)
    await running(one, lambda: len(one.commands) >= 3 and one.acknowledged == 1)
    assert [(p.user, p.method, p.direction) for p in site.sink.punches] == [("1000", Method.FINGER, Direction.IN)]
    assert site.sink.repeats == 1


async def test_endless_repeats_are_one_punch(site: PushSite) -> None:
    one = device(site, M82, library="M50", repeats=5)
    one.punch("1000", AT, verify=10, inout=0)
    await running(one, lambda: ("GET_DEVICE_STATUS", "") in one.commands and one.acknowledged == 1)
    (punch,) = site.sink.punches
    assert (punch.raw_codes, punch.method, site.sink.repeats) == ((10, 0), Method.UNKNOWN, 5)
    assert {code for code, _ in one.commands} == {"GET_DEVICE_STATUS"}  # nobody knows the structures of M50


async def test_the_biomax_variant_is_answered_in_the_body(site: PushSite) -> None:
    one = device(site, BIOMAX, path="/hdata.aspx", plain=True, bare=True)
    one.live = False
    one.punch("1000", AT)
    answer = await one.send("realtime_glog", one.glog(one.log[0]))
    assert (answer.status, answer.body, answer.headers["connection"]) == (200, b"result=OK", "close")
    assert "response_code" not in answer.headers
    assert (await one.send("receive_cmd", b"{}")).body == b"OK"
    assert len(site.sink.punches) == 1


async def test_an_answer_has_the_headers_with_their_underscores(site: PushSite) -> None:
    one = device(site)
    answer = await one.send("realtime_door_status", b"\0" * 10)
    assert answer.headers["response_code"] == "OK"
    assert answer.headers["trans_id"] == "100"
    assert (answer.headers["content-type"], answer.headers["content-length"]) == ("application/octet-stream", "0")


async def test_only_harmless_commands_are_ever_sent(site: PushSite) -> None:
    one = device(site)
    one.users = ["1"]
    one.clock = datetime(2000, 1, 1)
    for _ in range(20):
        site.clock.advance(3_600_001)
        await one.ask()
    allowed = {"GET_DEVICE_STATUS", "GET_LOG_DATA", "GET_USER_ID_LIST", "SET_TIME"}
    assert {code for code, _ in one.commands} == allowed


async def test_a_terminal_that_lost_its_clock_gets_ours_and_keeps_its_punches(site: PushSite) -> None:
    one = device(site, live=False)
    one.users = ["1"]
    one.clock = datetime(2000, 1, 1, 0, 0, 7)
    one.punch("7", datetime(2000, 1, 1, 0, 0, 5))
    await one.ask()
    assert one.commands == [("SET_TIME", '{"time":"20261123085901"}')]
    assert site.states[FK].problem == "clock_reset"
    await running(one, lambda: len(site.sink.punches) == 1)
    assert site.sink.punches[0].flags == Flag.CLOCK_SUSPECT
    assert site.states[FK].problem is None


async def test_a_drift_is_measured_by_the_clock_and_not_mended(site: PushSite) -> None:
    one = device(site)
    one.clock = AT + timedelta(seconds=90)
    await one.ask()
    assert site.states[FK].drift_ms == 90_500
    assert site.states[FK].problem == "clock_drift"
    assert all(code != "SET_TIME" for code, _ in one.commands)


@pytest.mark.parametrize(("capacity", "problem"), [(None, None), (100, None), (10, "log_almost_full"), (9, "log_full")])
async def test_a_log_that_fills_up_is_told_in_time(site: PushSite, capacity: int | None, problem: str | None) -> None:
    one = device(site, live=False)
    one.users, one.capacity = ["1"], capacity
    for n in range(9):
        one.punch("1", AT + timedelta(seconds=n))
    for _ in range(5):
        await one.ask()
    assert site.states[FK].problem == problem


async def test_f20_a_factory_reset_loses_nothing(site: PushSite) -> None:
    one = device(site, live=False)
    one.users = ["1"]
    one.punch("1", AT)
    await running(one, lambda: len(one.commands) >= 3)
    one.reset()
    one.clock = AT - timedelta(days=3)  # and its clock is behind
    one.punch("2", AT - timedelta(days=3))
    await site.restart()
    await running(one, lambda: len(one.commands) >= 6)
    assert [punch.user for punch in site.sink.punches] == ["1", "2"]


async def test_f20_a_log_cut_off_in_mid_transfer_is_read_again(site: PushSite) -> None:
    one = device(site, live=False, block=100)
    one.users = ["1"]
    for n in range(30):
        one.punch(f"u{n}", AT + timedelta(seconds=n))
    one.log_faults = ["cut_off"]
    await running(one, lambda: len(one.commands) >= 2)
    assert site.sink.cursors.get(f"fkweb:{FK}", b"0") == b"0"
    site.clock.advance(120_001)
    await site.restart()
    await running(one, lambda: len(site.sink.punches) == 30)


async def test_f20_garbage_wrong_lengths_and_gaps_harm_no_other_message(site: PushSite) -> None:
    one = device(site, block=64)
    one.live = False
    one.punch("1000", AT)
    body = one.glog(one.log[0])
    for fault in ("garbage", "wrong_length", "cut_off", "gap"):
        one.faults = [fault]
        await one.send("realtime_glog", body)
    assert (await one.send("realtime_glog", body)).code == "OK"
    assert [punch.user for punch in site.sink.punches] == ["1000"]
    assert all(row.source == FK for row in site.sink.damaged)


async def test_f20_the_same_garbage_is_kept_once(site: PushSite) -> None:
    one = device(site)
    for _ in range(20):
        assert (await one.send("realtime_glog", b"\xff\xff\xff\xffnonsense")).code == "OK"
    assert [(row.reason, row.source) for row in site.sink.damaged] == [("bad_length", FK)]


async def test_f20_two_terminals_with_one_serial_lose_nothing(site: PushSite) -> None:
    first, second = device(site), device(site)
    for n, one in enumerate((first, second)):
        for k in range(10):
            one.punch(f"{n}-{k}", AT + timedelta(seconds=k))
    tasks = [asyncio.create_task(one.run()) for one in (first, second)]
    await until(lambda: first.acknowledged == second.acknowledged == 10)
    for one in (first, second):
        await one.stop()
    await asyncio.gather(*tasks)
    assert {punch.user for punch in site.sink.punches} == {f"{n}-{k}" for n in range(2) for k in range(10)}


async def test_sec11_no_biometrics(site: PushSite, capsys: pytest.CaptureFixture[str]) -> None:
    secret = b"TEMPLATE-OR-PICTURE"
    one = device(site, picture=True)
    one.punch("1", AT)
    await running(one, lambda: one.acknowledged == 1)
    assert (await one.send("realtime_enroll_data", b"\x10\0\0\0{}" + secret * 100)).code == "OK"
    for code in ("realtime_glog", "send_cmd_result", "receive_cmd", "realtime_new"):
        await one.send(code, b"\xff\xff\xff\0{" + b"\xff\xd8" + secret)
    stored = bytes(site.sink.raw)
    assert secret not in stored
    assert b"FACE-PICTURE" not in stored
    assert secret.decode() not in repr(site.states)
    assert secret.decode() not in "".join(capsys.readouterr())


async def test_an_unlisted_terminal_keeps_its_punches_and_is_reported_once(site: PushSite) -> None:
    one = device(site, "STRANGER1")
    one.live = False
    one.punch("1", AT)
    for _ in range(2):
        assert (await one.send("realtime_glog", one.glog(one.log[0]))).code == "ERROR_INVALID_DEV_ID"
    assert site.discovered == [("fkweb", "STRANGER1")]
    assert site.sink.events == []


async def test_an_unknown_request_stays_with_the_terminal(site: PushSite) -> None:
    answer = await device(site).send("realtime_new", b"{}")
    assert answer.code.startswith("ERROR_INVALID")
    assert site.states[FK].problem == "unknown_table"


async def test_silence_is_noticed(site: PushSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_server, "LOOK_S", 0.01)
    await site.restart()
    await device(site).ask()
    assert site.states[FK].state == "online"
    site.clock.advance(151_000)
    await until(lambda: site.states[FK].state == "offline")


def test_sec35_no_port_without_its_table() -> None:
    given = context(RecordingSink(), TurnedClock())
    assert DRIVER.tasks([], given) == []
    listed = [terminal(TerminalConfig(name="gate", profile="fk/f80", serial=FK))]
    with pytest.raises(ConfigError, match=r"\[push\.fkweb\]"):
        DRIVER.tasks(listed, given)


@pytest.mark.parametrize("serial", [None, "S 2", "x" * 65])
def test_a_push_terminal_needs_a_serial_number(serial: str | None) -> None:
    listed = [terminal(TerminalConfig(name="gate", profile="fk/f80", serial=serial))]
    with pytest.raises(ConfigError, match="serial"):
        DRIVER.tasks(listed, context(RecordingSink(), TurnedClock(), PushConfig()))
