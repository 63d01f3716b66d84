"""The conversation with a Dahua terminal, over real sockets and a real digest login."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Literal

import pytest
import structlog

from emulators.dahua import DahuaTerminal
from gateway.config import PushConfig
from gateway.drivers.dahua import conversation, driver
from gateway.drivers.dahua.driver import DRIVER
from gateway.transports.http_client import RefusedError
from gateway.transports.log_place import Place
from shared.errors import ConfigError, RetryableError
from shared.punch import Direction, Flag, Method
from shared.wire import encode_event
from tests.gateway.drivers.dahua.site import AT, Site
from tests.support.loopback import free_port
from tests.support.recording_sink import until

FORMS: tuple[Literal["json"], Literal["lines"]] = ("json", "lines")
KEY = "dahua:6G0ABCDPAJ00001"


def crowd(device: DahuaTerminal, count: int, first: int = 0) -> list[str]:
    """So many people, a second apart, with refusals between them; none is told to a stream."""
    for n in range(first, first + count):
        device.punch(f"u{n:04}", AT + timedelta(seconds=n), live=False)
        if n % 3 == 0:
            device.punch("", AT + timedelta(seconds=n), status=0, error=18, live=False)
    return [f"u{n:04}" for n in range(first, first + count)]


def attached(site: Site) -> int:
    """How often the stream was opened."""
    return sum("eventManager" in request for request in site.device.requests)


async def test_the_log_becomes_punches(site: Site) -> None:
    site.device.punch("1000", AT)
    site.device.punch("1000", AT + timedelta(seconds=2), status=0, error=16)
    await site.start()
    assert await site.users(1) == ["1000"]
    site.device.punch("1001", AT + timedelta(seconds=5), method=1, way="Exit")
    assert await site.users(2) == ["1000", "1001"]
    first, second = site.sink.punches
    assert (first.direction, first.method, first.native_seq) == (Direction.IN, Method.FACE, 8801)
    assert (second.direction, second.method) == (Direction.OUT, Method.CARD)
    assert (first.at_device, first.at, first.utc_offset_s) == (1_795_424_341, 1_795_395_541_000, 28_800)
    assert first.terminal == site.device.serial
    assert site.state.firmware == "1.000.0000001.0.R,build:2021-05-20"


@pytest.mark.parametrize("page_size", [50, 1024])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("tells_total", [True, False])
async def test_every_punch_of_a_long_log_comes_once(
    site: Site, page_size: int, newest_first: bool, tells_total: bool
) -> None:
    device = site.device
    device.page_size, device.newest_first, device.tells_total = page_size, newest_first, tells_total
    expected = crowd(device, 350)
    await site.start()
    assert sorted(await site.users(350)) == expected
    expected += crowd(device, 45, 350)
    assert sorted(await site.users(395)) == expected
    assert site.sink.repeats == 0
    assert max(count for count, _ in site.sink.puts) <= 500


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("array", ["records", "Records"])
async def test_every_habit_of_writing_is_read(site: Site, newline: str, array: str) -> None:
    site.device.newline, site.device.missing = newline, frozenset({"ErrorCode", "CardNo", "AttendanceState", "Door"})
    site.device.array = array  # type: ignore[assignment]
    crowd(site.device, 20)
    await site.start()
    assert len(await site.users(20)) == 20


async def test_firmware_that_refuses_the_times_is_read_through_a_handle(site: Site) -> None:
    site.device.time_filter = False
    expected = crowd(site.device, 350)
    await site.start()
    assert sorted(await site.users(350)) == expected
    handles = sum("factory.create" in request for request in site.device.requests)
    polls = len(site.device.requests)
    await until(lambda: len(site.device.requests) > polls + 10)
    assert sum("factory.create" in request for request in site.device.requests) <= handles + 1
    expected += crowd(site.device, 1, 350)
    assert sorted(await site.users(351)) == expected
    assert site.device._found == {}  # every handle was given back
    assert site.sink.repeats == 0


async def test_a_terminal_that_can_not_be_searched_at_all_says_so(site: Site) -> None:
    site.device.time_filter = site.device.handles = False
    await site.start()
    assert isinstance(await site.failed(), conversation.UnsupportedError)


async def test_a_restarted_gateway_reads_from_its_place(site: Site) -> None:
    crowd(site.device, 100)
    await site.start()
    await site.users(100)
    await until(lambda: b"null" not in site.sink.cursors.get(KEY, b"null"))
    await site.stop()
    site.clock.advance(3_600_000)
    site.device.punch("new", AT + timedelta(minutes=59), live=False)
    before = len(site.device.requests)
    await site.start()
    assert (await site.users(101))[-1] == "new"
    searches = [request for request in site.device.requests[before:] if "action=find" in request]
    assert any(f"StartTime={1_795_395_541 - 600}&" in request for request in searches)


# Time


@pytest.mark.parametrize("real_utc", [True, False])
@pytest.mark.parametrize("local_time", [True, False])
async def test_the_time_is_right_whatever_the_firmware_counts(site: Site, real_utc: bool, local_time: bool) -> None:
    site.device.real_utc, site.device.local_time = real_utc, local_time
    site.device.punch("log", AT - timedelta(minutes=20), live=False)
    await site.start()
    await site.users(1)
    await until(lambda: site.device.listeners.count == 1)
    site.device.punch("live", AT)
    await site.users(2)
    polls = len(site.device.requests)
    await until(lambda: len(site.device.requests) > polls + 12)
    times = {punch.user: (punch.at_device, punch.at) for punch in site.sink.punches}
    assert times == {
        "log": (1_795_424_341 - 1200, (1_795_395_541 - 1200) * 1000),
        "live": (1_795_424_341, 1_795_395_541_000),
    }
    assert len(site.sink.punches) == 2
    assert site.state.problem == ("time_base" if local_time and not real_utc else None)


# Acknowledge after the commit


async def test_rel01_cursor_after_commit(site: Site) -> None:
    """No place while the outbox refuses; the place comes with the last of its rows, and no row is left out."""
    site.sink.refusing = True
    expected = crowd(site.device, 1200)
    await site.start()
    assert isinstance(await site.failed(), RetryableError)
    assert (site.sink.events, site.sink.cursors) == ([], {})
    assert site.state.problem == "buffer_refused"
    site.sink.refusing = False
    await site.stop()
    await site.start()
    assert sorted(await site.users(1200)) == expected
    await until(lambda: b"null" not in site.sink.cursors.get(KEY, b"null"))
    places = [(count, Place.decode(place)) for count, place in site.sink.puts[:3]]
    assert [(count, place.device is None) for count, place in places] == [(500, True), (500, True), (200, False)]
    assert places[2][1].number == site.device.number


async def test_a_punch_told_live_moves_no_place(site: Site) -> None:
    await site.start(poll_s=3600)
    await until(lambda: site.device.listeners.count == 1)
    place = site.sink.cursors[KEY]
    site.device.punch("1000", AT)
    assert await site.users(1) == ["1000"]
    assert site.sink.punches[0].flags == Flag.REALTIME
    assert site.sink.cursors[KEY] == place


async def test_a_log_that_is_almost_full_is_a_problem(site: Site) -> None:
    site.layouts = {"log_capacity": 100}
    for n in range(89):
        site.device.punch(str(n), AT + timedelta(seconds=n), live=False)
    await site.start()
    await until(lambda: site.state.log_used == 89)
    assert (site.state.log_capacity, site.state.problem) == (100, None)
    site.device.punch("90", AT + timedelta(seconds=90), live=False)
    await until(lambda: site.state.problem == "log_almost_full")


# The password


async def test_a_wrong_password_is_tried_once(site: Site) -> None:
    site.password = "wrong"
    await site.start()
    assert isinstance(await site.failed(), RefusedError)
    assert site.device.login.wrong == 1
    assert (site.state.state, site.state.problem) == ("config_error", "refused")


async def test_a_locked_account_stops_everything_at_once(site: Site) -> None:
    site.device.login.locked = True
    await site.start()
    assert isinstance(await site.failed(), conversation.LockedError)
    assert site.state.problem == "account_locked"


async def test_an_account_without_the_right_is_a_setting_to_mend(site: Site) -> None:
    site.device.authority = False
    await site.start()
    error = await site.failed()
    assert isinstance(error, ConfigError)
    assert "right" in str(error)


async def test_a_nonce_that_expires_disturbs_nobody(site: Site) -> None:
    site.device.login.nonce_uses, site.device.page_size = 3, 50
    expected = crowd(site.device, 200)
    await site.start()
    assert sorted(await site.users(200)) == expected
    assert site.device.login.wrong == 0


# F20: faults of the terminal

FAULTS = [(fault, n) for fault in ("garbage", "truncated", "reset", "error", "no_json") for n in (0, 2, 5, 7)]


@pytest.mark.parametrize(("fault", "after"), [*FAULTS, ("deaf", 6), ("drip", 7)])
async def test_f20_a_broken_answer_loses_nothing(site: Site, fault: str, after: int) -> None:
    site.device.page_size = 50
    expected = crowd(site.device, 100)
    # The faults are used up by the answers: the first ones are good, then one is broken.
    site.device.faults.extend([*(["fine"] * after), fault])  # type: ignore[list-item]
    await site.start()
    async with asyncio.timeout(30):
        while len(site.sink.punches) < 100:
            await asyncio.wait(site._tasks, timeout=0.05)
            if site._tasks[0].done():
                await site.stop()
                await site.start()
    assert sorted(punch.user for punch in site.sink.punches) == expected


async def test_f20_a_reboot_in_mid_transfer_loses_nothing(site: Site) -> None:
    site.device.page_size = 20
    expected = crowd(site.device, 600)
    await site.start()
    await until(lambda: len(site.device.requests) > 15)
    await site.device.stop()
    assert isinstance(await site.failed(), RetryableError)
    assert site.state.state == "offline"
    await site.device.start()
    await site.stop()
    await site.start()
    assert sorted(await site.users(600)) == expected


async def test_f20_rows_written_twice_are_one_punch(site: Site) -> None:
    expected = crowd(site.device, 50)
    site.device.duplicate(20)
    await site.start()
    assert sorted(await site.users(50)) == expected
    assert len(site.sink.punches) == 50


@pytest.mark.parametrize("time_filter", [True, False])
async def test_f20_a_factory_reset_begins_a_new_epoch_and_loses_nothing(site: Site, time_filter: bool) -> None:
    site.device.time_filter = time_filter
    crowd(site.device, 100)
    await site.start()
    await site.users(100)
    await until(lambda: Place.decode(site.sink.cursors.get(KEY)).number == site.device.number)
    site.device.factory_reset()
    site.device.punch("after", AT + timedelta(minutes=3), live=False)
    assert (await site.users(101))[-1] == "after"
    await until(lambda: Place.decode(site.sink.cursors[KEY]).epoch == 1)
    assert Place.decode(site.sink.cursors[KEY]).number == 1


async def test_f20_a_lost_clock_loses_no_punch_and_tells_two_of_them_apart(site: Site) -> None:
    site.device.punch("before", AT, live=False)
    await site.start()
    await site.users(1)
    real = site.device.wall
    lost = datetime(2000, 1, 1, 0, 5)
    site.device.wall = lambda: lost + (real() - AT)
    site.device.punch("1000", datetime(2000, 1, 1, 0, 4), live=False)
    site.device.punch("1000", datetime(2000, 1, 1, 0, 4), live=False)
    await until(lambda: site.state.problem == "clock_reset")
    assert await site.users(3) == ["before", "1000", "1000"]
    assert [punch.flags for punch in site.sink.punches[1:]] == [Flag.CLOCK_SUSPECT] * 2
    site.device.wall = real
    await until(lambda: site.state.problem is None)
    site.device.punch("after", AT + timedelta(seconds=9), live=False)
    assert (await site.users(4))[-1] == "after"


async def test_f20_punches_of_a_clock_that_was_lost_between_two_polls_are_found(site: Site) -> None:
    await site.start()
    await until(lambda: KEY in site.sink.cursors)
    site.device.punch("1000", datetime(2000, 1, 1, 0, 1), live=False)
    assert await site.users(1) == ["1000"]
    assert site.sink.punches[0].flags & Flag.CLOCK_SUSPECT


async def test_f20_a_clock_that_was_set_back_hides_nothing(site: Site) -> None:
    crowd(site.device, 3)
    await site.start()
    await site.users(3)
    real = site.device.wall
    site.device.wall = lambda: real() - timedelta(days=3)
    site.device.punch("slow", AT - timedelta(days=3), live=False)
    assert (await site.users(4))[-1] == "slow"
    await until(lambda: site.state.problem == "clock_drift")
    assert site.state.drift_ms == -3 * 24 * 3600 * 1000 + 500


async def test_f20_a_clock_set_back_while_nobody_looked_hides_nothing(site: Site) -> None:
    crowd(site.device, 3)
    await site.start()
    await site.users(3)
    await until(lambda: b"null" not in site.sink.cursors.get(KEY, b"null"))
    await site.stop()
    real = site.device.wall
    site.device.wall = lambda: real() - timedelta(days=3)
    site.device.punch("slow", AT - timedelta(days=3) + timedelta(minutes=5), live=False)
    site.clock.advance(5 * 3_600_000)
    await site.start()
    assert (await site.users(4))[-1] == "slow"


async def test_rel01_many_punches_of_a_lost_clock_wait_for_the_end_of_the_read(site: Site) -> None:
    for n in range(1200):
        site.device.punch("1000", datetime(2000, 1, 1, 0, 1) + timedelta(seconds=n), live=False)
    await site.start()
    assert len(await site.users(1200)) == 1200
    await until(lambda: b"null" not in site.sink.cursors.get(KEY, b"null"))
    places = [(count, Place.decode(place).device is None) for count, place in site.sink.puts[:3]]
    assert places == [(500, True), (500, True), (200, False)]


async def test_f20_two_gateways_on_one_terminal_agree(site: Site) -> None:
    other = Site(site.folder, device=site.device)
    expected = crowd(site.device, 150)
    await site.start()
    await other.start()
    assert sorted(await site.users(150)) == sorted(await other.users(150)) == expected
    assert {encode_event(p) for p in site.sink.punches} == {encode_event(p) for p in other.sink.punches}
    await other.stop()


# The stream


async def test_parts_of_the_stream_may_be_cut_anywhere(site: Site) -> None:
    for cut in (1, 3, 50):
        site.device.cut = cut
        await site.start(poll_s=3600)
        await until(lambda: site.device.listeners.count == 1)
        row = site.device.punch(f"cut{cut}", AT, live=False)
        site.device.tell(row, picture=True)
        await until(lambda: any(p.user == f"cut{cut}" for p in site.sink.punches))  # noqa: B023
        await site.stop()
        await until(lambda: site.device.listeners.count == 0)
    assert "FAKE" not in {punch.user for punch in site.sink.punches}


async def test_a_stream_that_breaks_or_falls_silent_is_opened_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "RECONNECT_S", 0.05)
    monkeypatch.setattr(conversation, "SILENCE_S", 0.5)
    await site.start(poll_s=3600)
    await until(lambda: site.device.listeners.count == 1)
    site.device.listeners.hang_up()
    await until(lambda: attached(site) == 2)
    site.device.listeners.mute = True
    await until(lambda: attached(site) == 3)


async def test_a_terminal_without_stream_is_polled(site: Site) -> None:
    site.device.stream_works = False
    await site.start()
    await until(lambda: site.state.state == "online")
    site.device.punch("1000", AT)
    assert await site.users(1) == ["1000"]


# Reports


async def reporting(site: Site) -> int:
    site.push = PushConfig(port=free_port())
    await site.start()
    await until(lambda: KEY in site.sink.cursors)
    return site.push.port


@pytest.mark.parametrize("form", ["json", "lines"])
async def test_a_report_is_stored_before_it_is_acknowledged(site: Site, form: Literal["json", "lines"]) -> None:
    port = await reporting(site)
    row = site.device.punch("1000", AT, live=False)
    site.device.log.clear()  # so that only the report can bring it
    site.sink.held = asyncio.Event()
    posted = asyncio.create_task(site.device.push(site.device.report(row, form), port, f"/{site.device.serial}"))
    done, _ = await asyncio.wait([posted], timeout=0.2)
    assert not done
    site.sink.held.set()
    assert await posted == 200
    assert await site.users(1) == ["1000"]


async def test_a_report_names_its_sender_where_the_path_does_not(site: Site) -> None:
    port = await reporting(site)
    row = site.device.punch("1000", AT, live=False)
    assert await site.device.push(site.device.report(row), port, "/notification") == 200
    assert await site.device.push(site.device.report(row, "lines"), port, "/notification") == 503


async def test_report_pull_and_stream_of_one_punch_are_one_event(site: Site) -> None:
    port = await reporting(site)
    await until(lambda: site.device.listeners.count == 1)
    row = site.device.punch("1000", AT)
    for form in FORMS:
        assert await site.device.push(site.device.report(row, form), port, "/gate") == 200
    polls = len(site.device.requests)
    await until(lambda: len(site.device.requests) > polls + 10)
    assert [punch.user for punch in site.sink.punches] == ["1000"]


async def test_a_report_that_can_not_be_stored_is_refused(site: Site) -> None:
    port = await reporting(site)
    site.sink.refusing = True
    body = site.device.report(site.device.punch("1000", AT, live=False))
    assert await site.device.push(body, port, "/gate") == 503


async def test_sec35_no_port_without_its_table(site: Site) -> None:
    assert [task.name for task in site.tasks()] == ["gate"]
    with pytest.raises(ConfigError, match=r"\[push.dahua\]"):
        site.tasks(host=None)


# Privacy


async def test_sec11_no_biometrics(site: Site) -> None:
    """Names, pictures and passwords are met everywhere; none is stored, shown or logged."""
    port = await reporting(site)
    site.device.enrol("1", "WANG WEI", "0A0B")
    with structlog.testing.capture_logs() as logs:
        await until(lambda: site.device.listeners.count == 1)
        row = site.device.punch("1000", AT)
        for form in FORMS:
            await site.device.push(site.device.report(row, form), port, "/gate")
        site.device.tell({**row, "Status": 7}, picture=True)
        await until(lambda: site.sink.damaged != [])
        await site.users(1)
        async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
            listed = await device.users()
            assert len(listed) == 1
    said = bytes(site.sink.raw) + json.dumps(logs, default=repr).encode() + repr((site.state, listed)).encode()
    for secret in (b"FACE-PICTURE", b"SECRET-PASSWORD", b"Muster-1234"):
        assert secret not in said
    assert b"WANG WEI" not in bytes(site.sink.raw)
