"""A touched scorecard knows which facts changed, so that only what reads them is counted again."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Cards that wait already are counted whole."""
    op.add_column("touched_scores", sa.Column("facts", sa.Text(), nullable=True))


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
