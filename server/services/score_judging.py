"""What people do to a score, always two of them: calibrations, grave events, appeals (KS-9, KS-10, KS-17).

Who proposes never approves, and nobody decides about the own card. A closed card is never changed: what is decided
later stands beside it as a further version.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, cast, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.scoring.calibration import MOST
from server.scoring.cycle import Period
from server.scoring.veto import Veto, VetoKind
from server.scoring.window import days_of
from server.services.act import Act
from server.services.four_eyes import same_person
from server.services.score_periods import TOPIC
from server.services.score_publishing import publish_again
from server.services.score_settings import VETO_CAP, number
from server.store import change_queries, log_queries, page_queries, period_queries
from server.store.database import Database
from server.store.period_queries import AppealRow, CalibrationRow, ClosedRow, Decided, VetoRow
from server.store.score_queries import Card
from shared.clock import WallMs
from shared.errors import DataError

Answer: TypeAlias = Literal["upheld", "changed", "refused"]
MOST_TEXT = 2_000
Waits = TypeVar("Waits", CalibrationRow, VetoRow, AppealRow)


@dataclass(frozen=True, slots=True)
class Reported:
    """A grave event as somebody reports it; no cap: that of the settings."""

    employee: str
    period: Period
    kind: str
    evidence: str
    cap: int | None = None


# --- calibrations ---------------------------------------------------------------------------------------------------


async def propose(db: Database, act: Act, employee: str, period: Period, *, points: int, reason: str) -> int:
    """Propose points in hundredths for an open card; its number. A waiting proposal for the card is replaced.

    DataError ``calibration`` with the field, ``period_closed``, ``own_card``.
    """
    days_of(period)
    _check_points(points, reason)
    async with db.writing() as connection:
        await period_queries.hold_closed(connection)
        await _other(connection, act, employee)
        if await period_queries.closed_among(connection, [(employee, period)]):
            raise DataError(f"{period} is closed; only an appeal changes it", "period_closed")
        for former in await period_queries.calibrations_of(connection, employee, period):
            if former.state == "waiting":
                await period_queries.decide(connection, former, "replaced", actor=act.login, at_ms=act.at_ms)
        return await _propose(connection, act, (employee, period), points, reason)


async def decide_calibration(db: Database, act: Act, calibration: int, *, approve: bool, note: str = "") -> None:
    """Approve what another proposed, or refuse it. DataError ``same_person``, ``own_card``, ``decided``."""
    fault: DataError | None = None
    async with db.writing() as connection:
        await period_queries.hold_closing(connection)
        row = _waiting(await period_queries.calibration(connection, act.scope, calibration), calibration)
        fault = await _second(connection, act, row.employee, row.proposed_by)
        if fault is None:
            closed = await _closed_card(connection, row.employee, row.period)
            if closed is not None and row.appeal is None:
                raise DataError(f"{row.period} is closed; only an appeal changes it", "period_closed")
            await _settle(connection, act, row, approve=approve, note=note, closed=closed)
        await _log(connection, act, "scores.calibrate", row, "approved" if approve else "refused", fault=fault)
    if fault is not None:
        raise fault


async def withdraw_calibration(db: Database, act: Act, calibration: int) -> None:
    """Take the own proposal back. DataError ``not_own``, ``decided``."""
    async with db.writing() as connection:
        row = _waiting(await period_queries.calibration(connection, act.scope, calibration), calibration)
        if not await same_person(connection, row.proposed_by, act):
            raise DataError("only who proposed it takes it back", "not_own")
        await period_queries.decide(connection, row, "withdrawn", actor=act.login, at_ms=act.at_ms)
        if row.appeal is not None:
            await _reopen_appeal(connection, row.appeal)
        await _log(connection, act, "scores.calibrate", row, "withdrawn")


async def _settle(
    connection: AsyncConnection, act: Act, row: CalibrationRow, *, approve: bool, note: str, closed: ClosedRow | None
) -> None:
    if not approve:
        await period_queries.decide(connection, row, "refused", actor=act.login, at_ms=act.at_ms, note=note)
        if row.appeal is not None:
            await _reopen_appeal(connection, row.appeal)
        return
    for former in await period_queries.calibrations_of(connection, row.employee, row.period):
        if former.state == "approved":
            by, at_ms = former.decided_by, former.decided_ms
            await period_queries.decide(connection, former, "replaced", actor=by, at_ms=at_ms, note=former.note)
    await period_queries.decide(connection, row, "approved", actor=act.login, at_ms=act.at_ms, note=note)
    if closed is not None and row.appeal is not None:
        await publish_again(connection, closed, f"appeal/{row.appeal}", act.at_ms)
        appeal = await period_queries.appeal(connection, Scope.system(), row.appeal)
        assert appeal is not None  # noqa: S101  (the calibration points to it)
        await period_queries.decide(
            connection, appeal, "changed", actor=appeal.decided_by, at_ms=act.at_ms, note=appeal.note
        )


async def _propose(
    connection: AsyncConnection,
    act: Act,
    card: Card,
    points: int,
    reason: str,
    *,
    appeal: int | None = None,
) -> int:
    employee, period = card
    values = {"employee": employee, "period": period, "points_centi": points, "reason": reason.strip()}
    values |= {"appeal": appeal, "state": "waiting", "proposed_by": act.login, "proposed_ms": act.at_ms}
    made = await period_queries.add(connection, CalibrationRow, values)
    entry = act.entry("scores.calibrate", f"{employee}/{period}", points=points, how="proposed", appeal=appeal)
    await log_queries.append(connection, entry)
    await _note(connection, employee, act.at_ms)
    return made


def _check_points(points: int, reason: str) -> None:
    if not -MOST <= points <= MOST or not points:
        raise DataError(
            f"calibration of {points} hundredths: expected -{MOST} to {MOST}, not 0",
            "calibration",
            {"field": "points"},
        )
    if not reason.strip() or len(reason) > MOST_TEXT:
        raise DataError("calibration: say why the total is changed", "calibration", {"field": "reason"})


# --- grave events ---------------------------------------------------------------------------------------------------


async def report_veto(db: Database, act: Act, told: Reported) -> int:
    """Report a grave event with its evidence; its number. It limits nothing before a second person confirms it."""
    days_of(told.period)
    if told.kind not in get_args(VetoKind):
        raise DataError(
            f"veto {told.kind!r}: expected one of {', '.join(get_args(VetoKind))}", "veto", {"field": "kind"}
        )
    async with db.writing() as connection:
        await _other(connection, act, told.employee)
        cap = await number(connection, VETO_CAP) if told.cap is None else told.cap
        made = Veto(cast(VetoKind, told.kind), told.evidence, cap)
        values = {"employee": told.employee, "period": told.period, "kind": made.kind, "cap_centi": cap}
        values |= {"evidence": made.evidence.strip(), "state": "waiting"}
        values |= {"reported_by": act.login, "reported_ms": act.at_ms}
        found = await period_queries.add(connection, VetoRow, values)
        subject = f"{told.employee}/{told.period}"
        await log_queries.append(connection, act.entry("scores.veto", subject, kind=told.kind, how="reported"))
        await _note(connection, told.employee, act.at_ms)
        return found


async def decide_veto(db: Database, act: Act, veto: int, *, confirm: bool, note: str = "") -> None:
    """Confirm an event that another reported, or refuse it. DataError ``same_person``, ``own_card``, ``decided``."""
    fault: DataError | None = None
    async with db.writing() as connection:
        await period_queries.hold_closing(connection)
        row = _waiting(await period_queries.veto(connection, act.scope, veto), veto)
        fault = await _second(connection, act, row.employee, row.reported_by)
        if fault is None:
            state = "confirmed" if confirm else "refused"
            await period_queries.decide(connection, row, state, actor=act.login, at_ms=act.at_ms, note=note)
            closed = await _closed_card(connection, row.employee, row.period)
            if confirm and closed is not None:
                await publish_again(connection, closed, f"veto/{row.id}", act.at_ms)
        await _log(connection, act, "scores.veto", row, "confirmed" if confirm else "refused", fault=fault)
    if fault is not None:
        raise fault


# --- appeals --------------------------------------------------------------------------------------------------------


async def appeal(db: Database, act: Act, period: Period, text: str, indicator: str | None = None) -> int:
    """Appeal the own published card; the number of the appeal.

    DataError ``appeal`` with the field, ``appeal_late``, ``appeal_open``; NotFoundError while nothing is published.
    """
    employee = act.viewer.employee
    if employee is None:
        raise NotFoundError(f"{act.login} is not an employee")
    if not text.strip() or len(text) > MOST_TEXT:
        raise DataError("appeal: say what is wrong", "appeal", {"field": "text"})
    async with db.writing() as connection:
        card = await _closed_card(connection, employee, period)
        if card is None:
            raise NotFoundError(f"nothing is published of {employee} in {period}")
        if indicator is not None and indicator not in {one.indicator for part in card.parts for one in part.scores}:
            raise DataError(f"appeal: the card has no indicator {indicator!r}", "appeal", {"field": "indicator"})
        if act.at_ms >= await appeal_deadline(connection, card):
            raise DataError(f"the time to appeal {period} is over", "appeal_late")
        mine = await period_queries.appeals(connection, Scope(employee=employee), period)
        if any(one.state in ("open", "changing") and one.indicator == indicator for one in mine):
            raise DataError("this appeal is open already", "appeal_open")
        values = {"employee": employee, "period": period, "version": card.version, "indicator": indicator}
        values |= {"text": text.strip(), "filed_ms": act.at_ms, "state": "open"}
        made = await period_queries.add(connection, AppealRow, values)
        entry = act.entry("scores.appeal", f"{employee}/{period}", indicator=indicator, how="filed")
        await log_queries.append(connection, entry)
        await _note(connection, employee, act.at_ms)
        return made


async def appeal_deadline(connection: AsyncConnection, card: ClosedRow) -> WallMs:
    """Until when a version can be appealed: that of the closing, moved on where it was published again."""
    closing = await period_queries.closing(connection, card.closing)
    return closing.appeal_until_ms + (card.published_ms - closing.closed_ms)


async def withdraw_appeal(db: Database, act: Act, appeal_: int) -> None:
    """Take the own appeal back. DataError ``decided``."""
    async with db.writing() as connection:
        row = await period_queries.appeal(connection, Scope(employee=act.viewer.employee), appeal_)
        row = _waiting(row, appeal_, "open")
        await period_queries.decide(connection, row, "withdrawn", actor=act.login, at_ms=act.at_ms)
        await _log(connection, act, "scores.appeal", row, "withdrawn")


async def decide_appeal(
    db: Database, act: Act, appeal_: int, answer: Answer, note: str, *, points: int | None = None
) -> int | None:
    """Decide about somebody's appeal with a note; the number of the calibration that waits, for ``changed``.

    ``upheld`` lifts the confirmed vetoes of the card and publishes it again; what is wrong in the data is put right
    there and follows as an adjustment. ``changed`` proposes points in place of the former calibration, which a second
    person approves. ``refused`` leaves all as it is. DataError ``appeal`` with the field, ``own_card``, ``decided``.
    """
    if not note.strip() or len(note) > MOST_TEXT:
        raise DataError("appeal: say why", "appeal", {"field": "note"})
    async with db.writing() as connection:
        await period_queries.hold_closing(connection)
        row = _waiting(await period_queries.appeal(connection, act.scope, appeal_), appeal_, "open")
        await _other(connection, act, row.employee)
        made = None
        if answer == "changed":
            if points is None:
                raise DataError("appeal: say how many points", "appeal", {"field": "points"})
            _check_points(points, note)
            made = await _propose(connection, act, (row.employee, row.period), points, note, appeal=row.id)
        state = "changing" if answer == "changed" else answer
        await period_queries.decide(connection, row, state, actor=act.login, at_ms=act.at_ms, note=note.strip())
        if answer == "upheld":
            await _lift(connection, act, row)
        await _log(connection, act, "scores.appeal", row, answer)
        return made


async def _lift(connection: AsyncConnection, act: Act, row: AppealRow) -> None:
    """Confirmed vetoes of an upheld appeal against the whole card limit it no more."""
    if row.indicator is not None:
        return
    confirmed = [
        one for one in await period_queries.vetoes_of(connection, row.employee, row.period) if one.state == "confirmed"
    ]
    for one in confirmed:
        await period_queries.decide(connection, one, "lifted", actor=act.login, at_ms=act.at_ms, note=row.text)
    closed = await _closed_card(connection, row.employee, row.period)
    if confirmed and closed is not None:
        await publish_again(connection, closed, f"appeal/{row.id}", act.at_ms)


async def _reopen_appeal(connection: AsyncConnection, number_: int) -> None:
    row = await period_queries.appeal(connection, Scope.system(), number_)
    if row is not None:
        await period_queries.decide(connection, row, "open", actor=None, at_ms=None)


# --- parts ----------------------------------------------------------------------------------------------------------


async def _closed_card(connection: AsyncConnection, employee: str, period: Period) -> ClosedRow | None:
    rows = await period_queries.newest(connection, [(employee, period)])
    return rows[0] if rows else None


async def _other(connection: AsyncConnection, act: Act, employee: str) -> None:
    """NotFoundError for somebody out of scope, DataError ``own_card`` for oneself."""
    if await page_queries.person(connection, act.scope, employee) is None:
        raise NotFoundError(f"employee {employee!r} is not in scope")
    if employee == act.viewer.employee:
        raise DataError("somebody else decides about your own card", "own_card")


async def _second(connection: AsyncConnection, act: Act, employee: str, first: str) -> DataError | None:
    """Why the caller is not the second person; None when it may decide."""
    await _other(connection, act, employee)
    if await same_person(connection, first, act):
        return DataError(f"{first} proposed it; another person has to decide", "same_person")
    return None


def _waiting(row: Waits | None, number_: int, state: str = "waiting") -> Waits:
    """The row that waits; NotFoundError without one in scope, DataError ``decided`` when it waits no more."""
    if row is None:
        raise NotFoundError(f"{number_} is not in scope")
    if row.state != state:
        raise DataError(f"{number_} is {row.state} already", "decided")
    return row


async def _log(
    connection: AsyncConnection, act: Act, action: str, row: Decided, how: str, *, fault: DataError | None = None
) -> None:
    result: Literal["done", "refused"] = "done" if fault is None else "refused"
    await log_queries.append(connection, act.entry(action, f"{row.employee}/{row.period}", result, id=row.id, how=how))
    await _note(connection, row.employee, act.at_ms)


async def _note(connection: AsyncConnection, employee: str, at_ms: WallMs) -> None:
    await change_queries.note_changes(connection, {TOPIC, f"employee:{employee}"}, at_ms)
