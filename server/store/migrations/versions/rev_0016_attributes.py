"""Attributes of facts that follow from other rows, and indexes by the keys that join them."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0012"
branch_labels = None
depends_on = None

_COLUMNS = {
    "sales_order": (
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("fully_refunded_on", sa.Date(), nullable=True),
        sa.Column("taken_back", sa.Boolean(), nullable=True),
        sa.Column("first_valid", sa.Boolean(), nullable=True),
        sa.Column("touched_by", sa.Text(), nullable=True),
    ),
    "sales_order_line": (
        sa.Column("paid_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
    ),
    "refund": (
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("order_has_cost", sa.Boolean(), nullable=True),
    ),
    "customer": (sa.Column("root", sa.Text(), nullable=True),),
    "deal": (sa.Column("touched_by", sa.Text(), nullable=True),),
    "invoice": (
        sa.Column("received_in_month_minor", sa.BigInteger(), nullable=True),
        sa.Column("received_in_quarter_minor", sa.BigInteger(), nullable=True),
    ),
    "shipment": (
        sa.Column("damaged_on", sa.Date(), nullable=True),
        sa.Column("damaged_before_return_on", sa.Date(), nullable=True),
        sa.Column("order_net_minor", sa.BigInteger(), nullable=True),
    ),
    "shipment_event": (sa.Column("sorted_at_ms", sa.BigInteger(), nullable=True),),
    "damage_report": (sa.Column("parcel", sa.Text(), nullable=True),),
    "complaint": (
        sa.Column("repeated", sa.Boolean(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=True),
    ),
    "funnel_event": (
        sa.Column("paid_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("goal_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("designer", sa.Text(), nullable=True),
        sa.Column("page_type", sa.Text(), nullable=True),
    ),
    "campaign_event": (
        sa.Column("completed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("repeated", sa.Boolean(), nullable=True),
    ),
    "content_post": (
        sa.Column("reads_added", sa.BigInteger(), nullable=True),
        sa.Column("interactions_added", sa.BigInteger(), nullable=True),
        sa.Column("conversions_added", sa.BigInteger(), nullable=True),
    ),
    "requisition": (sa.Column("on_board_in_time", sa.BigInteger(), nullable=True),),
    "employment": (sa.Column("recruiter", sa.Text(), nullable=True),),
    "training_result": (sa.Column("trainer", sa.Text(), nullable=True),),
    "survey_response": (
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("designer", sa.Text(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
    ),
}
_KEYS = {
    "sales_order": (("customer_key",), ("last_touch_post_key",), ("order_no",)),
    "sales_order_line": (("source", "order_key"),),
    "refund": (("source", "order_key"),),
    "customer": (("customer_key",), ("merged_into",)),
    "customer_owner": (("customer_key",),),
    "deal": (("last_touch_post_key",),),
    "payment": (("source", "invoice_key"),),
    "shipment": (("order_key",), ("tracking_no",)),
    "shipment_event": (("tracking_no",),),
    "damage_report": (("order_key",), ("parcel",)),
    "complaint": (("customer_key",), ("order_key",)),
    "funnel_event": (("page",), ("source", "visitor_key")),
    "campaign_event": (("campaign", "user_key"),),
    "content_post": (("platform", "post_key"), ("post_key",)),
    "design_task": (("page_key",), ("source_key",)),
    "candidate_stage": (("source", "requisition_key"),),
    "employment": (("source", "requisition_key"),),
    "training_result": (("source", "trainer_key"),),
    "survey_response": (("source", "subject_key"), ("source", "survey_key"), ("subject_key",)),
    "survey_round": (("source", "survey_key"),),
}


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    for fact, columns in _COLUMNS.items():
        for column in columns:
            op.add_column(f"fact_{fact}", column)
    for fact, keys in _KEYS.items():
        for key in keys:
            _index(f"ix_fact_{fact}_{'_'.join(key)}", fact, list(key), f"{key[-1]} IS NOT NULL")
    _index("ix_fact_sales_order_merged", "sales_order", ["customer"], "customer IS NOT NULL")
    _index("ix_fact_sales_order_first", "sales_order", ["customer_key"], "first_valid IS NOT NULL")


def _index(name: str, fact: str, columns: list[str], where: str) -> None:
    rows = sa.text(where)
    op.create_index(name, f"fact_{fact}", columns, unique=False, sqlite_where=rows, postgresql_where=rows)


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
