"""Sources over HTTP: how they do, run now by the process that runs them, maps checked; on both databases."""

import asyncio
import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.config import ServerConfig
from server.services import sources, sync_worker
from server.store import source_queries
from server.store.log_queries import Entry
from tests.server.api.company import World
from tests.server.connectors.faulty import Call, Peer, Reply, peer

FILE = """
source: shop
title: {{zh: 商城, en: Shop}}
kind: http_json
base_url: {url}
auth: {{type: header, name: X-Key, token: "${{env:SHOP_KEY_OF_TEST}}"}}
limits: {{requests_per_minute: 60000}}
streams:
  - fact: customer
    call: {{path: /customers}}
    key: id
    map: {{customer_key: id}}
  - fact: deal
    call: {{path: /deals}}
    key: id
    map: {{stage: {{path: stage, values: {{won: won}}}}}}
"""
MUSTER = Path(sys.executable).parent / "muster"
SECRET = "k-4711-not-to-be-seen"


class Shop:
    """Two customers and a row without a key; one deal; 401 when the key is no longer good."""

    def __init__(self) -> None:
        self.locked = False

    def __call__(self, call: Call) -> Reply:
        if self.locked:
            return Reply(status=401)
        if call.path == "/customers":
            return Reply([{"id": 1}, {"id": 2}, {"name": "no key"}])
        return Reply([{"id": "d1", "stage": "won"}])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def system(shop: Shop) -> Iterator[Peer]:
    with peer(shop) as system:
        yield system


@pytest.fixture
async def office(any_world: World, system: Peer, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SHOP_KEY_OF_TEST", SECRET)
    await sources.put_source(any_world.db, FILE.format(url=system.url), "shop.yaml", Entry(1, "it", "source.put", ""))
    return any_world


async def work(world: World) -> None:
    """What the process that runs sources does at one look."""
    for name, streams in (await sync_worker.due_streams(world.db, world.time.clocks)).items():
        await sync_worker.run_due(world.db, ServerConfig(), world.time.clocks, name, streams)


async def shown(world: World) -> dict[str, Any]:
    answer = await world.get("it", "/api/sources")
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    [row] = answer.json()["rows"]
    found: dict[str, Any] = row
    return found


async def runs(world: World, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await world.get("it", f"/api/sources/shop/runs{query}")).json()["rows"]
    return found


async def test_a_source_is_new_then_good_then_stale_by_its_age(office: World) -> None:
    new = await shown(office)
    assert (new["standing"], new["lag_ms"], new["name_zh"]) == ("new", None, "商城")
    await work(office)
    good = await shown(office)
    assert (good["standing"], good["lag_ms"], good["busy"], good["errors"]) == ("ok", 0, False, [])
    assert [(bar["stream"], bar["rows"]) for bar in good["history"]] == [("customer", 3), ("deal", 1)]
    newest = {stream["stream"]: stream["newest"] for stream in good["streams"]}
    assert (newest["customer"]["added"], newest["customer"]["waiting"], newest["deal"]["added"]) == (2, 1, 1)
    async with office.db.writing() as connection:
        long_ago_ms = office.time.now_ms - 2 * 86_400_000 - 1
        await source_queries.set_stream(connection, "shop", "deal", last_ok_ms=long_ago_ms)
    assert (await shown(office))["standing"] == "stale"


SENDER = """
source: mail
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:SHOP_KEY_OF_TEST}"], facts: [deal]}
"""


async def test_a_source_that_sends_is_stale_when_it_has_not_for_long_and_can_not_be_asked(world: World) -> None:
    await sources.put_source(world.db, SENDER, "mail.yaml", Entry(1, "it", "source.put", ""))
    assert (await shown(world))["standing"] == "new"
    async with world.db.writing() as connection:
        started = {"source": "mail", "stream": "deal", "kind": "push", "map_version": 1, "actor": "mail"}
        run = await source_queries.begin_run(connection, {**started, "started_ms": world.time.now_ms})
        await source_queries.set_run(connection, run, {"state": "ok", "ended_ms": world.time.now_ms})
        await source_queries.set_stream(connection, "mail", "deal", last_ok_ms=world.time.now_ms)
    assert (await shown(world))["standing"] == "ok"
    async with world.db.writing() as connection:
        await source_queries.set_stream(connection, "mail", "deal", last_ok_ms=world.time.now_ms - 2 * 86_400_000 - 1)
    assert (await shown(world))["standing"] == "stale", "nothing is scored by it, and IT has to see that"
    refused = await world.post("it", "/api/sources/mail/run", {})
    assert (refused.status_code, refused.json()["code"]) == (422, "sends_itself")


async def test_run_now_is_done_by_the_worker_in_the_name_of_who_asked_and_once(office: World, system: Peer) -> None:
    await work(office)
    system.calls.clear()
    answer = await office.post("it", "/api/sources/shop/run", {"stream": "deal"})
    assert (answer.status_code, answer.json()) == (202, {"streams": ["deal"]})
    assert (await shown(office))["busy"]
    assert system.calls == [], "nobody waited for the system"
    await work(office)
    await work(office)
    assert [call.path for call in system.calls] == ["/deals"]
    assert [(run["stream"], run["actor"], run["state"]) for run in await runs(office, "?stream=deal")] == [
        ("deal", "it", "ok"),
        ("deal", "system", "ok"),
    ]
    assert not (await shown(office))["busy"]


async def test_an_order_waits_while_another_process_has_the_source(office: World, system: Peer) -> None:
    await work(office)
    system.calls.clear()
    now_ms = office.time.now_ms
    async with office.db.writing() as connection:
        assert await source_queries.take_lease(connection, "shop", "another", now_ms, now_ms + 60_000)
    await office.post("it", "/api/sources/shop/run", {"whole": True})
    await work(office)
    assert (system.calls, (await shown(office))["busy"]) == ([], True)
    office.time.now_ms += 60_001
    await work(office)
    assert [run["kind"] for run in (await runs(office))[:2]] == ["compare", "compare"]
    assert not (await shown(office))["busy"]


async def test_who_is_locked_out_is_tried_once_more_only_when_a_person_asks(office: World, shop: Shop) -> None:
    shop.locked = True
    await work(office)
    locked = await shown(office)
    assert (locked["standing"], [error["error"] for error in locked["errors"]]) == ("auth_failed", ["auth_failed"])
    async with office.db.writing() as connection:
        await source_queries.set_stream(connection, "shop", "customer", next_ms=0)
    await work(office)
    assert len(await runs(office)) == 1
    shop.locked = False
    await office.post("it", "/api/sources/shop/run", {})
    await work(office)
    assert (await shown(office))["standing"] == "ok"


async def test_replay_maps_kept_pages_again_and_asks_nobody(office: World, system: Peer) -> None:
    await work(office)
    system.calls.clear()
    assert (await office.post("it", "/api/sources/shop/replay", {"stream": "customer"})).status_code == 202
    await work(office)
    assert system.calls == []
    run = (await runs(office))[0]
    assert (run["kind"], run["state"], run["pages"], run["of"], run["unchanged"]) == ("replay", "ok", 1, 1, 2)


async def test_orders_that_can_not_be_are_refused_with_a_code(office: World) -> None:
    for path, body, expected in (
        ("shop/run", {"stream": "orders"}, (422, "no_stream")),
        ("nowhere/run", {}, (404, "not_found")),
    ):
        answer = await office.post("it", f"/api/sources/{path}", body)
        assert (answer.status_code, answer.json()["code"]) == expected


@pytest.mark.parametrize("role", ["hr", "manager", "employee", "facilities"])
async def test_sources_are_for_it(office: World, role: str) -> None:
    assert (await office.get(role, "/api/sources")).status_code == 403
    assert (await office.post(role, "/api/sources/shop/run", {})).status_code == 403
    assert (await office.post(role, "/api/source-check", {})).status_code == 403


ORDERS = [
    {"id": 1, "total_price": "10.00"},
    {"id": None},
]


async def check(world: World, **body: Any) -> dict[str, Any]:
    sample = base64.b64encode(json.dumps(ORDERS).encode()).decode()
    answer = await world.post("it", "/api/source-check", {**body, "samples": [{"name": "orders.json", "body": sample}]})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_map_is_checked_as_the_command_does_it(world: World, tmp_path: Path) -> None:
    text = FILE.format(url="http://127.0.0.1:1")
    (tmp_path / "shop.yaml").write_text(text)
    (tmp_path / "orders.json").write_text(json.dumps(ORDERS))
    words = ("connectors", "map", "--source", "shop.yaml", "orders.json")
    command = await asyncio.create_subprocess_exec(
        MUSTER, *words, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    printed, _ = await command.communicate()
    found = await check(world, source=text)
    assert {name: found[name] for name in ("rows", "quarantine", "errors")} == json.loads(printed)
    assert [(row["raw"], row["fits"], row["at"]) for row in found["origins"]] == [
        (ORDERS[0], True, 0),
        (ORDERS[1], False, 0),
    ]


async def test_faults_of_a_source_file_come_with_their_lines_and_no_secret(world: World) -> None:
    text = FILE.format(url="http://127.0.0.1:1").replace('"${env:SHOP_KEY_OF_TEST}"', SECRET)
    found = await check(world, source=text)
    assert [problem["line"] for problem in found["problems"]] == [6]
    assert (found["rows"], SECRET in json.dumps(found)) == ([], False)
