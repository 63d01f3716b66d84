"""What a person wants done with a stream by whichever process runs sources."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; nothing that exists changes."""
    op.add_column("source_streams", sa.Column("asked", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
