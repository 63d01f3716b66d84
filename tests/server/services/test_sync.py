"""A stream is read page by page from a system that fails in every way there is; stored is what the system has."""

import asyncio
import gzip
import json
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.connectors.fetch.client import LaterError
from server.connectors.fetch.database import DatabaseAsker
from server.connectors.fetch.opening import opened
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import read_source
from server.services import sources
from server.services.fact_store import Counts, store_page
from server.services.replay import replay
from server.services.sealing import keep_page
from server.services.sync import LEASE_MS, Job, Order, Run, run_source, run_stream
from server.store import source_queries
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import raw_pages
from shared.clock import Clocks
from shared.errors import ConfigError
from tests.server.connectors.faulty import Call, Peer, Reply, peer

ENTRY = Entry(1, "cli", "source.put", "")
NOW_MS = 1_780_000_000_000
FILE = """
source: shop
kind: http_json
base_url: {url}
timezone: Asia/Shanghai
limits: {{requests_per_minute: 60000, timeout_s: 5, max_page_bytes: 100000}}
ok: {{path: errcode, equals: 0, busy: [45009]}}
streams:
  - fact: sales_order
    call: {{path: /orders}}
    rows: rows
    page: {page}
    cursor: {{field: changed, param: since, overlap: 5m}}
    full_compare: {compare}
    key: id
    map:
      order_no: id
      status: {{const: open}}
      currency: {{const: CNY}}
      amount_gross_minor: {{path: total, as: money_minor}}
      order_date: {{path: day, as: date}}
      source_updated_at: {{path: changed, as: datetime}}
"""
KEYSET = "{type: keyset, field: id, size: 3, param: after, size_param: limit}"
LINKS = "{type: next_link, next: next}"


def order(number: int, total: str = "10.00", changed: str = "2026-05-04T10:00:00Z") -> dict[str, Any]:
    return {"id": f"{number:03}", "total": total, "changed": changed, "day": "2026-05-04"}


class Shop:
    """Orders by id, in pages; ``fail`` may answer in its place."""

    def __init__(self, count: int = 7) -> None:
        self.orders = {f"{number:03}": order(number) for number in range(1, count + 1)}
        self.fail: Callable[[Call], Reply | None] = lambda _call: None

    def __call__(self, call: Call) -> Reply:
        failed = self.fail(call)
        if failed is not None:
            return failed
        since = call.query.get("since", "")
        after = call.query.get("after", "")
        rows = [row for key, row in sorted(self.orders.items()) if key > after and row["changed"] >= since]
        return Reply({"errcode": 0, "rows": rows[: int(call.query.get("limit", 1000))]})


class World:
    """A server with one source, and the system behind it."""

    def __init__(self, db: Database, system: Peer, shop: Shop) -> None:
        self.db, self.system, self.shop = db, system, shop
        self.now_ms = NOW_MS
        self.waits: list[float] = []

    async def add(self, page: str = KEYSET, compare: str = "never", text: str | None = None) -> None:
        file = text or FILE.format(url=self.system.url, page=page, compare=compare)
        await sources.put_source(self.db, file, "shop.yaml", ENTRY)

    async def run(self, *, whole: bool = False, confirmed: bool = False) -> Run:
        """As ``run_source`` does, with a sleep that only counts."""

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        async with self.db.reading() as connection:
            row, source = await sources.load_source(connection, "shop")
        clocks = Clocks(lambda: self.now_ms, lambda: self.now_ms)
        async with opened(source, Secrets(environ={}), sleep=sleep, random=random.Random(1)) as at:
            order = Order(clocks=clocks, holder="test", whole=whole, confirmed=confirmed)
            self.now_ms += 60_000
            return await run_stream(Job(self.db, row, source, source.streams[0], at, order))

    async def stored(self) -> dict[str, int]:
        table = FACT_TABLES["sales_order"]
        async with self.db.reading() as connection:
            which = select(table.c.source_key, table.c.amount_gross_minor).where(table.c.deleted.is_(False))
            return dict((await connection.execute(which)).all())

    async def cursor(self) -> Any:
        async with self.db.reading() as connection:
            [stream] = await source_queries.streams_of(connection, ["shop"])
        return stream.cursor

    async def state(self) -> tuple[str, int]:
        async with self.db.reading() as connection:
            row = await source_queries.source(connection, "shop")
        assert row is not None
        return row.state, row.failures


@pytest.fixture
def world(db: Database) -> Iterator[World]:
    shop = Shop()
    with peer(shop) as system:
        yield World(db, system, shop)


def times(count: int, reply: Reply) -> Callable[[Call], Reply | None]:
    """The reply for the first calls."""
    left = [reply] * count
    return lambda _call: left.pop() if left else None


# --- the usual way --------------------------------------------------------------------------------------------------


async def test_everything_is_read_page_by_page_and_then_only_what_changed(world: World) -> None:
    await world.add()
    first = await world.run()
    assert (first.state, first.pages, first.counts.added) == ("ok", 3, 7)
    assert await world.stored() == {f"{number:03}": 1_000 for number in range(1, 8)}
    assert await world.cursor() == {"since": "2026-05-04T10:00:00Z"}

    world.shop.orders["002"] = order(2, "99.00", "2026-05-04T11:00:00Z")
    world.shop.orders["008"] = order(8, "1.00", "2026-05-04T09:56:00Z")  # committed late, within the overlap
    world.system.calls.clear()
    second = await world.run()
    assert world.system.calls[0].query["since"] == "2026-05-04T09:55:00Z"
    assert (second.counts.added, second.counts.changed, second.counts.unchanged) == (1, 1, 6)
    assert (await world.stored())["002"] == 9_900
    assert await world.cursor() == {"since": "2026-05-04T11:00:00Z"}


async def test_a_pass_that_was_cut_off_goes_on_after_the_last_page(world: World) -> None:
    await world.add()
    world.shop.fail = lambda call: Reply(status=404) if call.query.get("after") == "006" else None
    broken = await world.run()
    assert (broken.state, broken.error, len(await world.stored())) == ("partial", "refused", 6)
    assert await world.cursor() == {"newest": "2026-05-04T10:00:00Z", "after": "006"}
    world.shop.fail = lambda _call: None
    world.system.calls.clear()
    assert (await world.run()).state == "ok"
    assert [call.query.get("after") for call in world.system.calls] == ["006"]
    assert len(await world.stored()) == 7


async def test_a_page_that_can_not_be_had_is_told_after_the_one_before_it_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def fail(call: Call) -> Reply | None:
        if call.query.get("after") != "003":
            return None
        asked.set()
        return Reply(status=404)

    async def late(*arguments: Any) -> Counts:
        assert await asyncio.to_thread(asked.wait, 10), "nothing was asked for while this page was on its way"
        return await store_page(*arguments)

    await world.add()
    world.shop.fail = fail
    monkeypatch.setattr("server.services.sync.store_page", late)
    run = await world.run()
    assert (run.state, run.error, run.pages) == ("partial", "refused", 1)
    assert sorted(await world.stored()) == ["001", "002", "003"]
    assert await world.cursor() == {"newest": "2026-05-04T10:00:00Z", "after": "003"}


async def test_no_more_than_one_page_is_asked_for_ahead(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    async def slow(connection: Any, **about: Any) -> None:
        await keep_page(connection, **about)
        for _ in range(20):
            await asyncio.sleep(0)
        asked.append(len(world.system.calls))

    await world.add(KEYSET.replace("size: 3", "size: 1"))
    monkeypatch.setattr("server.services.sync.keep_page", slow)
    assert (await world.run()).counts.added == 7
    assert all(calls <= stored + 1 for stored, calls in enumerate(asked, 1))


@pytest.mark.parametrize("page", [1, 2])
async def test_a_page_that_can_not_be_stored_is_read_again_and_none_after_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    kept: list[int] = []

    async def broken(connection: Any, **about: Any) -> None:
        kept.append(len(about["rows"]))
        if len(kept) == page:
            raise OSError("no space left")
        await keep_page(connection, **about)

    await world.add()
    with monkeypatch.context() as patched:
        patched.setattr("server.services.sync.keep_page", broken)
        with pytest.raises(OSError, match="no space left"):
            await world.run()
    assert len(kept) == page
    assert len(await world.stored()) == 3 * (page - 1)
    assert (await world.cursor() or {}).get("after") == (None if page == 1 else "003")
    world.system.calls.clear()
    again = await world.run()
    assert (again.state, again.counts.added) == ("ok", 7 - 3 * (page - 1))
    assert sorted(await world.stored()) == sorted(world.shop.orders)


async def test_a_run_that_is_stopped_between_two_pages_stores_and_asks_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = asyncio.Event()

    async def stuck(connection: Any, **about: Any) -> None:
        await keep_page(connection, **about)
        stored.set()
        await asyncio.Event().wait()

    await world.add()
    with monkeypatch.context() as patched:
        patched.setattr("server.services.sync.keep_page", stuck)
        before = asyncio.all_tasks()
        running = asyncio.create_task(world.run())
        await stored.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert asyncio.all_tasks() == before
    assert (await world.cursor(), await world.stored()) == (None, {})
    assert (await world.run()).counts.added == 7


async def test_what_is_gone_is_deleted_after_a_whole_pass_and_much_only_with_a_yes(world: World) -> None:
    await world.add(compare="daily")
    await world.run()
    del world.shop.orders["001"]
    pulled = await world.run()
    assert (pulled.kind, len(await world.stored())) == ("pull", 7)
    world.now_ms += 86_400_000
    compared = await world.run()
    assert (compared.kind, compared.counts.deleted, len(await world.stored())) == ("compare", 1, 6)
    for key in ("002", "003"):
        del world.shop.orders[key]
    refused = await world.run(whole=True)
    assert (refused.state, refused.error, len(await world.stored())) == ("partial", "many_deleted", 6)
    assert (await world.state()) == ("ok", 0)
    assert (await world.run(whole=True, confirmed=True)).counts.deleted == 2


async def test_a_changed_map_is_applied_to_the_kept_pages_without_asking(world: World) -> None:
    await world.add()
    await world.run()
    text = FILE.format(url=world.system.url, page=KEYSET, compare="never").replace("path: total", "path: id")
    await world.add(text=text)
    world.system.calls.clear()
    async with world.db.reading() as connection:
        row, source = await sources.load_source(connection, "shop")
    assert row.map_version == 2
    clocks = Clocks(lambda: NOW_MS, lambda: NOW_MS)
    for changed, unchanged in ((7, 0), (0, 7)):
        counts = await replay(world.db, "shop", source.streams[0], clocks=clocks, entry=ENTRY)
        assert (counts.changed, counts.unchanged) == (changed, unchanged)
    assert world.system.calls == []
    assert await world.stored() == {f"{number:03}": number * 100 for number in range(1, 8)}


async def test_what_is_gone_from_the_source_stays_gone_when_pages_are_mapped_again(world: World) -> None:
    await world.add(compare="daily")
    await world.run()
    del world.shop.orders["004"]
    await world.run(whole=True)
    clocks = Clocks(lambda: NOW_MS, lambda: NOW_MS)
    text = FILE.format(url=world.system.url, page=KEYSET, compare="daily").replace("path: total", "path: id")
    for file in (None, text):
        await world.add(compare="daily", text=file)
        async with world.db.reading() as connection:
            _, source = await sources.load_source(connection, "shop")
        await replay(world.db, "shop", source.streams[0], clocks=clocks, entry=ENTRY)
        assert "004" not in await world.stored()
    assert (await world.stored())["005"] == 500


async def test_contact_details_are_not_in_the_kept_pages(world: World) -> None:
    await world.add()
    world.shop.orders["001"] |= {"phone": "13812345678", "buyer": {"Email": "a@b.example"}}
    await world.run()
    async with world.db.reading() as connection:
        page = await source_queries.kept_page(connection, "shop", "sales_order", 0)
    assert page is not None
    assert "13812345678" not in json.dumps(page[1])
    assert "a@b.example" not in json.dumps(page[1])


async def test_two_processes_never_run_one_source(world: World) -> None:
    await world.add()
    async with world.db.writing() as connection:
        assert await source_queries.take_lease(connection, "shop", "other", NOW_MS, NOW_MS + 1_000)
    clocks = Clocks(lambda: world.now_ms, lambda: world.now_ms)
    asked = (lambda source: source.streams, Secrets(environ={}), Order(clocks=clocks, holder="me"))
    assert await run_source(world.db, "shop", *asked) == []
    assert world.system.calls == []
    world.now_ms = NOW_MS + 1_001  # the other one has died
    [(_, run)] = await run_source(world.db, "shop", *asked)
    assert run.state == "ok"


async def test_whoever_lost_the_lease_stores_nothing_more(world: World) -> None:
    await world.add()
    clocks = Clocks(lambda: world.now_ms, lambda: world.now_ms)
    taken: list[bool] = []

    async def take() -> bool:
        other = Database(world.db.url.render_as_string(hide_password=False))
        async with other.writing() as connection:
            until_ms = world.now_ms + LEASE_MS
            lease = await source_queries.take_lease(connection, "shop", "other", world.now_ms, until_ms)
        await other.close()
        return lease

    def tell(run: Run) -> None:
        if run.pages == 1 and not taken:
            world.now_ms += LEASE_MS + 1  # asleep for too long
            with ThreadPoolExecutor(1) as elsewhere:
                taken.append(elsewhere.submit(asyncio.run, take()).result())

    order = Order(clocks=clocks, holder="me", progress=tell)
    [(_, run)] = await run_source(world.db, "shop", lambda source: source.streams, Secrets(environ={}), order)
    assert taken == [True]
    assert (run.state, run.error, len(await world.stored())) == ("partial", "lease_lost", 3)
    async with world.db.writing() as connection:
        assert not await source_queries.take_lease(connection, "shop", "me", world.now_ms, world.now_ms + 1)


# --- what systems do ------------------------------------------------------------------------------------------------

BOMB = gzip.compress(b'{"errcode": 0, "rows": [' + b" " * 50_000_000 + b"]}")
FAULTS: dict[str, tuple[Reply, str]] = {
    "an error inside 200": (Reply({"errcode": 61500}), "refused"),
    "no rows any more": (Reply({"errcode": 0, "rows": "see page 2"}), "schema_changed"),
    "a redirect": (Reply(status=302, headers={"Location": "http://127.0.0.1:1/steal"}), "redirected"),
    "a zip bomb": (Reply(BOMB, headers={"Content-Encoding": "gzip"}), "too_large"),
    "a refusal": (Reply(status=403), "refused"),
    "not signed in": (Reply(status=401), "auth_failed"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_no_repetition_mends_is_not_repeated_and_moves_nothing(world: World, fault: str) -> None:
    await world.add()
    reply, code = FAULTS[fault]
    world.shop.fail = lambda _call: reply
    run = await world.run()
    assert (run.state, run.error, len(world.system.calls)) == ("failed", code, 1)
    assert (await world.cursor() or {}, await world.stored(), world.waits) == ({}, {}, [])


LATER: dict[str, Reply] = {
    "too many calls": Reply(status=429, headers={"Retry-After": "7"}),
    "too many calls until a date": Reply(
        status=429,
        headers={"Date": "Thu, 26 Nov 2026 12:00:00 GMT", "Retry-After": "Thu, 26 Nov 2026 12:00:07 GMT"},
    ),
    "a bad gateway": Reply(status=502),
    "busy inside 200": Reply({"errcode": 45009}),
    "a cut body": Reply({"errcode": 0, "rows": []}, cut=10),
    "half a JSON": Reply(b'{"errcode": 0, "rows": [{"id":'),
}


@pytest.mark.parametrize("fault", LATER)
async def test_what_may_work_later_is_tried_again_with_waits(world: World, fault: str) -> None:
    await world.add()
    world.shop.fail = times(2, LATER[fault])
    assert (await world.run()).state == "ok"
    assert len(await world.stored()) == 7
    assert len([wait for wait in world.waits if wait > 0.01]) == 2
    if fault.startswith("too many calls"):
        assert world.waits.count(7.0) == 2


async def test_six_failures_end_a_run_and_five_runs_a_source(world: World) -> None:
    await world.add()
    world.shop.fail = lambda _call: Reply(status=503)
    for number in range(1, 6):
        world.system.calls.clear()
        assert (await world.run()).error == "busy"
        assert len(world.system.calls) == 6
        assert await world.state() == ("down" if number == 5 else "late", number)
    async with world.db.reading() as connection:
        [stream] = await source_queries.streams_of(connection, ["shop"])
        facts = await sources.unusable_facts(connection, NOW_MS)
    assert stream.next_ms - world.now_ms == 15 * 60_000
    assert facts["sales_order"] == "source_late", "nothing is scored by a source that never came through"
    world.shop.fail = lambda _call: None
    assert (await world.run()).state == "ok"
    assert await world.state() == ("ok", 0)


async def test_a_source_that_is_away_for_a_week_is_stale_and_loses_nothing(world: World) -> None:
    await world.add()
    await world.run()
    before = await world.stored()
    world.shop.fail = lambda _call: Reply(status=503)
    world.now_ms += 7 * 86_400_000
    await world.run()
    async with world.db.reading() as connection:
        assert (await sources.unusable_facts(connection, world.now_ms))["sales_order"] == "source_late"
    assert await world.stored() == before
    world.shop.fail = lambda _call: None
    await world.run()
    async with world.db.reading() as connection:
        assert "sales_order" not in await sources.unusable_facts(connection, world.now_ms)


async def test_too_many_bad_rows_stop_the_page_and_keep_the_cursor(world: World) -> None:
    await world.add(page="{type: keyset, field: id, size: 100, param: after, size_param: limit}")
    world.shop.orders = {f"{number:03}": order(number, "ten" if number % 5 == 0 else "1") for number in range(1, 41)}
    run = await world.run()
    assert (run.state, run.error, await world.stored(), await world.cursor()) == ("rejected", "rejected", {}, None)
    assert "8 of 40 rows" in run.message
    assert "bad_number" in run.message


async def test_a_row_without_key_waits_and_the_others_are_stored(world: World) -> None:
    await world.add(page="{type: none}")
    world.shop.orders["000"] = {**order(0), "id": None}
    run = await world.run()
    assert (run.state, run.counts.added, run.counts.waiting) == ("ok", 7, 1)


async def test_text_that_no_database_takes_waits_and_stops_nothing(world: World) -> None:
    await world.add()
    world.shop.orders["0\0"] = {**order(0), "id": "0\0"}
    run = await world.run()
    assert (run.state, run.counts.added, run.counts.waiting) == ("ok", 7, 1)


async def test_a_next_page_is_found_from_the_page_before(world: World) -> None:
    """RFC 3986: below a base address with a path of its own too."""
    text = FILE.format(url=world.system.url + "/api/v2", page=LINKS, compare="never")
    await world.add(text=text)
    pages = {"": {"rows": [order(1)], "next": "?p=2"}, "2": {"rows": [order(2)], "next": "/api/v2/orders?p=3"}}
    world.shop.fail = lambda call: Reply({"errcode": 0, **pages.get(call.query.get("p", ""), {"rows": [order(3)]})})
    assert (await world.run()).state == "ok"
    assert {call.path for call in world.system.calls} == {"/api/v2/orders"}
    assert set(await world.stored()) == {"001", "002", "003"}


async def test_pay_is_refused_while_nothing_can_encrypt_it(db: Database) -> None:
    text = """
source: oa
kind: webhook
push: {secrets: ["${secret:shop}"]}
streams:
  - fact: labour_contract
    key: id
    map: {employee_key: person, starts_on: {path: from, as: date}, pay_minor: {path: pay, as: money_minor}}
"""
    with pytest.raises(ConfigError, match="pay_minor: pay is kept encrypted, and there is no key yet"):
        await sources.put_source(db, text, "oa.yaml", ENTRY)
    async with db.reading() as connection:
        assert await source_queries.sources(connection) == []
    await sources.put_source(db, text.replace(", pay_minor: {path: pay, as: money_minor}", ""), "oa.yaml", ENTRY)


async def test_a_next_page_on_another_host_is_not_asked_for(world: World) -> None:
    await world.add(page=LINKS)
    with peer(lambda _call: Reply({"errcode": 0, "rows": []})) as stranger:
        world.shop.fail = lambda _call: Reply({"errcode": 0, "rows": [], "next": f"{stranger.url}/steal"})
        run = await world.run()
        assert (run.error, stranger.calls) == ("foreign_host", [])


async def test_a_source_that_turns_in_a_circle_is_left(world: World) -> None:
    await world.add(page=LINKS)
    world.shop.fail = lambda _call: Reply({"errcode": 0, "rows": [order(1)], "next": f"{world.system.url}/orders?p=2"})
    run = await world.run()
    assert (run.state, run.error) == ("partial", "page_repeated")
    assert len(world.system.calls) <= 3


async def test_no_secret_is_in_what_a_run_says(world: World, tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("s3cr3t-value\n")
    (tmp_path / "shop").chmod(0o600)
    text = FILE.format(url=world.system.url, page=KEYSET, compare="never").replace(
        "timezone:", 'auth: {type: bearer, token: "${secret:shop}"}\ntimezone:'
    )
    await world.add(text=text)
    world.shop.fail = lambda _call: Reply(status=401)
    order = Order(clocks=Clocks(lambda: NOW_MS, lambda: NOW_MS), holder="me")
    [(_, run)] = await run_source(world.db, "shop", lambda one: one.streams, Secrets(tmp_path), order)
    assert world.system.calls[0].headers["Authorization"] == "Bearer s3cr3t-value"
    assert (run.error, await world.state()) == ("auth_failed", ("auth_failed", 1))
    async with world.db.reading() as connection:
        _, kept = await source_queries.runs(connection)
        pages = (await connection.execute(select(raw_pages))).all()
    assert "s3cr3t" not in repr([run, kept, pages, await world.state()])


# --- databases ------------------------------------------------------------------------------------------------------


ERP = """
source: erp
kind: sql
base_url: sqlite:///FILE
timezone: Asia/Shanghai
streams:
  - fact: sales_order
    call:
      sql: >
        select id, total, changed, day from orders
        where changed >= :since and id > :after order by id limit :size
    page: {type: keyset, field: id, size: 10}
    cursor: {field: changed, as: local}
    key: id
    map:
      order_no: id
      status: {const: open}
      currency: {const: CNY}
      amount_gross_minor: {path: total, as: money_minor}
      order_date: {path: day, as: date}
"""


async def test_a_query_that_takes_too_long_is_given_up_and_tried_later(db: Database, tmp_path: Path) -> None:
    endless = "with recursive n(id) as (select 1 union all select id + 1 from n) select max(id) as id from n"
    with sqlite3.connect(tmp_path / "erp.db"):
        pass
    text = ERP.replace("FILE", str(tmp_path / "erp.db")).replace("streams:", "limits: {timeout_s: 0.05}\nstreams:")
    asker = DatabaseAsker(read_source(text, "erp.yaml"), Secrets(environ={}))
    stream = read_source(text, "erp.yaml").streams[0]
    slow = stream.model_copy(update={"call": stream.call.model_copy(update={"sql": endless})})
    with pytest.raises(LaterError) as refused:
        await asker.ask(slow, {})
    assert refused.value.code == "timeout"
    await asker.close()


async def test_rows_of_a_database_are_read_by_key_and_only_read(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "erp.db"
    with sqlite3.connect(path) as erp:
        erp.execute("create table orders (id integer primary key, total numeric, changed text, day text)")
        erp.executemany(
            "insert into orders values (?, ?, ?, ?)",
            [(n, n, "2026-05-04 10:00:00", "2026-05-04") for n in range(1, 26)],
        )
    text = ERP.replace("FILE", str(path))
    await sources.put_source(db, text, "erp.yaml", ENTRY)
    order = Order(clocks=Clocks(lambda: NOW_MS, lambda: 0), holder="me")

    async def run() -> Run:
        [(_, done)] = await run_source(db, "erp", lambda source: source.streams, Secrets(environ={}), order)
        return done

    first, second = await run(), await run()
    assert (first.state, first.pages, first.counts.added) == ("ok", 3, 25)
    assert (second.counts.added, second.counts.changed, second.counts.unchanged) == (0, 0, 25)
    await sources.put_source(
        db, text.replace("select id, total, changed, day from orders", "delete from orders --"), "erp.yaml", ENTRY
    )
    assert (await run()).state == "failed"
    with sqlite3.connect(path) as erp:
        assert erp.execute("select count(*) from orders").fetchone() == (25,)
