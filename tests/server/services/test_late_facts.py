"""Closed months through the tables: whatever is learned in whatever order, records and adjustments are the same."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from server.access.scope import Scope
from server.attendance.calendar import PLAIN
from server.attendance.closing import Settled, settle
from server.attendance.facts import Absence, Facts, OvertimeRequest, Punch, Shift, ShiftPlan
from server.attendance.policies import PolicyBook, Version
from server.attendance.policy_settings import policy_from
from server.attendance.record import DayRecord, minutes_from, told
from server.attendance.touch import dates_near_span
from server.services.attendance import compute_touched
from server.services.company import Company, Department, Employee, PlannedShift, RosterDay, Site, load_company
from server.store import attendance_queries, result_queries
from server.store.closing_tables import adjustments, closings
from server.store.database import Database
from server.store.request_tables import leave_types, requests
from server.store.roster_tables import attendance_groups, group_members, policies
from server.store.tables import attendance_days, punches
from tests.server.services.world import SHANGHAI, add_fleet, at

PLANS = {
    "day": ShiftPlan("day", "09:00", "18:00", (("12:00", "13:00"),)),
    "night": ShiftPlan("night", "22:00", "06:00"),
    "late": ShiftPlan("late", "15:00", "23:30", (("18:00", "18:30"),)),
}
PEOPLE = ("e1", "e2", "e3", "e4")
DATES = [date(2026, 3, 26) + timedelta(days=n) for n in range(12)]
CLOSED = {"2026-03": at("2026-04-09 12:00"), "2026-04": at("2026-05-06 12:00")}
SETTINGS = {"pairing": "alternating", "window_after_min": 420, "late_grace_min": 5}
END = at("2026-06-20 00:00")
MINUTE_MS, DAY_MS = 60_000, 86_400_000


@dataclass(frozen=True)
class Learned:
    """Something that came to be known."""

    at_ms: int
    employee: str
    fact: Punch | Absence | OvertimeRequest
    cancelled: bool = False


def company(random: Random) -> Company:
    """Four people with a shift on most dates around the end of March."""
    planned = [(person, day, random.choice([*PLANS, None])) for person in PEOPLE for day in DATES]
    return Company(
        departments=(Department(id="ops", name_zh="o", name_en="o"),),
        sites=(Site(id="d1", name_zh="d", name_en="d", zone="Asia/Shanghai"),),
        shifts=tuple(
            PlannedShift(id=p.id, name_zh=p.id, name_en=p.id, start=p.start, end=p.end, breaks=p.breaks)
            for p in PLANS.values()
        ),
        employees=tuple(
            Employee(id=p, name=p, department="ops", site="d1", position="x", joined_on=date(2025, 1, 1))
            for p in PEOPLE
        ),
        roster=tuple(RosterDay(employee=p, date=day, shift=shift) for p, day, shift in planned if shift),
    )


def learned(random: Random, planned: Company) -> Iterator[Learned]:
    """Punches, leave and overtime around the shifts, each known at once or up to two months later."""
    number = 0
    for row in planned.roster:
        plan = PLANS[str(row.shift)]
        start = at(f"{row.date} {plan.start}")
        end = at(f"{row.date if plan.end > plan.start else row.date + timedelta(days=1)} {plan.end}")
        for moment in (start + random.randint(-40, 20) * MINUTE_MS, end + random.randint(-20, 200) * MINUTE_MS):
            number += 1
            if random.random() < 0.8:
                known = moment + random.choice([0, 0, 0, 5, 12, 45]) * DAY_MS
                yield Learned(known, row.employee, Punch(number, moment, moment, known_ms=known))
        if random.random() < 0.25:
            known = start + random.choice([-1, 8, 20, 50]) * DAY_MS
            kind = random.choice(["annual", "sick", "trip"])
            taken = Absence("trip" if kind == "trip" else "leave", start, start + 240 * MINUTE_MS, known, type=kind)
            yield Learned(known, row.employee, taken)
            if random.random() < 0.4:
                yield Learned(known + random.choice([1, 15, 30]) * DAY_MS, row.employee, taken, cancelled=True)
        if random.random() < 0.25:
            known = end + random.choice([-1, 8, 20, 50]) * DAY_MS
            yield Learned(known, row.employee, OvertimeRequest(end, end + 180 * MINUTE_MS, known_ms=known))


async def add(db: Database, told_: Learned, ids: dict[object, int]) -> None:
    """A fact as ingest and services leave it: stored, its days touched."""
    fact, employee = told_.fact, told_.employee
    async with db.writing() as connection:
        if isinstance(fact, Punch):
            row: dict[str, Any] = {"id": fact.id, "terminal": "T1", "user_code": employee, "key_seq": -1}
            row |= {"at_device": fact.id, "at_ms": fact.at_ms, "true_ms": fact.true_ms, "received_ms": fact.known_ms}
            row |= {"direction": 0, "method": 1, "raw_codes": [], "flags": 0, "gateway": "g", "employee": employee}
            await connection.execute(insert(punches).values(row))
            span = fact.at_ms, fact.at_ms
        else:
            span = fact.from_ms, fact.to_ms
            if told_.cancelled:
                mine = requests.c.id == ids[employee, fact]
                await connection.execute(
                    update(requests).where(mine).values(state="cancelled", cancelled_ms=told_.at_ms)
                )
            else:
                made = await connection.execute(insert(requests).values(_request(told_)).returning(requests.c.id))
                ids[employee, fact] = made.scalar_one()
        days = dates_near_span(*span, SHANGHAI)
        await attendance_queries.touch_days(connection, ((employee, day) for day in days))


def _request(told_: Learned) -> dict[str, Any]:
    fact = told_.fact
    assert not isinstance(fact, Punch)
    kind = "overtime" if isinstance(fact, OvertimeRequest) else "trip" if fact.kind == "trip" else "leave"
    row = {"kind": kind, "employee": told_.employee, "from_ms": fact.from_ms, "to_ms": fact.to_ms, "minutes": 0}
    row |= {"leave_type": fact.type if isinstance(fact, Absence) and kind == "leave" else None, "to_comp": False}
    row |= {"detail": {}, "reason": "", "state": "approved", "chain": [], "step": 0, "created_by": "x"}
    return row | {"created_ms": 0, "decided_ms": told_.at_ms}


async def close(db: Database, month: str) -> None:
    """As the closing service does it, at its time."""
    async with db.writing() as connection:
        row = {"month": month, "closed_ms": CLOSED[month], "closed_by": "hr", "summary": {}}
        await connection.execute(insert(closings).values(row))


async def compute_all(db: Database, now_ms: int) -> None:
    while await compute_touched(db, now_ms):
        pass


async def set_up(db: Database, planned: Company) -> None:
    """The company, two of its people in a group with a policy of its own."""
    await load_company(db, "test", planned, 0)
    await add_fleet(db)
    async with db.writing() as connection:
        kinds = [
            {"id": kind, "name_zh": kind, "name_en": kind, "paid": True, "balance": "none", "unit_min": 60}
            | {"settings": {}, "retired": False}
            for kind in ("annual", "sick")
        ]
        await connection.execute(delete(leave_types))
        await connection.execute(insert(leave_types), kinds)
        await connection.execute(insert(attendance_groups).values(id="g", name_zh="g", name_en="g"))
        members = [{"employee": p, "from_on": date(2026, 1, 1), "attendance_group": "g"} for p in PEOPLE[:2]]
        await connection.execute(insert(group_members), members)
        version = {"attendance_group": "g", "from_on": date(2026, 1, 1), "settings": SETTINGS}
        await connection.execute(insert(policies).values(version | {"actor": "x", "published_ms": 0}))
    await compute_all(db, at("2026-03-20 00:00"))


async def results(db: Database) -> tuple[list[Any], list[Any]]:
    """Stored records and adjustments, without when they were computed."""
    async with db.reading() as connection:
        found = []
        for table in (attendance_days, adjustments):
            columns = [column for column in table.c if column.name != "computed_ms"]
            rows = await connection.execute(select(*columns).order_by(*table.primary_key.columns))
            found.append([tuple(row) for row in rows])
        return found[0], found[1]


def settled_of(person: str, planned: Company, events: Sequence[Learned]) -> Settled:
    """What the pure engine says of everything that was learned about one person."""
    cancelled = {told_.fact: told_.at_ms for told_ in events if told_.cancelled and told_.employee == person}
    known = [told_.fact for told_ in events if told_.employee == person and not told_.cancelled]
    facts = Facts(
        tuple(Shift(row.date, PLANS[str(row.shift)]) for row in planned.roster if row.employee == person),
        tuple(fact for fact in known if isinstance(fact, Punch)),
        tuple(
            Absence(fact.kind, fact.from_ms, fact.to_ms, fact.known_ms, cancelled.get(fact), fact.type)
            for fact in known
            if isinstance(fact, Absence)
        ),
        tuple(fact for fact in known if isinstance(fact, OvertimeRequest)),
        PLAIN,
    )
    policy = policy_from(SETTINGS if person in PEOPLE[:2] else {})
    return settle(facts, SHANGHAI, policy, CLOSED)


async def play(db: Database, events: Sequence[Learned], random: Random, *, timely: bool) -> None:
    """Everything in order of time, computed now and then; if ``timely``, always before a month is closed."""
    waiting, ids = dict(CLOSED), dict[object, int]()
    for told_ in events:
        for month, closed_ms in sorted(waiting.items()):
            if closed_ms < told_.at_ms:
                if timely:
                    await compute_all(db, closed_ms)
                await close(db, month)
                del waiting[month]
        await add(db, told_, ids)
        if random.random() < 0.15:
            await compute_touched(db, told_.at_ms)
    for month in sorted(waiting):
        await compute_all(db, CLOSED[month])
        await close(db, month)
    await compute_all(db, END)


def state_of(record: DayRecord) -> tuple[str, dict[str, int]]:
    return record.status, told(record.minutes)


@pytest.mark.parametrize("seed", range(3))
async def test_incremental_full_and_pure_agree_on_records_and_adjustments(db: Database, seed: int) -> None:
    """AR-33, AR-34."""
    random = Random(seed)
    planned = company(random)
    events = sorted(learned(random, planned), key=lambda told_: (told_.at_ms, told_.cancelled))
    await set_up(db, planned)
    await play(db, events, random, timely=True)
    before = await results(db)
    async with db.writing() as connection:
        days = [(p, DATES[0] + timedelta(days=n)) for p in PEOPLE for n in range(-5, 20)]
        await attendance_queries.touch_days(connection, days)
    await compute_all(db, END)
    assert await results(db) == before, "full equals incremental"
    async with db.reading() as connection:
        stored = await result_queries.stored_records(connection, Scope.system(), None, DATES[0], date(2026, 4, 30))
    expected = {person: settled_of(person, planned, events) for person in PEOPLE}
    assert {person: records for person, records in stored.items() if records} == {
        person: settled.records for person, settled in expected.items() if settled.records
    }
    assert [row[:7] for row in before[1]] == [
        (person, *astuple(adjustment)[:5], adjustment.delta)
        for person in PEOPLE
        for adjustment in expected[person].adjustments
    ]
    assert any(expected[person].adjustments for person in PEOPLE)


@pytest.mark.parametrize("seed", range(10, 12))
async def test_whatever_was_late_records_plus_adjustments_are_what_is_known_today(db: Database, seed: int) -> None:
    """Even where a month was closed before its last facts were computed; and nothing of a closed month ever changes."""
    random = Random(seed)
    planned = company(random)
    events = sorted(learned(random, planned), key=lambda told_: (told_.at_ms, told_.cancelled))
    await set_up(db, planned)
    await play(db, events, random, timely=False)
    async with db.reading() as connection:
        stored = await result_queries.stored_records(connection, Scope.system(), None, DATES[0], date(2026, 4, 30))
        posted = list(await connection.execute(select(adjustments).order_by(*adjustments.primary_key.columns)))
    for person in PEOPLE:
        replayed = {(r.date, r.part): state_of(r) for r in stored.get(person, ())}
        for row in posted:
            if row.employee == person:
                status, minutes = replayed.get((row.date, row.part), (None, {}))
                assert status == row.status_from
                sums = {name: minutes.get(name, 0) + row.delta.get(name, 0) for name in {*minutes, *row.delta}}
                replayed[row.date, row.part] = row.status_to, told(minutes_from(sums))
        today = settled_of(person, planned, events)
        known = {(r.date, r.part): state_of(r) for r in today.records}
        for adjustment in today.adjustments:
            status, minutes = known.get((adjustment.date, adjustment.part), ("", {}))
            delta = adjustment.delta
            sums = {name: minutes.get(name, 0) + delta.get(name, 0) for name in {*minutes, *delta}}
            known[adjustment.date, adjustment.part] = str(adjustment.status_to), told(minutes_from(sums))
        assert {k: v for k, v in replayed.items() if v[0]} == {k: v for k, v in known.items() if v[0] != "None"}


def test_versions_of_a_book_hold_from_their_dates_on() -> None:
    book = PolicyBook([Version(date(2026, 3, 5), {"late_grace_min": 5})], {})
    found = book.policies((), (), date(2026, 3, 1), date(2026, 3, 31))
    assert [found.on(date(2026, 3, day)).late_grace_min for day in (1, 4, 5, 31)] == [0, 0, 5, 5]
