"""Indexes by which scores find the rows of a person, a customer or a date."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0023"
branch_labels = None
depends_on = None

_INDEXES = (
    ("audience_day", "of", ("employee", "stat_date")),
    ("campaign_event", "of", ("employee", "occurred_at_ms")),
    ("complaint", "of", ("employee", "occurred_on")),
    ("complaint", "carried", ("coalesce(parcel_courier, order_courier)", "occurred_on")),
    ("content_post", "of", ("employee", "stat_date")),
    ("deal", "touched", ("touched_by", "created_on")),
    ("design_task", "of", ("employee", "decided_at_ms")),
    ("funnel_event", "of", ("employee", "occurred_at_ms")),
    ("funnel_event", "designed", ("designer", "occurred_at_ms")),
    ("invoice", "of", ("employee", "due_on")),
    ("ledger_entry", "posted", ("posted_on",)),
    ("refund", "of", ("coalesce(owner, employee)", "refunded_on")),
    ("route_stop", "of", ("employee", "window_from_ms")),
    ("sales_order", "of", ("coalesce(owner, employee)", "paid_at_ms")),
    ("sales_order", "sold", ("employee", "paid_at_ms")),
    ("sales_order", "touched", ("touched_by", "paid_at_ms")),
    ("sales_order", "paid", ("paid_at_ms",)),
    ("sales_order", "customer", ("coalesce(customer, customer_key)", "paid_at_ms")),
    ("shipment", "of", ("employee",)),
    ("shipment", "ended", ("coalesce(delivered_at_ms, refused_at_ms)",)),
    ("statement_line", "of", ("employee", "issued_on")),
    ("survey_response", "about", ("subject", "submitted_at_ms")),
    ("survey_response", "designed", ("designer", "submitted_at_ms")),
    ("ticket", "of", ("employee", "created_at_ms")),
    ("web_day", "of", ("employee", "stat_date")),
)
_SELDOM = ("touched_by", "designer", "subject", "paid_at_ms")


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    for fact, label, terms in _INDEXES:
        columns = [sa.text(term) if "(" in term else term for term in terms]
        where: dict[str, Any] = {}
        if seldom := [term for term in terms if term in _SELDOM]:
            only = sa.text(f"{seldom[0]} IS NOT NULL")
            where = {"sqlite_where": only, "postgresql_where": only}
        op.create_index(f"ix_fact_{fact}_{label}", f"fact_{fact}", columns, **where)


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
