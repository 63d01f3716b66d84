"""Reports that are sent, where to, and programs that fetch figures."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from server.store.metadata import id_column, metadata, only_where

notice_channels = Table(  # addresses and secrets of robots are in a file beside the database, not here
    "notice_channels",
    metadata,
    id_column(),
    Column("kind", Text, nullable=False),  # email | dingtalk | wecom | feishu
    Column("name", Text, nullable=False),
    Column("recipients", JSON, nullable=False),  # addresses of e-mail
    Column("disabled", Boolean, nullable=False),
)

notice_schedules = Table(
    "notice_schedules",
    metadata,
    id_column(),
    Column("report", Text, nullable=False),  # month | exceptions | today ...
    Column("channel", BigInteger, ForeignKey("notice_channels.id"), nullable=False),
    Column("every", Text, nullable=False),  # day | week | month
    Column("day", Integer),  # 1 to 7 of a week from Monday, 1 to 28 of a month
    Column("at", Text, nullable=False),  # HH:MM of the company's zone
    Column("language", Text, nullable=False),  # zh-CN | en
    Column("departments", JSON, nullable=False),  # none: all
    Column("actor", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("from_ms", BigInteger, nullable=False),  # nothing is due before it
)

notices = Table(  # one that is due, once per schedule and instant
    "notices",
    metadata,
    id_column(),
    Column("schedule", BigInteger, ForeignKey("notice_schedules.id"), nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # open | sent | failed
    Column("attempts", Integer, nullable=False),
    Column("next_ms", BigInteger, nullable=False),
    Column("tried_ms", BigInteger),  # last attempt, for vendors' limits
    Column("error", Text),  # a code, never an answer's text
    Column("sent_ms", BigInteger),
    UniqueConstraint("schedule", "due_ms"),
    Index("ix_notices_open", "next_ms", **only_where("state = 'open'")),
)

api_clients = Table(  # programs such as payroll
    "api_clients",
    metadata,
    id_column(),
    Column("name", Text, nullable=False, unique=True),
    Column("token_sha256", LargeBinary(32), nullable=False, unique=True),
    Column("permissions", JSON, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    Column("seen_ms", BigInteger),
)
