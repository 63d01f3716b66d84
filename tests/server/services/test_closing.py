"""A month from raw punches to closed: decisions, the closing itself, what comes later, opening again (AR-34, AR-35)."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import date

import pytest
from sqlalchemy import select, update

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.attendance.checklist import ADVISORY
from server.services import attendance, closing, confirming, decisions, exceptions
from server.services.accounts import Caller
from server.services.act import Act
from server.services.attendance import compute_touched
from server.services.decisions import Which
from server.store import attendance_queries, change_queries, closing_queries, late_queries
from server.store.closing_queries import AdjustmentRow
from server.store.database import Database
from server.store.scope_filter import Narrow
from server.store.tables import attendance_days, operation_log, punches, touched_days, users
from shared.errors import DataError
from tests.server.services.world import SHANGHAI, add_fleet, at, days, load, punch

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
MARCH = "2026-03"
HR = Viewer(1, "hr", "HR", "hr", None, frozenset(), b"")
ROOT = Viewer(2, "root", "Root", "administrator", None, frozenset(), b"")
BOSS = Viewer(3, "boss", "Boss", "manager", None, frozenset({"ops"}), b"")
FANG = Viewer(4, "fang", "Fang", "employee", "e1", frozenset(), b"")
AFTER = "2026-04-05 09:00"
LOGGED = ("month", "decision", "confirmation", "punch")


def act(viewer: Viewer, now: str = AFTER) -> Act:
    """A call of that person then."""
    return Act(viewer, Caller("10.0.0.1", "r1", at(now)))


async def month_with_a_missing_out(db: Database) -> None:
    """March: e1 has a whole Tuesday and a Monday without OUT, e2 (hq) a night shift without OUT."""
    await load(db)
    await add_fleet(db)
    await punch(db, "1", "2026-03-02 08:55", "2026-03-03 08:55", "2026-03-03 18:05", employee="e1")
    await punch(db, "2", "2026-03-02 21:50", employee="e2")
    await compute_touched(db, at("2026-04-01 00:00"))
    assert (await days(db, "e1"))[MONDAY] == ("missing_out", 0, 480)


async def closed_by_default(db: Database) -> None:
    """The same, decided by default and closed."""
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))
    await closing.close_month(db, act(HR), MARCH, SHANGHAI, accepted=ADVISORY)


async def adjustments(db: Database, posted_to: str = "2026-04") -> list[AdjustmentRow]:
    async with db.reading() as connection:
        return await closing_queries.adjustments_posted(connection, Scope.system(), posted_to)


async def log(db: Database) -> list[tuple[str, str, str]]:
    """Actor, action and result of everything about months and decisions."""
    entries = select(operation_log.c.actor, operation_log.c.action, operation_log.c.result)
    async with db.reading() as connection:
        rows = await connection.execute(entries.order_by(operation_log.c.id))
        return [
            tuple(row) for row in rows if row.action.split(".")[0] in ("month", "decision", "confirmation", "punch")
        ]


# --- deciding -------------------------------------------------------------------------------------------------------


async def test_a_month_with_a_pending_record_is_not_closed(db: Database) -> None:
    await month_with_a_missing_out(db)
    with pytest.raises(DataError, match="pending 2") as refused:
        await closing.close_month(db, act(HR), MARCH, SHANGHAI, accepted=ADVISORY)
    assert refused.value.code == "not_ready"
    async with db.reading() as connection:
        assert await closing_queries.closed_months(connection) == {}


async def test_the_default_decision_is_shown_before_it_is_made(db: Database) -> None:
    await month_with_a_missing_out(db)
    shown = await decisions.preview_default(db, HR, Which(MARCH))
    assert (shown.records, shown.people, shown.pending, shown.absent, shown.worked) == (2, 2, 960, 480, 480)
    assert shown.by_status == {"missing_out": 2}
    with pytest.raises(DataError) as refused:
        await decisions.decide_default(db, act(HR), Which(MARCH), expected=3)
    assert refused.value.code == "changed_meanwhile"
    assert await decisions.decide_default(db, act(HR), Which(MARCH), expected=2) == shown
    again = await decisions.preview_default(db, HR, Which(MARCH))
    assert again.records == 0, "nothing is left to decide"


async def test_a_manager_decides_about_the_department_only(db: Database) -> None:
    await month_with_a_missing_out(db)
    done = await decisions.decide_default(db, act(BOSS), Which(MARCH))
    assert (done.records, done.people) == (1, 1)
    with pytest.raises(DataError) as refused:
        await decisions.decide_default(db, act(BOSS), Which(records=(("e2", MONDAY, 0),)))
    assert refused.value.code == "not_pending"
    await decisions.decide_default(db, act(HR), Which(records=(("e2", MONDAY, 0),)))
    with pytest.raises(NotFoundError):
        await decisions.withdraw(db, act(BOSS), [("e2", MONDAY, 0)])
    narrow = Narrow(frozenset({"hq"}))
    assert (await decisions.preview_default(db, BOSS, Which(MARCH, narrow))).records == 0


async def test_a_manual_decision_needs_a_reason_and_a_split_that_fits(db: Database) -> None:
    await month_with_a_missing_out(db)
    record = ("e1", MONDAY, 0)
    for splits, note, code in (({record: 60}, " ", "note_missing"), ({record: 481}, "x", "bad_split")):
        with pytest.raises(DataError) as refused:
            await decisions.decide_manually(db, act(HR), splits, note)
        assert refused.value.code == code
    done = await decisions.decide_manually(db, act(HR), {record: 60, ("e2", MONDAY, 0): None}, "was on the phone")
    assert (done.absent, done.worked) == (60 + 480, 420)


async def test_a_later_punch_ends_the_decision_of_an_open_month(db: Database) -> None:
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))
    await punch(db, "1", "2026-03-02 17:00", employee="e1", received="2026-04-05 10:00")
    await compute_touched(db, at("2026-04-05 10:01"))
    async with db.reading() as connection:
        left, _ = await decisions.undecided_rows(connection, Scope.system(), MARCH)
        made = await closing_queries.decisions_between(connection, Scope.system(), MONDAY, MONDAY)
    assert left == [], "the record is whole now: nothing is pending"
    assert ("e1", MONDAY, 0) in made, "kept for the history, though it holds no more"


async def test_a_decision_taken_back_leaves_the_record_pending(db: Database) -> None:
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))
    assert await decisions.withdraw(db, act(HR), [("e1", MONDAY, 0)]) == 1
    assert (await decisions.preview_default(db, HR, Which(MARCH))).records == 1
    with pytest.raises(NotFoundError):
        await decisions.withdraw(db, act(HR), [("e1", MONDAY, 0)])
    actions = [action for _, action, _ in await log(db)]
    assert actions == ["decision.default", "decision.withdraw"]


# --- closing --------------------------------------------------------------------------------------------------------


async def test_advisory_items_have_to_be_accepted_one_by_one(db: Database) -> None:
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))
    with pytest.raises(DataError, match="unconfirmed 2") as refused:
        await closing.close_month(db, act(HR), MARCH, SHANGHAI, accepted=["calendar"])
    assert refused.value.code == "not_accepted"
    row = await closing.close_month(db, act(HR), MARCH, SHANGHAI, accepted=ADVISORY)
    assert (row.summary["people"], row.summary["records"]) == (2, 3)
    assert set(row.summary["accepted"]) == {"calendar", "no_roster", "unconfirmed"}


async def test_closing_twice_is_closing_once(db: Database) -> None:
    await closed_by_default(db)
    again = await closing.close_month(db, act(ROOT, "2026-04-06 09:00"), MARCH, SHANGHAI)
    assert (again.closed_by, again.closed_ms) == ("hr", at(AFTER))
    assert [entry for entry in await log(db) if entry[1] == "month.close"] == [("hr", "month.close", "done")]


async def test_a_month_that_is_not_over_stays_open(db: Database) -> None:
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))
    with pytest.raises(DataError, match="month_not_over") as refused:
        await closing.close_month(db, act(HR, "2026-03-31 23:59"), MARCH, SHANGHAI, accepted=ADVISORY)
    assert refused.value.code == "not_ready"


async def test_a_month_without_records_is_not_closed(db: Database) -> None:
    await month_with_a_missing_out(db)
    with pytest.raises(DataError) as refused:
        await closing.close_month(db, act(HR), "2026-02", SHANGHAI, accepted=ADVISORY)
    assert refused.value.code == "nothing_to_close"


async def test_days_that_wait_to_be_computed_keep_the_month_open(db: Database) -> None:
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))
    await punch(db, "1", "2026-03-02 18:00", employee="e1", received="2026-04-05 08:00")
    with pytest.raises(DataError, match="computing") as refused:
        await closing.close_month(db, act(HR), MARCH, SHANGHAI, accepted=ADVISORY)
    assert refused.value.code == "not_ready"


async def test_nothing_is_decided_any_more_in_a_closed_month(db: Database) -> None:
    await closed_by_default(db)
    record = ("e1", MONDAY, 0)
    for doing in (
        decisions.decide_default(db, act(HR), Which(records=(record,))),
        decisions.decide_manually(db, act(HR), {record: 0}, "x"),
        decisions.withdraw(db, act(HR), [record]),
        confirming.ask(db, act(HR), MARCH),
    ):
        with pytest.raises(DataError) as refused:
            await doing
        assert refused.value.code == "month_closed"


# --- what comes later -----------------------------------------------------------------------------------------------


async def test_a54_a_late_punch_leaves_the_record_and_becomes_an_adjustment(db: Database) -> None:
    await closed_by_default(db)
    await punch(db, "1", "2026-03-02 18:02", employee="e1", received="2026-04-09 11:00")
    await compute_touched(db, at("2026-04-09 11:01"))
    assert (await days(db, "e1"))[MONDAY] == ("missing_out", 0, 480)
    [found] = await adjustments(db)
    assert (found.date, found.posted_to) == (MONDAY, "2026-04")
    assert (found.status_from, found.status_to) == ("missing_out", "normal")
    assert found.delta == {"worked": 480, "pending": -480}, "against the record as computed"
    assert found.pay == {"worked": 240, "absent": -240}, "half of it was paid as worked already"
    async with db.reading() as connection:
        closed = await closing_queries.closed_months(connection)
        late = await late_queries.late_facts(connection, Scope.system(), [("e1", MONDAY)], closed)
    [fact] = late["e1", MONDAY]
    assert (fact.kind, fact.at_ms, fact.known_ms) == ("punch", at("2026-03-02 18:02"), at("2026-04-09 11:00"))


async def test_a_punch_that_is_being_computed_while_the_month_closes_is_not_lost(db: Database) -> None:
    """Computed before, stored after: the result is given up, and what the punch changes becomes an adjustment."""
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))
    await punch(db, "1", "2026-03-02 18:02", employee="e1", received="2026-04-05 08:59")
    async with db.reading() as connection:
        waiting = await attendance_queries.touched(connection, 100)
        computed = await attendance._compute(connection, waiting, at(AFTER))
    async with db.writing() as connection:  # as if the touch came a moment after the closing had looked
        await connection.execute(touched_days.delete())
    await closing.close_month(db, act(HR), MARCH, SHANGHAI, accepted=ADVISORY)
    async with db.writing() as connection:
        await attendance_queries.touch_days(connection, [("e1", MONDAY)])
    assert await attendance._store(db, waiting, computed, at(AFTER)) == 0
    await compute_touched(db, at("2026-04-05 09:01"))
    assert (await days(db, "e1"))[MONDAY] == ("missing_out", 0, 480)
    [found] = await adjustments(db)
    assert found.delta == {"worked": 480, "pending": -480}


@pytest.mark.parametrize("round_", range(3))
async def test_closing_and_computing_at_once_lose_nothing(db: Database, round_: int) -> None:
    """Whoever comes first: the closed record and its adjustments together say what the punch says."""
    await month_with_a_missing_out(db)
    await decisions.decide_default(db, act(HR), Which(MARCH))

    closed = asyncio.Event()

    async def close() -> None:
        while not closed.is_set():
            with contextlib.suppress(DataError):  # not ready while something waits to be computed
                await closing.close_month(db, act(HR), MARCH, SHANGHAI, accepted=ADVISORY)
                closed.set()
            await asyncio.sleep(0)

    async def arrive() -> None:
        for _ in range(round_):
            await asyncio.sleep(0.005)
        await punch(db, "1", "2026-03-02 18:02", employee="e1", received="2026-04-05 09:00:01")

    async def compute() -> None:
        while not closed.is_set():
            await compute_touched(db, at("2026-04-05 09:01"))
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(close(), arrive(), compute())
    await compute_touched(db, at("2026-04-05 09:02"))
    async with db.reading() as connection:
        day = attendance_days.c
        found = (
            await connection.execute(select(attendance_days).where(day.employee == "e1", day.date == MONDAY))
        ).one()
    delta: Mapping[str, int] = next((row.delta for row in await adjustments(db)), {})
    assert found.worked_min + delta.get("worked", 0) == 480
    assert found.pending_min + delta.get("pending", 0) == 0


# --- opening again --------------------------------------------------------------------------------------------------


async def test_who_asks_for_a_month_to_be_opened_can_not_open_it(db: Database) -> None:
    await closed_by_default(db)
    with pytest.raises(DataError) as refused:
        await closing.reopen(db, act(ROOT), MARCH)
    assert refused.value.code == "not_asked"
    with pytest.raises(DataError) as refused:
        await closing.ask_reopening(db, act(HR), MARCH, " ")
    assert refused.value.code == "reason_missing"
    await closing.ask_reopening(db, act(HR), MARCH, "the night shift was not rostered")
    with pytest.raises(DataError) as refused:
        await closing.reopen(db, act(HR), MARCH)
    assert refused.value.code == "same_person"
    await closing.reopen(db, act(ROOT, "2026-04-10 09:00"), MARCH)
    async with db.reading() as connection:
        assert await closing_queries.closed_months(connection) == {}
        [row] = await closing_queries.closing_rows(connection, MARCH)
    assert (row.reopen_asked_by, row.reopened_by, row.reopened_ms) == ("hr", "root", at("2026-04-10 09:00"))
    assert (await log(db))[-4:] == [
        ("hr", "month.close", "done"),
        ("hr", "month.reopen_ask", "done"),
        ("hr", "month.reopen", "refused"),
        ("root", "month.reopen", "done"),
    ]


async def test_two_accounts_of_one_employee_are_one_person(db: Database) -> None:
    await closed_by_default(db)
    await closing.ask_reopening(db, act(Viewer(1, "hr", "HR", "hr", "e1", frozenset(), b"")), MARCH, "why not")
    async with db.writing() as connection:
        row = {"login": "hr", "name": "", "password_hash": "", "role": "hr", "employee": "e1", "departments": []}
        await connection.execute(users.insert().values(**row, disabled=False, created_ms=1))
    with pytest.raises(DataError) as refused:
        await closing.reopen(db, act(Viewer(9, "hr2", "HR", "hr", "e1", frozenset(), b"")), MARCH)
    assert refused.value.code == "same_person"


async def test_a_month_opened_again_says_itself_what_its_adjustments_said(db: Database) -> None:
    await closed_by_default(db)
    await punch(db, "1", "2026-03-02 18:02", employee="e1", received="2026-04-09 11:00")
    await compute_touched(db, at("2026-04-09 11:01"))
    await closing.ask_reopening(db, act(HR), MARCH, "pay it with March")
    await closing.reopen(db, act(ROOT), MARCH)
    await compute_touched(db, at("2026-04-10 12:00"))
    assert (await days(db, "e1"))[MONDAY] == ("normal", 480, 0)
    assert await adjustments(db) == []
    await closing.close_month(db, act(HR, "2026-04-11 09:00"), MARCH, SHANGHAI, accepted=ADVISORY)
    assert (await days(db, "e1"))[MONDAY] == ("normal", 480, 0)


async def test_a_question_to_open_can_be_taken_back(db: Database) -> None:
    await closed_by_default(db)
    await closing.ask_reopening(db, act(HR), MARCH, "by mistake")
    row = await closing.withdraw_reopening(db, act(ROOT), MARCH)
    assert (row.reopen_asked_by, row.reopen_reason, row.reopened_ms) == (None, None, None)
    with pytest.raises(DataError) as refused:
        await closing.withdraw_reopening(db, act(ROOT), MARCH)
    assert refused.value.code == "not_asked"
    with pytest.raises(NotFoundError):
        await closing.ask_reopening(db, act(HR), "2026-02", "an open month")


# --- confirming -----------------------------------------------------------------------------------------------------


async def test_numbers_that_change_after_a_confirmation_are_asked_about_again(db: Database) -> None:
    await month_with_a_missing_out(db)
    assert await confirming.ask(db, act(HR), MARCH) == 2
    assert await confirming.ask(db, act(HR), MARCH) == 0, "asked once is enough"
    assert await confirming.ask(db, act(HR), MARCH, again=True) == 2, "unless it is a reminder"
    shown, closed = await confirming.own_confirmation(db, "e1", MARCH)
    assert (shown.state, closed) == ("asked", False)
    await confirming.answer(db, act(FANG), MARCH, "confirmed", "", shown=shown.sums)
    assert (await confirming.own_confirmation(db, "e1", MARCH))[0].state == "confirmed"
    await punch(db, "1", "2026-03-02 18:02", employee="e1", received="2026-04-05 10:00")
    await compute_touched(db, at("2026-04-05 10:01"))
    now, _ = await confirming.own_confirmation(db, "e1", MARCH)
    assert now.state == "outdated"
    assert now.row is not None
    assert dict(now.row.sums) == dict(shown.sums), "what was confirmed stays on record"
    with pytest.raises(DataError) as refused:
        await confirming.answer(db, act(FANG), MARCH, "confirmed", "", shown=shown.sums)
    assert refused.value.code == "sums_changed"
    assert await confirming.ask(db, act(HR), MARCH) == 1


async def test_an_objection_says_what_is_wrong(db: Database) -> None:
    await month_with_a_missing_out(db)
    shown, _ = await confirming.own_confirmation(db, "e1", MARCH)
    with pytest.raises(DataError) as refused:
        await confirming.answer(db, act(FANG), MARCH, "objected", " ", shown=shown.sums)
    assert refused.value.code == "comment_missing"
    await confirming.answer(db, act(FANG), MARCH, "objected", "Monday I left at six", shown=shown.sums)
    async with db.reading() as connection:
        checked = await closing.checklist_of(connection, Scope.system(), MARCH, SHANGHAI, at(AFTER))
    counts = {item.code: item.count for item in checked.items}
    assert (counts["objected"], counts["unconfirmed"]) == (1, 1)


async def test_a_manager_asks_the_own_department(db: Database) -> None:
    await month_with_a_missing_out(db)
    assert await confirming.ask(db, act(BOSS), MARCH) == 1
    with pytest.raises(NotFoundError):
        await confirming.ask(db, act(BOSS), MARCH, people=["e2"])


# --- held punches ---------------------------------------------------------------------------------------------------


async def held_punch(db: Database, text: str, received: str, **values: object) -> int:
    """One that AR-4 holds."""
    await punch(db, "1", text, employee="e1", received=received)
    async with db.writing() as connection:
        which = select(punches.c.id).where(punches.c.at_ms == at(text))
        number: int = (await connection.execute(which)).scalar_one()
        if values:
            await connection.execute(update(punches).where(punches.c.id == number).values(**values))
    return number


async def test_a_held_punch_counts_once_it_is_released_at_a_time(db: Database) -> None:
    await month_with_a_missing_out(db)
    number = await held_punch(db, "2026-03-02 23:30", "2026-03-02 18:01")
    with pytest.raises(DataError) as refused:
        await exceptions.decide_held(db, act(HR), {number: None}, "clock was wrong", release=True)
    assert refused.value.code == "no_time"
    with pytest.raises(DataError) as refused:
        await exceptions.decide_held(db, act(HR), {number: at("2026-03-02 19:00")}, "x", release=True)
    assert refused.value.code == "in_future"
    stranger = Viewer(3, "other", "", "manager", None, frozenset({"nowhere"}), b"")
    with pytest.raises(NotFoundError):
        await exceptions.decide_held(db, act(stranger), {number: at("2026-03-02 18:00")}, "x", release=True)
    done = await exceptions.decide_held(db, act(BOSS), {number: at("2026-03-02 18:00")}, "camera", release=True)
    assert done == 1
    await compute_touched(db, at("2026-04-05 10:01"))
    assert (await days(db, "e1"))[MONDAY] == ("normal", 480, 0)
    async with db.reading() as connection:
        row = (await connection.execute(select(punches).where(punches.c.id == number))).one()
    assert (row.at_ms, row.true_ms, row.held) == (at("2026-03-02 23:30"), at("2026-03-02 18:00"), None)
    with pytest.raises(NotFoundError):
        await exceptions.decide_held(db, act(HR), {number: None}, "again", release=False)


async def test_a_dismissed_punch_stays_held_and_is_listed_no_more(db: Database) -> None:
    await month_with_a_missing_out(db)
    number = await held_punch(db, "2026-03-02 23:30", "2026-03-02 18:01")
    question = exceptions.Question(MONDAY, TUESDAY)
    async with db.reading() as connection:
        found = await exceptions.find(connection, Scope.system(), question)
        checked = await closing.checklist_of(connection, Scope.system(), MARCH, SHANGHAI, at(AFTER))
    assert exceptions.counts(found) == {"missing_out": 2, "held": 1}
    assert {item.code: item.count for item in checked.items}["held"] == 1
    await exceptions.decide_held(db, act(HR), {number: None}, "a test of the terminal", release=False)
    async with db.reading() as connection:
        found = await exceptions.find(connection, Scope.system(), question)
    assert exceptions.counts(found) == {"missing_out": 2}


async def test_a_punch_of_a_reset_clock_released_after_the_closing_becomes_an_adjustment(db: Database) -> None:
    """A51 months later: the terminal said the year 2000."""
    await closed_by_default(db)
    number = await held_punch(db, "2000-01-01 00:12", "2026-04-09 18:01")
    by_hand = {number: at("2026-03-02 18:00")}
    await exceptions.decide_held(db, act(HR, "2026-05-02 09:00"), by_hand, "battery was empty", release=True)
    await compute_touched(db, at("2026-05-02 09:01"))
    assert (await days(db, "e1"))[MONDAY] == ("missing_out", 0, 480)
    [found] = await adjustments(db, "2026-05")
    assert found.delta == {"worked": 480, "pending": -480}


async def test_the_drift_that_was_read_suggests_when_a_punch_was(db: Database) -> None:
    await month_with_a_missing_out(db)
    number = await held_punch(
        db, "2026-03-02 20:00", "2026-03-02 18:01", drift_ms=2 * 3_600_000, held="AR-3", true_ms=None
    )
    await exceptions.decide_held(db, act(HR), {number: None}, "two hours fast", release=True)
    async with db.reading() as connection:
        row = (await connection.execute(select(punches.c.true_ms).where(punches.c.id == number))).one()
    assert row.true_ms == at("2026-03-02 18:00")


async def test_an_employee_is_asked_about_a_day_once(db: Database) -> None:
    await month_with_a_missing_out(db)
    for note in ("when did you leave?", "when did you leave, please?"):
        assert await exceptions.ask(db, act(BOSS), [("e1", MONDAY)], note) == 1
    with pytest.raises(NotFoundError):
        await exceptions.ask(db, act(BOSS), [("e2", MONDAY)], "and you?")
    async with db.reading() as connection:
        found = await exceptions.find(connection, BOSS.scope, exceptions.Question(MONDAY, TUESDAY))
        topics = {change.topic for change in await change_queries.changes_after(connection, 0, 10_000)}
    [one] = found
    assert one.question is not None
    assert (one.question.note, one.action) == ("when did you leave, please?", "decide")
    assert {"employee:e1", "month:2026-03"} <= topics


async def test_a_span_of_exceptions_has_an_end(db: Database) -> None:
    async with db.reading() as connection:
        for last in (date(2026, 3, 1), date(2026, 5, 4)):
            with pytest.raises(DataError) as refused:
                await exceptions.find(connection, Scope.system(), exceptions.Question(MONDAY, last))
            assert refused.value.code == "bad_span"
