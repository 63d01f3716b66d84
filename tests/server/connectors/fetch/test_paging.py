"""From page to page: every kind of paging shows every row once, and says where a pass goes on."""

import asyncio
import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connectors.errors import ReplyError
from server.connectors.fetch.asking import make_request
from server.connectors.fetch.paging import Fetched, Pass, pages
from server.connectors.fetch.position import Position
from server.connectors.fetch.template import fill
from server.connectors.reply import Page
from server.connectors.source_file import Cursor, Paging, Stream, TimeForm, Value, read_source

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = dt.date(2026, 5, 10)


class System:
    """Rows with ids from 1, handed out as each kind of paging asks for them."""

    def __init__(self, count: int, size: int) -> None:
        self.rows = [{"id": number} for number in range(1, count + 1)]
        self.size = size
        self.asked: list[Mapping[str, Any]] = []

    async def by_offset(self, values: Mapping[str, Any]) -> Page:
        self.asked.append(values)
        start = values["offset"]
        part = self.rows[start : start + self.size]
        return Page(part, start + len(part) < len(self.rows), total=len(self.rows))

    async def by_number(self, values: Mapping[str, Any]) -> Page:
        self.asked.append(values)
        start = (values["page"] - 1) * self.size
        return Page(self.rows[start : start + self.size])

    async def by_key(self, values: Mapping[str, Any]) -> Page:
        self.asked.append(values)
        return Page([row for row in self.rows if row["id"] > (values["after"] or 0)][: self.size])

    async def by_token(self, values: Mapping[str, Any]) -> Page:
        self.asked.append(values)
        start = int(values["after"] or 0)
        end = start + self.size
        return Page(self.rows[start:end], str(end) if end < len(self.rows) else None)


ASK = {
    "offset": System.by_offset,
    "has_more": System.by_offset,
    "page_number": System.by_number,
    "keyset": System.by_key,
    "next_link": System.by_token,
    "cursor_token": System.by_token,
}


def paging(kind: str, size: int) -> Paging:
    more: dict[str, Any] = {"param": "p", "next": "n"} if kind != "keyset" else {"field": "id"}
    return Paging(type=kind, size=size, **more)


async def read(kind: str, system: System, after: Any = None) -> list[Fetched]:
    about = Pass(SHANGHAI, TODAY, after=after)
    asks = ASK[kind].__get__(system)
    return [one async for one in pages(paging(kind, system.size), asks, about, {})]


@pytest.mark.parametrize("kind", ASK)
@given(st.integers(0, 30), st.integers(1, 10))
async def test_every_row_is_shown_once(kind: str, count: int, size: int) -> None:
    system = System(count, size)
    found = [row["id"] for fetched in await read(kind, system) for row in fetched.rows]
    assert found == list(range(1, count + 1))


@pytest.mark.parametrize("kind", ["keyset", "page_number", "next_link", "cursor_token"])
@given(st.integers(2, 30), st.integers(1, 5), st.integers(0, 10))
async def test_a_pass_goes_on_where_it_was_cut_off(kind: str, count: int, size: int, cut: int) -> None:
    system = System(count, size)
    whole = await read(kind, system)
    if cut >= len(whole) or whole[cut].after is None:
        return
    rest = await read(kind, system, whole[cut].after)
    before = [row["id"] for fetched in whole[: cut + 1] for row in fetched.rows]
    assert before + [row["id"] for fetched in rest for row in fetched.rows] == list(range(1, count + 1))


async def test_keys_that_do_not_grow_are_an_error() -> None:
    async def same(_values: Mapping[str, Any]) -> Page:
        return Page([{"id": 7}, {"id": 7}])

    with pytest.raises(ReplyError) as refused:
        [one async for one in pages(paging("keyset", 2), same, Pass(SHANGHAI, TODAY), {})]
    assert refused.value.code == "page_repeated"


WINDOWS = [
    ("today", ("2026-05-01", "2026-05-07"), ("2026-05-08", "2026-05-10")),
    ("yesterday", ("2026-05-01", "2026-05-07"), ("2026-05-08", "2026-05-09")),
]


@pytest.mark.parametrize(("ends", "first", "second"), WINDOWS)
async def test_windows_of_days_follow_each_other_up_to_the_last_that_may_be_asked(
    ends: Any, first: tuple[str, str], second: tuple[str, str]
) -> None:
    asked: list[tuple[str, str]] = []

    async def ask(values: Mapping[str, Any]) -> Page:
        asked.append((values["from"], values["to"]))
        return Page([{"id": len(asked)}])

    about = Pass(SHANGHAI, TODAY, since=dt.datetime(2026, 5, 1, tzinfo=SHANGHAI))
    found = [one async for one in pages(Paging(type="date_window", days=7, ends=ends), ask, about, {})]
    assert asked == [first, second]
    # Today is not over: it is asked for again, as long as it may be asked for at all.
    assert [one.covered for one in found if one.covered] == [
        dt.datetime(2026, 5, 8, tzinfo=SHANGHAI),
        dt.datetime(2026, 5, 10, tzinfo=SHANGHAI),
    ]
    # A pass that was cut off in the second window goes on with it.
    again = [
        one
        async for one in pages(Paging(type="date_window", days=7), ask, Pass(SHANGHAI, TODAY, after="2026-05-08"), {})
    ]
    assert again[0].after == "2026-05-08"


async def test_people_are_asked_about_in_batches_and_each_batch_by_days() -> None:
    asked: list[tuple[Any, Any]] = []

    async def ask(values: Mapping[str, Any]) -> Page:
        asked.append((values["ids"], values["from"]))
        return Page([])

    within = Paging(type="date_window", days=7)
    about = Pass(SHANGHAI, TODAY, since=dt.datetime(2026, 5, 1, tzinfo=SHANGHAI), ids=("a", "b", "c"))
    [one async for one in pages(Paging(type="id_batches", size=2, within=within), ask, about, {})]
    assert asked == [(ids, day) for ids in (["a", "b"], ["c"]) for day in ("2026-05-01", "2026-05-08")]


class Slow:
    """Answers of batches or windows that are asked for at once; the later one is asked for, the sooner it answers."""

    def __init__(self, fails: str | None = None) -> None:
        self.asked = self.running = self.most = 0
        self.fails = fails

    async def __call__(self, values: Mapping[str, Any]) -> Page:
        name = values.get("id") or values["from"]
        self.asked += 1
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(20 - 2 * self.asked):
            await asyncio.sleep(0)
        self.running -= 1
        if name == self.fails:
            raise ReplyError("no", "refused", retry=False)
        return Page([{"name": name}])


IDS = ("a", "b", "c", "d", "e", "f", "g")
BATCHES = Paging(type="id_batches", size=1)


@pytest.mark.parametrize("at_once", [1, 3])
async def test_batches_and_windows_that_are_asked_for_at_once_stay_in_order(at_once: int) -> None:
    ask = Slow()
    found = [one async for one in pages(BATCHES, ask, Pass(SHANGHAI, TODAY, ids=IDS, at_once=at_once), {})]
    assert [row["name"] for one in found for row in one.rows] == list(IDS)
    assert (ask.asked, ask.most) == (len(IDS), at_once)

    ask, since = Slow(), dt.datetime(2026, 5, 6, tzinfo=SHANGHAI)
    daily = Paging(type="date_window", days=1)
    found = [one async for one in pages(daily, ask, Pass(SHANGHAI, TODAY, since, at_once=at_once), {})]
    days = [f"2026-05-{day:02}" for day in (6, 7, 8, 9, 10)]
    assert [row["name"] for one in found for row in one.rows] == days
    assert [one.covered.day for one in found if one.covered] == [7, 8, 9, 10, 10]
    assert ask.most == at_once


async def test_a_batch_that_fails_takes_none_of_those_before_it_and_leaves_nothing_running() -> None:
    found: list[str] = []

    async def read_all() -> None:
        async for one in pages(BATCHES, Slow(fails="d"), Pass(SHANGHAI, TODAY, ids=IDS, at_once=3), {}):
            found.extend(row["name"] for row in one.rows)

    with pytest.raises(ReplyError):
        await read_all()
    assert found == ["a", "b", "c"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_window_of_whole_days_ends_with_their_last_second() -> None:
    """Next midnight in Shanghai is 16:00 UTC; 1778428799 is one second before that of 10 May 2026."""
    asked: list[tuple[Any, Any]] = []

    async def ask(values: Mapping[str, Any]) -> Page:
        asked.append((values["from"], values["to"]))
        return Page([])

    about = Pass(SHANGHAI, TODAY, since=dt.datetime(2026, 5, 10, tzinfo=SHANGHAI))
    for form in ("epoch_s", "epoch_s_text"):
        paging = Paging.model_validate({"type": "date_window", "days": 1, "as": form, "whole_days": True})
        [one async for one in pages(paging, ask, about, {})]
    assert asked == [(1_778_342_400, 1_778_428_799), ("1778342400", "1778428799")]


async def test_of_a_batch_of_one_the_id_itself_may_be_asked_for() -> None:
    asked: list[Any] = []

    async def ask(values: Mapping[str, Any]) -> Page:
        asked.append(fill({"num": "{id}"}, values))
        return Page([])

    [one async for one in pages(Paging(type="id_batches", size=1), ask, Pass(SHANGHAI, TODAY, ids=("a", "b")), {})]
    assert asked == [{"num": "a"}, {"num": "b"}]


def test_a_time_that_the_token_holds_is_asked_with_the_first_page_only() -> None:
    text = """
source: desk
kind: http_json
base_url: https://desk.example
streams:
  - fact: customer
    call: {path: /rows}
    page: {type: cursor_token, param: cursor, next: after}
    cursor: {field: at, param: start, as: epoch_s, once: true}
    key: id
    map: {customer_key: id}
"""
    desk = read_source(text, "desk.yaml")
    values = {"since": dt.datetime(2026, 5, 10, tzinfo=SHANGHAI), "after": None}
    assert make_request(desk, desk.streams[0], values).params == {"start": 1_778_342_400}
    assert make_request(desk, desk.streams[0], {**values, "after": "t2"}).params == {"cursor": "t2"}


# --- positions ------------------------------------------------------------------------------------------------------

NOW = dt.datetime(2026, 5, 10, tzinfo=dt.UTC)
STREAM = Stream(
    fact="customer",
    cursor=Cursor(field=("write_date", "create_date"), overlap="5m"),
    key=Value(path=("id",)),
    map={"customer_key": Value(path=("id",))},
)


def test_the_first_field_that_is_set_says_when_a_row_changed() -> None:
    rows = [
        {"write_date": None, "create_date": "2026-05-04 10:00:00"},  # 02:00 UTC
        {"write_date": "2026-05-04T03:00:00Z", "create_date": "2026-05-09 10:00:00"},
        {"write_date": "no time", "create_date": None},
    ]
    known = Position().past(STREAM, SHANGHAI, rows, 3, NOW)
    assert known.kept() == {"newest": "2026-05-04T03:00:00Z", "after": 3}
    assert known.through().kept() == {"since": "2026-05-04T03:00:00Z"}
    assert Position.of(known.through().kept()).start(STREAM, SHANGHAI) == dt.datetime(2026, 5, 4, 2, 55, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("epoch_s", 1_777_863_600),
        ("epoch_s", "1777863600"),
        ("epoch_s", "2026-05-04T03:00:00Z"),
        ("epoch_ms", 1_777_863_600_500),
        ("epoch_ms", "1777863600500"),
        ("epoch_ms", "2026-05-04T03:00:00.500Z"),
        ("iso", "2026-05-04T03:00:00Z"),
        ("local", "2026-05-04 11:00:00"),
        ("iso", 1_777_863_600),
    ],
)
def test_a_change_is_read_in_whatever_form_it_comes(form: TimeForm, told: str | int) -> None:
    """Zendesk and HubSpot are asked by a number, and answer with a date and a time of day."""
    stream = STREAM.model_copy(update={"cursor": Cursor(field=("at",), as_=form)})
    assert Position().past(stream, SHANGHAI, [{"at": told}], None, NOW).newest == dt.datetime(
        2026, 5, 4, 3, tzinfo=dt.UTC
    )


@given(st.lists(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1)), max_size=6))
def test_a_position_never_moves_back(times: list[dt.datetime]) -> None:
    position = Position()
    for at in times:
        text = at.replace(microsecond=0, tzinfo=dt.UTC).isoformat()
        moved = Position.of(position.past(STREAM, SHANGHAI, [{"write_date": text}], None, NOW).through().kept())
        assert position.since is None or (moved.since is not None and moved.since >= position.since)
        position = moved


def test_a_change_that_lies_ahead_hides_none_that_is_still_to_come() -> None:
    known = Position().past(STREAM, SHANGHAI, [{"write_date": "2099-01-01T00:00:00Z"}], None, NOW).through()
    assert known.since == NOW


def test_what_settles_late_is_read_again_without_a_field_that_says_so() -> None:
    days = Stream(fact="customer", lookback="7d", key=STREAM.key, map=STREAM.map)
    assert Position(NOW).start(days, SHANGHAI) == NOW - dt.timedelta(days=7)
    assert Position(NOW).start(STREAM, SHANGHAI) == NOW - dt.timedelta(minutes=5)


def test_the_first_pass_begins_where_the_file_says() -> None:
    cursor = Cursor(field=("write_date",), start=dt.date(2026, 1, 1))
    late = Stream(fact="customer", cursor=cursor, key=STREAM.key, map=STREAM.map)
    assert Position().start(late, SHANGHAI) == dt.datetime(2026, 1, 1, tzinfo=SHANGHAI)
    assert Position().start(STREAM, SHANGHAI) is None
