"""A real Request Tracker 5: what was done to tickets is what the preset brings."""

import datetime as dt
from collections.abc import Iterator

import pytest

from tests.peers.api import ROOT, ROOT_PASSWORD, Rest
from tests.peers.reading import Reader, between
from tests.peers.systems import System, make_rt_token
from tests.server.connectors.faulty import Call

PRESET = "desk_request_tracker"


@pytest.fixture
def rt(request_tracker: System) -> Iterator[Rest]:
    with Rest(request_tracker, "/REST/2.0", ROOT, ROOT_PASSWORD) as api:
        yield api


@pytest.fixture(scope="module")
def token(request_tracker: System) -> str:
    return make_rt_token(request_tracker, ROOT)


def ticket(rt: Rest, **changes: str) -> str:
    asked = {"Queue": "General", "Subject": "Late", "Requestor": "kunde@example.com", "Content": "Where is it?"}
    number = str(rt("POST", "/ticket", asked)["id"])
    if changes:
        rt("PUT", f"/ticket/{number}", changes)
    return number


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1000


async def test_each_state_of_a_ticket(reader: Reader, request_tracker: System, rt: Rest, token: str) -> None:
    told = {"new": "open", "open": "open", "stalled": "on_hold", "rejected": "closed", "resolved": "solved"}
    made = {state: ticket(rt, **({} if state == "new" else {"Status": state})) for state in told}
    owned = ticket(rt, Owner=ROOT, Status="resolved")
    await reader.connect(PRESET, request_tracker.url)
    run = await reader.run(PRESET, "ticket", token)
    assert (run.state, run.message, run.counts.waiting) == ("ok", "", 0)
    rows = await reader.rows(PRESET, "ticket")
    assert {state: rows[number]["status"] for state, number in made.items()} == told
    assert {rows[number]["employee_key"] for number in made.values()} == {None}, "a ticket of Nobody is nobody's"
    assert rows[made["rejected"]]["solved_at_ms"] is None, "what was refused is not solved"
    own = rt("GET", f"/ticket/{owned}")
    shown = {"employee_key": "root", "created_at_ms": ms(own["Created"]), "solved_at_ms": ms(own["Resolved"])}
    assert {name: rows[owned][name] for name in shown} == shown
    assert rows[owned]["org_key"] == "General"


async def test_of_a_ticket_that_is_solved_only_it_is_written(
    reader: Reader, request_tracker: System, rt: Rest, token: str
) -> None:
    number, _ = ticket(rt), ticket(rt)
    await reader.connect(PRESET, request_tracker.url, page_size=2)
    first = await reader.run(PRESET, "ticket", token)
    assert (first.state, first.counts.waiting) == ("ok", 0)
    rt("PUT", f"/ticket/{number}", {"Status": "resolved"})
    run = await reader.run(PRESET, "ticket", token)
    assert (run.state, run.counts.added, run.counts.changed) == ("ok", 0, 1)
    assert (await reader.rows(PRESET, "ticket"))[number]["status"] == "solved"


async def test_a_refused_token_is_tried_once(reader: Reader, request_tracker: System) -> None:
    asked: list[Call] = []
    with between(request_tracker, asked.append) as proxy:
        await reader.connect(PRESET, proxy.url)
        run = await reader.run(PRESET, "ticket", "1-14-0123456789abcdef0123456789abcdef")
    assert (run.state, run.error, len(asked)) == ("failed", "auth_failed", 1)


async def test_a_ticket_that_changes_between_pages_hides_no_other(
    reader: Reader, request_tracker: System, rt: Rest, token: str
) -> None:
    made = [ticket(rt) for _ in range(4)]
    first = rt("GET", "/tickets?query=id>0&orderby=id&per_page=1")["items"][0]["id"]
    pages: list[Call] = []

    def change_the_first(call: Call) -> None:
        pages.append(call)
        if len(pages) == 2:
            rt("PUT", f"/ticket/{first}", {"Priority": "7"})

    with between(request_tracker, change_the_first) as proxy:
        await reader.connect(PRESET, proxy.url, page_size=2)
        run = await reader.run(PRESET, "ticket", token)
    assert (run.state, run.counts.waiting) == ("ok", 0)
    assert {*made, first} <= set(await reader.rows(PRESET, "ticket"))
    assert len(await reader.rows(PRESET, "ticket")) == rt("GET", "/tickets?query=id>0")["total"]
