"""Commands to terminals and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both tables; nothing that exists changes."""
    op.create_table(
        "commands",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("result_ms", sa.BigInteger()),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["terminal"], ["terminals.serial"], name=op.f("fk_commands_terminal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
    )
    op.create_index("ix_commands_terminal_created", "commands", ["terminal", "created_ms"], unique=False)
    still_open = sa.text("outcome IN ('open', 'waiting')")
    op.create_index(
        "ix_commands_open",
        "commands",
        ["expires_ms"],
        unique=False,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_table(
        "command_users",
        sa.Column("command", sa.LargeBinary(length=16), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("users", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["command"], ["commands.id"], name=op.f("fk_command_users_command")),
        sa.PrimaryKeyConstraint("command", "part", name=op.f("pk_command_users")),
    )


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")
