"""Loading a company: all or nothing, safe to repeat, and what follows from it."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from server.services.attendance import compute_touched
from server.services.company import CompanyError, Shipment, _due_ms, load_company, read_company
from server.store import company_queries, log_queries
from server.store.database import Database
from server.store.tables import punches, roster, shipments, touched_days, touched_scores, users
from tests.server.services.world import COMPANY, SHANGHAI, add_fleet, at, days, load, logins, punch

NOW = at("2026-03-10 00:00")
MONDAY = date(2026, 3, 2)


def file(**sections: Any) -> bytes:
    """A company file."""
    return json.dumps(sections).encode()


async def problems(db: Database, **sections: Any) -> list[str]:
    """What loading these sections complains about."""
    with pytest.raises(CompanyError) as caught:
        await load_company(db, "test", read_company(file(**sections)), NOW)
    return [str(problem) for problem in caught.value.problems]


async def rows(db: Database, *columns: Any) -> list[tuple[Any, ...]]:
    """All rows of these columns."""
    async with db.reading() as connection:
        return sorted(tuple(row) for row in await connection.execute(select(*columns)))


# --- what is stored -------------------------------------------------------------------------------------------------


async def test_a_company_is_stored_and_logged(db: Database) -> None:
    await load(db)
    async with db.reading() as connection:
        counts = await company_queries.counts(connection)
        _, entries = await log_queries.operation_rows(connection, 10)
    assert counts == {
        "departments": 2, "sites": 1, "shifts": 2, "employees": 2, "terminal_users": 2, "shipments": 0, "users": 0,
        "roster": 3,
    }  # fmt: skip
    assert [(entry.actor, entry.action) for entry in entries] == [("test", "company.load")]


async def test_loading_twice_changes_nothing(db: Database) -> None:
    await load(db)
    await compute_touched(db, NOW)
    loaded = await load_company(db, "test", read_company(COMPANY), NOW)
    assert {(r.added, r.changed) for r in loaded.sections.values()} == {(0, 0)}
    assert (loaded.days, loaded.punches) == (0, 0)


async def test_a_dry_run_stores_nothing(db: Database) -> None:
    loaded = await load_company(db, "test", read_company(COMPANY), NOW, dry_run=True)
    assert loaded.sections["employees"].added == 2
    async with db.reading() as connection:
        assert set((await company_queries.counts(connection)).values()) == {0}
    assert await rows(db, touched_days.c.employee) == []


async def test_one_bad_row_stores_nothing(db: Database) -> None:
    bad = {"id": "e9", "name": "X", "department": "nowhere", "site": "d1", "position": "p", "joined_on": "2026-01-01"}
    departments = [{"id": "new", "name_zh": "n", "name_en": "n"}]
    await load(db)
    assert await problems(db, departments=departments, employees=[bad]) == [
        "employees[0].department: 'nowhere' is not in departments, neither in the file nor loaded before"
    ]
    async with db.reading() as connection:
        assert (await company_queries.counts(connection))["departments"] == 2


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"people": []}, "people: unknown section"),
        ({"sites": [{"id": "x", "name_zh": "x", "name_en": "x"}]}, "sites[0]: Object missing required field `zone`"),
        (
            {"sites": [{"id": "x", "name_zh": "x", "name_en": "x", "zone": "Asia/Beijing"}]},
            "sites[0].zone: 'Asia/Beijing' is no IANA zone",
        ),
        ({"shifts": [{"id": "x", "name_zh": "x", "name_en": "x", "start": "9:00", "end": "18:00"}]}, "shifts[0].start"),
        (
            {"shifts": [{"id": "x", "name_zh": "x", "name_en": "x", "start": "09:00", "end": "18:00",
                         "breaks": [["08:00", "09:30"]]}]},
            "shifts[0].breaks: 08:00-09:30 is not inside 09:00-18:00",
        ),
        ({"departments": [{"id": "a", "name_zh": "a", "name_en": "a", "typo": 1}]}, "departments[0]: Object contains"),
        ({"departments": [{"id": "a", "name_zh": "a", "name_en": "a"}] * 2}, "departments[1].id: is in the file twice"),
        ({"roster": [{"employee": "e1", "date": "02.03.2026", "shift": "day"}]}, "roster[0].date"),
        ({"shipments": [{"tracking_no": "A", "site": "d1", "promised_at": "2026-03-02T12:00:00"}]},
         "shipments[0].promised_at"),
        ({"users": [{"login": "a", "name": "a", "role": "boss"}]}, "users[0].role"),
        ({"users": [{"login": "ab", "name": "a", "role": "hr"}]}, "users[0].password: a new account needs one"),
        ({"users": [{"login": "ab", "name": "a", "role": "hr", "password": "short"}]}, "users[0].password: expected 8"),
        (
            {"users": [{"login": "ab", "name": "a", "role": "employee", "password": "long enough 1"}]},
            "users[0].employee: the role employee needs one",
        ),
        ({"employees": [{"id": "x", "name": "a\u0000b", "department": "a", "site": "b", "position": "p",
                         "joined_on": "2026-01-01"}]}, "employees[0].name"),
    ],
)  # fmt: skip
async def test_an_error_names_section_row_and_field(sections: dict[str, Any], expected: str, tmp_path: Any) -> None:
    db = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    async with db.writing() as connection:
        await connection.run_sync(roster.metadata.create_all)
    found = await problems(db, **sections)
    await db.close()
    assert any(problem.startswith(expected) for problem in found), found


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_give_a_company_or_a_company_error(data: bytes) -> None:
    try:
        read_company(data)
    except CompanyError as error:
        assert error.problems  # noqa: PT017 - either outcome is right


def test_all_bad_rows_are_told_at_once() -> None:
    with pytest.raises(CompanyError) as caught:
        read_company(file(departments=[{"id": 1}, {"id": "a", "name_zh": "a", "name_en": "a"}, {}], sites=[{}]))
    assert [(p.section, p.row) for p in caught.value.problems] == [("departments", 0), ("departments", 2), ("sites", 0)]


# --- what follows ---------------------------------------------------------------------------------------------------


async def test_a_roster_change_computes_the_days_concerned_again(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await punch(db, "1", "2026-03-02 08:55", "2026-03-02 18:00", employee="e1")
    await compute_touched(db, NOW)
    change = file(roster=[{"employee": "e1", "date": "2026-03-02", "shift": "night"}])
    await load_company(db, "test", read_company(change), NOW)
    await compute_touched(db, NOW)
    found = (await days(db, "e1"))[MONDAY]
    assert found[0] == "absent", "the punches of the day are outside the night's window"
    day_off = file(roster=[{"employee": "e1", "date": "2026-03-02", "shift": None}])
    await load_company(db, "test", read_company(day_off), NOW)
    await compute_touched(db, NOW)
    assert (await days(db, "e1"))[MONDAY][0] == "off"


async def test_new_times_of_a_shift_reach_every_day_planned_with_it(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await punch(db, "1", "2026-03-02 09:30", "2026-03-02 18:00", employee="e1")
    await compute_touched(db, NOW)
    assert (await days(db, "e1"))[MONDAY][0] == "late"
    later = {"id": "day", "name_zh": "a", "name_en": "Day", "start": "09:30", "end": "18:00"}
    await load_company(db, "test", read_company(file(shifts=[later])), NOW)
    await compute_touched(db, NOW)
    assert (await days(db, "e1"))[MONDAY] == ("normal", 510, 0)


async def test_past_punches_follow_a_number_that_was_nobodys(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await punch(db, "77", "2026-03-02 08:55", "2026-03-02 18:00", employee=None)
    await compute_touched(db, NOW)
    mapping = file(terminal_users=[{"user_group": "d1", "user_code": "77", "employee": "e1"}])
    loaded = await load_company(db, "test", read_company(mapping), NOW)
    assert loaded.punches == 2
    await compute_touched(db, NOW)
    assert (await days(db, "e1"))[MONDAY] == ("normal", 480, 0)


async def test_punches_stay_when_a_number_changes_hands(db: Database) -> None:
    await load(db)
    await add_fleet(db)
    await punch(db, "1", "2026-03-02 08:55", employee="e1")
    mapping = file(terminal_users=[{"user_group": "d1", "user_code": "1", "employee": "e2"}])
    await load_company(db, "test", read_company(mapping), NOW)
    assert await rows(db, punches.c.employee) == [("e1",)]


# --- parcels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promise", "due"),
    [
        ({"promised_on": "2026-03-02"}, at("2026-03-03 00:00") - 1),
        ({"promised_at": "2026-03-02T12:00:00+08:00"}, at("2026-03-02 12:00")),
        ({"promised_on": "2026-03-02", "new_promise_at": "2026-03-05T10:00:00Z"}, at("2026-03-05 18:00")),
        ({}, None),
    ],
)
async def test_a_parcel_is_due_when_it_was_promised(db: Database, promise: dict[str, str], due: int | None) -> None:
    await load(db)
    parcel = {"tracking_no": "SF1", "site": "d1", "courier": "e1", **promise}
    await load_company(db, "test", read_company(file(shipments=[parcel])), NOW)
    assert await rows(db, shipments.c.due_ms) == [(due,)]
    assert await rows(db, touched_scores.c.employee, touched_scores.c.period) == ([("e1", "2026-03")] if due else [])


async def test_what_a_row_leaves_out_stays(db: Database) -> None:
    await load(db)
    first = {"tracking_no": "SF1", "site": "d1", "courier": "e1", "promised_on": "2026-03-02", "force_majeure": True}
    then = {"tracking_no": "SF1", "site": "d1", "cancelled_at": "2026-03-01T09:00:00+08:00"}
    for parcel in (first, then):
        await load_company(db, "test", read_company(file(shipments=[parcel])), NOW)
    found = await rows(db, *(shipments.c[n] for n in ("courier", "promised_on", "force_majeure", "cancelled_at_ms")))
    assert found == [("e1", MONDAY, True, at("2026-03-01 09:00"))]


def test_the_end_of_a_local_day_knows_clock_changes() -> None:
    promise = {"new_promise_at_ms": None, "promised_at_ms": None, "promised_on": date(2026, 3, 2)}
    assert _due_ms(promise, SHANGHAI) == at("2026-03-02 23:59:59") + 999
    assert Shipment(tracking_no="a", site="b").force_majeure is None


# --- accounts -------------------------------------------------------------------------------------------------------


async def test_accounts_are_made_once_and_keep_their_password(db: Database) -> None:
    await load(db)
    account = {"login": "Wang.Fang", "name": "Fang", "role": "employee", "employee": "e1", "password": "correct horse"}
    first = await load_company(db, "test", read_company(file(users=[account])), NOW)
    hashes = await rows(db, users.c.password_hash)
    again = await load_company(db, "test", read_company(file(users=[account])), NOW)
    assert (first.sections["users"].added, again.sections["users"].same) == (1, 1)
    assert await rows(db, users.c.password_hash) == hashes
    other = await load_company(db, "test", read_company(file(users=[{**account, "password": "another horse"}])), NOW)
    assert other.sections["users"].changed == 1
    assert await rows(db, users.c.password_hash) != hashes
    assert await logins(db) == ["wang.fang"]


async def test_a_roster_of_thousands_of_days_fits(db: Database) -> None:
    """Long lists of pairs once made PostgreSQL run out of stack."""
    people = [
        {"id": f"p{n}", "name": "p", "department": "ops", "site": "d1", "position": "p", "joined_on": "2026-01-01"}
        for n in range(400)
    ]
    planned = [
        {"employee": f"p{n}", "date": f"2026-03-{day:02}", "shift": "day"} for n in range(400) for day in range(1, 29)
    ]
    await load(db)
    loaded = await load_company(db, "test", read_company(file(employees=people, roster=planned)), NOW)
    assert loaded.sections["roster"].added == 400 * 28
