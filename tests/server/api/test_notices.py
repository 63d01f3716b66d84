"""Notices reach robots and mail boxes, once each; secrets stay where they are."""

import asyncio
import io
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from server.access.roles import ROLES, permissions_of
from server.config import HttpConfig, MailConfig, NoticesConfig, ServerConfig
from server.notices.schedule import MOST_ATTEMPTS
from server.notices.secrets_file import NAME
from server.services.notices import send_due
from server.store import notice_tables, tables
from tests.server.api.company import NOW_MS, World, local_ms
from tests.server.api.seed_month import seed_month
from tests.server.notices.outside import Post, Robots, post_office, robots

HOUR_MS = 3_600_000


@dataclass
class Outside:
    """A company with robots and mail."""

    world: World
    robots: Robots
    post: Post
    config: ServerConfig

    async def channel(self, kind: str, **more: Any) -> int:
        paths = {
            "dingtalk": "/robot/send?access_token=t-1234567890abcdef",
            "wecom": "/cgi-bin/webhook/send?key=k-1234567890abcdef",
            "feishu": "/open-apis/bot/v2/hook/h-1234567890abcdef",
        }
        body: dict[str, Any] = {"kind": kind, "name": f"{kind} group"}
        body |= {"recipients": ["hr@example.com"]} if kind == "email" else {"url": f"{self.robots.origin}{paths[kind]}"}
        body |= {"key": "SECtest"} if kind in ("dingtalk", "feishu") else {}
        answer = await self.world.post("hr", "/api/notices/channels", body | more)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def schedule(self, channel: int, report: str = "today", **more: Any) -> int:
        body = {"report": report, "channel": channel, "every": "day", "at": "21:00", "language": "en", **more}
        answer = await self.world.post("hr", "/api/notices/schedules", body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def send(self, after_ms: int = HOUR_MS) -> int:
        return await send_due(self.world.db, self.config, NOW_MS + after_ms)

    async def notices(self) -> list[Any]:
        async with self.world.db.reading() as connection:
            return list(await connection.execute(select(notice_tables.notices).order_by(notice_tables.notices.c.id)))


@pytest.fixture
async def outside(any_world: World, tmp_path: Path) -> AsyncIterator[Outside]:
    async with robots(NOW_MS) as vendor, post_office() as post:
        config = ServerConfig(
            data=tmp_path,
            mail=MailConfig(host="127.0.0.1", port=post.port, from_="muster@example.com", tls="none"),
            notices=NoticesConfig(allowed=(vendor.origin,)),
            http=HttpConfig(address="https://muster.example"),
        )
        context = any_world.app.state.context
        any_world.app.state.context = replace(context, config=config)
        yield Outside(any_world, vendor, post, config)


async def test_each_channel_takes_a_test_and_says_what_became_of_it(outside: Outside) -> None:
    for kind in ("dingtalk", "wecom", "feishu", "email"):
        number = await outside.channel(kind)
        answer = await outside.world.post("hr", f"/api/notices/channels/{number}/test")
        assert (answer.status_code, answer.json()) == (200, {"error": None}), kind
    assert len(outside.robots.taken) == 3
    [(recipients, mail)] = outside.post.taken
    assert (recipients, mail["Subject"]) == (["hr@example.com"], "Muster 测试消息")
    wrong = await outside.channel("feishu", key="another")
    assert (await outside.world.post("hr", f"/api/notices/channels/{wrong}/test")).json() == {
        "error": "robot_signature"
    }


async def test_a_schedule_sends_once_however_often_and_by_how_many_it_is_looked_at(outside: Outside) -> None:
    await outside.schedule(await outside.channel("dingtalk"))
    assert await outside.send(0) == 0
    looked = await asyncio.gather(*(outside.send() for _ in range(4)))
    assert (sum(looked), outside.robots.asked) == (1, 1)
    assert await outside.send(2 * HOUR_MS) == 0
    [text] = [body["markdown"]["text"] for body in outside.robots.taken]
    assert "Planned: 4" in text
    assert "absent: 1" in text
    assert "[Open](https://muster.example/today?date=2026-03-02)" in text
    assert "Li Lei" not in text, "a group reads counts, no names"
    [notice] = await outside.notices()
    assert (notice.state, notice.attempts, notice.due_ms) == ("sent", 1, local_ms(21))


async def test_a_month_by_mail_has_the_workbook_with_it(outside: Outside) -> None:
    await seed_month(outside.world.db)
    await outside.schedule(await outside.channel("email"), "month", departments=["ops"])
    await outside.send()
    [(_, mail)] = outside.post.taken
    assert "Closing: open" in str(mail.get_body().get_content())  # type: ignore[attr-defined]
    [attached] = mail.iter_attachments()  # type: ignore[attr-defined]
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(attached.get_content())).get_sheet_by_index(0)
    assert {row[0] for row in sheet.to_python(skip_empty_area=False)[4:]} == {"e1", "e2"}


async def test_what_fails_is_tried_again_later_and_given_up_with_an_alarm(outside: Outside) -> None:
    await outside.schedule(await outside.channel("wecom", name="ops"))
    outside.robots.answer = lambda: b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    after_ms, waits = HOUR_MS, []
    for _ in range(MOST_ATTEMPTS):
        assert await outside.send(after_ms) == 1
        [notice] = await outside.notices()
        waits.append((notice.next_ms - NOW_MS - after_ms) // 60_000)
        assert await outside.send(after_ms) == 0, "not before its time"
        after_ms = notice.next_ms - NOW_MS
    assert (notice.state, notice.attempts, notice.error) == ("failed", MOST_ATTEMPTS, "robot_redirect")
    assert waits == [1, 2, 4, 8, 16, 32]
    assert outside.robots.asked == MOST_ATTEMPTS, "a redirect is not followed"
    async with outside.world.db.reading() as connection:
        alarm = (await connection.execute(select(tables.alarms))).one()
    assert (alarm.kind, alarm.subject, alarm.detail) == ("notice_failed", "ops", {"error": "robot_redirect"})


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"errcode":45009}', "robot_too_many"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "robot_status"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b" " * 70_000, "robot_answer"),
        (b"nonsense\r\n\r\n", "robot_unreachable"),
    ],
)
async def test_a_test_says_why_it_failed(outside: Outside, answer: bytes, error: str) -> None:
    number = await outside.channel("wecom")
    outside.robots.answer = lambda: answer
    assert (await outside.world.post("hr", f"/api/notices/channels/{number}/test")).json() == {"error": error}


async def test_a_vendors_limit_holds_what_is_too_much_until_later(outside: Outside) -> None:
    channel = await outside.channel("dingtalk")
    for _ in range(22):
        await outside.schedule(channel)
    assert await outside.send() == 20
    assert await outside.send() == 0
    assert await outside.send(HOUR_MS + 61_000) == 2


async def test_sec34_secrets_of_robots_are_in_one_file_of_the_owner_only(outside: Outside) -> None:
    number = await outside.channel("feishu")
    await outside.world.post("hr", f"/api/notices/channels/{number}/test")
    path = outside.config.data / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer = await outside.world.get("hr", "/api/notices")
    [channel] = answer.json()["channels"]
    assert (channel["address_tail"], channel["has_key"]) == ("…cdef", True)
    async with outside.world.db.reading() as connection:
        kept = [
            repr((await connection.execute(select(table))).all())
            for table in (notice_tables.notice_channels, tables.operation_log)
        ]
    for text in (answer.text, *kept):
        assert "SECtest" not in text
        assert "h-1234567890abcdef" not in text


async def test_a_change_without_address_and_key_keeps_them(outside: Outside) -> None:
    number = await outside.channel("dingtalk")
    before = msgspec.json.decode((outside.config.data / NAME).read_bytes())
    body = {"kind": "dingtalk", "name": "renamed"}
    assert (await outside.world.post("hr", f"/api/notices/channels/{number}", body)).status_code == 200
    assert msgspec.json.decode((outside.config.data / NAME).read_bytes()) == before
    other = {"kind": "email", "name": "x", "recipients": ["a@b.example"]}
    assert (await outside.world.post("hr", f"/api/notices/channels/{number}", other)).status_code == 404


async def test_what_is_off_is_not_sent_and_what_was_due_before_is_not_made_up_for(outside: Outside) -> None:
    channel = await outside.channel("dingtalk")
    await outside.schedule(channel, disabled=True)
    await outside.schedule(channel, at="19:00")
    assert await outside.send() == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "email", "name": "x", "recipients": ["no address"]}, "recipient"),
        ({"kind": "email", "name": "x", "recipients": ["a@b.c\nBcc: d@e.f"]}, "recipient"),
        ({"kind": "email", "name": "x", "recipients": []}, "recipient"),
        ({"kind": "wecom", "name": "x"}, "robot_address"),
        ({"kind": "wecom", "name": "x", "url": "https://127.0.0.1/x"}, "robot_address"),
        ({"kind": "wecom", "name": "x", "url": "https://oapi.dingtalk.com/x"}, "robot_address"),
        ({"kind": "wecom", "name": "\n", "url": "https://qyapi.weixin.qq.com/x"}, "channel_name"),
    ],
)
async def test_a_channel_that_does_not_fit_is_refused(world: World, body: Any, code: str) -> None:
    answer = await world.post("hr", "/api/notices/channels", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_without_mail_in_the_settings_a_test_says_so(world: World) -> None:
    body = {"kind": "email", "name": "x", "recipients": ["hr@example.com"]}
    number = (await world.post("hr", "/api/notices/channels", body)).json()["id"]
    assert (await world.post("hr", f"/api/notices/channels/{number}/test")).json() == {"error": "mail_not_set"}


@pytest.mark.parametrize("role", ROLES)
async def test_only_roles_with_the_permission_see_or_change_notices(world: World, role: Any) -> None:
    allowed = "notices.write" in permissions_of(role)
    assert ((await world.get(role, "/api/notices")).status_code == 403) is not allowed
    for path in ("channels", "channels/1", "channels/1/test", "schedules", "schedules/1"):
        assert ((await world.post(role, f"/api/notices/{path}", {})).status_code == 403) is not allowed, path
