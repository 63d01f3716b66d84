"""Orders with their hand-over, delivery and promise, as Olist publishes them.

Times are local wall time; the promise is a date: on time until the end of that day. Sellers stand for depots.
"""

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from muster.replay.problems import Problem, read_text
from shared.errors import ConfigError

ORDERS, ITEMS = "olist_orders_dataset.csv", "olist_order_items_dataset.csv"
COLUMNS = (
    "order_id",
    "order_status",
    "order_purchase_timestamp",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
    "order_estimated_delivery_date",
)


@dataclass(frozen=True, slots=True)
class Order:
    """One order; times are wall time without zone, none where it has not happened."""

    number: str
    seller: str
    purchased: datetime
    handed_over: datetime | None
    delivered: datetime | None
    promised_on: date
    cancelled: bool
    """Cancelled before it was handed over: nobody's delivery."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What both files say, in order of purchase."""

    orders: tuple[Order, ...]
    problems: tuple[Problem, ...]


def read_orders(folder: Path) -> Orders:
    """Read both files whole; ConfigError when one is missing or lacks a column."""
    problems: list[Problem] = []
    sellers: dict[str, str] = {}
    for _, row in _rows(folder, ITEMS, ("order_id", "seller_id")):
        sellers.setdefault(row["order_id"], row["seller_id"])
    orders: dict[str, Order] = {}
    for line, row in _rows(folder, ORDERS, COLUMNS):
        order = _order(row, sellers)
        if isinstance(order, str):
            problems.append(Problem(ORDERS, line, order))
        elif order.number in orders:
            problems.append(Problem(ORDERS, line, f"order {order.number} occurs twice"))
        else:
            orders[order.number] = order
    ordered = sorted(orders.values(), key=lambda order: (order.purchased, order.number))
    return Orders(tuple(ordered), tuple(problems))


def _rows(folder: Path, name: str, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(read_text(folder / name)))
    if missing := set(columns) - set(reader.fieldnames or ()):
        raise ConfigError(f"{folder / name}: lacks the columns {', '.join(sorted(missing))}")
    return [(line, {key: row[key] or "" for key in columns}) for line, row in enumerate(reader, start=2)]


def _order(row: dict[str, str], sellers: dict[str, str]) -> Order | str:
    """The order in a row, or what is wrong with it."""
    try:
        purchased, handed_over, delivered, promised = (_time(row[column]) for column in COLUMNS[2:])
    except ValueError as error:
        return f"order {row['order_id']}: {error}"
    if not row["order_id"] or purchased is None or promised is None:
        return "an order needs an id, a time of purchase and a promised day"
    if handed_over is not None and delivered is not None and delivered < handed_over:
        return f"order {row['order_id']}: delivered before it was handed over"
    return Order(
        row["order_id"],
        sellers.get(row["order_id"], ""),
        purchased,
        handed_over,
        delivered,
        promised.date(),
        row["order_status"] == "canceled" and handed_over is None,
    )


def _time(text: str) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S") if text else None  # noqa: DTZ007 - wall time, see above
