"""Orders, customers and their owners, refunds, deals: what the shop system and the CRM hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from muster.business.rows import Rows, Span, at, busy, z

CUSTOMERS = 900
"""Of whom tickets and deals come; there are more in the end."""
ORDERS_A_DAY = 24
REGULARS, NEW_A_DAY, NEWEST = 150, 4, 240
"""Customers who order again and again, those who are new on a day, and how many of the newest may come back."""


@dataclass(frozen=True, slots=True)
class Sale:
    """An order as the other systems know it."""

    number: str
    customer: str
    paid: datetime
    net_minor: int
    seller: str


@dataclass(frozen=True, slots=True)
class Trade:
    """Everything of it."""

    sales: list[Sale]
    orders: Rows
    lines: Rows
    refunds: Rows
    customers: Rows
    owners: Rows
    deals: Rows


def make_trade(span: Span, articles: Mapping[date, Sequence[str]]) -> Trade:
    """Orders of the days; two of five come of an article that was sent on the day before or a little earlier."""
    pick = span.pick("trade")
    sellers = span.of("business", "sales_rep")
    made = Trade([], [], [], [], [], [], [])
    for known in range(REGULARS):
        _add_customer(made, known, span.first - timedelta(days=400), sellers)
    for day in span.days():
        seen = [key for back in range(1, 6) for key in articles.get(day - timedelta(days=back), ())]
        orders = round(span.share(ORDERS_A_DAY, day) * busy(day) * pick.uniform(0.85, 1.15))
        for number in range(orders):
            customer = _buyer(span, pick, day, known=len(made.customers), orders=orders)
            if customer == len(made.customers):
                _add_customer(made, customer, day, sellers)
            net = pick.randint(60, 900) * 100 * ORDERS_A_DAY // span.share(ORDERS_A_DAY, day)
            paid = at(day, pick.uniform(8, 23))
            sale = Sale(f"SO{day:%y%m%d}{number:03}", f"C{customer:05}", paid, net, sellers[customer % len(sellers)])
            add_sale(
                made,
                sale,
                margin=pick.uniform(0.16, 0.27),
                post=pick.choice(seen) if seen and pick.random() < 0.4 else None,
            )
            if pick.random() < 0.04:
                booked = day + timedelta(days=pick.randint(1, 12))
                if booked <= span.last:
                    made.refunds.append(_refund(sale, booked, full=pick.random() < 0.6))
    made.deals.extend(_deals(span, sellers))
    return made


def _buyer(span: Span, pick: Random, day: date, *, known: int, orders: int) -> int:
    """Number of who has this one of so many orders: a new customer, a regular, or one of the newest."""
    if pick.random() * orders < NEW_A_DAY:
        return known
    if pick.random() < 0.6:
        return pick.randrange(span.share(REGULARS, day))
    return known - 1 - pick.randrange(min(known, NEWEST))


def _add_customer(made: Trade, number: int, since: date, sellers: Sequence[str]) -> None:
    key = f"C{number:05}"
    made.customers.append({"source_key": key, "customer_key": key})
    owner = {"valid_from": str(since), "employee_key": sellers[number % len(sellers)]}
    made.owners.append({"source_key": f"{key}|{since}", "customer_key": key, **owner})


def add_sale(made: Trade, sale: Sale, *, margin: float, post: str | None) -> None:
    """Note an order with its line."""
    cost = round(sale.net_minor * (1 - margin))
    order = {
        "source_key": sale.number,
        "order_no": sale.number,
        "status": "open",
        "payment_status": "paid",
        "currency": "CNY",
        "amount_gross_minor": round(sale.net_minor * 1.13),
        "amount_net_minor": sale.net_minor,
        "cost_minor": cost,
        "quantity": 1,
        "order_date": str(sale.paid.date()),
        "paid_at": z(sale.paid),
        "channel": "shop",
        "customer_key": sale.customer,
        "employee_key": sale.seller,
    }
    if post is not None:
        order |= {"last_touch_post_key": post, "last_touch_at": z(sale.paid - timedelta(hours=20))}
    made.sales.append(sale)
    made.orders.append(order)
    made.lines.append(
        {
            "source_key": f"{sale.number}|1",
            "order_key": sale.number,
            "line_no": "1",
            "sku": f"SKU-{sale.net_minor // 10_000:03}",
            "category": ("home", "food", "outdoor")[sale.net_minor // 100 % 3],
            "quantity": 1,
            "amount_net_minor": sale.net_minor,
            "cost_minor": cost,
        }
    )


def _refund(sale: Sale, booked: date, *, full: bool) -> dict[str, object]:
    share = 1.0 if full else 0.3
    return {
        "source_key": f"R-{sale.number}",
        "order_key": sale.number,
        "refunded_on": str(booked),
        "amount_net_minor": round(sale.net_minor * share),
        "cost_returned_minor": round(sale.net_minor * share * 0.79),
        "full": full,
    }


def _deals(span: Span, sellers: list[str]) -> Rows:
    pick = span.pick("deals")
    rows: Rows = []
    for day in span.days():
        if pick.random() < 0.35:
            closed = day + timedelta(days=pick.randint(5, 30))
            over = closed <= span.last
            rows.append(
                {
                    "source_key": f"D{day:%y%m%d}",
                    "stage": pick.choice(("won", "won", "lost")) if over else "open",
                    "amount_minor": pick.randint(20, 300) * 10_000,
                    "currency": "CNY",
                    "created_on": str(day),
                    "closed_on": str(closed) if over else None,
                    "customer_key": f"C{pick.randrange(CUSTOMERS):05}",
                    "employee_key": pick.choice(sellers),
                }
            )
    return rows
