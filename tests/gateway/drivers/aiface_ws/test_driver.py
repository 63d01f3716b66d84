"""The server of the family with emulated terminals that call it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import websockets.exceptions
from websockets.asyncio.client import connect

from emulators.aiface_ws import PHOTO, TEMPLATE, AifaceTerminal, Faults
from gateway.config import PushConfig, TerminalConfig
from gateway.device import Ability, Device, DeviceUser, Manager
from gateway.driver import TerminalState
from gateway.drivers.aiface_ws import conversation, device, server
from gateway.drivers.aiface_ws.driver import DRIVER
from gateway.drivers.aiface_ws.server import Place
from shared.clock import system_clocks
from shared.errors import ConfigError, MusterError, RetryableError
from shared.keys import Event
from shared.punch import Flag, Punch
from tests.support.loopback import free_port
from tests.support.recording_sink import RecordingSink, TurnedClock, context, terminal, until

START = datetime(2026, 11, 23, 8, 59, 1)
SERIAL = "ZX0000000001"
KEY = f"aiface_ws:{SERIAL}"


@dataclass
class Site:
    """The gateway's side of a test; ``restart`` starts the driver anew over the same outbox."""

    port: int
    sink: RecordingSink = field(default_factory=RecordingSink)
    clock: TurnedClock = field(default_factory=lambda: TurnedClock(wall_ms=system_clocks().wall_ms()))
    discovered: list[tuple[str, str]] = field(default_factory=list)
    state: TerminalState = field(default_factory=lambda: TerminalState("", ""))
    profile: str = "timmy/tfs30"
    _task: asyncio.Future[None] | None = None

    async def start(self) -> None:
        one = terminal(TerminalConfig(name="gate", profile=self.profile, serial=SERIAL))
        self.state = one.state
        given = context(self.sink, self.clock, PushConfig(port=self.port), lambda f, s: self.discovered.append((f, s)))
        (task,) = DRIVER.tasks([one], given)
        self._task = asyncio.ensure_future(task.run())
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    @asynccontextmanager
    async def calling(self, serial: str = SERIAL, count: int = 0, **how: Any) -> AsyncIterator[AifaceTerminal]:
        faults = Faults(**{name: how.pop(name) for name in list(how) if hasattr(Faults, name)})
        one = AifaceTerminal(serial, "127.0.0.1", self.port, faults=faults, **how)
        fill(one, count)
        running = asyncio.create_task(one.run())
        try:
            yield one
        finally:
            await one.stop()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def fill(one: AifaceTerminal, count: int, start: datetime = START) -> None:
    for n in range(count):
        one.punch(1000 + n % 7, start + timedelta(seconds=n))


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(conversation, "ANSWER_S", 0.5)
    one = Site(free_port())
    await one.start()
    yield one
    await one.stop()


def seen(sink: RecordingSink) -> list[tuple[str, datetime]]:
    return sorted((p.user, datetime.fromtimestamp(p.at_device or 0, UTC).replace(tzinfo=None)) for p in sink.punches)


def punched(one: AifaceTerminal) -> list[tuple[str, datetime]]:
    return sorted((str(row.user), row.at) for row in one.log)


async def done(site: Site, one: AifaceTerminal, count: int) -> None:
    await until(lambda: len(site.sink.punches) >= count and one.acknowledged == one.emitted)


@pytest.mark.parametrize(
    "how", [{}, {"comma": True}, {"top_level": True}, {"fragments": 11}, {"http": True}, {"path": "/"}]
)
async def test_every_punch_arrives_once_and_is_acknowledged(site: Site, how: Any) -> None:
    async with site.calling(count=21, batch=5, **how) as one:
        await done(site, one, 21)
        one.punch(8, START + timedelta(hours=1))
        await done(site, one, 22)
    assert seen(site.sink) == punched(one)
    assert {p.terminal for p in site.sink.punches} == {SERIAL}
    assert all(place is not None for _, place in site.sink.puts)
    assert (site.state.firmware, site.state.log_capacity) == ("th600w v6.3", 100000)


async def test_the_worked_example_word_by_word(site: Site) -> None:
    example = [
        {"cmd": "reg", "sn": SERIAL, "cpusn": "000000001", "devinfo": {"modelname": "tfs30", "usedlog": 812}},
        {
            "cmd": "sendlog", "sn": SERIAL, "count": 2, "logindex": 10,
            "record": [
                {"enrollid": 1000, "time": "2026-11-23 08:59:01", "mode": 8, "inout": 0, "event": 0},
                {"enrollid": 0, "time": "2026-11-23 08:59:02", "mode": 0, "inout": 1, "event": 1},
            ],
        },
    ]  # fmt: skip
    site.clock.wall_ms = 1795395481000  # 2026-11-23 08:58:01 in Shanghai
    async with connect(f"ws://127.0.0.1:{site.port}/pub/chat", compression=None) as client:
        answers = []
        for said in example:
            await client.send(json.dumps(said))
            while "ret" not in (answer := json.loads(await client.recv())):
                pass
            answers.append(answer)
    assert answers == [
        {"ret": "reg", "result": True, "cloudtime": "2026-11-23 08:58:01", "nosenduser": True},
        {"ret": "sendlog", "result": True, "count": 2, "logindex": 10, "cloudtime": "2026-11-23 08:58:01"},
    ]
    (punch,) = site.sink.punches
    assert (punch.user, punch.at, punch.native_seq) == ("1000", 1795395541000, 10)


async def test_rel01_cursor_after_commit(site: Site) -> None:
    site.sink.held = asyncio.Event()
    async with site.calling(count=4) as one:
        await until(lambda: "sendlog" in one.sent)
        await asyncio.sleep(0.1)
        assert one.acknowledged == 0
        assert KEY not in site.sink.cursors
        site.sink.held.set()
        await done(site, one, 4)
    assert Place.decode(site.sink.cursors[KEY]).index == 2


async def test_a_refusing_outbox_gets_no_answer_and_the_terminal_sends_again(site: Site) -> None:
    site.sink.refusing = True
    async with site.calling(count=3) as one:
        await until(lambda: one.sent.count("sendlog") >= 2)
        assert one.acknowledged == 0
        assert site.state.problem == "buffer_refused"
        site.sink.refusing = False
        await done(site, one, 3)
    assert site.state.problem is None
    assert seen(site.sink) == punched(one)


async def test_a_terminal_that_is_not_listed_is_refused_and_told_to_it_once(site: Site) -> None:
    async with site.calling("STRANGER", count=3) as one:
        await until(lambda: one.refused >= 3)
        await one.send(one.batch_message())
        await asyncio.sleep(0.1)
    assert one.acknowledged == 0
    assert site.sink.events == []
    assert site.discovered == [("aiface_ws", "STRANGER")]


async def test_the_clock_follows_the_zone_of_the_terminal(site: Site) -> None:
    async with site.calling() as one:
        one.clock_offset = timedelta(hours=3)
        await until(lambda: one.registered)
    assert abs(one.clock_offset) < timedelta(seconds=3)


async def test_rel25_a_wrong_clock_is_shown(site: Site) -> None:
    async with site.calling() as one:
        await until(lambda: one.registered)
        one.clock_offset = timedelta(hours=3)
        one.registered = False
        await until(lambda: site.state.problem == "clock_drift")
        assert abs((site.state.drift_ms or 0) - 3 * 3_600_000) < 3000


async def test_a_gateway_whose_own_clock_is_lost_sets_no_clock(site: Site) -> None:
    site.clock.wall_ms = 5_000
    async with site.calling(count=2) as one:
        await done(site, one, 2)
        assert abs(one.clock_offset) < timedelta(seconds=3)
    assert all("cloudtime" not in answer for answer in one.answers)


@pytest.mark.parametrize("pongs", [True, False])
async def test_a_silent_terminal_is_asked_for_a_sign_of_life(
    site: Site, monkeypatch: pytest.MonkeyPatch, pongs: bool
) -> None:
    monkeypatch.setattr(server, "SILENCE_S", 0.15)
    await site.restart()
    site.sink.cursors[KEY] = Place(complete=True).encode()
    async with site.calling(deaf=True, pongs=pongs) as one:
        await until(lambda: one.registered)
        connected = one.connections
        if pongs:
            site.clock.advance(60_000)
            await until(lambda: site.state.last_contact_ms == site.clock.wall_ms)
            await asyncio.sleep(0.4)
            assert one.connections == connected
        else:
            await until(lambda: one.connections > connected)


async def test_a_post_that_is_too_large_or_broken_is_refused(site: Site) -> None:
    for head, status in ((b"Content-Length: 9000000", b"413"), (b"Content-Length: x", b"400")):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"POST /pub/api HTTP/1.1\r\n" + head + b"\r\n\r\n")
        assert status in await asyncio.wait_for(reader.readline(), 5)
        writer.close()


# The log is read again


@pytest.mark.parametrize("fault", ["", "page_counts_itself", "restarts_pages", "stuck_page", "comma"])
async def test_the_whole_log_is_read_once_in_pages(site: Site, fault: str) -> None:
    how: dict[str, Any] = {fault: True} if fault else {}
    async with site.calling(count=130, pushes=False, **how) as one:
        await until(lambda: KEY in site.sink.cursors and Place.decode(site.sink.cursors[KEY]).complete)
    if fault == "stuck_page":
        assert len(site.sink.punches) == 50
    else:
        assert seen(site.sink) == punched(one)
    assert len([said for said in one.asked if said["cmd"] == "getalllog"]) <= 5
    assert [said["stn"] for said in one.asked if said["cmd"] == "getalllog"][:2] == [True, False]


async def test_after_that_only_new_rows_are_asked_for(site: Site) -> None:
    site.sink.cursors[KEY] = Place(complete=True).encode()
    async with site.calling(count=130, pushes=False) as one:
        one.new_from = 100
        await until(lambda: len(site.sink.punches) == 30)
    assert {said["cmd"] for said in one.asked} <= {"getnewlog", "gettime"}


async def test_rows_that_come_by_both_ways_are_one_punch(site: Site) -> None:
    async with site.calling(count=60, batch=7) as one:
        await done(site, one, 60)
        await until(lambda: Place.decode(site.sink.cursors[KEY]).complete)
    assert seen(site.sink) == punched(one)
    assert site.sink.repeats > 0


async def test_a_terminal_that_answers_no_question_still_delivers(site: Site) -> None:
    async with site.calling(count=10, deaf=True) as one:
        await done(site, one, 10)
        await asyncio.sleep(0.6)
    assert not Place.decode(site.sink.cursors[KEY]).complete


# Rows


async def test_doors_and_strangers_are_acknowledged_and_no_punches(site: Site) -> None:
    async with site.calling() as one:
        one.punch(0, START, event=1)
        one.punch(99999999, START, image=True)
        one.punch("A-77", START, mode=1, inout=1)
        one.punch(0, START, event=6)
        await done(site, one, 1)
        await until(lambda: site.state.problem == "alarm")
    assert [p.user for p in site.sink.punches] == ["A-77"]


async def test_a_row_that_can_not_be_read_goes_to_quarantine_once_and_is_acknowledged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.calling() as one:
        original = one.row
        monkeypatch.setattr(
            one, "row", lambda row: {**original(row), **({"time": "0000-00-00 00:00:00"} if row.user == 5 else {})}
        )
        one.punch(5, START)
        one.punch(6, START)
        await done(site, one, 1)
        await until(lambda: Place.decode(site.sink.cursors[KEY]).complete)
    assert [(row.source, row.reason) for row in site.sink.damaged] == [(SERIAL, "bad_time")]


async def test_a_message_beyond_repair_goes_to_quarantine_once_and_the_terminal_goes_on(site: Site) -> None:
    site.sink.refusing = True
    async with site.calling(count=4, broken=1, batch=2) as one:
        await until(lambda: site.sink.refused >= 1)
        site.sink.refusing = False
        one.faults.broken = 1
        await until(lambda: one.acknowledged == 4 and len(site.sink.damaged) == 1)
    assert site.sink.damaged[0].source == SERIAL
    assert b"2026-11-23 08:59:0" in site.sink.damaged[0].raw
    assert site.state.problem in ("bad_message", None)


async def test_a_clock_that_was_lost_twice_makes_two_punches(site: Site) -> None:
    site.sink.cursors[KEY] = Place(complete=True).encode()
    async with site.calling() as one:
        one.new_from = 10
        one.punch(5, datetime(2000, 1, 1, 0, 0, 5))
        one.punch(5, datetime(2000, 1, 1, 0, 0, 5))
        await done(site, one, 2)
    assert all(p.flags & Flag.CLOCK_SUSPECT for p in site.sink.punches)


# Faults


@pytest.mark.parametrize("fault", ["garbage", "close_after_send", "truncated"])
async def test_rel25_a_fault_on_the_way_loses_nothing_and_repeats_nothing(site: Site, fault: str) -> None:
    how: dict[str, Any] = {fault: 3}
    async with site.calling(count=20, batch=4, **how) as one:
        await done(site, one, 20)
        assert getattr(one.faults, fault) == 0
    assert seen(site.sink) == punched(one)
    assert site.sink.damaged == []


async def test_rel25_a_slow_drip_is_put_together(site: Site) -> None:
    async with site.calling(count=2, drip_s=0.0005) as one:
        await done(site, one, 2)


async def test_rel25_a_restarted_gateway_goes_on(site: Site) -> None:
    async with site.calling(count=5) as one:
        await done(site, one, 5)
        await site.restart()
        fill(one, 5, START + timedelta(hours=1))
        await done(site, one, 10)
    assert seen(site.sink) == punched(one)


async def test_rel25_a_reset_log_loses_nothing(site: Site) -> None:
    async with site.calling(count=5) as one:
        await done(site, one, 5)
        one.reset_log()
        fill(one, 3, START + timedelta(days=1))
        await done(site, one, 8)
    assert len(site.sink.punches) == 8


async def test_rel25_two_connections_of_one_terminal(site: Site) -> None:
    async with site.calling(count=10) as one, site.calling(count=10) as two:
        await done(site, one, 10)
        await done(site, two, 10)
    assert len(site.sink.punches) == 10


async def test_pictures_of_a_whole_page_fit_and_a_flood_of_a_stranger_does_not(site: Site) -> None:
    async with site.calling(fragments=4096, batch=50) as one:
        for n in range(50):
            one.punch(n + 1, START, image=True)
        await done(site, one, 50)
    async with connect(f"ws://127.0.0.1:{site.port}/", compression=None, max_size=None) as client:
        await client.send("x" * 1_000_000)
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            await client.recv()


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
    ],
)
async def test_whoever_else_knocks_is_sent_away(site: Site, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(raw)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert b" 101 " not in answer
    assert b" 200 " not in answer


async def test_sec35_no_port_is_opened_without_push() -> None:
    one = terminal(TerminalConfig(name="gate", profile="timmy/tfs30", serial=SERIAL))
    with pytest.raises(ConfigError, match=r"\[push.aiface_ws\]"):
        DRIVER.tasks([one], context(RecordingSink(), TurnedClock()))
    assert DRIVER.tasks([], context(RecordingSink(), TurnedClock())) == []
    with pytest.raises(ConfigError, match="serial"):
        DRIVER.tasks(
            [terminal(TerminalConfig(name="gate", profile="timmy/tfs30"))],
            context(RecordingSink(), TurnedClock(), PushConfig(port=1)),
        )


async def test_a_taken_port_is_tried_again_later(site: Site) -> None:
    one = terminal(TerminalConfig(name="gate", profile="timmy/tfs30", serial=SERIAL))
    (task,) = DRIVER.tasks([one], context(RecordingSink(), TurnedClock(), PushConfig(port=site.port)))
    with pytest.raises(RetryableError, match="can not listen"):
        await task.run()


async def test_sec11_no_biometrics(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with site.calling(broken=1) as one:
            await until(lambda: one.registered)
            await one.send({"cmd": "senduser", "sn": SERIAL, "enrollid": 5, "backupnum": 50, "record": TEMPLATE})
            await one.send({"cmd": "senduser", "sn": SERIAL, "enrollid": 5, "backupnum": 10, "record": 7654321})
            await one.send({"cmd": "sendqrcode", "sn": SERIAL, "record": TEMPLATE})
            await one._send_text('{"cmd":"sendface","sn":"' + SERIAL + '","record":"' + TEMPLATE, "broken")
            for n in range(6):
                one.punch(n + 1, START, image=True)
            await until(lambda: one.acknowledged == 6 and len(site.sink.punches) >= 4)
            answers = {answer["ret"]: answer for answer in one.answers}
    assert answers["senduser"]["result"] is True
    assert answers["sendqrcode"]["access"] == 0
    assert answers["sendface"]["result"] is True
    assert "access" not in answers["sendlog"]
    for marker in (PHOTO, TEMPLATE, "7654321", "NAME"):
        assert marker.encode() not in site.sink.raw
        assert marker not in repr(site.sink.events)
    assert PHOTO not in caplog.text


async def test_forbidden_commands_are_never_sent(site: Site) -> None:
    async with site.calling(count=3) as one:
        await done(site, one, 3)
        await until(lambda: Place.decode(site.sink.cursors[KEY]).complete)
        await until(lambda: any(said["cmd"] == "gettime" for said in one.asked))
    assert {said["cmd"] for said in one.asked} == {"getalllog", "gettime"}


# What a person can ask


@asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch, **how: Any) -> AsyncIterator[tuple[Device, AifaceTerminal]]:
    monkeypatch.setattr(device, "CALL_S", 5.0)
    port = free_port()
    config = TerminalConfig(name="gate", profile="timmy/tfs30", serial=SERIAL, host="127.0.0.1", port=port)
    one = AifaceTerminal(SERIAL, "127.0.0.1", port, repeat_s=0.02, **how)
    running = asyncio.create_task(one.run())
    try:
        async with DRIVER.open(terminal(config), system_clocks()) as talk:
            yield talk, one
    finally:
        await one.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_info_and_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(DRIVER, Manager)
    assert DRIVER.abilities == frozenset(Ability)
    async with opened(monkeypatch, users={"1": {"name": "A"}}) as (talk, _):
        info = await talk.info()
        assert abs((await talk.clock()).drift_ms) < 3000
        await talk.set_clock(datetime(2026, 11, 23, 9, 0, 0))
        assert (await talk.clock()).wall - datetime(2026, 11, 23, 9, 0, 0) < timedelta(seconds=3)
    assert (info.serial, info.model, info.firmware, info.users) == (SERIAL, "tfs30", "th600w v6.3", 1)


async def test_users_are_listed_added_renamed_disabled_and_given_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    users: dict[str, dict[str, Any]] = {str(n): {"name": f"P{n}"} for n in range(100, 190)}
    users["100"].update(card="77", admin=1)
    async with opened(monkeypatch, users=users) as (talk, one):
        listed = await talk.users()
        await talk.put_user(DeviceUser("100", "NEW", "78"))
        await talk.put_user(DeviceUser("A-9", "ADDED", enabled=False))
        await talk.put_user(DeviceUser("101", "P101"))
        changed = [user for user in await talk.users() if user.number in ("100", "A-9")]
    assert listed[0] == DeviceUser("100", "P100", "77")
    assert [user.number for user in listed] == [str(n) for n in range(100, 190)]
    assert changed == [DeviceUser("100", "NEW", "78"), DeviceUser("A-9", "ADDED")]
    assert one.users["A-9"]["enabled"] is False
    assert one.users["100"]["admin"] == 1
    assert [said["cmd"] for said in one.asked].count("setusername") == 2
    assert TEMPLATE not in repr(listed)


@pytest.mark.parametrize(
    ("user", "said"),
    [(DeviceUser("0"), "doors"), (DeviceUser("99999999"), "strangers"), (DeviceUser("5", card="x"), "decimal")],
)
async def test_a_user_that_the_terminal_can_not_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, user: DeviceUser, said: str
) -> None:
    async with opened(monkeypatch) as (talk, one):
        with pytest.raises(ConfigError, match=said):
            await talk.put_user(user)
    assert one.users == {}


async def test_the_log_is_read_and_watched_and_stays_with_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(monkeypatch) as (talk, one):
        watching = talk.watch()
        one.punch(9, START)
        first = await asyncio.wait_for(anext(watching), 5)
        fill(one, 60, START + timedelta(hours=1))
        events: list[Event] = [event async for event in talk.log()]
    assert isinstance(first, Punch)
    assert first.user == "9"
    assert len(events) == 61
    assert one.acknowledged == 0


async def test_a_terminal_that_does_not_call_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "CALL_S", 0.1)
    config = TerminalConfig(name="gate", profile="timmy/tfs30", serial=SERIAL, host="127.0.0.1", port=free_port())
    with pytest.raises(RetryableError, match="did not call"):
        async with DRIVER.open(terminal(config), system_clocks()):
            pass
    with pytest.raises(MusterError, match="set host and port"):
        async with DRIVER.open(
            terminal(TerminalConfig(name="g", profile="timmy/tfs30", serial=SERIAL)), system_clocks()
        ):
            pass


def test_constants_are_those_of_the_page() -> None:
    assert device.PORT == 7788
    assert server.API == "/pub/api"
    assert device.CALL_S > 20
