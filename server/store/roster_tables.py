"""How rosters come about: patterns, groups and their members, the policy of each."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from server.store.metadata import metadata

patterns = Table(
    "patterns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("kind", Text, nullable=False),  # weekly: 7 days from Monday | cycle: n days from the group's anchor
    Column("days", JSON, nullable=False),  # shift ids of each day: [["D"], ["D", "N"], []]
    # Whether the calendar wins: no shift on rest and statutory days, the Monday's on an adjusted workday.
    Column("by_calendar", Boolean, nullable=False),
)

attendance_groups = Table(  # 考勤组
    "attendance_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("pattern", Text, ForeignKey("patterns.id")),  # none: planned by hand
    Column("anchor_on", Date),  # first day of a cycle
    Column("planned_until", Date),  # how far the pattern was laid out; later dates follow week by week
)

group_members = Table(
    "group_members",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("from_on", Date, nullable=False),
    Column("attendance_group", Text, ForeignKey("attendance_groups.id"), nullable=False),
    Column("to_on", Date),  # inclusive; none: open
    PrimaryKeyConstraint("employee", "from_on"),
    Index("ix_group_members_group", "attendance_group"),
)

policies = Table(  # versions; the newest that began by a date is in force on it
    "policies",
    metadata,
    Column("attendance_group", Text, nullable=False),  # '' for the company
    Column("from_on", Date, nullable=False),
    Column("settings", JSON, nullable=False),  # names of server.attendance.policy.Policy that differ from what is above
    Column("actor", Text, nullable=False),
    Column("published_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("attendance_group", "from_on"),
)
