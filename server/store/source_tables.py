"""Business systems: what they are, how far they have been read, what was refused, who their people are."""

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
    Table,
    Text,
    UniqueConstraint,
)

from server.store.metadata import id_column, metadata, only_where

data_sources = Table(
    "data_sources",
    metadata,
    Column("id", Text, primary_key=True),  # as in its file
    Column("file", Text, nullable=False),  # the YAML; secrets are references
    Column("map_version", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("state", Text, nullable=False),  # new | ok | late | down | auth_failed
    Column("failures", Integer, nullable=False),  # runs in a row
    Column("lease", Text),  # which worker runs it
    Column("lease_until_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)

source_streams = Table(
    "source_streams",
    metadata,
    Column("source", Text, ForeignKey("data_sources.id"), nullable=False),
    Column("stream", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("cursor", JSON(none_as_null=True)),
    Column("watermark_ms", BigInteger),  # newest complete time of an event
    Column("last_ok_ms", BigInteger),
    Column("next_ms", BigInteger, nullable=False),  # when it is due; 0: at once
    Column("compared_ms", BigInteger),  # last full comparison
    Column("asked", JSON(none_as_null=True)),  # what a person wants done with it now
    PrimaryKeyConstraint("source", "stream"),
)

sync_runs = Table(
    "sync_runs",
    metadata,
    id_column(),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("kind", Text, nullable=False),  # pull | push | hook | file | replay | compare | review
    Column("map_version", Integer, nullable=False),
    Column("state", Text, nullable=False),  # running | ok | partial | rejected | failed | undone | signed
    Column("actor", Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("pages", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),  # quarantined
    Column("deleted", Integer, nullable=False),
    Column("error", Text),  # a code
    Column("detail", JSON, nullable=False),
    Index("ix_sync_runs_source", "source", "id"),
)

raw_pages = Table(  # kept 30 days, to be mapped again without asking the source
    "raw_pages",
    metadata,
    id_column(),
    Column("run", BigInteger, ForeignKey("sync_runs.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # zstd of the raw rows as JSON
    Index("ix_raw_pages_stream", "source", "stream", "id"),
    Index("ix_raw_pages_at", "at_ms"),
)

fact_quarantine = Table(
    "fact_quarantine",
    metadata,
    id_column(),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("run", BigInteger, nullable=False),
    Column("row_no", BigInteger, nullable=False),  # physical line, head = 1, or place in the page
    Column("source_key", Text),
    Column("digest", LargeBinary(16), nullable=False),  # of the key, else of the raw row: it waits once
    Column("raw", JSON, nullable=False),
    Column("codes", JSON, nullable=False),
    Column("fields", JSON, nullable=False),  # [{"field": .., "code": .., "value": ..}]
    Column("department", Text),  # whose reviewer sees it, where it can be told
    Column("state", Text, nullable=False),  # open | fixed | accepted | rejected | superseded
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("assigned_to", Text),
    Column("decided_by", Text),
    Column("decided_ms", BigInteger),
    Column("patch", JSON(none_as_null=True)),
    Column("note", Text, nullable=False),
    Column("proposal", BigInteger),  # what is proposed about it, where that takes two people
    UniqueConstraint("source", "stream", "digest"),
    Index("ix_fact_quarantine_open", "source", "fact", **only_where("state = 'open'")),
    Index("ix_fact_quarantine_proposal", "proposal", **only_where("proposal IS NOT NULL")),
)

fact_proposals = Table(  # decisions about waiting rows that a second person confirms
    "fact_proposals",
    metadata,
    id_column(),
    Column("kind", Text, nullable=False),  # fix | accept | refuse
    Column("source", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("patch", JSON, nullable=False),  # never pay
    Column("note", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting | confirmed | declined
    Column("proposed_by", Text, nullable=False),
    Column("proposed_employee", Text),  # who that is: two accounts of one person are one person
    Column("proposed_ms", BigInteger, nullable=False),
    Column("decided_by", Text),
    Column("decided_ms", BigInteger),
    Column("reason", Text, nullable=False),
    Index("ix_fact_proposals_waiting", "id", **only_where("state = 'waiting'")),
)

identity_links = Table(
    "identity_links",
    metadata,
    Column("source", Text, nullable=False),
    Column("employee_key", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),  # inclusive; none: open
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    PrimaryKeyConstraint("source", "employee_key", "valid_from"),
    Index("ix_identity_links_employee", "employee"),
)

push_nonces = Table(
    "push_nonces",
    metadata,
    Column("source", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "nonce"),
    Index("ix_push_nonces_at", "at_ms"),
)

push_replies = Table(  # by Idempotency-Key
    "push_replies",
    metadata,
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body_sha256", LargeBinary(32), nullable=False),
    Column("reply", JSON, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "key"),
    Index("ix_push_replies_at", "at_ms"),
)

hook_bodies = Table(  # vendors' calls, answered at once and worked on later
    "hook_bodies",
    metadata,
    id_column(),
    Column("source", Text, nullable=False),
    Column("vendor", Text, nullable=False),
    Column("delivery", Text),  # the vendor's own id of the call, for repeats
    Column("body", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("done_ms", BigInteger),
    Column("error", Text),
    UniqueConstraint("source", "delivery"),
    Index("ix_hook_bodies_open", "id", **only_where("done_ms IS NULL")),
)

file_imports = Table(  # the migration wizard: a file on its way to facts
    "file_imports",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("fact", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("profile", JSON, nullable=False),
    Column("source", Text),  # by the map; none before there is one
    Column("stream", Text),
    Column("map", Text),  # a source file
    Column("state", Text, nullable=False),  # see server/services/file_imports.py
    Column("done_rows", BigInteger, nullable=False),  # where the work of the state goes on
    Column("report", JSON(none_as_null=True)),  # of the dry run
    Column("reconciled", JSON(none_as_null=True)),
    Column("run", BigInteger, ForeignKey("sync_runs.id")),
    Column("error", Text),  # why the work of the state broke off
    Column("actor", Text, nullable=False),  # who brought it
    Column("imported_by", Text),
    Column("signed_by", Text),
    Column("note", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Index("ix_file_imports_source", "source", "stream"),
)

file_import_parts = Table(  # its rows, until it is signed or undone
    "file_import_parts",
    metadata,
    Column("file", BigInteger, ForeignKey("file_imports.id"), nullable=False),
    Column("first", BigInteger, nullable=False),  # place of its first row in the file, from 0
    Column("rows", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # zstd of [[line, row], ...] as JSON
    PrimaryKeyConstraint("file", "first"),
)
