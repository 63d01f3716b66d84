"""Orders, customers, deals, invoices."""

from typing import Annotated, Literal

from pydantic import Field

from server.facts.fields import Count, Currency, Day, Fact, Instant, Key, Minor, Text

PaymentStatus = Literal["unpaid", "partial", "paid", "refunded"]


class SalesOrder(Fact):
    """An order of a customer; ``employee_key`` sold it."""

    order_no: Key
    status: Literal["draft", "open", "fulfilled", "cancelled", "refunded"]
    payment_status: PaymentStatus | None = None
    currency: Currency
    amount_gross_minor: Minor
    amount_net_minor: Minor | None = None
    tax_minor: Minor | None = None
    discount_minor: Minor | None = None
    shipping_minor: Minor | None = None
    cost_minor: Minor | None = None
    refunded_minor: Minor | None = None
    quantity: Count | None = None
    order_date: Day | None = None
    paid_at: Instant | None = None
    promised_on: Day | None = None
    channel: Key | None = None
    customer_key: Key | None = None
    external_no: Key | None = None
    is_test: bool | None = None
    last_touch_post_key: Key | None = None
    last_touch_at: Instant | None = None


class SalesOrderLine(Fact):
    """A line of an order."""

    order_key: Key
    line_no: Key
    sku: Key | None = None
    category: Text | None = None
    quantity: Count | None = None
    amount_net_minor: Minor | None = None
    cost_minor: Minor | None = None


class Refund(Fact):
    """Money given back, booked in its own period."""

    order_key: Key
    refunded_on: Day
    amount_net_minor: Minor
    cost_returned_minor: Minor | None = None
    full: bool | None = None


class Customer(Fact):
    """A customer, maybe merged into another one."""

    customer_key: Key
    merged_into: Key | None = None


class CustomerOwner(Fact):
    """Whose customer it was from when on; ``employee_key`` is the owner."""

    customer_key: Key
    valid_from: Day
    valid_to: Day | None = None


class Deal(Fact):
    """A deal or lead of the CRM."""

    stage: Literal["open", "won", "lost"]
    amount_minor: Minor | None = None
    currency: Currency | None = None
    created_on: Day | None = None
    closed_on: Day | None = None
    customer_key: Key | None = None
    channel: Key | None = None
    last_touch_post_key: Key | None = None
    last_touch_at: Instant | None = None


class Invoice(Fact):
    """A bill to a customer."""

    invoice_no: Key
    status: Literal["draft", "posted", "paid", "cancelled"] | None = None
    currency: Currency | None = None
    invoice_date: Day | None = None
    due_on: Day | None = None
    amount_gross_minor: Minor | None = None
    amount_due_minor: Minor | None = None
    """Today's remainder: never used for a past date."""


class Payment(Fact):
    """Money that came in."""

    paid_at: Instant
    amount_minor: Minor
    currency: Currency | None = None
    invoice_key: Key | None = None
    order_key: Key | None = None
    method: Annotated[str, Field(max_length=60)] | None = None
