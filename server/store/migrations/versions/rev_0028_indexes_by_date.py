"""Indexes by which the rows of a person are found by each of the dates that indicators count them by."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_PROMISED = "coalesce(new_promise_at_ms, promised_at_ms)"


def upgrade() -> None:
    """Only one index changes; rows stay."""
    op.drop_index("ix_fact_shipment_of", table_name="fact_shipment")
    op.create_index(
        "ix_fact_shipment_of", "fact_shipment", ["employee", sa.text("coalesce(delivered_at_ms, refused_at_ms)")]
    )
    op.create_index("ix_fact_shipment_promised", "fact_shipment", ["employee", sa.text(_PROMISED)])
    only = sa.text(f"{_PROMISED} IS NULL")
    op.create_index(
        "ix_fact_shipment_promised_on",
        "fact_shipment",
        ["employee", "promised_on"],
        sqlite_where=only,
        postgresql_where=only,
    )
    op.create_index("ix_fact_ticket_solved", "fact_ticket", ["employee", "solved_at_ms"])
    op.create_index("ix_fact_ticket_rated", "fact_ticket", ["employee", sa.text("coalesce(rated_at_ms, solved_at_ms)")])


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
