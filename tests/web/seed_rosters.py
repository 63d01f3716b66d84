"""Shifts, a pattern and an attendance group for the pages that plan."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection

from server.store import tables
from server.store.roster_tables import attendance_groups, group_members, patterns

CODES = {"day": "D", "early": "E", "late": "L"}
"""Of the sample's shifts; ``late`` begins before ``day`` ends."""


def seed_rosters(connection: Connection, people: Sequence[str], first: date) -> None:
    """A library with a night and a flexible shift, and a group of these people that works by the week."""
    for shift, code in CODES.items():
        connection.execute(tables.shifts.update().where(tables.shifts.c.id == shift).values(code=code))
    night = {"id": "night", "name_zh": "夜班", "name_en": "Night", "start": "22:30", "end": "06:30", "code": "N"}
    connection.execute(tables.shifts.insert().values(**night, breaks=[["02:00", "02:30"]], retired=False))
    flexible = {"id": "flex", "name_zh": "弹性班", "name_en": "Flexible", "start": "08:00", "end": "17:00", "code": "F"}
    flex = {"earliest": "08:00", "latest": "10:00", "span_min": 540}
    connection.execute(tables.shifts.insert().values(**flexible, breaks=[["12:00", "13:00"]], flex=flex, retired=False))
    week = {"id": "week", "name_zh": "标准周", "name_en": "Standard week", "kind": "weekly", "by_calendar": True}
    connection.execute(patterns.insert().values(**week, days=[["day"]] * 5 + [[], []]))
    group = {"id": "days", "name_zh": "客服白班组", "name_en": "Service, days", "pattern": "week"}
    connection.execute(attendance_groups.insert().values(**group))
    rows = [{"employee": one, "from_on": first, "attendance_group": "days"} for one in people]
    connection.execute(group_members.insert(), rows)
