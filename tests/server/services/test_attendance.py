"""From touched days to records: only what was touched, nothing lost, time itself included."""

import json
from datetime import date

import pytest

from server.services import attendance
from server.services.attendance import compute_touched
from server.store import attendance_queries, change_queries
from server.store.database import Database
from tests.server.services.world import COMPANY, add_fleet, at, days, load, punch

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


async def topics(db: Database) -> list[str]:
    """Topics of all changes so far."""
    async with db.reading() as connection:
        return [change.topic for change in await change_queries.changes_after(connection, 0, 1_000)]


async def installed(db: Database) -> None:
    """Company, fleet, everything computed before the first shift."""
    await load(db)
    await add_fleet(db)
    await compute_touched(db, at("2026-03-01 12:00"))


async def test_punches_become_a_record_with_its_explanation(db: Database) -> None:
    await installed(db)
    await punch(db, "1", "2026-03-02 08:55:10", "2026-03-02 18:05:40", employee="e1")
    await compute_touched(db, at("2026-03-04 00:00"))
    assert (await days(db, "e1"))[MONDAY] == ("normal", 480, 0)
    assert {"day:2026-03-02", "employee:e1"} <= set(await topics(db))


async def test_only_touched_days_are_computed(db: Database) -> None:
    await installed(db)
    await compute_touched(db, at("2026-03-05 00:00"))
    assert await compute_touched(db, at("2026-03-05 00:00")) == 0, "nothing waits"
    await punch(db, "1", "2026-03-02 08:55", employee="e1", received="2026-03-05 00:00")
    done = await compute_touched(db, at("2026-03-05 00:01"))
    assert done == 3, "the day, the one whose night shift it could end, and the following one (AR-33)"


async def test_a_rostered_day_is_never_absent_before_its_shift_has_ended(db: Database) -> None:
    await installed(db)
    seen = []
    for now in ("2026-03-02 06:59", "2026-03-02 07:00", "2026-03-02 17:59", "2026-03-02 18:00"):
        await compute_touched(db, at(now))
        seen.append((await days(db, "e1")).get(MONDAY))
    assert seen == [None, ("not_yet", 0, 480), ("not_yet", 0, 480), ("absent", 0, 0)]


async def test_a_missing_out_shows_once_the_window_has_closed(db: Database) -> None:
    await installed(db)
    await punch(db, "1", "2026-03-02 08:55", employee="e1")
    seen = []
    for now in ("2026-03-02 09:00", "2026-03-02 18:30", "2026-03-02 22:01"):
        await compute_touched(db, at(now))
        seen.append((await days(db, "e1"))[MONDAY][0])
    assert seen == ["normal", "normal", "missing_out"]


async def test_time_that_passed_while_the_server_was_off_is_made_up_for(db: Database) -> None:
    await installed(db)
    await compute_touched(db, at("2026-03-20 00:00"))
    assert (await days(db, "e1")) == {MONDAY: ("absent", 0, 0), TUESDAY: ("absent", 0, 0)}
    assert (await days(db, "e2")) == {MONDAY: ("absent", 0, 0)}


async def test_a_late_upload_changes_the_day_it_belongs_to(db: Database) -> None:
    """A53 through the tables."""
    await installed(db)
    await compute_touched(db, at("2026-03-05 09:00"))
    await punch(db, "1", "2026-03-02 08:55", "2026-03-02 18:00", employee="e1", received="2026-03-05 10:00")
    await compute_touched(db, at("2026-03-05 10:01"))
    assert (await days(db, "e1"))[MONDAY] == ("normal", 480, 0)


async def test_a_night_shift_ends_on_the_next_date(db: Database) -> None:
    await installed(db)
    await punch(db, "2", "2026-03-02 21:50", "2026-03-03 06:05", employee="e2")
    await compute_touched(db, at("2026-03-05 00:00"))
    assert await days(db, "e2") == {MONDAY: ("normal", 480, 0)}


async def test_a_lone_out_closes_the_seam_to_the_night_shift_of_the_date_before(db: Database) -> None:
    """AR-11 across two dates: until the early shift ends, its only punch could still be an IN."""
    company = json.loads(COMPANY)
    company["shifts"].append({"id": "early", "name_zh": "c", "name_en": "Early", "start": "06:00", "end": "14:00"})
    company["roster"].append({"employee": "e2", "date": "2026-03-03", "shift": "early"})
    await load(db, json.dumps(company).encode())
    await add_fleet(db)
    await compute_touched(db, at("2026-03-01 12:00"))
    await punch(db, "2", "2026-03-02 21:55", "2026-03-03 13:30", employee="e2")
    seen = []
    for now in ("2026-03-03 13:40", "2026-03-03 14:00"):
        await compute_touched(db, at(now))
        seen.append(await days(db, "e2"))
    assert seen[0][MONDAY][0] == "missing_out"
    assert seen[1] == {MONDAY: ("normal", 480, 0), TUESDAY: ("early", 450, 0)}


async def test_a_held_punch_counts_for_nothing(db: Database) -> None:
    await installed(db)
    await punch(db, "1", "2026-03-02 18:00", employee="e1", received="2026-03-02 12:00")
    await compute_touched(db, at("2026-03-04 00:00"))
    assert (await days(db, "e1"))[MONDAY] == ("absent", 0, 0)


async def test_a_touch_while_computing_is_not_lost(db: Database) -> None:
    await installed(db)
    await punch(db, "1", "2026-03-02 08:55", employee="e1")
    async with db.reading() as connection:
        waiting = await attendance_queries.touched(connection, 100)
        records = await attendance._compute(connection, waiting, at("2026-03-04 00:00"))
    await punch(db, "1", "2026-03-02 18:00", employee="e1")  # arrives before the result is stored
    stored = await attendance._store(db, waiting, records, at("2026-03-04 00:00"))
    assert stored == 0, "the result is outdated"
    await compute_touched(db, at("2026-03-04 00:00"))
    assert (await days(db, "e1"))[MONDAY] == ("normal", 480, 0)


async def test_two_processes_store_a_day_once(db: Database) -> None:
    await installed(db)
    await punch(db, "1", "2026-03-02 08:55", employee="e1")
    now = at("2026-03-04 00:00")
    async with db.reading() as connection:
        waiting = await attendance_queries.touched(connection, 100)
        records = await attendance._compute(connection, waiting, now)
    assert [await attendance._store(db, waiting, records, now) for _ in range(2)] == [len(waiting), 0]


async def test_a_touch_of_nobody_known_goes_away(db: Database) -> None:
    await installed(db)
    async with db.writing() as connection:
        await attendance_queries.touch_days(connection, [("ghost", MONDAY)])
    await compute_touched(db, at("2026-03-02 00:00"))
    assert await compute_touched(db, at("2026-03-02 00:00")) == 0


async def test_many_people_and_far_apart_dates_are_computed_in_batches(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installed(db)
    await punch(db, "1", "2026-03-02 08:55", "2026-03-02 18:00", "2025-06-01 10:00", "2025-06-01 12:00", employee="e1")
    monkeypatch.setattr(attendance, "BATCH", 2)
    await compute_touched(db, at("2026-03-10 00:00"))
    found = await days(db, "e1")
    assert found[MONDAY] == ("normal", 480, 0)
    assert found[date(2025, 6, 1)] == ("off", 0, 0)
