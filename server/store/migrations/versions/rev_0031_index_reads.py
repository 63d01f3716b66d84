"""Indexes that answer for the rows of a person by themselves, and over all rows: statistics of some are not used."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_INDEXES: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("funnel_event", "of"): (
        ("employee", "occurred_at_ms"),
        ("bot", "kind", "dwell_seconds", "paid_at_ms", "visitor_key", "source", "source_key", "deleted"),
    ),
    ("sales_order", "of"): (
        ("coalesce(owner, employee)", "paid_at_ms"),
        (
            *("owner", "employee", "status", "is_test", "customer", "customer_key", "first_valid"),
            *("fully_refunded_on", "amount_net_minor", "cost_minor", "deleted"),
        ),
    ),
    ("sales_order", "sold"): (("employee", "paid_at_ms"), ()),
    ("sales_order", "paid"): (("paid_at_ms",), ()),
    ("sales_order", "customer"): (("coalesce(customer, customer_key)", "paid_at_ms"), ()),
    ("shipment", "of"): (
        ("employee", "coalesce(delivered_at_ms, refused_at_ms)"),
        (
            *("delivered_at_ms", "refused_at_ms", "carrier_code", "tracking_no", "source", "source_key"),
            *("damaged_on", "damaged_before_return_on", "cost_minor", "deleted"),
        ),
    ),
    ("shipment", "promised"): (
        ("employee", "coalesce(new_promise_at_ms, promised_at_ms)"),
        (
            *("promised_on", "promised_at_ms", "new_promise_at_ms", "picked_up_at_ms", "delivered_at_ms"),
            *("status", "force_majeure", "deleted"),
        ),
    ),
    ("ticket", "of"): (
        ("employee", "created_at_ms"),
        (
            *("status", "first_reply_business_seconds", "first_reply_seconds"),
            *("first_solved_at_ms", "solved_at_ms", "reopened_at_ms", "deleted"),
        ),
    ),
    ("ticket", "solved"): (("employee", "solved_at_ms"), ("handle_seconds", "deleted")),
    ("ticket", "rated"): (
        ("employee", "coalesce(rated_at_ms, solved_at_ms)"),
        ("rated_at_ms", "solved_at_ms", "csat", "deleted"),
    ),
}
"""What each is over, and what PostgreSQL keeps in it besides; SQLite has them as they are."""


def upgrade() -> None:
    """Indexes change, and how soon PostgreSQL knows what in them can be relied on; rows stay."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for (fact, label), (terms, read) in _INDEXES.items() if postgresql else ():
        table, name = f"fact_{fact}", f"ix_fact_{fact}_{label}"
        op.drop_index(name, table_name=table)
        columns = [sa.text(term) if "(" in term else term for term in terms]
        op.create_index(name, table, columns, postgresql_include=read)
    op.create_index(
        "ix_fact_shipment_shipped",
        "fact_shipment",
        ["employee", "shipped_on"],
        postgresql_include=("order_net_minor", "deleted"),
    )
    alone = sa.text("new_promise_at_ms IS NULL AND promised_at_ms IS NULL")
    op.drop_index("ix_fact_shipment_promised_on", table_name="fact_shipment")
    op.create_index(
        "ix_fact_shipment_promised_on",
        "fact_shipment",
        ["employee", "promised_on"],
        sqlite_where=alone,
        postgresql_where=alone,
    )
    for fact in sorted({fact for (fact, _), (_, read) in _INDEXES.items() if read}) if postgresql else ():
        op.execute(f"ALTER TABLE fact_{fact} SET (autovacuum_vacuum_insert_scale_factor = 0.01)")


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
