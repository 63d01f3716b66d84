"""Two months of the sample company: a whole one to close, and what is over of the next; plans and punches agree."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from muster.sample.company import sample_company
from muster.sample.days import STRANGER, is_working_day, last_finished_working_day, since_last_month
from muster.sample.history import make_sample
from muster.sample.settle import settle
from muster.sample.story import AWAY, NEWCOMERS
from server.config import ServerConfig
from server.services import calendars
from server.services.company import load_company
from server.store import tables
from server.store.database import Database
from server.store.migrate import upgrade
from server.store.request_tables import requests
from shared.clock import to_ms

TODAY = date(2026, 11, 26)
ZONE = "Asia/Shanghai"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """On SQLite only: what is stored here goes through services that are tested on both."""
    url = f"sqlite:///{tmp_path / 'muster.db'}"
    upgrade(url)
    opened = Database(url)
    yield opened
    await opened.close()


def test_days_are_those_of_the_whole_month_before_and_what_is_over_of_this_one() -> None:
    days = since_last_month(TODAY)
    # The notice for 2026: 1 to 7 October off, work moved to Saturday the 10th.
    assert days[:3] == [date(2026, 10, 8), date(2026, 10, 9), date(2026, 10, 10)]
    assert date(2026, 10, 30) in days
    assert days[-1] == date(2026, 11, 25)
    assert len(days) == 18 + 18
    assert since_last_month(date(2026, 12, 1))[0] == date(2026, 11, 2)


@pytest.mark.parametrize(("day", "works"), [("2026-10-01", False), ("2026-10-10", True), ("2026-10-11", False)])
def test_statutory_days_are_off_and_adjusted_weekends_are_worked(day: str, works: bool) -> None:
    assert is_working_day(date.fromisoformat(day)) is works


def test_the_last_finished_working_day_before_the_end_of_a_holiday_is_before_the_holiday() -> None:
    assert last_finished_working_day(datetime(2026, 10, 8, 9, 0)) == date(2026, 9, 30)


@pytest.mark.parametrize("today", [date(2026, month, day) for month in range(1, 13) for day in (1, 2, 15, 28)])
def test_every_day_of_the_year_has_its_story(today: date) -> None:
    sample = make_sample(today, 1)
    assert {wish.verdict for wish in sample.story.wishes} == {"approved", "refused", None}
    assert all(wish.asked_on < today for wish in sample.story.wishes)
    assert all(day < today for _, day in sample.story.visits)


def test_the_same_day_and_seed_give_the_same_sample() -> None:
    assert make_sample(TODAY, 1) == make_sample(TODAY, 1) != make_sample(TODAY, 2)


def test_who_is_away_leaves_no_punch_and_newcomers_none_before_their_first_day() -> None:
    sample = make_sample(TODAY, 1)
    numbers = {person.id: person.number for person in sample.people}
    seen = {(punch.user, punch.at.date()) for punch in sample.punches}
    for (employee, day), visit in sample.story.visits.items():
        assert ((numbers[employee], day) in seen) is (visit != AWAY)
    for employee, first in sample.story.begins.items():
        assert min(day for user, day in seen if user == numbers[employee]) >= first
    assert len(sample.story.begins) == NEWCOMERS
    assert {day for user, day in seen if user == STRANGER} == {sample.day}


async def test_rosters_and_punches_speak_of_the_same_days_and_every_request_is_taken(db: Database) -> None:
    sample = make_sample(TODAY, 1)
    now_ms = to_ms(datetime(2026, 11, 26, 10, 0, tzinfo=ZoneInfo(ZONE)))
    await calendars.ensure_defaults(db, ServerConfig(), now_ms)
    await load_company(db, "cli", sample_company(sample, "corn-lamp-river-62", ZONE), now_ms)
    await settle(db, ServerConfig(), sample, now_ms)
    plan, wanted = tables.roster, Counter(wish.verdict or "pending" for wish in sample.story.wishes)
    async with db.reading() as connection:
        rows = (await connection.execute(select(plan.c.employee, plan.c.date).where(plan.c.date < TODAY))).all()
        states = (await connection.execute(select(requests.c.state))).scalars().all()
    planned = {(row.employee, row.date) for row in rows}
    begins = sample.story.begins
    assert planned == {(p.id, day) for p in sample.people for day in sample.days if day >= begins.get(p.id, day)}
    assert Counter(states) == wanted
