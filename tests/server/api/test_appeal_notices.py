"""Appeals are told of as they happen: once, to those whom they are about, and without a word of what they say."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from server.config import HttpConfig, MailConfig, ServerConfig
from server.services.appeal_notices import SETTLED_MS
from server.services.notices import provide, send_due
from server.store import notice_tables, tables
from tests.server.api.company import World
from tests.server.api.test_score_periods import APRIL_MS, MARCH, april, closed
from tests.server.notices.outside import Post, post_office

APPEAL = "The damaged parcel of e3 was worth 120.00"
PAST_MS = SETTLED_MS + 1
MINUTE_MS = 60_000
MAIL = {"e1": "boss@example.com", "e2": "lilei@example.com", "e3": "fin@example.com", "e4": "hr@example.com"}
ALL_TOLD = ["boss@example.com", "hr@example.com"]


@dataclass
class Mailed:
    """A company with mail, March closed; e1 manages ops with e2 below it, e3 manages fin, e4 works in HR."""

    world: World
    post: Post
    config: ServerConfig

    async def send(self, after_ms: int = PAST_MS) -> int:
        return await send_due(self.world.db, self.config, APRIL_MS + after_ms)

    async def file(self, role: str = "employee") -> int:
        answer = await self.world.post(role, f"/api/me/score-periods/{MARCH}/appeals", {"text": APPEAL})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def decide(self, role: str, appeal: int, answer: str, **more: str) -> None:
        body = {"answer": answer, "note": "seen by two", **more}
        done = await self.world.post(role, f"/api/score-appeals/{appeal}/decide", body)
        assert done.status_code == 200, done.text

    async def notices(self) -> list[Any]:
        async with self.world.db.reading() as connection:
            return list(await connection.execute(select(notice_tables.notices).order_by(notice_tables.notices.c.id)))

    async def settings(self) -> Any:
        return (await self.world.get("hr", "/api/notices")).json()

    @property
    def told(self) -> list[list[str]]:
        return [sorted(recipients) for recipients, _ in self.post.taken]


@pytest.fixture
async def mailed(any_world: World, tmp_path: Path) -> AsyncIterator[Mailed]:
    world = await april(any_world)
    async with world.db.writing() as connection:
        for employee, address in MAIL.items():
            which = tables.employees.c.id == employee
            await connection.execute(update(tables.employees).where(which).values(email=address))
        users = tables.users
        await connection.execute(update(users).where(users.c.login == "hr").values(employee="e4"))
        for login, role, employee, disabled in (
            ("finboss", "manager", "e3", False),
            ("formerhr", "hr", "e3", True),
            ("zhao", "it", "e3", False),
        ):
            own = {"login": login, "name": login, "password_hash": "", "role": role, "employee": employee}
            more = {"departments": ["fin"], "disabled": disabled, "created_ms": 1}
            await connection.execute(users.insert().values(own | more))
    await closed(world)
    async with post_office() as post:
        config = ServerConfig(
            data=tmp_path,
            mail=MailConfig(host="127.0.0.1", port=post.port, from_="muster@example.com", tls="none"),
            http=HttpConfig(address="https://muster.example"),
        )
        world.app.state.context = replace(world.app.state.context, config=config)
        await provide(world.db, config, APRIL_MS)
        yield Mailed(world, post, config)


async def test_who_may_decide_is_told_once_and_nobody_out_of_scope(mailed: Mailed) -> None:
    await mailed.file()
    assert await mailed.send(SETTLED_MS) == 0, "another of the same millisecond may still be on its way"
    looked = await asyncio.gather(*(mailed.send() for _ in range(4)))
    assert (sum(looked), mailed.told) == (1, [ALL_TOLD])
    assert await mailed.send(60 * MINUTE_MS) == 0
    [(_, taken)] = mailed.post.taken
    mail = cast(EmailMessage, taken)
    assert mail["Subject"] == "有一份绩效申诉待处理"
    assert "https://muster.example/periods?tab=appeals" in mail.get_content()
    whole = mail.as_string() + mail.get_content()
    for word in ("e2", "Li Lei", "lilei", "damaged", "120.00", *ALL_TOLD):
        assert word not in whole, "mail leaves the house"


async def test_two_at_one_instant_are_told_of_together_and_each_manager_of_the_own_only(mailed: Mailed) -> None:
    """e1 and e2 file in one millisecond: e1 manages e2 and is told; nobody decides about the own."""
    await mailed.file("manager")
    await mailed.file()
    assert await mailed.send() == 1
    assert mailed.told == [ALL_TOLD]


async def test_nobody_is_told_of_the_own_appeal(mailed: Mailed) -> None:
    await mailed.file("manager")
    await mailed.send()
    assert mailed.told == [["hr@example.com"]]


async def test_who_appealed_is_told_once_of_the_decision_in_the_language_of_the_schedule(mailed: Mailed) -> None:
    known = next(one for one in (await mailed.settings())["schedules"] if one["report"] == "appeal_decided")
    body = {name: known[name] for name in ("report", "channel", "every", "day", "at", "departments", "disabled")}
    changed = await mailed.world.post("hr", f"/api/notices/schedules/{known['id']}", body | {"language": "en"})
    assert changed.status_code == 200, changed.text
    appeal = await mailed.file()
    await mailed.send()
    mailed.world.time.now_ms += MINUTE_MS
    await mailed.decide("manager", appeal, "refused")
    for _ in range(3):
        await mailed.send(MINUTE_MS + PAST_MS)
    assert mailed.told == [ALL_TOLD, ["lilei@example.com"]]
    mail = cast(EmailMessage, mailed.post.taken[1][1])
    assert mail["Subject"] == "Your appeal of a score has been decided"
    assert "https://muster.example/me/score" in mail.get_content()
    assert "two" not in mail.get_content(), "the note is read on the page"


async def test_a_decision_that_waits_for_a_second_person_is_not_told_before(mailed: Mailed) -> None:
    appeal = await mailed.file()
    await mailed.send()
    mailed.world.time.now_ms += MINUTE_MS
    await mailed.decide("manager", appeal, "changed", points="2")
    assert await mailed.send(2 * MINUTE_MS) == 0
    mailed.world.time.now_ms += 2 * MINUTE_MS
    waiting = (await mailed.world.get("hr", f"/api/score-periods/{MARCH}/calibrations")).json()["rows"]
    path = f"/api/score-calibrations/{waiting[0]['id']}/decide"
    assert (await mailed.world.post("hr", path, {"approve": True})).status_code == 204
    await mailed.send(4 * MINUTE_MS)
    assert mailed.told == [ALL_TOLD, ["lilei@example.com"]]


async def test_an_appeal_that_was_taken_back_tells_its_author_nothing(mailed: Mailed) -> None:
    appeal = await mailed.file()
    await mailed.send()
    mailed.world.time.now_ms += MINUTE_MS
    await mailed.world.post("employee", f"/api/me/score-appeals/{appeal}/withdraw")
    assert await mailed.send(2 * MINUTE_MS) == 0


async def test_a_refused_address_makes_nobody_else_read_it_twice(mailed: Mailed) -> None:
    mailed.post.strangers = {"boss@example.com"}
    await mailed.file()
    await mailed.send()
    assert await mailed.send(60 * MINUTE_MS) == 0
    assert mailed.told == [["hr@example.com"]]
    [notice] = await mailed.notices()
    assert (notice.state, notice.error) == ("sent", "mail_some")
    async with mailed.world.db.reading() as connection:
        alarm = (await connection.execute(select(tables.alarms).where(tables.alarms.c.kind == "notice_failed"))).one()
    assert alarm.detail == {"error": "mail_some"}


async def test_without_any_address_the_notice_says_so_and_is_not_tried_again(mailed: Mailed) -> None:
    async with mailed.world.db.writing() as connection:
        await connection.execute(update(tables.employees).values(email=None))
    await mailed.file()
    await mailed.send()
    assert await mailed.send(60 * MINUTE_MS) == 0
    [notice] = await mailed.notices()
    assert (notice.state, notice.attempts, notice.error) == ("failed", 1, "no_address")
    assert mailed.told == []


async def test_the_channel_is_set_up_once_and_stays_off_when_turned_off(mailed: Mailed) -> None:
    before = await mailed.settings()
    assert [one["report"] for one in before["schedules"]] == ["appeal_filed", "appeal_decided"]
    [channel] = before["channels"]
    assert (channel["kind"], channel["recipients"]) == ("people", [])
    body = {"kind": "people", "name": channel["name"], "disabled": True}
    assert (await mailed.world.post("hr", f"/api/notices/channels/{channel['id']}", body)).status_code == 200
    await asyncio.gather(*(provide(mailed.world.db, mailed.config, APRIL_MS) for _ in range(4)))
    after = await mailed.settings()
    assert (len(after["channels"]), len(after["schedules"])) == (1, 2)
    await mailed.file()
    assert await mailed.send() == 0


async def test_several_processes_set_it_up_once_and_none_without_mail(any_world: World) -> None:
    db = any_world.db
    await provide(db, ServerConfig(), APRIL_MS)
    assert (await any_world.get("hr", "/api/notices")).json()["channels"] == []
    config = ServerConfig(mail=MailConfig(host="127.0.0.1", port=1, from_="muster@example.com", tls="none"))
    await asyncio.gather(*(provide(db, config, APRIL_MS) for _ in range(4)))
    assert len((await any_world.get("hr", "/api/notices")).json()["schedules"]) == 2


async def test_a_test_goes_to_whoever_asks_for_it(mailed: Mailed) -> None:
    [channel] = (await mailed.settings())["channels"]
    answer = await mailed.world.post("hr", f"/api/notices/channels/{channel['id']}/test")
    assert (answer.json(), mailed.told) == ({"error": None}, [["hr@example.com"]])
    answer = await mailed.world.post("administrator", f"/api/notices/channels/{channel['id']}/test")
    assert answer.json() == {"error": "no_address"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": "day", "at": "09:30"},
        {"departments": ["ops"]},
        {"report": "appeals"},
        {"report": "appeals", "every": "day", "at": "09:30"},
        {"channel": "group"},
    ],
)
async def test_what_happens_goes_to_those_concerned_and_counts_to_groups(mailed: Mailed, wrong: dict[str, Any]) -> None:
    [people] = (await mailed.settings())["channels"]
    group = {"kind": "email", "name": "group", "recipients": ["group@example.com"]}
    made = (await mailed.world.post("hr", "/api/notices/channels", group)).json()["id"]
    body = {"report": "appeal_filed", "channel": people["id"], "every": "event"} | wrong
    body |= {"channel": made} if "channel" in wrong else {}
    refused = await mailed.world.post("hr", "/api/notices/schedules", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "happening")
    assert refused.json()["parameters"] == {"field": "report"}
