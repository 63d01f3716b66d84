"""Live frames: who gets what, what a slow viewer misses, what a lost right ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import update

from server.access.topics import parse_topic
from server.api.views.attendance import TodayView
from server.api.views.live import Frame
from server.live.stream import StreamResponse
from server.services import accounts
from server.store import tables
from server.store.change_queries import note_changes
from tests.server.api.company import COOKIE, DAY, NOW_MS, ZONE, World, local_ms

TOPIC = f"day:{DAY}"


class Viewer:
    """The browser's end of one stream, over bare ASGI: nothing between can buffer."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.leave = asyncio.Event()

    async def send(self, message: Any) -> None:
        """What the server calls; it waits while this end reads nothing."""
        await self.may_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message.get("body"):
            self.chunks.put_nowait(message["body"])
        if not message.get("more_body"):
            self.ended.set()

    async def receive(self) -> Any:
        """One empty request, then silence until this end leaves."""
        if self.leave.is_set():
            return {"type": "http.disconnect"}
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def frames(self) -> list[Frame]:
        """The frames of the next chunk."""
        async with asyncio.timeout(5):
            chunk = await self.chunks.get()
        lines = [line.removeprefix(b"data: ") for line in chunk.split(b"\n\n") if line.startswith(b"data: ")]
        return [Frame.model_validate(json.loads(line)) for line in lines]


@asynccontextmanager
async def watching(world: World, role: str, topics: str) -> AsyncIterator[Viewer]:
    """A stream of these topics in the name of that role, past its first line."""
    viewer = Viewer()
    cookie = f"{COOKIE}={world.tokens[role]}".encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": f"topics={topics}".encode(),
        "root_path": "",
        "headers": [(b"host", b"muster.test"), (b"cookie", cookie)],
        "client": ("10.1.1.1", 4000),
        "server": ("muster.test", 443),
    }
    running = asyncio.create_task(world.app(scope, viewer.receive, viewer.send))
    try:
        async with asyncio.timeout(5):
            assert (await viewer.chunks.get()).startswith(b"retry: ")
        yield viewer
    finally:
        viewer.may_send.set()
        viewer.leave.set()
        async with asyncio.timeout(5):
            await running


async def add_punch(world: World, employee: str, user: str, at_ms: int) -> None:
    """One more punch, and the news of it."""
    async with world.db.writing() as connection:
        await connection.execute(
            tables.punches.insert().values(
                terminal="T1",
                user_code=user,
                at_device=at_ms // 1000,
                key_seq=-1,
                at_ms=at_ms,
                direction=0,
                method=1,
                raw_codes=[],
                flags=0,
                received_ms=at_ms,
                gateway="gw-0000000001",
                employee=employee,
                true_ms=at_ms,
            )
        )
        await note_changes(connection, [TOPIC], at_ms)


async def test_a_stream_begins_with_present_values_and_follows_changes(any_world: World) -> None:
    snapshot = TodayView.model_validate((await any_world.get("hr", "/api/today")).json())
    async with watching(any_world, "hr", TOPIC) as viewer:
        [first] = await viewer.frames()
        assert (first.topic, first.version, first.counts) == (TOPIC, snapshot.version, snapshot.counts)
        assert first.punches == snapshot.punches
        await any_world.hub.tick()
        await add_punch(any_world, "e1", "1", local_ms(19))
        await any_world.hub.tick()
        [frame] = await viewer.frames()
    assert frame.version > first.version
    assert [punch.at_ms for punch in frame.punches][:2] == [local_ms(19), local_ms(18, 30)]
    assert (viewer.status, viewer.headers["content-type"]) == (200, "text/event-stream")
    assert viewer.headers["cache-control"] == "no-store"
    assert "content-length" not in viewer.headers


async def test_a_change_of_another_topic_is_not_told(world: World) -> None:
    async with watching(world, "hr", TOPIC) as viewer:
        await viewer.frames()
        await world.hub.tick()
        async with world.db.writing() as connection:
            await note_changes(connection, ["devices", "day:2026-03-01"], NOW_MS)
        await world.hub.tick()
        await add_punch(world, "e1", "1", local_ms(19))
        await world.hub.tick()
        assert [frame.topic for frame in await viewer.frames()] == [TOPIC]


async def test_sec18_a_manager_gets_no_live_values_of_another_department(any_world: World) -> None:
    async with watching(any_world, "manager", TOPIC) as manager, watching(any_world, "hr", TOPIC) as hr:
        [first] = await manager.frames()
        assert {punch.employee for punch in first.punches} == {"e1", "e2"}
        assert first.counts == {"normal": 1, "late": 1}
        await hr.frames()
        await any_world.hub.tick()
        await add_punch(any_world, "e3", "3", local_ms(19))
        await any_world.hub.tick()
        [of_manager], [of_hr] = await manager.frames(), await hr.frames()
    assert of_hr.punches[0].employee == "e3"
    assert {punch.employee for punch in of_manager.punches} == {"e1", "e2"}
    assert of_manager.counts == {"normal": 1, "late": 1}


@pytest.mark.parametrize(
    ("role", "topics", "status"),
    [
        ("employee", TOPIC, 403),
        ("employee", "employee:e1", 403),
        ("manager", "employee:e3", 404),
        ("manager", f"{TOPIC},devices", 403),
        ("it", "unmatched", 403),
        ("hr", "devices", 403),
        ("hr", "nonsense", 422),
        ("hr", "day:2026-02-30", 422),
        ("hr", ",".join(f"employee:{n}" for n in range(17)), 422),
        (None, TOPIC, 401),
    ],
)
async def test_a_topic_is_checked_against_role_and_scope_when_the_stream_opens(
    world: World, role: str | None, topics: str, status: int
) -> None:
    assert (await world.get(role, f"/live?topics={topics}")).status_code == status


async def test_own_and_permitted_topics_open(world: World) -> None:
    for role, topics in (("employee", "employee:e2"), ("manager", "employee:e2"), ("it", "devices")):
        async with watching(world, role, topics) as viewer:
            assert [frame.topic for frame in await viewer.frames()] == [topics]


async def test_an_application_without_hub_says_later(world: World) -> None:
    from server.api.app import create_app
    from server.config import ServerConfig

    world.app = create_app(world.db, ServerConfig(), world.time.clocks)
    assert (await world.get("hr", f"/live?topics={TOPIC}")).status_code == 503


# --- lost rights ----------------------------------------------------------------------------------------------------


async def recheck(world: World) -> None:
    """The ticks up to the next look at rights."""
    world.time.now_ms += 10_000
    await world.hub.tick()


async def is_ended(viewer: Viewer) -> bool:
    """Whether the server has ended the stream, once it had its turn."""
    try:
        async with asyncio.timeout(0.5):
            await viewer.ended.wait()
    except TimeoutError:
        return False
    return True


async def test_a_closed_account_ends_its_stream_and_no_other(world: World) -> None:
    async with watching(world, "hr", TOPIC) as hr, watching(world, "manager", TOPIC) as manager:
        await accounts.set_disabled(world.db, "cli", "hr", True, now_ms=NOW_MS)
        await recheck(world)
        assert await is_ended(hr)
        assert not await is_ended(manager)


@pytest.mark.parametrize("change", [{"role": "employee"}, {"departments": ["fin"]}])
async def test_changed_grants_end_the_stream(world: World, change: dict[str, object]) -> None:
    async with watching(world, "manager", TOPIC) as viewer:
        await recheck(world)
        assert not await is_ended(viewer)
        async with world.db.writing() as connection:
            await connection.execute(update(tables.users).where(tables.users.c.login == "boss").values(**change))
        await recheck(world)
        assert await is_ended(viewer)


async def test_an_employee_who_moves_away_ends_the_stream_about_them(world: World) -> None:
    async with watching(world, "manager", "employee:e2") as viewer:
        async with world.db.writing() as connection:
            await connection.execute(
                update(tables.employees).where(tables.employees.c.id == "e2").values(department="fin")
            )
        await recheck(world)
        assert await is_ended(viewer)


async def test_a_stream_does_not_keep_its_session_alive(world: World) -> None:
    async with watching(world, "hr", TOPIC) as viewer:
        for _ in range(180):
            assert not viewer.ended.is_set()
            await recheck(world)
        assert await is_ended(viewer)


# --- flow -----------------------------------------------------------------------------------------------------------


async def test_a_slow_viewer_skips_to_the_newest_frame(world: World) -> None:
    async with watching(world, "hr", TOPIC) as viewer:
        await viewer.frames()
        await world.hub.tick()
        viewer.may_send.clear()
        for minute in range(5):
            await add_punch(world, "e1", "1", local_ms(19, minute))
            await world.hub.tick()
            await asyncio.sleep(0)  # the stream takes the first of them and is stuck with it
        viewer.may_send.set()
        [stuck], [newest] = await viewer.frames(), await viewer.frames()
        assert stuck.punches[0].at_ms == local_ms(19, 0)
        assert newest.punches[0].at_ms == local_ms(19, 4)
        assert viewer.chunks.empty()


async def test_viewers_of_one_scope_share_the_encoded_frame(world: World) -> None:
    async with watching(world, "hr", TOPIC) as hr, watching(world, "administrator", TOPIC) as admin:
        first = await hr.chunks.get()
        assert await admin.chunks.get() is not None
        assert b'"topic"' in first
        await world.hub.tick()
        await add_punch(world, "e1", "1", local_ms(19))
        await world.hub.tick()
        assert await hr.chunks.get() == await admin.chunks.get()
        assert len(world.hub._frames) == 1


async def test_a_quiet_stream_gets_a_comment_every_15_seconds(world: World) -> None:
    async with watching(world, "hr", TOPIC) as viewer:
        await viewer.frames()
        world.time.now_ms += 14_999
        await world.hub.tick()
        world.time.now_ms += 1
        await world.hub.tick()
        async with asyncio.timeout(5):
            assert await viewer.chunks.get() == b":\n\n"
        assert viewer.chunks.empty()


async def test_a_viewer_who_leaves_is_forgotten(world: World) -> None:
    async with watching(world, "hr", TOPIC) as viewer:
        await viewer.frames()
        assert len(world.hub.streams) == 1
    assert (world.hub.streams, world.hub._frames, world.hub._followers) == (set(), {}, {})


async def test_closing_the_hub_ends_every_stream(world: World) -> None:
    async with watching(world, "hr", TOPIC) as hr, watching(world, "it", "devices") as it:
        await hr.frames()
        await it.frames()
        world.hub.close()
        assert await is_ended(hr)
        assert await is_ended(it)


async def test_a_database_that_fails_once_loses_no_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from server.live import hub

    async with watching(world, "hr", TOPIC) as viewer:
        await viewer.frames()
        await world.hub.tick()
        await add_punch(world, "e1", "1", local_ms(19))
        with monkeypatch.context() as broken:
            broken.setattr(hub, "read_frame", _fails)
            with pytest.raises(OSError, match="gone"):
                await world.hub.tick()
        await world.hub.tick()
        [frame] = await viewer.frames()
        assert frame.punches[0].at_ms == local_ms(19)


async def _fails(*_words: object) -> None:
    raise OSError("gone")


async def test_reconnections_are_spread(world: World) -> None:
    topic = parse_topic("devices")
    assert topic is not None
    viewer = await accounts.viewer_of(world.db, world.tokens["it"], NOW_MS)
    assert viewer is not None
    waits = set()
    for _ in range(5):
        response: StreamResponse = world.hub.stream(viewer, [topic], ZONE)
        end = Viewer()
        running = asyncio.create_task(response.run(end.receive, end.send))
        waits.add(int((await end.chunks.get()).decode().removeprefix("retry: ")))
        end.leave.set()
        await running
    assert len(waits) > 1
    assert all(1000 <= wait <= 5000 for wait in waits)
