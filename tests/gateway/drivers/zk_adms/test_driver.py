"""The conversation with push terminals, over real sockets."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulators.zk_adms import AdmsTerminal
from gateway.config import PushConfig, TerminalConfig
from gateway.drivers.zk_adms import driver
from gateway.drivers.zk_adms.driver import DRIVER
from gateway.transports import http_front
from shared.clock import from_ms, to_ms
from shared.errors import ConfigError, RetryableError
from shared.punch import Direction, Flag, Method, Punch
from tests.gateway.drivers.zk_adms.conftest import ACC, ATT, Site
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until

CAPTURES = Path(__file__).parents[3] / "captures" / "zk_adms"
AT = datetime(2026, 11, 23, 8, 59, 1)
ROW = b"1000\t2026-11-23 08:59:01\t0\t1\t0\t0\n"


async def running(device: AdmsTerminal, until_acknowledged: int) -> None:
    task = asyncio.create_task(device.run())
    try:
        await until(lambda: device.acknowledged >= until_acknowledged)
    finally:
        await device.stop()
        await task


async def test_the_worked_example_becomes_two_punches(site: Site) -> None:
    example = json.loads((CAPTURES / "worked-example.json").read_text())
    device = site.terminal()
    greeting = await device.request("GET", "cdata", {"options": "all", "pushver": "2.4.1", "language": "83"})
    assert greeting.text.startswith("GET OPTION FROM: CKJG0001\n")
    answer = await site.post("ATTLOG", example["body"].encode(), Stamp="9999")
    assert (answer.status, answer.text) == (200, example["answer"])
    found = [
        {
            "user": p.user,
            "at": f"{from_ms(p.at):%Y-%m-%dT%H:%M:%SZ}",
            "direction": p.direction.name,
            "method": p.method.name,
        }
        for p in site.sink.punches
    ]
    assert found == example["punches"]
    command = await device.request("GET", "getrequest", {})
    assert command.text.endswith(":INFO")
    result = await device.request("POST", "devicecmd", {}, b"ID=1&Return=0&CMD=INFO")
    assert result.text == "OK"


async def test_a_punch_carries_all_that_was_seen(site: Site) -> None:
    await site.post("ATTLOG", ROW)
    assert site.sink.punches == [
        Punch(
            terminal=ATT,
            user="1000",
            at_device=to_ms(datetime(2026, 11, 23, 8, 59, 1, tzinfo=UTC)) // 1000,
            utc_offset_s=8 * 3600,
            at=to_ms(datetime(2026, 11, 23, 0, 59, 1, tzinfo=UTC)),
            direction=Direction.IN,
            method=Method.FINGER,
            raw_codes=(1, 0, 0),
            native_seq=None,
            drift_ms=None,  # a push terminal does not tell its time, and event times are no clock reads
            seen_ms=77,
        )
    ]


async def test_a_clock_that_lost_its_time_is_stored_and_flagged(site: Site) -> None:
    await site.post("ATTLOG", b"1000\t2000-01-01 00:00:07\t0\t1\n1000\t2099-01-01 00:00:00\t0\t1\n")
    assert [punch.flags for punch in site.sink.punches] == [Flag.CLOCK_SUSPECT, Flag(0)]


async def test_codes_of_another_dialect_stay_numbers(site: Site) -> None:
    row = b"time=2026-11-23 08:59:01\tpin=7\tevent=0\tinoutstatus=2\tverifytype=4\teventaddr=1\tindex=9\n"
    await site.post("rtlog", row, ATT)
    (punch,) = site.sink.punches
    assert (punch.direction, punch.method, punch.raw_codes) == (Direction.UNKNOWN, Method.UNKNOWN, (4, 2, 0, 1))


# Acknowledge after the commit


async def test_rel01_cursor_after_commit(site: Site) -> None:
    """No OK and no stamp while the outbox refuses; both after the commit, and the stamp is the one handed out then."""
    site.sink.refusing = True
    answer = await site.post("ATTLOG", ROW, Stamp="4711")
    assert answer.status == 503
    assert not answer.ok
    assert (site.sink.events, site.sink.cursors) == ([], {})
    assert site.states[ATT].problem == "buffer_refused"
    site.sink.refusing = False
    assert (await site.post("ATTLOG", ROW, Stamp="4711")).text == "OK: 1"
    assert site.sink.cursors == {"zk_adms:CKJG0001:ATTLOG": b"4711"}
    assert site.states[ATT].problem is None
    await site.restart()
    greeting = await site.terminal().request("GET", "cdata", {"options": "all", "pushver": "2.4.1"})
    assert "ATTLOGStamp=4711\n" in greeting.text


@pytest.mark.parametrize(("table", "serial"), [("ATTLOG", ATT), ("rtlog", ACC)])
async def test_rel01_no_answer_before_the_commit(site: Site, table: str, serial: str) -> None:
    site.sink.held = asyncio.Event()
    row = ROW if table == "ATTLOG" else b"time=2026-11-23 08:59:01\tpin=7\tevent=0\tindex=9\n"
    posted = asyncio.create_task(site.post(table, row, serial, Stamp="1"))
    done, _ = await asyncio.wait([posted], timeout=0.3)
    assert not done
    site.sink.held.set()
    assert (await posted).ok


@pytest.mark.parametrize("dialect", ["att", "acc"])
async def test_a_terminal_repeats_until_the_disk_has_room(site: Site, dialect: str) -> None:
    device = site.terminal(ATT if dialect == "att" else ACC, dialect=dialect, batch=7)
    for n in range(50):
        device.punch(f"u{n}", AT + timedelta(seconds=n))
    site.sink.refusing = True
    task = asyncio.create_task(device.run())
    await until(lambda: site.sink.refused >= 3)
    assert device.acknowledged == 0
    site.sink.refusing = False
    await until(lambda: device.acknowledged == 50)
    await device.stop()
    await task
    assert [punch.user for punch in site.sink.punches] == [f"u{n}" for n in range(50)]


@pytest.mark.parametrize("pushver", [None, "1.0", "2.0.33S", "3.1.2"])
@pytest.mark.parametrize("batch", [1, 1000])
async def test_every_generation_delivers_each_punch_once(site: Site, pushver: str | None, batch: int) -> None:
    device = site.terminal(pushver=pushver, batch=batch, columns=11, trailing_tab=True, send_twice=True)
    total = 20 if batch == 1 else 1500
    for n in range(total):
        device.punch(f"{n:04}", AT + timedelta(seconds=n), verify=15, state=n % 2)
    await running(device, total)
    assert [punch.user for punch in site.sink.punches] == [f"{n:04}" for n in range(total)]
    assert site.sink.repeats == total


async def test_a_restarted_gateway_gets_only_what_is_new(site: Site) -> None:
    device = site.terminal()
    device.punch("1", AT)
    await running(device, 1)
    await site.restart()
    device.punch("2", AT + timedelta(minutes=1))
    await running(device, 2)
    assert "CHECK" in device.commands  # it was greeted by the run before
    assert [punch.user for punch in site.sink.punches] == ["1", "2"]
    assert site.sink.repeats == 0


async def test_an_outbox_without_stamps_gets_the_whole_log_again(site: Site) -> None:
    device = site.terminal()
    for n in range(10):
        device.punch(f"{n}", AT + timedelta(minutes=n))
    await running(device, 10)
    site.sink = RecordingSink()  # the disk was replaced
    await site.restart()
    task = asyncio.create_task(device.run())
    await until(lambda: len(site.sink.punches) == 10)
    await device.stop()
    await task


async def test_a_large_body_is_committed_in_parts_and_its_stamp_with_the_last(site: Site) -> None:
    rows = b"".join(b"%d\t2026-11-23 08:59:01\t0\t1\n" % n for n in range(1200))
    await site.post("ATTLOG", ROW, Stamp="7")
    assert (await site.post("ATTLOG", rows, Stamp="9")).text == "OK: 1200"
    places = [place for _, place in site.sink.puts]
    assert [count for count, _ in site.sink.puts] == [1, 500, 500, 200]
    assert places == [b"7", b"7", b"7", b"9"]


async def test_a_security_terminal_registers_and_numbers_its_punches(site: Site) -> None:
    device = site.terminal(ACC, dialect="acc")
    device.punch("1000", AT, verify=15, state=1)
    await running(device, 1)
    (punch,) = site.sink.punches
    assert (punch.direction, punch.method, punch.native_seq) == (Direction.OUT, Method.FACE, 1)
    assert site.sink.cursors == {"zk_adms:ACC00001:rtlog": b"1"}


async def test_refusals_and_doors_are_acknowledged_and_are_no_punches(site: Site) -> None:
    rows = "".join(
        f"time=2026-11-23 08:59:01\tpin={pin}\tevent={event}\tindex={n}\r\n"
        for n, (pin, event) in enumerate([("7", 23), ("0", 200), ("0", 206), ("7", 101), ("0", 0)])
    )
    assert (await site.post("rtlog", rows.encode(), ACC)).text == "OK"
    assert site.sink.events == []
    assert site.states[ACC].problem == "alarm"


async def test_bad_rows_are_kept_apart_and_acknowledged(site: Site) -> None:
    answer = await site.post("ATTLOG", b"1000\t2026-02-30 08:59:01\t0\t1\n" + ROW + b"garbage\n")
    assert answer.text == "OK: 3"
    assert [(row.source, row.reason, row.raw) for row in site.sink.damaged] == [
        (ATT, "bad_time", b"1000\t2026-02-30 08:59:01\t0\t1"),
        (ATT, "bad_row", b"garbage"),
    ]
    assert len(site.sink.punches) == 1


async def test_a_flood_of_garbage_shares_damaged_rows(site: Site) -> None:
    lines = [f"garbage {n}" for n in range(15_000)]
    assert (await site.post("ATTLOG", "\n".join(lines).encode())).text == "OK: 15000"
    assert len(site.sink.damaged) < 150
    assert b"\n".join(row.raw for row in site.sink.damaged).decode().split("\n") == lines


# Privacy


async def test_sec11_no_biometrics(site: Site) -> None:
    """Templates, pictures, names and passwords are acknowledged as listed, and nothing of them is stored."""
    secret = b"TEMPLATE-OR-PICTURE"
    operlog = b"FP PIN=1\tFID=5\tTMP=%s\nFACE PIN=1\tTMP=%s\nUSER PIN=1\tName=%s\tPasswd=%s\n" % ((secret,) * 4)
    photo = b"PIN=1.jpg\nSN=CKJG0001\nsize=19\nCMD=uploadphoto\0" + secret
    row = b"Pin=1\tNo=0\tTmp=%s\n" % secret
    answers = [
        await site.post("OPERLOG", operlog, OpStamp="5"),
        await site.post("ATTPHOTO", photo),
        await site.post("BIODATA", row * 3),
        await site.post("FINGERTMP", row),
        await site.post("USERINFO", row * 2),
        await site.post("USERPIC", row),
        await site.post("tabledata", row * 3, ACC, tablename="biophoto", count="3"),
        await site.post("tabledata", row, ACC, tablename="user", count="1"),
        await site.terminal(ACC).request("POST", "fdata", {"table": "ATTPHOTO"}, photo),
        await site.terminal(ACC).request("POST", "querydata", {"tablename": "templatev10", "count": "2"}, row * 2),
        await site.post("ATTLOG", operlog + photo),
        await site.post("rtlog", operlog, ACC),
    ]
    assert [answer.text for answer in answers] == [
        *("OK: 3", "OK", "OK: 3", "OK: 1", "OK: 2", "OK"),
        *("biophoto=3", "user=1", "OK", "templatev10=2"),
        *("OK: 7", "OK"),
    ]
    stored = bytes(site.sink.raw)
    assert secret not in stored
    assert site.sink.punches == []
    assert secret.decode() not in repr(site.states)


async def test_no_template_and_no_user_record_is_asked_for(site: Site) -> None:
    greeting = await site.terminal().request("GET", "cdata", {"options": "all", "pushver": "2.4.1"})
    (flags,) = [line for line in greeting.text.splitlines() if line.startswith("TransFlag=")]
    assert flags == "TransFlag=TransData AttLog\tOpLog"


async def test_no_command_but_info_and_check_is_ever_sent(site: Site) -> None:
    device = site.terminal()
    device.punch("1", AT)
    await running(device, 1)
    for _ in range(5):
        await device.request("GET", "getrequest", {})
    assert set(device.commands) <= {"INFO", "CHECK"}


# Strangers, unknown tables, bad requests


async def test_an_unlisted_terminal_keeps_its_rows_and_is_reported_once(site: Site) -> None:
    device = site.terminal("STRANGER1")
    greeting = await device.request("GET", "cdata", {"options": "all"})
    assert (greeting.status, greeting.text) == (200, "OK")
    for _ in range(2):
        assert (await site.post("ATTLOG", ROW, "STRANGER1")).status == 503
    assert (await device.request("GET", "getrequest", {})).text == "OK"
    assert site.discovered == [("zk_adms", "STRANGER1")]
    assert site.sink.events == []


async def test_an_unknown_table_stays_with_the_terminal(site: Site) -> None:
    assert (await site.post("NEWLOG", ROW)).status == 503
    assert (await site.post("tabledata", ROW, ACC, tablename="transaction", count="1")).status == 503
    assert (site.states[ATT].problem, site.states[ACC].problem) == ("unknown_table", "unknown_table")
    assert (await site.post("ATTLOG", ROW)).ok


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("GET /iclock/ping?SN=CKJG0001", "OK"),
        ("GET /iclock/cdata?SN=CKJG0001&type=time", "Time=2026-11-23T08:59:01+08:00"),
        ("POST /iclock/exchange?SN=CKJG0001&type=publickey", "OK"),
        ("POST /iclock/cdata?SN=CKJG0001&table=ATTLOG", "OK: 0"),
        ("POST /iclock/cdata?SN=CKJG0001&table=options", "OK"),
        ("POST /iclock/cdata?SN=CKJG0001&table=rtstate", "OK"),
    ],
)
async def test_calls_are_answered_as_listed(site: Site, call: str, answer: str) -> None:
    found = await site.raw(f"{call} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode())
    assert (found.status, found.text) == (200, answer)


async def test_an_answer_is_plain_and_dated(site: Site) -> None:
    found = await site.raw(b"GET /iclock/ping?SN=CKJG0001 HTTP/1.0\r\n\r\n")
    assert found.headers["date"] == "Mon, 23 Nov 2026 00:59:01 GMT"
    assert found.headers["content-type"] == "text/plain"
    assert found.headers["content-length"] == "2"
    assert found.headers["connection"] == "close"
    assert "transfer-encoding" not in found.headers


@pytest.mark.parametrize(
    "how",
    [
        b"Content-Length: %d\r\n\r\n%s" % (len(ROW), ROW),
        b"Content-Type: application/x-www-form-urlencoded\r\ncontent-length:%d\r\n\r\n%s" % (len(ROW), ROW),
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (ROW[:5], len(ROW) - 5, ROW[5:]),
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n%s" % (len(ROW), ROW),
    ],
)
async def test_bodies_come_in_every_form(site: Site, how: bytes) -> None:
    found = await site.raw(b"POST /ICLOCK/iclock/cdata.aspx/?sn=CKJG0001&table=attlog HTTP/1.1\r\n" + how)
    assert (found.status, found.text) == (200, "OK: 1")
    assert len(site.sink.punches) == 1


async def test_a_body_without_length_ends_with_silence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_front, "SILENCE_S", 0.5)
    found = await site.raw(b"POST /iclock/cdata?SN=CKJG0001&table=ATTLOG HTTP/1.0\r\n\r\n" + ROW)
    assert (found.status, found.text) == (200, "OK: 1")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),  # a TLS client on the plain port
        (b"GET /iclock/cdata HTTP/1.1\r\n\r\n", 400),
        (b"GET /iclock/cdata?SN=../../etc HTTP/1.1\r\n\r\n", 400),
        (b"GET /iclock/unknown?SN=CKJG0001 HTTP/1.1\r\n\r\n", 404),
        (b"DELETE /iclock/cdata?SN=CKJG0001 HTTP/1.1\r\n\r\n", 404),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n", 400),
        (b"POST /iclock/cdata?SN=CKJG0001&table=ATTLOG HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", 413),
    ],
)
async def test_a_bad_request_is_refused_and_the_next_is_served(site: Site, request_bytes: bytes, status: int) -> None:
    assert (await site.raw(request_bytes)).status in (status, 0)  # 0: closed while the rest was still under way
    assert (await site.post("ATTLOG", ROW)).ok


async def test_a_slow_terminal_does_not_hold_others_and_is_cut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"POST /iclock/cdata?SN=CKJG0001")
    assert (await site.post("ATTLOG", ROW)).ok
    monkeypatch.setattr(http_front, "HEAD_TIMEOUT_S", 0.2)
    assert (await site.raw(b"GET /iclock/cdata?SN=")).status == 408
    writer.close()


async def test_a_stop_waits_for_no_terminal(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"POST /iclock/cdata?SN=CKJG0001&table=ATTLOG HTTP/1.1\r\nContent-Length: 500\r\n\r\n")
    await writer.drain()
    await site.post("options", b"")
    async with asyncio.timeout(2):
        await site.stop()
        assert await reader.read() == b""
    writer.close()


async def test_more_connections_than_the_limit_are_closed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_front, "CONNECTIONS", 1)
    _, idle = await asyncio.open_connection("127.0.0.1", site.port)
    assert (await site.post("ATTLOG", ROW)).status == 0
    idle.close()
    async with asyncio.timeout(5):
        while not (await site.post("ATTLOG", ROW)).ok:  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.01)


async def test_rows_of_a_broken_connection_are_not_stored(site: Site) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = b"POST /iclock/cdata?SN=CKJG0001&table=ATTLOG HTTP/1.1\r\nContent-Length: 500\r\n\r\n"
    writer.write(head + ROW)
    writer.close()
    await writer.wait_closed()
    assert (await site.post("ATTLOG", ROW.replace(b"1000", b"2000"))).ok
    assert [punch.user for punch in site.sink.punches] == ["2000"]


async def test_an_unexpected_error_costs_one_request(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(site.sink, "put", broken)
        assert (await site.post("ATTLOG", ROW)).status == 500
    assert (await site.post("ATTLOG", ROW)).ok


# Health


async def test_health_learns_from_what_terminals_tell(site: Site) -> None:
    await site.post(
        "options", b"~DeviceName=X903,FWVersion=Ver 8.0.4,UserCount=12,TransactionCount=5,~MaxAttLogCount=10"
    )
    state = site.states[ATT]
    assert (state.state, state.serial, state.firmware) == ("online", ATT, "Ver 8.0.4")
    assert (state.users, state.log_used, state.log_capacity) == (12, 5, 100_000)
    assert state.last_contact_ms == NOW_MS
    assert state.last_event_ms is None


async def test_a_cleared_log_is_told_to_it_while_it_is_news(site: Site) -> None:
    await site.post("OPERLOG", b"OPLOG 23\t0\t2020-01-01 08:00:00\t0\t0\t0\t0\n")
    assert site.states[ATT].problem is None
    await site.post("OPERLOG", b"OPLOG 23\t0\t2026-11-23 08:00:00\t0\t0\t0\t0\n", OpStamp="6")
    assert site.states[ATT].problem == "log_cleared"
    assert site.sink.cursors == {"zk_adms:CKJG0001:OPERLOG": b"6"}


async def test_silence_is_noticed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LOOK_S", 0.01)
    await site.restart()
    await site.post("options", b"")
    assert site.states[ATT].state == "online"
    site.clock.advance(151_000)
    await until(lambda: site.states[ATT].state == "offline")
    assert site.states[ACC].state == "starting"


# Settings


def test_sec35_no_port_without_its_table() -> None:
    given = context(RecordingSink(), TurnedClock())
    assert DRIVER.tasks([], given) == []
    listed = [terminal(TerminalConfig(name="gate", profile="solution/x903", serial=ATT))]
    with pytest.raises(ConfigError, match=r"\[push\.zk_adms\]"):
        DRIVER.tasks(listed, given)


def test_sec35_the_port_is_local_unless_told_otherwise() -> None:
    assert PushConfig().host == "127.0.0.1"


@pytest.mark.parametrize("serial", [None, "S 2", "x" * 65])
def test_a_push_terminal_needs_a_serial_number(serial: str | None) -> None:
    listed = [terminal(TerminalConfig(name="gate", profile="solution/x903", serial=serial))]
    with pytest.raises(ConfigError, match="serial"):
        DRIVER.tasks(listed, context(RecordingSink(), TurnedClock(), PushConfig()))


def test_of_two_terminals_with_one_serial_the_second_waits_for_a_person() -> None:
    listed = [
        terminal(TerminalConfig(name="first", profile="solution/x903", serial="S1")),
        terminal(TerminalConfig(name="second", profile="zkteco/f22", serial="S1")),
    ]
    tasks = DRIVER.tasks(listed, context(RecordingSink(), TurnedClock(), PushConfig()))
    assert len(tasks) == 1
    assert [one.state.state for one in listed] == ["starting", "config_error"]


async def test_a_taken_port_is_tried_again_later(site: Site) -> None:
    listed = [terminal(TerminalConfig(name="gate", profile="solution/x903", serial=ATT))]
    (task,) = DRIVER.tasks(listed, context(RecordingSink(), TurnedClock(), PushConfig(port=site.port)))
    with pytest.raises(RetryableError, match=str(site.port)):
        await task.run()
