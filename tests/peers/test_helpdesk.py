"""A real django-helpdesk 2.6: what agents did to tickets is what the preset brings."""

import datetime as dt
from collections.abc import Iterator

import pytest

from tests.peers.api import AGENT, AGENT_PASSWORD, Rest
from tests.peers.reading import Reader, between
from tests.peers.systems import System
from tests.server.connectors.faulty import Call

PRESET = "desk_django_helpdesk"
OPENED, AGAIN, RESOLVED, CLOSED, DUPLICATE = 1, 2, 3, 4, 5


@pytest.fixture
def desk(helpdesk: System) -> Iterator[Rest]:
    with Rest(helpdesk, "/api", AGENT, AGENT_PASSWORD) as api:
        yield api


def ticket(desk: Rest, **values: object) -> int:
    asked = {
        "queue": 1,
        "title": "Late",
        "description": "Where is it?",
        "submitter_email": "kunde@example.com",
        "priority": 2,
    }
    return int(desk("POST", "/tickets/", {**asked, **values})["id"])


def follow_up(desk: Rest, number: int, **values: object) -> int:
    """When it was, in whole seconds since 1970 as milliseconds, by the helpdesk's own clock."""
    told = desk(
        "POST", "/followups/", {"ticket": number, "user": 1, "title": "Answer", "comment": "We look.", **values}
    )
    return ms(told["date"])


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1000


async def read(reader: Reader, url: str) -> None:
    await reader.connect(PRESET, url, user=AGENT)
    run = await reader.run(PRESET, "ticket", AGENT_PASSWORD)
    assert (run.state, run.message, run.counts.waiting) == ("ok", "", 0)


async def test_times_of_a_ticket_are_those_of_its_follow_ups(reader: Reader, helpdesk: System, desk: Rest) -> None:
    number = ticket(desk, assigned_to=1)
    opened = desk("GET", f"/tickets/{number}/")["followup_set"][0]["date"]
    follow_up(desk, number, public=False)
    replied = follow_up(desk, number, public=True)
    solved = follow_up(desk, number, public=True, new_status=RESOLVED)
    again = follow_up(desk, number, public=True, new_status=AGAIN)
    solved_again = follow_up(desk, number, public=True, new_status=RESOLVED)
    follow_up(desk, number, public=True, new_status=CLOSED, comment="")
    await read(reader, helpdesk.url)
    row = (await reader.rows(PRESET, "ticket"))[str(number)]
    shown = {
        "created_at_ms": ms(opened),
        "first_reply_at_ms": replied,
        "first_reply_seconds": (replied - ms(opened)) // 1000,
        "first_solved_at_ms": solved,
        "reopened_at_ms": again,
        "solved_at_ms": solved_again,
        "status": "closed",
        "priority": "high",
        "reopens": 1,
        "replies": 4,
        "employee_key": "1",
        "org_key": "1",
    }
    assert {name: row[name] for name in shown} == shown


async def test_each_status_of_a_ticket(reader: Reader, helpdesk: System, desk: Rest) -> None:
    told = {"open": OPENED, "solved": RESOLVED, "closed": CLOSED, "deleted": DUPLICATE}
    made = {name: ticket(desk) for name in told}
    for name, status in told.items():
        desk("PATCH", f"/tickets/{made[name]}/", {"status": status})
    waiting = ticket(desk)
    desk("PATCH", f"/tickets/{waiting}/", {"on_hold": True})
    again = ticket(desk)
    desk("PATCH", f"/tickets/{again}/", {"status": AGAIN})
    await read(reader, helpdesk.url)
    rows = await reader.rows(PRESET, "ticket")
    assert {name: rows[str(number)]["status"] for name, number in made.items()} == {name: name for name in told}
    assert (rows[str(waiting)]["status"], rows[str(again)]["status"]) == ("on_hold", "open")
    assert rows[str(made["open"])]["first_reply_at_ms"] is None
    assert rows[str(made["open"])]["employee_key"] is None


async def test_of_a_ticket_that_is_answered_only_it_is_written(reader: Reader, helpdesk: System, desk: Rest) -> None:
    number, _ = ticket(desk), ticket(desk)
    await read(reader, helpdesk.url)
    replied = follow_up(desk, number, public=True, title="Where it is")
    assert desk("GET", f"/tickets/{number}/")["title"] == "Where it is", "the reply's title replaced that of the ticket"
    run = await reader.run(PRESET, "ticket", AGENT_PASSWORD)
    assert (run.state, run.counts.added, run.counts.changed) == ("ok", 0, 1)
    assert (await reader.rows(PRESET, "ticket"))[str(number)]["first_reply_at_ms"] == replied


async def test_a_ticket_that_is_gone_is_marked_when_all_are_compared(
    reader: Reader, helpdesk: System, desk: Rest
) -> None:
    gone, *_ = [ticket(desk) for _ in range(6)]  # one of a few would be too many at once
    await read(reader, helpdesk.url)
    before = await reader.rows(PRESET, "ticket")
    desk("DELETE", f"/tickets/{gone}/")
    run = await reader.run(PRESET, "ticket", AGENT_PASSWORD, whole=True)
    assert (run.state, run.kind, run.counts.deleted) == ("ok", "compare", 1)
    assert set(before) - set(await reader.rows(PRESET, "ticket")) == {str(gone)}


async def test_a_refused_password_is_tried_once(reader: Reader, helpdesk: System) -> None:
    asked: list[Call] = []
    with between(helpdesk, asked.append) as proxy:
        await reader.connect(PRESET, proxy.url, user=AGENT)
        run = await reader.run(PRESET, "ticket", "another-one")
    assert (run.state, run.error, len(asked)) == ("failed", "auth_failed", 1)
    assert "another-one" not in run.message


@pytest.mark.usefixtures("no_waits")
async def test_a_pull_that_the_helpdesk_died_in_goes_on_where_it_was(
    reader: Reader, helpdesk: System, desk: Rest
) -> None:
    made = [ticket(desk) for _ in range(5)]
    there = desk("GET", "/tickets/")["count"]
    pages: list[Call] = []

    def die_at_third_page(call: Call) -> None:
        pages.append(call)
        if len(pages) == 3:
            helpdesk.kill()

    with between(helpdesk, die_at_third_page) as proxy:
        await reader.connect(PRESET, proxy.url, page_size=2, user=AGENT)
        first = await reader.run(PRESET, "ticket", AGENT_PASSWORD)
        assert (first.state, first.pages, first.counts.added) == ("partial", 2, 4)
        helpdesk.start()
        second = await reader.run(PRESET, "ticket", AGENT_PASSWORD)
    assert (second.state, second.counts.added) == ("ok", there - 4)
    assert {str(number) for number in made} <= set(await reader.rows(PRESET, "ticket"))
