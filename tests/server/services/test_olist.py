"""A thousand real orders of a marketplace come in as files; what is stored is what the files say, counted by itself.

The expected figures come from the CSV files alone, by ``csv`` and ``Decimal``; the stored ones by plain SQL.
"""

import asyncio
import csv
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from server.connectors.fetch.secrets import Secrets
from server.services import sources
from server.services.sync import Order, Run, run_source
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import system_clocks

DATA = Path(__file__).parents[4] / "shared/data/olist"
FILE = Path(__file__).with_name("olist.yaml").read_text()
STATUS = {"delivered": "fulfilled", "canceled": "cancelled"}
"""The others are open."""
SAO_PAULO = ZoneInfo("America/Sao_Paulo")

Rows = list[dict[str, str]]


class Tables(NamedTuple):
    """The tables as their owner has them."""

    orders: Rows
    items: Rows
    payments: Rows
    customers: Rows


class Imported(NamedTuple):
    """What is stored of them, and how the runs ended, in the order of the streams: the first time and once more."""

    stored: sqlite3.Connection
    first: list[Run]
    again: list[Run]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return self.stored.execute(query).fetchall()


@pytest.fixture(scope="module")
def tables() -> Tables:
    if not DATA.is_dir():
        pytest.skip(f"the public Olist tables are not beside the checkout ({DATA})")
    return Tables(*(_read(name) for name in ("orders", "order_items", "order_payments", "customers")))


def _read(name: str) -> Rows:
    with (DATA / f"olist_{name}_dataset.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _export(tables: Tables, folder: Path) -> None:
    """Four files, with the amount of an order and the time of a payment in its row."""
    folder.mkdir()
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for payment in tables.payments:
        totals[payment["order_id"]] += Decimal(payment["payment_value"])
    approved = {order["order_id"]: order["order_approved_at"] for order in tables.orders}
    _write(folder / "customers.csv", tables.customers)
    _write(folder / "orders.csv", ({**order, "payment_total": totals[order["order_id"]]} for order in tables.orders))
    _write(folder / "items.csv", tables.items)
    paid = ({**payment, "order_approved_at": approved[payment["order_id"]]} for payment in tables.payments)
    _write(folder / "payments.csv", paid)


@pytest.fixture(scope="module")
def imported(tables: Tables, migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterable[Imported]:
    folder = tmp_path_factory.mktemp("olist")
    shutil.copy(migrated_file, folder / "muster.db")
    _export(tables, folder / "files")
    runs = asyncio.run(_import(f"sqlite:///{folder}/muster.db", folder / "files"))
    stored = sqlite3.connect(folder / "muster.db")
    yield Imported(stored, *runs)
    stored.close()


async def _import(url: str, files: Path) -> list[list[Run]]:
    db = Database(url)
    await sources.put_source(db, FILE, "olist.yaml", Entry(1, "it", "source.put", "olist"))
    runs = []
    for _ in range(2):
        order = Order(clocks=system_clocks(), holder="test", files=files)
        done = await run_source(db, "olist", lambda source: source.streams, Secrets(environ={}), order)
        runs.append([run for _, run in done])
    await db.close()
    return runs


def _minor(rows: Rows, field: str) -> int:
    return int(sum((Decimal(row[field]) for row in rows), Decimal()) * 100)


def _ms(local: str) -> int:
    at = datetime.strptime(local, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SAO_PAULO)
    return int(at.astimezone(UTC).timestamp()) * 1000


def test_each_row_of_the_files_is_stored_once_and_none_waits(tables: Tables, imported: Imported) -> None:
    there = [len(rows) for rows in (tables.customers, tables.orders, tables.orders, tables.items, tables.payments)]
    assert [(run.state, run.counts.added, run.counts.waiting) for run in imported.first] == [
        ("ok", n, 0) for n in there
    ]
    again = [(run.state, run.counts.added, run.counts.changed, run.counts.unchanged) for run in imported.again]
    assert again == [("ok", 0, 0, n) for n in there]  # of a file that was read at its last moment nothing changes


def test_sums_are_those_of_the_files_to_the_cent(tables: Tables, imported: Imported) -> None:
    assert imported.ask("select sum(amount_minor) from fact_payment") == [(_minor(tables.payments, "payment_value"),)]
    assert imported.ask("select sum(amount_net_minor) from fact_sales_order_line") == [(_minor(tables.items, "price"),)]
    paid: dict[str, int] = defaultdict(int)
    for payment in tables.payments:
        paid[payment["order_id"]] += int(Decimal(payment["payment_value"]) * 100)
    assert dict(imported.ask("select source_key, amount_gross_minor from fact_sales_order")) == paid


def test_payments_of_each_kind_and_orders_of_each_state_are_as_many(tables: Tables, imported: Imported) -> None:
    kinds = Counter(payment["payment_type"] for payment in tables.payments)
    assert dict(imported.ask("select method, count(*) from fact_payment group by method")) == kinds
    states = Counter(STATUS.get(order["order_status"], "open") for order in tables.orders)
    assert dict(imported.ask("select status, count(*) from fact_sales_order group by status")) == states


def test_times_are_those_of_sao_paulo_and_days_stay_days(tables: Tables, imported: Imported) -> None:
    """Its summer time ends and begins within the data."""
    there = {
        order["order_id"]: (_ms(at) if (at := order["order_delivered_customer_date"]) else None)
        for order in tables.orders
    }
    assert dict(imported.ask("select source_key, delivered_at_ms from fact_shipment")) == there
    promised = {order["order_id"]: order["order_estimated_delivery_date"][:10] for order in tables.orders}
    assert dict(imported.ask("select source_key, promised_on from fact_shipment")) == promised


def test_a_line_and_an_order_know_of_each_other_and_of_their_customer(tables: Tables, imported: Imported) -> None:
    """What follows across tables: a line has the payment of its order, an order the person behind its customer."""
    valid = {
        order["order_id"]: None if order["order_status"] == "canceled" else _ms(order["order_approved_at"])
        for order in tables.orders
    }
    lines = {f"{item['order_id']}|{item['order_item_id']}": valid[item["order_id"]] for item in tables.items}
    assert dict(imported.ask("select source_key, paid_at_ms from fact_sales_order_line")) == lines
    person = {customer["customer_id"]: customer["customer_unique_id"] for customer in tables.customers}
    orders = {order["order_id"]: person[order["customer_id"]] for order in tables.orders}
    assert dict(imported.ask("select source_key, customer from fact_sales_order")) == orders
    first = {orders[order["order_id"]] for order in tables.orders if order["order_status"] != "canceled"}
    assert imported.ask("select count(*) from fact_sales_order where first_valid") == [(len(first),)]
