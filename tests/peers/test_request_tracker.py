"""A real Request Tracker 5: what was done to tickets is what the preset brings."""

import datetime as dt
import json
from collections.abc import Iterator

import pytest

from server.store import source_queries
from tests.peers.api import ROOT, ROOT_PASSWORD, Rest
from tests.peers.reading import Reader, between
from tests.peers.systems import System, make_rt_token, write_as_rt_customer
from tests.server.connectors.faulty import Call

PRESET = "desk_request_tracker"
CUSTOMER = "kunde@example.com"


@pytest.fixture
def rt(request_tracker: System) -> Iterator[Rest]:
    with Rest(request_tracker, "/REST/2.0", ROOT, ROOT_PASSWORD) as api:
        yield api


@pytest.fixture(scope="module")
def token(request_tracker: System) -> str:
    return make_rt_token(request_tracker, ROOT)


def ticket(rt: Rest, **changes: str) -> str:
    asked = {"Queue": "General", "Subject": "Late", "Requestor": CUSTOMER, "Content": "Where is it?"}
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


async def test_the_first_reply_of_an_agent_and_solved_and_opened_again(
    reader: Reader, request_tracker: System, rt: Rest, token: str
) -> None:
    number, silent = ticket(rt), ticket(rt)
    write_as_rt_customer(request_tracker, number, CUSTOMER)
    write_as_rt_customer(request_tracker, silent, CUSTOMER)
    rt("POST", f"/ticket/{number}/comment", {"Content": "Among us", "ContentType": "text/plain"})
    for _ in range(2):
        rt("POST", f"/ticket/{number}/correspond", {"Content": "We look.", "ContentType": "text/plain"})
    rt("PUT", f"/ticket/{number}", {"Status": "resolved"})
    write_as_rt_customer(request_tracker, number, CUSTOMER)
    await reader.connect(PRESET, request_tracker.url)
    run = await reader.run(PRESET, "ticket", token)
    assert (run.state, run.message, run.counts.waiting) == ("ok", "", 0)
    rows = await reader.rows(PRESET, "ticket")
    done = rt("GET", f"/ticket/{number}/history?fields=Type,Creator,Created,NewValue&per_page=100")["items"]
    replies = [ms(one["Created"]) for one in done if (one["Type"], one["Creator"]["id"]) == ("Correspond", ROOT)]
    solved = [ms(one["Created"]) for one in done if (one["Type"], one["NewValue"]) == ("Status", "resolved")]
    again = [ms(one["Created"]) for one in done if (one["Type"], one["NewValue"]) == ("Status", "open")]
    shown = {
        "first_reply_at_ms": replies[0],
        "first_reply_seconds": (replies[0] - ms(rt("GET", f"/ticket/{number}")["Created"])) // 1000,
        "replies": 2,
        "first_solved_at_ms": solved[0],
        "reopened_at_ms": again[-1],
        "solved_at_ms": None,
    }
    assert {name: rows[number][name] for name in shown} == shown
    assert (rows[silent]["first_reply_at_ms"], rows[silent]["replies"]) == (None, 0), "a customer does not reply"
    async with reader.db.reading() as connection:
        kept = await source_queries.kept_page(connection, PRESET, "ticket", 0)
    assert kept is not None
    assert number in {row["id"] for row in kept[1]}
    assert CUSTOMER not in json.dumps(kept[1]), "no address is kept"


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
        if call.path.endswith("/tickets"):
            pages.append(call)
        if len(pages) == 2 and call is pages[-1]:
            rt("PUT", f"/ticket/{first}", {"Priority": "7"})

    with between(request_tracker, change_the_first) as proxy:
        await reader.connect(PRESET, proxy.url, page_size=2)
        run = await reader.run(PRESET, "ticket", token)
    assert (run.state, run.counts.waiting) == ("ok", 0)
    assert {*made, first} <= set(await reader.rows(PRESET, "ticket"))
    assert len(await reader.rows(PRESET, "ticket")) == rt("GET", "/tickets?query=id>0")["total"]
