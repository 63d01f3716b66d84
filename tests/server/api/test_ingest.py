"""Programs push rows and vendors call, on both databases (connectors.md section 6)."""

import asyncio
import base64
import gzip
import hmac
import itertools
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import select

from server.connectors.push.signature import sign
from server.connectors.source_file import read_source
from server.services import hooks, push, sources
from server.services.replay import replay
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import fact_quarantine, hook_bodies, push_nonces, push_replies, sync_runs
from shared.clock import system_clocks
from tests.server.api.company import World
from tests.support.loopback import free_port, wait_for_listener

PAGE = Path(__file__).parents[3] / "docs/howto/push-data.md"
SECRET, NEXT = "test-secret-please-rotate", "the-one-after-it"
CRM = """
source: crm
kind: webhook
timezone: Asia/Shanghai
limits: {requests_per_minute: 6}
push: {secrets: ["${env:PUSH_SECRET}", "${env:PUSH_NEXT}"], facts: [customer]}
streams:
  - fact: deal
    key: id
    map:
      stage: {path: state, values: {new: open, won: won, lost: lost}}
      amount_minor: {path: amount, as: money_minor}
      currency: {const: CNY}
      employee_key: owner
"""
SHOP = """
source: shop
kind: webhook
hook: {vendor: shopify, secret: "${env:HOOK_SECRET}"}
streams:
  - fact: sales_order
    key: id
    map:
      order_no: name
      status: {first_of: [{path: cancelled_at, values: {"": open}}, {const: open}]}
      currency: currency
      amount_gross_minor: {path: total_price, as: money_minor}
  - fact: sales_order_line
    each: line_items
    key: {join: [^.id, id]}
    map: {order_key: ^.id, line_no: id, sku: sku}
"""
_nonces = itertools.count(1)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PUSH_SECRET", SECRET), ("PUSH_NEXT", NEXT), ("HOOK_SECRET", "hush")):
        monkeypatch.setenv(name, value)


async def add(world: World, text: str) -> None:
    await sources.put_source(world.db, text, "s.yaml", Entry(world.time.now_ms, "it", "source.put", "s"))


def headers(
    world: World, body: bytes, *, secret: str = SECRET, nonce: str = "", version: str = "v1", off_s: int = 0
) -> dict[str, str]:
    at = str(world.time.now_ms // 1000 + off_s)
    nonce = nonce or f"nonce-{next(_nonces):04}"
    return {"X-Timestamp": at, "X-Nonce": nonce, "X-Signature": sign(secret, at, nonce, body, version)}


async def post(world: World, path: str, body: bytes, **sent: str) -> httpx.Response:
    transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://muster.test") as client:
        return await client.post(path, content=body, headers=sent)


def batch(*rows: dict[str, Any], batch_id: str = "b-1") -> bytes:
    return json.dumps({"batch_id": batch_id, "rows": rows}).encode()


def deal(key: str, amount: str = "10.00", state: str = "won") -> dict[str, Any]:
    return {"id": key, "state": state, "amount": amount, "owner": "u1"}


async def count(world: World, table: Any) -> int:
    async with world.db.reading() as connection:
        return len((await connection.execute(select(table))).all())


async def test_rows_are_stored_and_a_bad_one_waits(any_world: World) -> None:
    world = any_world
    await add(world, CRM)
    body = batch(deal("1"), deal("2", state="maybe"), deal("3"))
    answer = await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body))
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["accepted"], told["unchanged"]) == (2, 0)
    assert told["quarantined"] == [{"row": 2, "codes": ["unknown_value"]}]
    assert await count(world, FACT_TABLES["deal"]) == 2
    assert await count(world, fact_quarantine) == 1
    again = batch(deal("1"), deal("3", "11.00"), batch_id="b-2")
    told = (await post(world, "/api/v1/ingest/crm/deal", again, **headers(world, again))).json()
    assert (told["accepted"], told["unchanged"]) == (1, 1)
    async with world.db.reading() as connection:
        [state] = await sources.states(connection)
    assert {one.row.stream: one.stale(world.time.now_ms) for one in state.streams} == {"deal": False, "customer": True}


async def test_a_fact_without_a_stream_comes_under_our_own_names(any_world: World) -> None:
    await add(any_world, CRM)
    body = batch({"source_key": "c", "customer_key": "c", "source_updated_at": "2026-03-02T08:00:00Z"})
    answer = await post(any_world, "/api/v1/ingest/crm/customer", body, **headers(any_world, body))
    assert answer.json()["accepted"] == 1
    async with any_world.db.reading() as connection:
        row = (await connection.execute(select(FACT_TABLES["customer"]))).one()
    assert (row.customer_key, row.source_updated_at_ms) == ("c", 1772438400000)


async def test_the_same_key_and_body_get_the_first_answer_and_another_body_does_not(any_world: World) -> None:
    world = any_world
    await add(world, CRM)
    body = batch(deal("1"))
    first = await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body), **{"Idempotency-Key": "k"})
    other = batch(deal("1", "99.00"))
    again = await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body), **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (202, first.json())
    refused = await post(world, "/api/v1/ingest/crm/deal", other, **headers(world, other), **{"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key")


async def test_a_call_is_refused_without_a_hint_which_part_is_wrong(any_world: World) -> None:
    world = any_world
    await add(world, CRM)
    await add(world, SHOP)
    body = batch(deal("1"))
    good = headers(world, body, nonce="nonce-used")
    assert (await post(world, "/api/v1/ingest/crm/deal", body, **good)).status_code == 202
    tries = [
        ("crm", body + b" ", headers(world, body)),
        ("crm", body, headers(world, body, secret="guess")),
        ("crm", body, headers(world, body, off_s=-301)),
        ("crm", body, {}),
        ("nobody", body, headers(world, body)),
        ("shop", body, headers(world, body)),
        ("crm", body, good),
    ]
    answers = [await post(world, f"/api/v1/ingest/{name}/deal", sent, **stamped) for name, sent, stamped in tries]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "signature")}
    assert {tuple(sorted(answer.json())) for answer in answers} == {("code", "fields", "parameters", "request_id")}


async def test_either_secret_and_national_crypto_are_good(any_world: World) -> None:
    await add(any_world, CRM)
    for number, (secret, version) in enumerate([(SECRET, "v1"), (NEXT, "v1"), (NEXT, "v2")]):
        body = batch(deal(str(number)), batch_id=str(number))
        stamped = headers(any_world, body, secret=secret, version=version)
        assert (await post(any_world, "/api/v1/ingest/crm/deal", body, **stamped)).status_code == 202


async def test_each_fault_of_a_body_has_its_status(world: World) -> None:
    await add(world, CRM)
    many = batch(*({"id": str(number)} for number in range(1_001)))
    bomb = gzip.compress(b" " * 6_000_000)
    tries = [
        (many, {}, 413),
        (bomb, {"Content-Encoding": "gzip"}, 413),
        (b"{", {}, 415),
        (batch(), {"Content-Encoding": "br"}, 415),
        (b"[]", {}, 422),
    ]
    for body, more, status in tries:
        answer = await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body), **more)
        assert answer.status_code == status, answer.text
    body = batch()
    assert (await post(world, "/api/v1/ingest/crm/ticket", body, **headers(world, body))).status_code == 404
    assert (await post(world, "/api/v1/ingest/crm/deal", b" " * 5_000_001)).status_code == 413


async def test_a_packed_batch_is_taken(world: World) -> None:
    await add(world, CRM)
    body = gzip.compress(batch(deal("1")))
    answer = await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body), **{"Content-Encoding": "gzip"})
    assert answer.json()["accepted"] == 1


async def test_a_source_that_calls_too_often_is_told_when_to_call_again(any_world: World) -> None:
    world = any_world
    await add(world, CRM)
    for number in range(6):
        body = batch(deal(str(number)), batch_id=str(number))
        assert (await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body))).status_code == 202
    body = batch(deal("7"), batch_id="7")
    answer = await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    world.time.now_ms += 61_000
    assert (await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body))).status_code == 202


async def test_one_of_two_copies_at_once_is_taken(any_world: World) -> None:
    world = any_world
    await add(world, CRM)
    body = batch(deal("1"))
    stamped = headers(world, body, nonce="nonce-twice")
    answers = await asyncio.gather(*(post(world, "/api/v1/ingest/crm/deal", body, **stamped) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [202, 401]


async def test_a_batch_sent_again_while_the_first_is_stored_gets_the_same_answer(any_world: World) -> None:
    world = any_world
    await add(world, CRM)
    body = batch(deal("1"), deal("2"))
    answers = await asyncio.gather(
        *(post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body)) for _ in range(5))
    )
    assert [answer.status_code for answer in answers] == [202] * 5
    assert len({answer.text for answer in answers}) == 1
    assert await count(world, sync_runs) == 1


async def test_nonces_and_answers_are_forgotten(world: World) -> None:
    await add(world, CRM)
    body = batch(deal("1"))
    await post(world, "/api/v1/ingest/crm/deal", body, **headers(world, body))
    await push.forget(world.db, world.time.now_ms + push.KEEP_NONCES_MS)
    assert (await count(world, push_nonces), await count(world, push_replies)) == (1, 1)
    await push.forget(world.db, world.time.now_ms + push.KEEP_NONCES_MS + 1)
    assert (await count(world, push_nonces), await count(world, push_replies)) == (0, 1)
    await push.forget(world.db, world.time.now_ms + push.KEEP_REPLIES_MS + 1)
    assert await count(world, push_replies) == 0


def shop_headers(body: bytes, delivery: str = "w-1") -> dict[str, str]:
    signature = base64.b64encode(hmac.digest(b"hush", body, "sha256")).decode()
    return {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Webhook-Id": delivery}


ORDER = {"id": 7, "name": "#7", "currency": "CNY", "total_price": "99.50", "cancelled_at": None, "email": "a@b.c"}


async def test_a_vendors_call_is_answered_at_once_and_worked_on_later(any_world: World) -> None:
    world = any_world
    await add(world, SHOP)
    body = json.dumps({**ORDER, "line_items": [{"id": 1, "sku": "A"}, {"id": 2, "sku": "B"}]}).encode()
    for _ in range(2):
        answer = await post(world, "/api/v1/hooks/shopify/shop", body, **shop_headers(body))
        assert (answer.status_code, answer.text) == (200, "ok")
    assert await count(world, FACT_TABLES["sales_order"]) == 0
    assert await hooks.work_off(world.db, world.time.clocks) == 1, "the same delivery came twice"
    assert await count(world, FACT_TABLES["sales_order"]) == 1
    assert await count(world, FACT_TABLES["sales_order_line"]) == 2
    assert await hooks.work_off(world.db, world.time.clocks) == 0
    async with world.db.reading() as connection:
        [kept] = list(await connection.scalars(select(hook_bodies.c.body)))
    assert b"a@b.c" not in kept, "contact details are not kept"


async def test_a_call_that_fits_no_stream_waits_and_one_without_rows_is_an_error(any_world: World) -> None:
    world = any_world
    await add(world, SHOP)
    for number, body in enumerate([b'{"hello":1}', b"no json"]):
        await post(world, "/api/v1/hooks/shopify/shop", body, **shop_headers(body, str(number)))
    assert await hooks.work_off(world.db, world.time.clocks) == 2
    assert await count(world, fact_quarantine) == 1
    async with world.db.reading() as connection:
        errors = list(await connection.scalars(select(hook_bodies.c.error).order_by(hook_bodies.c.id)))
    assert errors == [None, "schema_changed"]


async def test_a_call_that_no_stream_understood_is_tried_again_on_replay(any_world: World) -> None:
    world = any_world
    await add(
        world, SHOP.replace("    key: id\n", "    rows: orders\n    key: id\n").replace("each: line", "rows: none")
    )
    body = json.dumps(ORDER).encode()
    await post(world, "/api/v1/hooks/shopify/shop", body, **shop_headers(body))
    assert await hooks.work_off(world.db, world.time.clocks) == 1
    assert await count(world, FACT_TABLES["sales_order"]) == 0
    await add(world, SHOP)
    assert await hooks.work_off(world.db, world.time.clocks) == 0, "not before somebody asks for it"
    stream = read_source(SHOP, "s.yaml").streams[0]
    entry = Entry(world.time.now_ms, "it", "source.replay", "shop")
    await replay(world.db, "shop", stream, clocks=world.time.clocks, entry=entry)
    assert await hooks.work_off(world.db, world.time.clocks) == 1
    assert await count(world, FACT_TABLES["sales_order"]) == 1


async def test_a_vendors_call_with_a_wrong_signature_is_not_kept(any_world: World) -> None:
    await add(any_world, SHOP)
    answer = await post(any_world, "/api/v1/hooks/shopify/shop", b'{"id":2}', **shop_headers(b'{"id":1}'))
    assert (answer.status_code, await count(any_world, hook_bodies)) == (401, 0)
    answer = await post(any_world, "/api/v1/hooks/woocommerce/shop", b'{"id":1}', **shop_headers(b'{"id":1}'))
    assert answer.status_code == 401
    assert (await post(any_world, "/api/v1/hooks/unheard/shop", b"{}")).status_code == 422


@contextmanager
def served(world: World) -> Iterator[str]:
    """The application behind a real socket, by the real clock."""
    port = free_port()
    world.app.state.context = replace(world.app.state.context, clocks=system_clocks())
    server = uvicorn.Server(uvicorn.Config(world.app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for_listener(port, thread.is_alive)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


async def test_the_programs_of_the_page_push(tmp_path: Path, world: World) -> None:
    """Both clients as they are printed, over HTTP."""
    [source] = [text for text in snippets("yaml") if "kind: webhook" in text and "push:" in text]
    await add(world, source)
    [program] = snippets("python")
    [shell] = [text for text in snippets("sh") if "openssl" in text]
    with served(world) as url:
        names: dict[str, Any] = {}
        exec(program, names)  # noqa: S102  (the page's own text)
        told = await asyncio.to_thread(names["push"], url, "crm", "deal", SECRET, [deal("1"), deal("2", state="?")])
        assert (told["accepted"], [one["row"] for one in told["quarantined"]]) == (1, [2])
        script = shell.replace("https://muster.example", url)
        (tmp_path / "batch.json").write_bytes(batch(deal("3"), batch_id="curl"))
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-ec", script],
            env={"SECRET": SECRET, "PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert json.loads(done.stdout)["accepted"] == 1, done.stderr
    assert await count(world, FACT_TABLES["deal"]) == 2
