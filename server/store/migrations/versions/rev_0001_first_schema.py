"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table; partitions of months come on first need."""
    _fleet()
    _ingest()
    _people()
    _identity()
    _results()
    _access()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE events_default PARTITION OF events DEFAULT")
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION '% is append only', TG_TABLE_NAME; END$$"
        )
        op.execute(
            "CREATE TRIGGER operation_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operation_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER operation_log_no_{change.lower()} BEFORE {change} ON operation_log "
                "BEGIN SELECT RAISE(ABORT, 'operation_log is append only'); END"
            )


def downgrade() -> None:
    """Refuse: migrations go forward only."""
    raise NotImplementedError("migrations go forward only; restore a backup instead")


def _fleet() -> None:
    """Sites, gateways, terminals and what needs a person."""
    op.create_table(
        "sites",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
    )
    op.create_table(
        "gateways",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site", sa.Text()),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger()),
        sa.Column("machine", sa.Text()),
        sa.Column("software", sa.Text()),
        sa.Column("health", sa.JSON()),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_gateways_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateways")),
    )
    op.create_table(
        "terminals",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site", sa.Text()),
        sa.Column("profile", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_group", sa.Text(), nullable=False),
        sa.Column("last_event_ms", sa.BigInteger()),
        sa.Column("health", sa.JSON()),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_terminals_site")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_terminals")),
    )
    op.create_table(
        "assignments",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(["gateway"], ["gateways.id"], name=op.f("fk_assignments_gateway")),
        sa.ForeignKeyConstraint(["terminal"], ["terminals.serial"], name=op.f("fk_assignments_terminal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
        sa.UniqueConstraint("terminal", "gateway", "from_ms", name=op.f("uq_assignments_terminal_gateway_from_ms")),
    )
    op.create_table(
        "alarms",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index(
        "ix_alarms_open",
        "alarms",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("cleared_ms IS NULL"),
        postgresql_where=sa.text("cleared_ms IS NULL"),
    )


def _ingest() -> None:
    """What gateways sent, and how far each stream is stored."""
    op.create_table(
        "streams",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("stream", sa.LargeBinary(length=16), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("also", sa.JSON(), nullable=False),
        sa.Column("anchor_mono_ms", sa.BigInteger()),
        sa.Column("anchor_wall_ms", sa.BigInteger()),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("lost", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["gateway"], ["gateways.id"], name=op.f("fk_streams_gateway")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
        sa.UniqueConstraint("gateway", "stream", name=op.f("uq_streams_gateway_stream")),
    )
    op.create_table(
        "events",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "seq", "at_ms", name=op.f("pk_events")),
        postgresql_partition_by="RANGE (at_ms)",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "feed",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("at_min_ms", sa.BigInteger(), nullable=False),
        sa.Column("at_max_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
    )
    op.create_table(
        "followers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("feed_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_followers")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("stream", sa.LargeBinary(length=16)),
        sa.Column("seq", sa.BigInteger()),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("gateway", "stream", "seq", "digest", name=op.f("uq_quarantine_gateway_stream_seq_digest")),
    )


def _people() -> None:
    """Employees and their rosters."""
    op.create_table(
        "departments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text()),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["parent"], ["departments.id"], name=op.f("fk_departments_parent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departments")),
    )
    op.create_table(
        "employees",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("joined_on", sa.Date(), nullable=False),
        sa.Column("left_on", sa.Date()),
        sa.ForeignKeyConstraint(["department"], ["departments.id"], name=op.f("fk_employees_department")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_employees_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employees")),
    )
    op.create_table(
        "terminal_users",
        sa.Column("user_group", sa.Text(), nullable=False),
        sa.Column("user_code", sa.Text(), nullable=False),
        sa.Column("employee", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_terminal_users_employee")),
        sa.PrimaryKeyConstraint("user_group", "user_code", name=op.f("pk_terminal_users")),
    )
    op.create_table(
        "shifts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("start", sa.Text(), nullable=False),
        sa.Column("end", sa.Text(), nullable=False),
        sa.Column("breaks", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shifts")),
    )
    op.create_table(
        "roster",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("shift", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_roster_employee")),
        sa.ForeignKeyConstraint(["shift"], ["shifts.id"], name=op.f("fk_roster_shift")),
        sa.PrimaryKeyConstraint("employee", "date", "shift", name=op.f("pk_roster")),
    )
    op.create_index("ix_roster_date", "roster", ["date"])


def _identity() -> None:
    """Punches and scans, each once."""
    op.create_table(
        "punches",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("terminal", sa.Text(), nullable=False),
        sa.Column("user_code", sa.Text(), nullable=False),
        sa.Column("at_device", sa.BigInteger()),
        sa.Column("key_seq", sa.BigInteger(), nullable=False),
        sa.Column("utc_offset_s", sa.Integer()),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.SmallInteger(), nullable=False),
        sa.Column("method", sa.SmallInteger(), nullable=False),
        sa.Column("raw_codes", sa.JSON(), nullable=False),
        sa.Column("native_seq", sa.BigInteger()),
        sa.Column("drift_ms", sa.BigInteger()),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("employee", sa.Text()),
        sa.Column("true_ms", sa.BigInteger()),
        sa.Column("held", sa.Text()),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_punches_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_punches")),
        sa.UniqueConstraint(
            "terminal",
            "user_code",
            "at_device",
            "key_seq",
            name=op.f("uq_punches_terminal_user_code_at_device_key_seq"),
        ),
    )
    op.create_index("ix_punches_at", "punches", ["at_ms"], unique=False)
    op.create_index("ix_punches_employee_at", "punches", ["employee", "at_ms"], unique=False)
    op.create_table(
        "scans",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("symbology", sa.Text(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.Text()),
        sa.Column("native_seq", sa.BigInteger()),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scans")),
        sa.UniqueConstraint(
            "station", "code", "native_seq", "at_ms", name=op.f("uq_scans_station_code_native_seq_at_ms")
        ),
    )
    op.create_index("ix_scans_at", "scans", ["at_ms"], unique=False)
    op.create_index("ix_scans_code", "scans", ["code"], unique=False)
    op.create_table(
        "sources",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("punch", sa.BigInteger()),
        sa.Column("scan", sa.BigInteger()),
        sa.Column("repeat", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["punch"], ["punches.id"], name=op.f("fk_sources_punch")),
        sa.ForeignKeyConstraint(["scan"], ["scans.id"], name=op.f("fk_sources_scan")),
        sa.PrimaryKeyConstraint("stream_id", "seq", name=op.f("pk_sources")),
    )
    op.create_index("ix_sources_punch", "sources", ["punch"], unique=False)
    op.create_index("ix_sources_scan", "sources", ["scan"], unique=False)


def _results() -> None:
    """Attendance, parcels, scores, and what pages follow."""
    op.create_table(
        "touched_days",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("employee", "date", name=op.f("pk_touched_days")),
    )
    op.create_table(
        "touched_scores",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("employee", "period", name=op.f("pk_touched_scores")),
    )
    op.create_table(
        "attendance_days",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("shift", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("required_min", sa.Integer(), nullable=False),
        sa.Column("worked_min", sa.Integer(), nullable=False),
        sa.Column("holiday_work_min", sa.Integer(), nullable=False),
        sa.Column("late_min", sa.Integer(), nullable=False),
        sa.Column("early_min", sa.Integer(), nullable=False),
        sa.Column("gap_min", sa.Integer(), nullable=False),
        sa.Column("absent_min", sa.Integer(), nullable=False),
        sa.Column("pending_min", sa.Integer(), nullable=False),
        sa.Column("exempt_min", sa.Integer(), nullable=False),
        sa.Column("leave_min", sa.Integer(), nullable=False),
        sa.Column("first_ms", sa.BigInteger()),
        sa.Column("last_ms", sa.BigInteger()),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("explain", sa.JSON(), nullable=False),
        sa.Column("rule_version", sa.Text(), nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_attendance_days_employee")),
        sa.PrimaryKeyConstraint("employee", "date", "part", name=op.f("pk_attendance_days")),
    )
    op.create_index("ix_attendance_days_date", "attendance_days", ["date"], unique=False)
    op.create_table(
        "shipments",
        sa.Column("tracking_no", sa.Text(), nullable=False),
        sa.Column("site", sa.Text()),
        sa.Column("courier", sa.Text()),
        sa.Column("promised_at_ms", sa.BigInteger()),
        sa.Column("promised_on", sa.Date()),
        sa.Column("new_promise_at_ms", sa.BigInteger()),
        sa.Column("picked_up_at_ms", sa.BigInteger()),
        sa.Column("delivered_at_ms", sa.BigInteger()),
        sa.Column("refused_at_ms", sa.BigInteger()),
        sa.Column("damaged_at_ms", sa.BigInteger()),
        sa.Column("cancelled_at_ms", sa.BigInteger()),
        sa.Column("force_majeure", sa.Boolean(), nullable=False),
        sa.Column("due_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(["courier"], ["employees.id"], name=op.f("fk_shipments_courier")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_shipments_site")),
        sa.PrimaryKeyConstraint("tracking_no", name=op.f("pk_shipments")),
    )
    op.create_index("ix_shipments_courier_due", "shipments", ["courier", "due_ms"], unique=False)
    op.create_index("ix_shipments_due", "shipments", ["due_ms"], unique=False)
    op.create_table(
        "scores",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("value_num", sa.BigInteger()),
        sa.Column("value_den", sa.BigInteger()),
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("score_micro", sa.BigInteger()),
        sa.Column("no_score", sa.Text()),
        sa.Column("lineage", sa.JSON(), nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_scores_employee")),
        sa.PrimaryKeyConstraint("employee", "period", "indicator", name=op.f("pk_scores")),
    )
    op.create_table(
        "scorecards",
        sa.Column("employee", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("total_centi", sa.Integer()),
        sa.Column("coverage_num", sa.BigInteger(), nullable=False),
        sa.Column("coverage_den", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_scorecards_employee")),
        sa.PrimaryKeyConstraint("employee", "period", name=op.f("pk_scorecards")),
    )
    op.create_table(
        "changes",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_topic", "changes", ["topic", "id"])


def _access() -> None:
    """Accounts, their sign-ins, and the log of operations."""
    op.create_table(
        "users",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("employee", sa.Text()),
        sa.Column("departments", sa.JSON(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee"], ["employees.id"], name=op.f("fk_users_employee")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_sessions_user")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user", "sessions", ["user"], unique=False)
    op.create_table(
        "login_failures",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
    )
    op.create_index("ix_login_failures_ip_at", "login_failures", ["ip", "at_ms"], unique=False)
    op.create_index("ix_login_failures_login_at", "login_failures", ["login", "at_ms"], unique=False)
    op.create_table(
        "operation_log",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation_log")),
    )
