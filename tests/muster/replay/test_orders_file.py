"""Orders are read whole, and each row that makes no sense is named."""

from datetime import date, datetime
from pathlib import Path

import pytest

from muster.replay.orders import ITEMS, ORDERS, Order, read_orders
from shared.errors import ConfigError

HEAD = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,"
    "order_delivered_customer_date,order_estimated_delivery_date\n"
)
GOOD = "o1,c,delivered,2017-10-02 10:56:33,,2017-10-04 19:55:00,2017-10-10 21:25:13,2017-10-18 00:00:00\n"
CANCELLED = "o2,c,canceled,2017-10-02 09:00:00,,,,2017-10-18 00:00:00\n"


def folder(tmp_path: Path, orders: str) -> Path:
    (tmp_path / ORDERS).write_text(HEAD + orders)
    (tmp_path / ITEMS).write_text("order_id,order_item_id,seller_id\no1,1,s1\no1,2,s2\n")
    return tmp_path


def test_an_order_has_its_first_seller_and_its_times(tmp_path: Path) -> None:
    read = read_orders(folder(tmp_path, GOOD + CANCELLED))
    assert read.orders[1] == Order(
        "o1",
        "s1",
        datetime(2017, 10, 2, 10, 56, 33),
        datetime(2017, 10, 4, 19, 55),
        datetime(2017, 10, 10, 21, 25, 13),
        date(2017, 10, 18),
        cancelled=False,
    )
    assert (read.orders[0].number, read.orders[0].cancelled, read.orders[0].delivered) == ("o2", True, None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace("2017-10-10 21:25:13", "yesterday"), "yesterday"),
        (GOOD.replace("2017-10-18 00:00:00", ""), "needs an id"),
        (GOOD.replace("2017-10-10 21:25:13", "2017-10-01 21:25:13"), "before it was handed over"),
    ],
)
def test_a_row_that_makes_no_sense_is_named(tmp_path: Path, row: str, reason: str) -> None:
    read = read_orders(folder(tmp_path, CANCELLED + row))
    assert [(problem.file, problem.line) for problem in read.problems] == [(ORDERS, 3)]
    assert reason in read.problems[0].reason
    assert [order.number for order in read.orders] == ["o2"]


def test_an_order_that_occurs_twice_is_named(tmp_path: Path) -> None:
    assert "twice" in read_orders(folder(tmp_path, GOOD + GOOD)).problems[0].reason


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    place = folder(tmp_path, GOOD)
    (place / ORDERS).write_text("order_id\no1\n")
    with pytest.raises(ConfigError, match="order_purchase_timestamp"):
        read_orders(place)
