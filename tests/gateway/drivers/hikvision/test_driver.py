"""The conversation with a Hikvision terminal, over real sockets and a real digest login."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest
import structlog

from emulators.hikvision import PICTURE, EnrolledUser, HikvisionTerminal, multipart
from gateway.config import PushConfig
from gateway.drivers.hikvision import conversation, driver
from gateway.drivers.hikvision.driver import DRIVER
from gateway.transports.http_client import RefusedError
from gateway.transports.log_place import Place
from shared.errors import ConfigError, RetryableError
from shared.punch import Direction, Flag, Method
from shared.wire import encode_event
from tests.gateway.drivers.hikvision.site import AT, PAGED, Site
from tests.support.loopback import free_port
from tests.support.recording_sink import until

KEY = "hikvision:DS-K1T341AM20260101V030230ENG12345678"


def crowd(device: HikvisionTerminal, count: int, first: int = 0) -> list[str]:
    """So many people, a second apart, with doors between them; none is told to a stream."""
    for n in range(first, first + count):
        device.punch(f"u{n:04}", AT + timedelta(seconds=n), live=False)
        if n % 3 == 0:
            device.door(AT + timedelta(seconds=n))
    return [f"u{n:04}" for n in range(first, first + count)]


async def test_the_log_becomes_punches(site: Site) -> None:
    site.device.punch("1000", AT, attendance="checkIn")
    site.device.door(AT + timedelta(seconds=1))
    await site.start()
    assert await site.users(1) == ["1000"]
    site.device.punch("1001", AT + timedelta(seconds=5), minor=38)
    assert await site.users(2) == ["1000", "1001"]
    first, second = site.sink.punches
    assert (first.direction, first.method, first.native_seq) == (Direction.IN, Method.FACE, 1)
    assert (second.direction, second.method, second.native_seq) == (Direction.UNKNOWN, Method.FINGER, 3)
    assert (first.at_device, first.at, first.utc_offset_s) == (1_795_424_341, 1_795_395_541_000, 28_800)
    assert first.terminal == site.device.serial
    assert site.sink.damaged == []


@pytest.mark.parametrize("profile", ["hikvision/ds-k1t342mwx", PAGED])
@pytest.mark.parametrize("tells_total", [True, False])
@pytest.mark.parametrize("time_filter", [True, False])
async def test_every_punch_of_a_long_log_comes_once(
    site: Site, profile: str, tells_total: bool, time_filter: bool
) -> None:
    site.profile = profile
    site.device.tells_total, site.device.no_more_text, site.device.time_filter = tells_total, True, time_filter
    expected = crowd(site.device, 350)
    await site.start()
    assert sorted(await site.users(350)) == expected
    expected += crowd(site.device, 45, 350)
    assert sorted(await site.users(395)) == expected
    assert site.sink.repeats == 0
    assert max(count for count, _ in site.sink.puts) <= 500


async def test_a_grown_log_is_not_read_from_its_start_without_a_time_filter(site: Site) -> None:
    site.profile = PAGED
    crowd(site.device, 300)
    await site.start()
    await site.users(300)
    await until(lambda: site.sink.cursors != {})
    before = len(site.device.searches)
    crowd(site.device, 1, 300)
    await site.users(301)
    await until(lambda: len(site.device.searches) > before + 4)
    positions = [int(str(s["searchResultPosition"])) for s in site.device.searches[before + 4 :]]
    assert all(position == 0 or position > 300 for position in positions)


async def test_what_is_known_is_not_put_again_at_each_poll(site: Site) -> None:
    crowd(site.device, 40)
    await site.start()
    await site.users(40)
    searches = len(site.device.searches)
    await until(lambda: len(site.device.searches) > searches + 8)
    assert site.sink.repeats == 0


async def test_a_late_row_with_an_older_time_is_found(site: Site) -> None:
    site.device.punch("first", AT, live=False)
    await site.start()
    await site.users(1)
    site.device.punch("late", AT - timedelta(minutes=4), live=False)
    assert await site.users(2) == ["first", "late"]


async def test_a_restarted_gateway_reads_from_its_place(site: Site) -> None:
    crowd(site.device, 100)
    await site.start()
    await site.users(100)
    await until(lambda: b"null" not in site.sink.cursors.get(KEY, b"null"))
    await site.stop()
    site.clock.advance(3_600_000)
    site.device.punch("new", AT + timedelta(minutes=59), live=False)
    before = len(site.device.searches)
    await site.start()
    assert (await site.users(101))[-1] == "new"
    assert str(site.device.searches[before]["startTime"]) == "2026-11-23T08:49:01+08:00"
    assert site.sink.repeats < 101


async def test_a_place_that_can_not_be_read_means_the_whole_log(site: Site) -> None:
    site.sink.cursors[KEY] = b"\x93rubbish"
    crowd(site.device, 5)
    await site.start()
    assert len(await site.users(5)) == 5


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
    await until(lambda: KEY in site.sink.cursors and b"null" not in site.sink.cursors[KEY])
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


async def test_a_live_punch_that_is_refused_comes_from_the_log(site: Site) -> None:
    await site.start(poll_s=0.3)
    await until(lambda: site.device.listeners.count == 1)
    site.sink.refusing = True
    site.device.punch("1000", AT)
    await until(lambda: site.sink.refused > 0)
    site.sink.refusing = False
    await site.stop()
    await site.start()
    assert await site.users(1) == ["1000"]


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
    error = await site.failed()
    assert isinstance(error, conversation.LockedError)
    assert "1780 s" in str(error)
    assert (site.state.state, site.state.problem) == ("config_error", "account_locked")


async def test_a_password_changed_in_mid_work_parks_the_terminal(site: Site) -> None:
    site.device.keep_alive_s = 0.02
    await site.start()
    await until(lambda: site.device.listeners.count == 1)
    site.device.login.password = "changed"
    assert isinstance(await site.failed(), ConfigError)
    assert site.device.login.wrong <= 2


async def test_a_nonce_that_expires_disturbs_nobody(site: Site) -> None:
    site.device.login.nonce_uses = 3
    expected = crowd(site.device, 200)
    await site.start()
    assert sorted(await site.users(200)) == expected
    assert site.device.login.wrong == 0


@pytest.mark.parametrize("key", [None, "missing", "admin", "admin:"])
async def test_a_key_file_that_is_none_is_a_setting_to_mend(site: Site, key: str | None) -> None:
    path = None if key is None else site.folder / "other"
    if path is not None and key != "missing":
        path.write_text(str(key))
    await site.start(key_file=path)
    assert isinstance(await site.failed(), ConfigError)
    assert site.device.unauthorised == 0


# F20: faults of the terminal


FAULTS = [(fault, n) for fault in ("garbage", "truncated", "reset", "error", "no_json") for n in (0, 1, 3, 5)]


@pytest.mark.parametrize(("fault", "after"), [*FAULTS, ("deaf", 3), ("drip", 3)])
async def test_f20_a_broken_answer_loses_nothing(site: Site, fault: str, after: int) -> None:
    expected = crowd(site.device, 100)
    # The faults are used up by the answers: the first ones are good, then one is broken.
    site.device.faults.extend([*(["fine"] * after), fault])  # type: ignore[list-item]
    for _ in range(3):
        await site.start()
        done, _ = await asyncio.wait(site._tasks, timeout=0.2)
        if not done and len(site.sink.punches) == 100:
            break
        await asyncio.wait(site._tasks, timeout=4) if not done and len(site.sink.punches) < 100 else None
        await site.stop()
    await site.start()
    assert sorted(await site.users(100)) == expected


async def test_f20_a_reboot_in_mid_transfer_loses_nothing(site: Site) -> None:
    expected = crowd(site.device, 600)
    await site.start()
    await until(lambda: len(site.device.searches) > 8)
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


@pytest.mark.parametrize("profile", ["hikvision/ds-k1t342mwx", PAGED])
async def test_f20_a_factory_reset_begins_a_new_epoch_and_loses_nothing(site: Site, profile: str) -> None:
    site.profile = profile
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
    lost = datetime(1970, 1, 1, 0, 5)
    site.device.wall = lambda: lost + (real() - AT)
    site.device.punch("1000", datetime(1970, 1, 1, 0, 4), live=False)
    site.device.punch("1000", datetime(1970, 1, 1, 0, 4), live=False)
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
    site.device.punch("1000", datetime(1970, 1, 1, 0, 1), live=False)
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
        site.device.punch("1000", datetime(1970, 1, 1, 0, 1) + timedelta(seconds=n), live=False)
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


async def test_a_busy_terminal_is_asked_again_later(site: Site) -> None:
    site.device.busy = 1
    site.device.punch("1000", AT)
    await site.start()
    assert isinstance(await site.failed(), RetryableError)
    await site.stop()
    await site.start()
    assert await site.users(1) == ["1000"]


async def test_an_endless_search_ends(site: Site) -> None:
    crowd(site.device, 5)
    site.device.stuck, site.device.tells_total = True, False
    await site.start()
    assert "again and again" in str(await site.failed())


# The stream


async def test_parts_of_the_stream_may_be_cut_anywhere(site: Site) -> None:
    for cut in (1, 3, 50):
        site.device.cut = cut
        await site.start(poll_s=3600)
        await until(lambda: site.device.listeners.count == 1)
        site.device.punch(f"cut{cut}", AT)
        await until(lambda: any(p.user == f"cut{cut}" for p in site.sink.punches))  # noqa: B023
        await site.stop()
        await until(lambda: site.device.listeners.count == 0)
    assert "FAKE" not in {punch.user for punch in site.sink.punches}


async def test_a_part_without_length_comes_with_the_next_keep_alive(site: Site) -> None:
    await site.start(poll_s=3600)
    await until(lambda: site.device.listeners.count == 1)
    row = site.device.punch("1000", AT, live=False)
    site.device.tell(row, counted=False, picture=False)
    assert await site.users(1) == ["1000"]


async def test_a_stream_that_breaks_or_falls_silent_is_opened_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "RECONNECT_S", 0.05)
    monkeypatch.setattr(conversation, "SILENCE_S", 0.5)
    await site.start(poll_s=3600)
    await until(lambda: site.device.listeners.count == 1)
    site.device.listeners.hang_up()
    await until(lambda: site.device.requests.count("GET /ISAPI/Event/notification/alertStream") == 2)
    site.device.listeners.mute = True
    await until(lambda: site.device.requests.count("GET /ISAPI/Event/notification/alertStream") == 3)


async def test_a_terminal_without_stream_is_polled(site: Site) -> None:
    site.device.stream_works = False
    await site.start()
    await until(lambda: site.state.state == "online")
    site.device.punch("1000", AT)
    assert await site.users(1) == ["1000"]


# Pushes


async def pushed(site: Site) -> int:
    site.push = PushConfig(port=free_port())
    await site.start()
    await until(lambda: site.state.serial is not None)
    return site.push.port


@pytest.mark.parametrize("form", ["json", "multipart"])
@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_push_is_stored_before_it_is_acknowledged(site: Site, form: str, wrapped: bool) -> None:
    port = await pushed(site)
    row = site.device.punch("1000", AT, live=False)
    site.device.log.clear()  # so that only the push can bring it
    site.sink.held = asyncio.Event()
    body = site.device.report(row, wrapped=wrapped)
    posted = asyncio.create_task(site.device.push(body, port, f"/{site.device.serial}", form))  # type: ignore[arg-type]
    done, _ = await asyncio.wait([posted], timeout=0.2)
    assert not done
    site.sink.held.set()
    assert await posted == 200
    assert await site.users(1) == ["1000"]
    assert site.sink.punches[0].terminal == site.device.serial


async def test_a_push_that_can_not_be_stored_is_refused(site: Site) -> None:
    port = await pushed(site)
    await until(lambda: KEY in site.sink.cursors)
    site.sink.refusing = True
    body = site.device.report(site.device.punch("1000", AT, live=False))
    assert await site.device.push(body, port, f"/{site.device.serial}") == 503


async def test_push_pull_and_stream_of_one_punch_are_one_event(site: Site) -> None:
    port = await pushed(site)
    await until(lambda: site.device.listeners.count == 1)
    row = site.device.punch("1000", AT, attendance="checkIn")
    assert await site.device.push(site.device.report(row), port, "/gate") == 200
    searches = len(site.device.searches)
    await until(lambda: len(site.device.searches) > searches + 4)
    assert [punch.user for punch in site.sink.punches] == ["1000"]


async def test_a_replayed_push_is_no_realtime_punch(site: Site) -> None:
    port = await pushed(site)
    row = site.device.punch("1000", AT, live=False)
    site.device.log.clear()
    await site.device.push(site.device.report(row, current=False), port, "/gate")
    assert [punch.flags for punch in site.sink.punches] == [Flag(0)]


async def test_a_terminal_that_only_pushes_needs_no_password(site: Site) -> None:
    site.push = PushConfig(port=free_port())
    await site.start(host=None, port=None, key_file=None, serial="PUSH1")
    for n, expected in ((1, None), (2, None), (5, "events_missed")):
        site.device.number = n - 1
        body = site.device.report(site.device.punch(f"u{n}", AT + timedelta(seconds=n), live=False))
        await until_pushed(site, body, "/PUSH1")
        assert site.state.problem == expected
    assert (site.state.state, site.state.serial) == ("online", "PUSH1")
    assert {punch.terminal for punch in site.sink.punches} == {"PUSH1"}


async def until_pushed(site: Site, body: bytes, path: str) -> None:
    """Push until the port is open and the event acknowledged."""
    assert site.push is not None
    async with asyncio.timeout(10):
        while await site.device.push(body, site.push.port, path) != 200:  # noqa: ASYNC110  # the port opens when it does
            await asyncio.sleep(0.02)


async def test_a_stranger_is_reported_once_and_keeps_its_events(site: Site) -> None:
    port = await pushed(site)
    row = site.device.punch("1000", AT, live=False)
    body = site.device.report(row).replace(b"127.0.0.1", b"10.0.0.9")
    for _ in range(2):
        assert await site.device.push(body, port, "/STRANGER") == 503
    assert site.discovered == [("hikvision", "STRANGER")]


async def test_a_heartbeat_is_acknowledged_and_ignored(site: Site) -> None:
    port = await pushed(site)
    assert await site.device.push(site.device.heartbeat(), port, "/gate") == 200
    assert site.sink.events == []


async def test_a_push_of_rubbish_is_kept_and_acknowledged(site: Site) -> None:
    port = await pushed(site)
    assert await site.device.push(b'{"broken', port, "/gate", "json") == 200
    assert [(event.source, event.reason) for event in site.sink.damaged] == [(site.device.serial, "bad_json")]


async def test_sec35_no_port_without_its_table(site: Site) -> None:
    assert [task.name for task in site.tasks()] == ["gate"]
    with pytest.raises(ConfigError, match=r"\[push.hikvision\]"):
        site.tasks(host=None)


# Privacy


async def test_sec11_no_biometrics(site: Site) -> None:
    """Names, cards, faces, picture addresses and passwords are met everywhere; none is stored, shown or logged."""
    port = await pushed(site)
    site.device.users["1"] = EnrolledUser("1", "WANG WEI")
    with structlog.testing.capture_logs() as logs:
        await until(lambda: site.device.listeners.count == 1)
        row = site.device.punch("1000", AT)
        site.device.punch("1001", AT, minor=151)
        await site.device.push(site.device.report(row), port, "/gate")
        await site.device.push(multipart(b'{"name":"SECRET-URL', PICTURE), port, "/gate", "json")
        await site.users(1)
        await until(lambda: any(event.reason == "unknown_code" for event in site.sink.damaged))
        async with DRIVER.open(site.configured(), site.clock.clocks()) as device:
            listed = await device.users()
            assert len(listed) == 1
    said = bytes(site.sink.raw) + json.dumps(logs, default=repr).encode() + repr((site.state, listed)).encode()
    for secret in (b"FACE-PICTURE", b"FACE-TEMPLATE", b"SECRET-URL", b"0012345678", b"Muster-1234"):
        assert secret not in said
    assert b"WANG WEI" not in bytes(site.sink.raw)
