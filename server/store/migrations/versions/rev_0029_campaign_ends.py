"""Rows of a campaign tell when it ends."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rows that are there do not know."""
    op.add_column("fact_campaign_event", sa.Column("ends_on", sa.Date(), nullable=True))


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
