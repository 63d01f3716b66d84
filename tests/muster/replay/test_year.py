"""A recorded year: planned by pattern and calendar, closed month by month, reported as plain code on the files says.

The expected sums are computed here, straight from the CSV files, by code that shares nothing with Muster.
"""

import csv
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.attendance.checklist import ADVISORY
from server.calendars.edition import Day, Edition
from server.rosters.edit import FillPattern
from server.rosters.pattern import Pattern
from server.services import calendars, closing, groups, rosters, shifts
from server.services.accounts import Caller
from server.services.act import Act
from server.services.attendance import compute_touched
from server.services.month_report import month_rows
from server.services.report_files import Setting, workbook
from server.services.reports import Question
from server.store.calendar_queries import CalendarRow
from server.store.database import Database
from server.store.group_queries import GroupRow
from server.store.shift_queries import PatternRow
from shared.clock import system_clocks
from tests.muster.replay.conftest import Replayed

KOLKATA = ZoneInfo("Asia/Kolkata")
MONTHS = [f"2015-{month:02}" for month in range(1, 13)]
FIRST, LAST = date(2015, 1, 1), date(2015, 12, 31)
EVERYBODY = Scope.system()


# --- what plain code says -------------------------------------------------------------------------------------------


def recorded(source: Path) -> dict[tuple[str, date], list[datetime]]:
    """Both times of each employee and weekday; an empty list for a day without punches."""
    found: dict[tuple[str, date], list[datetime]] = defaultdict(list)
    for name in ("in_time.csv", "out_time.csv"):
        head, *people = csv.reader((source / name).read_text().splitlines())
        for person in people:
            for day, cell in zip(head[1:], person[1:], strict=True):
                times = found[f"replay-{person[0]}", datetime.strptime(day, "%d/%m/%Y").date()]
                times += [] if cell == "NA" else [datetime.strptime(cell, "%d/%m/%Y %H:%M")]
    return found


def net(start: int, end: int) -> int:
    """Minutes of 10:00 to 13:00 and 14:00 to 19:00 between two minutes of the day."""
    return sum(max(0, min(end, b) - max(start, a)) for a, b in ((600, 780), (840, 1140)))


def expected_sums(source: Path) -> dict[tuple[str, str], dict[str, int]]:
    """Sums of each employee and month."""
    days = recorded(source)
    holidays = {day for _, day in days} - {day for (_, day), times in days.items() if times}
    sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (employee, day), times in days.items():
        if day in holidays:
            continue
        month = sums[employee, f"{day:%Y-%m}"]
        month["scheduled_days"] += 1
        month["required_min"] += 480
        if not times:
            month["absent_min"] += 480
            month["absent_days"] += 1
            continue
        came, went = (at.hour * 60 + at.minute for at in times)
        late, early = net(600, came), net(went, 1140)
        month["worked_min"] += net(came, went)
        month["late_min"] += late
        month["late_times"] += late > 0
        month["early_min"] += early
        month["early_times"] += early > 0
    return sums


def test_the_files_hold_twelve_holidays_and_no_half_day(shared_files: Path) -> None:
    """What the sums above rely on."""
    days = recorded(shared_files / "data/attendance")
    assert {len(times) for times in days.values()} == {0, 2}
    assert len({day for _, day in days} - {day for (_, day), times in days.items() if times}) == 12


# --- what Muster says -----------------------------------------------------------------------------------------------


@pytest.fixture
async def db(recorded_year: Replayed, tmp_path: Path) -> AsyncIterator[Database]:
    """A copy of the server's database, whose rosters are taken away: they are to be made by pattern."""
    database = Database(f"sqlite:///{shutil.copy(recorded_year.database, tmp_path / 'year.db')}")
    yield database
    await database.close()


async def compute(db: Database) -> None:
    while await compute_touched(db, system_clocks().wall_ms()):
        pass


async def plan_by_pattern(db: Database, holidays: set[date], people: list[str]) -> None:
    """What HR does once: the country's calendar, a pattern, a group with everybody in it, its roster."""
    caller = Caller("127.0.0.1", "r1", system_clocks().wall_ms())
    await calendars.add_calendar(db, "hr", CalendarRow("IN", "IN", "印度", "India", company=True), caller=caller)
    legal = tuple(Day(day, "statutory") for day in sorted(holidays))
    edition = Edition("IN", 2015, legal, "days on which nobody punched")
    await calendars.publish(db, "hr", edition, based_on=None, caller=caller)
    await calendars.assign_site(db, "hr", "replay", "IN", caller=caller)
    week = Pattern("weekly", (("replay",),) * 5 + ((), ()), by_calendar=True)
    await shifts.save_pattern(db, "hr", PatternRow("office", "办公", "Office", week), caller)
    await groups.save_group(db, "hr", GroupRow("all", "全员", "All", "office", None, None), caller)
    await groups.join_group(db, "hr", "all", people, from_on=FIRST, to_on=None, caller=caller)
    fill = FillPattern(tuple(people), FIRST, LAST, over=True)
    await rosters.save_edits(db, "hr", EVERYBODY, [fill], accept_warnings=True, caller=caller)


@pytest.mark.timeout(600)
async def test_a_recorded_year_is_closed_month_by_month_with_the_sums_of_the_files(
    shared_files: Path, db: Database
) -> None:
    source = shared_files / "data/attendance"
    expected = expected_sums(source)
    people = sorted({employee for employee, _ in expected})
    days = recorded(source)
    holidays = {day for _, day in days} - {day for (_, day), times in days.items() if times}

    await plan_by_pattern(db, holidays, people)
    await compute(db)
    viewer = Viewer(1, "hr", "HR", "hr", None, frozenset(), b"")
    for month in MONTHS:
        act = Act(viewer, Caller("127.0.0.1", "r2", system_clocks().wall_ms()))
        await closing.close_month(db, act, month, KOLKATA, accepted=ADVISORY)

    async with db.reading() as connection:
        for month in MONTHS:
            rows = {row.person.id: row for row in await month_rows(connection, EVERYBODY, month)}
            assert set(rows) == set(people)
            for employee, row in rows.items():
                sums = expected[employee, month]
                found = {name: getattr(row.summary, name) for name in _SUMS}
                assert found == {name: sums[name] for name in _SUMS}, (employee, month)
                assert row.summary.worked_days == sums["scheduled_days"] - sums["absent_days"]
                assert row.closing == "closed"
    july = {employee: sums for (employee, month), sums in expected.items() if month == "2015-07"}
    hours = await hours_in_workbook(db, "2015-07")
    assert hours == {employee: pytest.approx(sums["worked_min"] / 60, abs=0.006) for employee, sums in july.items()}


async def hours_in_workbook(db: Database, month: str) -> dict[str, float]:
    """Worked hours of each employee, read back from the file that HR downloads."""
    setting = Setting(system_clocks().wall_ms(), KOLKATA, language="en")
    file = await workbook(db, EVERYBODY, Question("month", month), setting)
    with file:
        rows = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0).to_python()
    head = next(number for number, row in enumerate(rows) if "Worked (h)" in row)
    who, worked = rows[head].index("Number"), rows[head].index("Worked (h)")
    return {str(row[who]): float(str(row[worked])) for row in rows[head + 1 :] if str(row[who]).startswith("replay-")}


_SUMS = (
    "scheduled_days",
    "required_min",
    "worked_min",
    "late_times",
    "late_min",
    "early_times",
    "early_min",
    "absent_min",
    "absent_days",
)
