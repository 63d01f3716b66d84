"""A real Tryton 8.2: what was sold, paid, sent back there is what the preset brings."""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from server.config import ServerConfig
from server.services import sync_worker
from server.store import source_queries
from server.store.source_queries import StreamRow
from server.store.source_tables import sync_runs
from shared.clock import system_clocks
from tests.peers.api import ADMIN_PASSWORD, Tryton, date, decimal, moment
from tests.peers.reading import Reader, between, forward
from tests.peers.systems import System
from tests.server.connectors.faulty import Call, Reply

PRESET = "erp_tryton"
EVERY_S, SLACK_S = 3, 3
SEARCH = "model.sale.sale.search_read"
TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture
def erp(tryton: System) -> Tryton:
    return Tryton.sign_in(tryton)


async def test_an_order_is_read_as_it_was_put_in(reader: Reader, tryton: System, erp: Tryton) -> None:
    sold, draft = erp.orders(2, sale_date=date(TODAY), reference="web-1", shipping_date=date(TODAY))
    erp.sell([sold])
    await reader.connect(PRESET, tryton.url)
    run = await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
    assert (run.state, run.message, run.counts.waiting) == ("ok", "", 0)
    rows = await reader.rows(PRESET, "sales_order")
    shown = {
        "order_no": erp.read("sale.sale", sold, "number")["number"],
        "status": "open",
        "payment_status": "unpaid",
        "currency": "CNY",
        "amount_gross_minor": 57_50,
        "amount_net_minor": 57_50,
        "tax_minor": 0,
        "order_date": TODAY,
        "promised_on": TODAY,
        "external_no": "web-1",
        "customer_key": str(erp.read("sale.sale", sold, "party")["party"]),
        "employee_key": "1",
    }
    assert {name: rows[str(sold)][name] for name in shown} == shown
    assert (rows[str(draft)]["order_no"], rows[str(draft)]["status"]) == (f"draft|{draft}", "draft")
    assert rows[str(draft)]["employee_key"] is None, "nobody has sold it yet"


async def test_lines_invoice_payment_and_parcel_of_an_order(reader: Reader, tryton: System, erp: Tryton) -> None:
    [sold] = erp.orders(1, sale_date=date(TODAY))
    erp.sell([sold])
    order = erp.read("sale.sale", sold, "lines", "invoices", "shipments")
    [invoice] = order["invoices"]
    erp.do("account.invoice", "write", [invoice], {"invoice_date": date(TODAY)})
    erp.do("account.invoice", "post", [invoice])
    erp.pay(invoice, "57.50", TODAY)
    await reader.connect(PRESET, tryton.url)
    for stream in ("sales_order", "sales_order_line", "invoice", "payment", "shipment"):
        run = await reader.run(PRESET, stream, ADMIN_PASSWORD)
        assert (run.state, run.message, run.counts.waiting) == ("ok", "", 0), stream
    assert (await reader.rows(PRESET, "sales_order"))[str(sold)]["payment_status"] == "paid"
    lines = await reader.rows(PRESET, "sales_order_line")
    own = [lines[str(line)] for line in order["lines"]]
    assert sorted((line["sku"], line["amount_net_minor"], line["order_key"]) for line in own) == [
        ("Lid", 20_00, str(sold)),
        ("Vase", 37_50, str(sold)),
    ]
    booked = (await reader.rows(PRESET, "invoice"))[str(invoice)]
    assert (booked["status"], booked["amount_gross_minor"], booked["amount_due_minor"]) == ("paid", 57_50, 0)
    assert booked["invoice_date"] == TODAY
    paid = [one for one in (await reader.rows(PRESET, "payment")).values() if one["invoice_key"] == str(invoice)]
    assert [one["amount_minor"] for one in paid] == [57_50]
    [parcel] = order["shipments"]
    assert (await reader.rows(PRESET, "shipment"))[str(parcel)]["status"] == "created"


async def test_a_return_is_a_refund_and_no_order(reader: Reader, tryton: System, erp: Tryton) -> None:
    [sold] = erp.orders(1, sale_date=date(TODAY))
    erp.sell([sold])
    party = erp.read("sale.sale", sold, "party")["party"]
    [complaint] = erp.do(
        "sale.complaint",
        "create",
        [
            {
                "customer": party,
                "type": 1,
                "date": date(TODAY),
                "origin": f"sale.sale,{sold}",
                "actions": [["create", [{"action": "sale_return"}]]],
            }
        ],
    )
    for step in ("wait", "approve"):
        erp.do("sale.complaint", step, [complaint])
    [action] = erp.read("sale.complaint", complaint, "actions")["actions"]
    returned = erp.read("sale.complaint.action", action, "result")["result"].partition(",")[2]
    await reader.connect(PRESET, tryton.url)
    for stream in ("sales_order", "refund", "complaint"):
        run = await reader.run(PRESET, stream, ADMIN_PASSWORD)
        assert (run.state, run.message, run.counts.waiting) == ("ok", "", 0), stream
    assert returned not in await reader.rows(PRESET, "sales_order")
    refund = (await reader.rows(PRESET, "refund"))[str(action)]
    assert (refund["order_key"], refund["amount_net_minor"]) == (str(sold), 57_50)
    row = (await reader.rows(PRESET, "complaint"))[str(complaint)]
    number = erp.read("sale.sale", sold, "number")["number"]
    assert (row["category"], row["occurred_on"], row["order_key"]) == ("Broken", TODAY, number)


async def test_customers_leads_and_punches(reader: Reader, tryton: System, erp: Tryton) -> None:
    [customer] = erp.do("party.party", "create", [{"name": "Kunde"}])
    lead = {
        "party": customer,
        "employee": 1,
        "amount": decimal("99.00"),
        "description": "Vases",
        "start_date": date(TODAY),
    }
    [deal] = erp.do("sale.opportunity", "create", [lead])
    at = dt.datetime(TODAY.year, 1, 5, 1, 2, 3, tzinfo=dt.UTC)
    [punch] = erp.do(
        "attendance.line", "create", [{"employee": 1, "type": "in", "at": moment(at), "date": date(at.date())}]
    )
    await reader.connect(PRESET, tryton.url)
    for stream in ("customer", "deal", "attendance_punch"):
        run = await reader.run(PRESET, stream, ADMIN_PASSWORD)
        assert (run.state, run.message, run.counts.waiting) == ("ok", "", 0), stream
    assert (await reader.rows(PRESET, "customer"))[str(customer)]["customer_key"] == str(customer)
    row = (await reader.rows(PRESET, "deal"))[str(deal)]
    assert (row["stage"], row["amount_minor"], row["created_on"], row["employee_key"]) == ("open", 99_00, TODAY, "1")
    clocked = (await reader.rows(PRESET, "attendance_punch"))[str(punch)]
    assert (clocked["direction"], clocked["employee_key"]) == ("in", "1")
    assert clocked["punched_at_ms"] == round(at.timestamp() * 1000)


async def test_of_an_order_that_changes_only_it_is_written(reader: Reader, tryton: System, erp: Tryton) -> None:
    first, _ = erp.orders(2, sale_date=date(TODAY))
    await reader.connect(PRESET, tryton.url)
    await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
    erp.sell([first])
    run = await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
    assert (run.state, run.counts.added, run.counts.changed) == ("ok", 0, 1)
    assert (await reader.rows(PRESET, "sales_order"))[str(first)]["status"] == "open"


async def test_a_change_appears_within_one_interval_and_nothing_else_is_written(
    reader: Reader, tryton: System, erp: Tryton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the worker of a server, which nobody tells to look."""
    changed, _ = erp.orders(2, sale_date=date(TODAY))
    monkeypatch.setenv("tryton", ADMIN_PASSWORD)
    await reader.connect(PRESET, tryton.url, every=f"{EVERY_S}s")
    worker = asyncio.create_task(sync_worker.run(reader.db, ServerConfig(), system_clocks()))

    async def until(reached: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(90):
            while not await reached():  # noqa: ASYNC110  (the worker is as in a server)
                await asyncio.sleep(0.1)

    async def all_read() -> bool:
        return all(one.last_ok_ms is not None for one in await streams(reader))

    async def shown() -> bool:
        row = (await reader.rows(PRESET, "sales_order"))[str(changed)]
        return str(row["external_no"]) == "web-2"

    try:
        await until(all_read)
        before = len(await runs(reader))
        await asyncio.to_thread(erp.do, "sale.sale", "write", [changed], {"reference": "web-2"})
        start = time.monotonic()
        await until(shown)
        took_s = time.monotonic() - start
        await until(lambda: more_runs(reader, before + 3))
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert took_s <= EVERY_S + sync_worker.LOOK_S + SLACK_S
    since = (await runs(reader))[before:]
    assert {run.state for run in since[:3]} == {"ok"}
    assert (sum(run.added for run in since), sum(run.changed for run in since)) == (0, 1), (
        "of the overlap only that row"
    )
    assert sum(run.unchanged for run in since) > 0, "the overlap was read"


async def streams(reader: Reader) -> list[StreamRow]:
    async with reader.db.reading() as connection:
        return await source_queries.streams_of(connection)


async def runs(reader: Reader) -> list[Any]:
    """Of orders, oldest first."""
    which = select(sync_runs).where(sync_runs.c.stream == "sales_order").order_by(sync_runs.c.id)
    async with reader.db.reading() as connection:
        return list(await connection.execute(which))


async def more_runs(reader: Reader, number: int) -> bool:
    return len(await runs(reader)) > number


async def test_an_order_that_is_gone_is_marked_when_all_are_compared(
    reader: Reader, tryton: System, erp: Tryton
) -> None:
    gone, *_ = erp.orders(6, sale_date=date(TODAY))  # one of a few would be too many at once
    await reader.connect(PRESET, tryton.url)
    await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
    before = await reader.rows(PRESET, "sales_order")
    erp.do("sale.sale", "delete", [gone])
    run = await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
    assert run.counts.deleted == 0, "no change time tells it"
    run = await reader.run(PRESET, "sales_order", ADMIN_PASSWORD, whole=True)
    assert (run.state, run.kind, run.counts.deleted) == ("ok", "compare", 1)
    assert set(before) - set(await reader.rows(PRESET, "sales_order")) == {str(gone)}


async def test_a_refused_password_is_tried_once(reader: Reader, tryton: System) -> None:
    asked: list[Call] = []
    with between(tryton, asked.append) as proxy:
        await reader.connect(PRESET, proxy.url)
        run = await reader.run(PRESET, "sales_order", "another-one")
    assert (run.state, run.error) == ("failed", "auth_failed")
    assert len(asked) == 1
    assert "another-one" not in run.message


async def test_a_session_that_ends_between_pages_is_begun_anew(reader: Reader, tryton: System, erp: Tryton) -> None:
    made = erp.orders(5, sale_date=date(TODAY))
    called: list[str] = []

    def sign_out_before_second_page(call: Call) -> Reply | None:
        called.append(call.body["method"])
        if called[-1] == SEARCH and called.count(SEARCH) == 2:
            told = forward(
                tryton, Call(call.path, {}, {"id": 1, "method": "common.db.logout", "params": []}, call.headers)
            )
            assert told.status == 200
        return None

    with between(tryton, sign_out_before_second_page) as proxy:
        await reader.connect(PRESET, proxy.url, page_size=2)
        run = await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
    assert (run.state, run.message) == ("ok", "")
    assert called.count("common.db.login") == 2
    assert {str(number) for number in made} <= set(await reader.rows(PRESET, "sales_order"))


@pytest.mark.usefixtures("no_waits")
async def test_a_pull_that_tryton_died_in_goes_on_where_it_was(reader: Reader, tryton: System, erp: Tryton) -> None:
    made = erp.orders(5, sale_date=date(TODAY))
    there = erp.do(
        "sale.sale", "search_count", [["OR", ["origin", "=", None], ["origin", "not like", "sale.complaint,%"]]]
    )
    pages: list[Call] = []

    def die_at_third_page(call: Call) -> None:
        if call.body["method"] == SEARCH:
            pages.append(call)
            if len(pages) == 3:
                tryton.kill()

    with between(tryton, die_at_third_page) as proxy:
        await reader.connect(PRESET, proxy.url, page_size=2)
        first = await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
        assert (first.state, first.pages, first.counts.added) == ("partial", 2, 4)
        tryton.start()
        second = await reader.run(PRESET, "sales_order", ADMIN_PASSWORD)
    assert (second.state, second.counts.added) == ("ok", there - 4), "what was stored is not read again"
    assert {str(number) for number in made} <= set(await reader.rows(PRESET, "sales_order"))
