"""Orders, refunds, customers, invoices."""

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from server.facts.resolve.rule import Cause, Causes, Row, Rule, each, in_order, local_day

TAKEN_BACK_DAYS = 15
"""An order refunded whole so soon after payment makes nobody a new customer."""
ORDER = ("paid_at_ms", "status", "is_test", "fully_refunded_on", "owner", "employee")


def is_valid(order: Row) -> bool:
    """Paid, not cancelled, no test, not given back whole."""
    return (
        order["paid_at_ms"] is not None
        and order["status"] != "cancelled"
        and not order["is_test"]
        and order["fully_refunded_on"] is None
    )


def roots(into: Mapping[str, str]) -> dict[str, str]:
    """Where the chain of merges of each customer ends; customers merged in a circle end at its smallest key."""
    return {customer: _end(customer, into) for customer in into}


def _end(customer: str, into: Mapping[str, str]) -> str:
    seen: list[str] = []
    while customer in into and customer not in seen:
        seen.append(customer)
        customer = into[customer]
    return min(seen[seen.index(customer) :]) if customer in seen else customer


def _customer(order: Row, causes: Causes, zone: ZoneInfo) -> Row:
    merged = [row["root"] for row in in_order(causes["customer"]) if row["root"] is not None]
    owner = None
    if order["paid_at_ms"] is not None:
        paid_on = local_day(order["paid_at_ms"], zone)
        owners = [row for row in in_order(causes["customer_owner"], "valid_from") if _holds(row, paid_on)]
        owner = owners[-1]["employee"] if owners else None
    return {"customer": merged[0] if merged else None, "owner": owner}


def _holds(owner: Row, day: dt.date) -> bool:
    return owner["valid_from"] <= day and (owner["valid_to"] is None or day <= owner["valid_to"])


def _refunded(order: Row, causes: Causes, zone: ZoneInfo) -> Row:
    whole = [row["refunded_on"] for row in causes["refund"] if row["full"]]
    if not whole:
        return {"fully_refunded_on": None, "taken_back": None}
    first = min(whole)
    at_ms = order["paid_at_ms"]
    soon = at_ms is not None and (first - local_day(at_ms, zone)).days <= TAKEN_BACK_DAYS
    return {"fully_refunded_on": first, "taken_back": soon or None}


def _of_order(causes: Causes) -> Row | None:
    found = in_order(causes["sales_order"])
    return found[0] if found else None


def _refund(_row: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    order = _of_order(causes)
    if order is None:
        return {"owner": None, "order_has_cost": None}
    return {"owner": order["owner"] or order["employee"], "order_has_cost": order["cost_minor"] is not None}


def _line(_row: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    order = _of_order(causes)
    if order is None:
        return {"owner": None, "paid_at_ms": None}
    paid_at_ms = order["paid_at_ms"] if is_valid(order) else None
    return {"owner": order["owner"] or order["employee"], "paid_at_ms": paid_at_ms}


def _touched(row: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    posts = [post for post in in_order(causes["content_post"], "stat_date") if post["employee"] is not None]
    return {"touched_by": posts[-1]["employee"] if posts and row["last_touch_post_key"] is not None else None}


def _received(invoice: Row, causes: Causes, zone: ZoneInfo) -> Row:
    due, gross = invoice["due_on"], invoice["amount_gross_minor"]
    if due is None or gross is None:
        return {"received_in_month_minor": None, "received_in_quarter_minor": None}
    paid = [(local_day(row["paid_at_ms"], zone), row["amount_minor"]) for row in causes["payment"]]
    months = {"received_in_month_minor": due.month, "received_in_quarter_minor": (due.month + 2) // 3 * 3}
    return {
        name: min(gross, sum(amount for day, amount in paid if (day.year, day.month) <= (due.year, month)))
        for name, month in months.items()
    }


RULES = (
    Rule(
        "sales_order",
        ("source", "source_key"),
        ("fully_refunded_on", "taken_back"),
        (Cause("refund", ("source", "order_key"), ("refunded_on", "full")),),
        each(_refunded),
        ("paid_at_ms",),
    ),
    Rule(
        "sales_order",
        ("customer_key",),
        ("customer", "owner"),
        (
            Cause("customer", ("customer_key",), ("root",)),
            Cause("customer_owner", ("customer_key",), ("valid_from", "valid_to", "employee")),
        ),
        each(_customer),
        ("paid_at_ms",),
    ),
    *(
        Rule(
            fact,
            ("last_touch_post_key",),
            ("touched_by",),
            (Cause("content_post", ("post_key",), ("stat_date", "employee")),),
            each(_touched),
        )
        for fact in ("sales_order", "deal")
    ),
    Rule(
        "refund",
        ("source", "order_key"),
        ("owner", "order_has_cost"),
        (Cause("sales_order", ("source", "source_key"), ("owner", "employee", "cost_minor")),),
        each(_refund),
    ),
    Rule(
        "sales_order_line",
        ("source", "order_key"),
        ("paid_at_ms", "owner"),
        (Cause("sales_order", ("source", "source_key"), ORDER),),
        each(_line),
    ),
    Rule(
        "invoice",
        ("source", "source_key"),
        ("received_in_month_minor", "received_in_quarter_minor"),
        (Cause("payment", ("source", "invoice_key"), ("paid_at_ms", "amount_minor")),),
        each(_received),
        ("due_on", "amount_gross_minor"),
        alone=True,
    ),
)
