"""Every table of the server, for SQLite and PostgreSQL alike.

Instants are UTC milliseconds in columns ending in ``_ms``; dates are local ``YYYY-MM-DD`` of the site; JSON holds lists
of plain values.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from server.store.metadata import id_column, metadata, only_where

# --- fleet ---------------------------------------------------------------------------------------------------------

sites = Table(
    "sites",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("calendar", Text),  # none: the company's
)

gateways = Table(
    "gateways",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("site", Text, ForeignKey("sites.id")),
    Column("password_hash", Text, nullable=False),  # Mosquitto's $7$ form: PBKDF2-SHA512
    Column("status", Text, nullable=False),  # active | revoked
    Column("created_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger),
    Column("machine", Text),
    Column("software", Text),
    Column("health", JSON),  # the last shared.wire.Health as builtins
)

terminals = Table(
    "terminals",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("site", Text, ForeignKey("sites.id")),
    Column("profile", Text),
    Column("kind", Text, nullable=False),  # terminal | scanner
    Column("user_group", Text, nullable=False),  # terminals that share user numbers
    Column("last_event_ms", BigInteger),
    Column("health", JSON),  # the last shared.wire.TerminalHealth as builtins
    Column("log_seq", BigInteger),  # record number and second of the newest numbered punch (AR-2)
    Column("log_second", BigInteger),
)

stations = Table(  # scanners whose place on the way of a parcel somebody has set
    "stations",
    metadata,
    Column("serial", Text, ForeignKey("terminals.serial"), primary_key=True),
    Column("role", Text, nullable=False),  # sorting | loading | returns
    Column("responsibility", Text, nullable=False),
    Column("review", Boolean, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    id_column(),
    Column("terminal", Text, ForeignKey("terminals.serial"), nullable=False),
    Column("gateway", Text, ForeignKey("gateways.id"), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger),
    UniqueConstraint("terminal", "gateway", "from_ms"),
)

alarms = Table(
    "alarms",
    metadata,
    id_column(),
    # conflict | lost_at_gateway | cloned_gateway | foreign_terminal | bad_message | restarted_log ...
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # gateway id or terminal serial
    Column("detail", JSON, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("cleared_ms", BigInteger),
    # One open alarm of a kind and subject, so that processes that raise it at once count it together.
    Index("ix_alarms_open", "kind", "subject", unique=True, **only_where("cleared_ms IS NULL")),
)

commands = Table(  # what gateways are to do at terminals, kept for ever as the record of who wrote whom where
    "commands",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("terminal", Text, ForeignKey("terminals.serial"), nullable=False),
    Column("changes", JSON, nullable=False),  # shared.wire.UserChange as builtins; none asks only who is enrolled
    Column("actor", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),  # none until sent, and again when its gateway greets
    Column("outcome", Text, nullable=False),  # open | waiting | done | failed | expired
    Column("message", Text, nullable=False),
    Column("result_ms", BigInteger),
    Column("results", JSON, nullable=False),  # shared.wire.ChangeResult as builtins
    Index("ix_commands_terminal_created", "terminal", "created_ms"),
    Index("ix_commands_open", "expires_ms", **only_where("outcome IN ('open', 'waiting')")),
)

command_users = Table(  # who was enrolled after the newest command of a terminal, part by part as it came
    "command_users",
    metadata,
    Column("command", LargeBinary(16), ForeignKey("commands.id"), nullable=False),
    Column("part", Integer, nullable=False),
    Column("users", JSON, nullable=False),  # shared.wire.DirectoryUser as builtins
    PrimaryKeyConstraint("command", "part"),
)

# --- ingest: written in one transaction, hot path -------------------------------------------------------------------

streams = Table(
    "streams",
    metadata,
    id_column(),
    Column("gateway", Text, ForeignKey("gateways.id"), nullable=False),
    Column("stream", LargeBinary(16), nullable=False),
    Column("upto", BigInteger, nullable=False),  # everything up to here is stored, quarantined or known lost
    Column("also", JSON, nullable=False),  # closed ranges beyond upto
    Column("anchor_mono_ms", BigInteger),
    Column("anchor_wall_ms", BigInteger),
    Column("closed", Boolean, nullable=False),
    Column("lost", JSON, nullable=False),  # closed ranges the gateway no longer holds
    UniqueConstraint("gateway", "stream"),
)

# PostgreSQL: PARTITION BY RANGE (at_ms), months from 2015 to two ahead on first need, all else in DEFAULT.
events = Table(
    "events",
    metadata,
    Column("stream_id", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("stream_id", "seq", "at_ms"),
    postgresql_partition_by="RANGE (at_ms)",
    sqlite_with_rowid=False,
)

feed = Table(
    "feed",
    metadata,
    id_column(),
    Column("stream_id", Integer, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("at_min_ms", BigInteger, nullable=False),  # lets a follower read only the partitions concerned
    Column("at_max_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

followers = Table(
    "followers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("feed_id", BigInteger, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    id_column(),
    Column("gateway", Text, nullable=False),
    Column("stream", LargeBinary(16)),  # none for a message without a readable head
    Column("seq", BigInteger),
    Column("code", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # open | released | dismissed
    UniqueConstraint("gateway", "stream", "seq", "digest"),
)

# --- identity: what happened, once ----------------------------------------------------------------------------------

punches = Table(
    "punches",
    metadata,
    id_column(),
    Column("terminal", Text, nullable=False),
    Column("user_code", Text, nullable=False),
    Column("at_device", BigInteger),  # device seconds counted as if UTC
    Column("key_seq", BigInteger, nullable=False),  # last part of shared.keys.BusinessKey, -1 as a rule
    Column("utc_offset_s", Integer),
    Column("at_ms", BigInteger, nullable=False),  # zone applied, drift not
    Column("direction", SmallInteger, nullable=False),
    Column("method", SmallInteger, nullable=False),
    Column("raw_codes", JSON, nullable=False),
    Column("native_seq", BigInteger),
    Column("drift_ms", BigInteger),
    Column("flags", Integer, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("employee", Text, ForeignKey("employees.id")),  # none while the terminal user is unmatched
    Column("true_ms", BigInteger),  # after AR-3; none while AR-3 or AR-4 hold it
    Column("held", Text),  # AR-3 | AR-4
    Column("learned_ms", BigInteger),  # when it became the employee's, if that was after its receipt (AR-34)
    UniqueConstraint("terminal", "user_code", "at_device", "key_seq"),
    Index("ix_punches_employee_at", "employee", "at_ms"),
    Index("ix_punches_at", "at_ms"),
)

scans = Table(
    "scans",
    metadata,
    id_column(),
    Column("station", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("symbology", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("operator", Text),
    Column("native_seq", BigInteger),
    Column("flags", Integer, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("gateway", Text, nullable=False),
    UniqueConstraint("station", "code", "native_seq", "at_ms"),  # NULL native_seq never collides
    Index("ix_scans_code", "code"),
    Index("ix_scans_at", "at_ms"),
)

sources = Table(
    "sources",
    metadata,
    Column("stream_id", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("punch", BigInteger, ForeignKey("punches.id")),
    Column("scan", BigInteger, ForeignKey("scans.id")),
    Column("repeat", Boolean, nullable=False),  # a further source of an event known before
    PrimaryKeyConstraint("stream_id", "seq"),
    Index("ix_sources_punch", "punch"),
    Index("ix_sources_scan", "scan"),
)

# --- people ---------------------------------------------------------------------------------------------------------

departments = Table(
    "departments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("parent", Text, ForeignKey("departments.id")),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
)

employees = Table(  # as of today; what was and will be is in people_tables
    "employees",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("department", Text, ForeignKey("departments.id"), nullable=False),
    Column("site", Text, ForeignKey("sites.id"), nullable=False),
    Column("position", Text, nullable=False),
    Column("joined_on", Date, nullable=False),
    Column("left_on", Date),
    Column("worked_since", Date),  # first job of the life: the years that annual leave counts
    Column("email", Text),
)

terminal_users = Table(
    "terminal_users",
    metadata,
    Column("user_group", Text, nullable=False),
    Column("user_code", Text, nullable=False),
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    PrimaryKeyConstraint("user_group", "user_code"),
)

shifts = Table(
    "shifts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("start", Text, nullable=False),  # HH:MM local
    Column("end", Text, nullable=False),  # at or before start means the next day
    Column("breaks", JSON, nullable=False),  # [["12:00", "13:00"]]
    Column("flex", JSON(none_as_null=True)),  # {"earliest": "08:00", "latest": "10:00", "span_min": 540} (AR-18)
    Column("code", Text),  # one to four letters for narrow boards; none: the id
    Column("retired", Boolean, nullable=False, server_default=text("false")),  # kept for the past, not planned any more
)

roster = Table(
    "roster",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("shift", Text, ForeignKey("shifts.id"), nullable=False),
    # manual | pattern | import | swap: a pattern that is laid out again leaves alone what people have planned.
    Column("origin", Text, nullable=False, server_default="manual"),
    PrimaryKeyConstraint("employee", "date", "shift"),
    Index("ix_roster_date", "date"),
)

# --- results --------------------------------------------------------------------------------------------------------

touched_days = Table(
    "touched_days",
    metadata,
    Column("employee", Text, nullable=False),
    Column("date", Date, nullable=False),
    Column("mark", BigInteger, nullable=False),  # new with each touch, so that a touch while computing is not lost
    PrimaryKeyConstraint("employee", "date"),
)

touched_scores = Table(
    "touched_scores",
    metadata,
    Column("employee", Text, nullable=False),
    Column("period", Text, nullable=False),  # YYYY-MM
    Column("mark", BigInteger, nullable=False),
    Column("facts", Text),  # that changed, with spaces between them; none when it may be anything
    PrimaryKeyConstraint("employee", "period"),
)

attendance_days = Table(
    "attendance_days",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("part", SmallInteger, nullable=False),  # 0, 1 ... in order of shift start
    Column("shift", Text),
    Column("status", Text, nullable=False),
    Column("required_min", Integer, nullable=False),
    Column("worked_min", Integer, nullable=False),
    Column("holiday_work_min", Integer, nullable=False),
    Column("late_min", Integer, nullable=False),
    Column("early_min", Integer, nullable=False),
    Column("gap_min", Integer, nullable=False),
    Column("absent_min", Integer, nullable=False),
    Column("pending_min", Integer, nullable=False),
    Column("exempt_min", Integer, nullable=False),
    Column("leave_min", Integer, nullable=False),
    Column("first_ms", BigInteger),  # corrected instants of the sides used
    Column("last_ms", BigInteger),
    Column("flags", JSON, nullable=False),
    Column("explain", JSON, nullable=False),  # punch ids used, merged, quarantined, ignored; rule ids (AR-36)
    Column("rule_version", Text, nullable=False),
    Column("computed_ms", BigInteger, nullable=False),
    Column("ot_15_min", Integer, nullable=False, server_default="0"),
    Column("ot_20_min", Integer, nullable=False, server_default="0"),
    Column("ot_30_min", Integer, nullable=False, server_default="0"),
    Column("comp_min", Integer, nullable=False, server_default="0"),  # class 2.0, banked
    Column("extra_min", Integer, nullable=False, server_default="0"),  # comprehensive hours (AR-31)
    Column("trip_min", Integer, nullable=False, server_default="0"),  # worked on trips and in the field
    Column("leaves", JSON, nullable=False, server_default="{}"),  # minutes of leave by leave type
    Column("day_type", Text, nullable=False, server_default="workday"),  # workday | restday | statutory
    Column("system", Text, nullable=False, server_default="standard"),  # standard | comprehensive | untimed
    PrimaryKeyConstraint("employee", "date", "part"),
    Index("ix_attendance_days_date", "date"),
)

day_versions = Table(  # what a finished record said before it was computed anew; only where it said something else
    "day_versions",
    metadata,
    id_column(),
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("part", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("minutes", JSON, nullable=False),  # those that are not 0, by their name in Minutes
    Column("computed_ms", BigInteger, nullable=False),
    Column("replaced_ms", BigInteger, nullable=False),
    Index("ix_day_versions_employee_date", "employee", "date"),
)

shipments = Table(
    "shipments",
    metadata,
    Column("tracking_no", Text, primary_key=True),
    Column("site", Text, ForeignKey("sites.id")),
    Column("courier", Text, ForeignKey("employees.id")),
    Column("promised_at_ms", BigInteger),
    Column("promised_on", Date),  # a promise by date: on time until the end of that local day
    Column("new_promise_at_ms", BigInteger),
    Column("picked_up_at_ms", BigInteger),
    Column("delivered_at_ms", BigInteger),
    Column("refused_at_ms", BigInteger),
    Column("damaged_at_ms", BigInteger),
    Column("cancelled_at_ms", BigInteger),
    Column("force_majeure", Boolean, nullable=False),
    Column("due_ms", BigInteger),  # the instant after which it is late, worked out from the promise and the site's zone
    Index("ix_shipments_due", "due_ms"),
    Index("ix_shipments_courier_due", "courier", "due_ms"),
)

scores = Table(
    "scores",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),  # YYYY-MM
    Column("indicator", Text, nullable=False),
    Column("value_num", BigInteger),
    Column("value_den", BigInteger),
    Column("sample", Integer, nullable=False),
    Column("score_micro", BigInteger),  # none with a reason
    Column("no_score", Text),
    Column("lineage", JSON, nullable=False),  # rule version, weight set, watermarks, source query, input hash (KS-16)
    Column("computed_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("employee", "period", "indicator"),
)

indicator_targets = Table(
    "indicator_targets",
    metadata,
    Column("indicator", Text, nullable=False),
    Column("unit", Text, nullable=False),  # employee, department, or '' for everybody
    Column("starts", Date, nullable=False),
    Column("target", Text, nullable=False),  # exact decimal in the indicator's unit
    Column("set_by", Text, nullable=False),
    Column("set_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("indicator", "unit", "starts"),
)

scorecards = Table(
    "scorecards",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),
    Column("total_centi", Integer),  # published total in hundredths of a point
    Column("coverage_num", BigInteger, nullable=False),
    Column("coverage_den", BigInteger, nullable=False),
    Column("status", Text, nullable=False),  # scored | insufficient_data
    Column("computed_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("employee", "period"),
)

changes = Table(  # what pages follow: one row per committed result, written under the feed lock
    "changes",
    metadata,
    id_column(),
    Column("topic", Text, nullable=False),  # as in server.access.topics
    Column("at_ms", BigInteger, nullable=False),
    Index("ix_changes_topic", "topic", "id"),
)

# --- access ---------------------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    id_column(),
    Column("login", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("employee", Text, ForeignKey("employees.id")),
    Column("departments", JSON, nullable=False),  # data scope of a manager
    Column("disabled", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", LargeBinary(32), primary_key=True),
    Column("user", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("ip", Text, nullable=False),
    Index("ix_sessions_user", "user"),
)

login_failures = Table(
    "login_failures",
    metadata,
    id_column(),
    Column("login", Text, nullable=False),
    Column("ip", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("ix_login_failures_login_at", "login", "at_ms"),
    Index("ix_login_failures_ip_at", "ip", "at_ms"),
)

operation_log = Table(  # append only: triggers refuse UPDATE and DELETE
    "operation_log",
    metadata,
    id_column(),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),  # login, or cli, or system
    Column("ip", Text),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("result", Text, nullable=False),  # done | refused
    Column("request_id", Text),
    Column("detail", JSON, nullable=False),  # no secrets, no pay data
    Column("previous_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
