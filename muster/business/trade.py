"""Orders, customers and their owners, refunds, deals: what the shop system and the CRM hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from muster.business.rows import Rows, Span, at, busy, z

CUSTOMERS = 900
ORDERS_A_DAY = 24


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
    owner = {f"C{number:05}": sellers[number % len(sellers)] for number in range(CUSTOMERS)}
    made = Trade([], [], [], [], [], [], [])
    for customer, seller in owner.items():
        made.customers.append({"source_key": customer, "customer_key": customer})
        made.owners.append(
            {
                "source_key": f"{customer}|{span.first}",
                "customer_key": customer,
                "valid_from": str(span.first - timedelta(days=400)),
                "employee_key": seller,
            }
        )
    for day in span.days():
        seen = [key for back in range(1, 6) for key in articles.get(day - timedelta(days=back), ())]
        for number in range(round(ORDERS_A_DAY * busy(day) * pick.uniform(0.85, 1.15))):
            # Customers who came early come again more often: half of the orders are theirs.
            known = pick.randrange(CUSTOMERS if pick.random() < 0.5 else CUSTOMERS // 6)
            customer = f"C{known:05}"
            paid = at(day, pick.uniform(8, 23))
            sale = Sale(f"SO{day:%y%m%d}{number:03}", customer, paid, pick.randint(60, 900) * 100, owner[customer])
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
