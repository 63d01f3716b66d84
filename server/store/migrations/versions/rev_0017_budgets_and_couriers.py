"""Which revision of a budget line is in force, what was booked on it, and who carried a complaint's parcel."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMNS: dict[str, tuple[sa.Column[Any], ...]] = {
    "complaint": (
        sa.Column("parcel_courier", sa.Text(), nullable=True),
        sa.Column("order_courier", sa.Text(), nullable=True),
    ),
    "ledger_budget": (
        sa.Column("replaced_on", sa.Date(), nullable=True),
        sa.Column("booked_minor", sa.BigInteger(), nullable=True),
    ),
    "ledger_entry": (sa.Column("booked_in", sa.Text(), nullable=True),),
}
_KEYS = {
    "complaint": ("tracking_no",),
    "ledger_budget": ("period", "account", "org_key"),
    "ledger_entry": ("booked_in", "account", "org_key"),
}


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    for fact, columns in _COLUMNS.items():
        for column in columns:
            op.add_column(f"fact_{fact}", column)
    for fact, key in _KEYS.items():
        rows = sa.text(f"{key[-1]} IS NOT NULL")
        name = f"ix_fact_{fact}_{'_'.join(key)}"
        op.create_index(name, f"fact_{fact}", list(key), unique=False, sqlite_where=rows, postgresql_where=rows)
    # Scores of the engine before can not be explained by this one: all are worked out again.
    op.execute(
        "INSERT INTO touched_scores (employee, period, mark) SELECT employee, period, 0 FROM scorecards "
        "WHERE true ON CONFLICT (employee, period) DO NOTHING"
    )


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
