"""Periods of scores on their way to being closed, and what came of a score."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.viewer import Viewer
from server.api.answers.names import PositionNames, names, position_names
from server.api.answers.narrowing import narrow_to
from server.api.context import Context
from server.api.paging import Page
from server.api.views.base import NameView
from server.api.views.score_periods import (
    AppealsView,
    AppealView,
    CalibrationsView,
    CalibrationView,
    CardVersionView,
    NotFinalView,
    PayrollScoresView,
    PayrollScoreView,
    PeriodAdjustmentsView,
    PeriodAdjustmentView,
    PeriodCardsView,
    PeriodCardView,
    PeriodClosingView,
    PeriodDetailView,
    PeriodItemView,
    PeriodsView,
    PeriodView,
    PublishedCardView,
    RewardView,
    VetoesView,
    VetoView,
)
from server.scoring.catalogue import Catalogue
from server.scoring.indicator import Indicator
from server.scoring.numbers import CENTI, MICRO, decimal_text
from server.scoring.scorecard import GRADES
from server.scoring.window import days_of
from server.services import score_periods as periods
from server.services.act import Act
from server.services.pay_reads import note_read
from server.services.scheme_rules import catalogue_in_force
from server.services.score_export import PayRow, pay_rows
from server.services.score_judging import appeal_deadline
from server.services.score_publishing import judged, standing_of
from server.store import change_queries, page_queries, people_queries, period_queries, score_queries
from server.store.period_queries import (
    AppealRow,
    CalibrationRow,
    ClosedRow,
    ComputedCard,
    PeriodAdjustment,
    PeriodClosing,
    RewardRow,
    VetoRow,
)
from server.store.score_queries import Post
from shared.clock import from_ms

NONE = "none"
_APPEALS_FIRST = ("open", "changing")


async def period_list(context: Context, viewer: Viewer) -> PeriodsView:
    """Periods with scores in scope, and how many cards of each are published."""
    async with context.db.reading() as connection:
        known = await score_queries.months_with_scores(connection, viewer.scope)
        closed = await period_queries.closed_counts(connection, viewer.scope)
    now = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone)
    rows = sorted({*known, *closed}, key=lambda one: (days_of(one).last, one), reverse=True)
    return PeriodsView(
        periods=[PeriodView(period=one, closed=closed.get(one, 0)) for one in rows], current=f"{now:%Y-%m}"
    )


async def period(context: Context, viewer: Viewer, period: str, department: str | None) -> PeriodDetailView:
    """A period's checklist for the people in scope, its closings, how the grades fall."""
    async with context.db.reading() as connection:
        now_ms = context.clocks.wall_ms()
        checked = await periods.check(connection, viewer.scope, period, now_ms, department)
        rows = await _cards(connection, viewer, period, department)
        appeals = await period_queries.appeals(connection, viewer.scope, period)
        catalogue = await catalogue_in_force(connection)
        counted = Counter(row.grade or NONE for row, _ in rows)
        return PeriodDetailView(
            period=period,
            items=[PeriodItemView.model_validate(item) for item in checked.items],
            not_final=[
                NotFinalView(indicator=one.indicator, **_names(catalogue, one.indicator), final_on=one.final_on)
                for one in checked.not_final
            ],
            away=dict(checked.away),
            ready=viewer.scope.everyone and not any(item.blocking and item.count for item in checked.items),
            people=checked.people,
            closed=checked.closed,
            closings=[_closing(one) for one in await period_queries.closing_rows(connection, period)],
            grades={letter: counted[letter] for letter in (*(letter for letter, _ in GRADES), NONE)},
            appeals_open=sum(one.state in _APPEALS_FIRST for one in appeals),
            may_close=viewer.may("scores.close"),
            may_judge=viewer.may("scores.judge"),
            departments=names(await people_queries.department_names(connection, viewer.scope)),
            version=await change_queries.newest_change(connection, periods.TOPIC),
        )


async def cards(context: Context, viewer: Viewer, period: str, department: str | None, page: Page) -> PeriodCardsView:
    """A page of cards by name, published or as they would be."""
    async with context.db.reading() as connection:
        rows = await _cards(connection, viewer, period, department)
        position = await position_names(connection)
    shown = rows[page.offset : page.offset + page.limit]
    cards = [_card(row, waiting, viewer, position(row.position)) for row, waiting in shown]
    return PeriodCardsView(total=len(rows), rows=cards)


async def published_card(context: Context, act: Act, employee: str, period: str) -> PublishedCardView:
    """What was published of a person; NotFoundError outside the scope. The operation log keeps who saw the money."""
    viewer, scope, now_ms = act.viewer, act.scope, context.clocks.wall_ms()
    money = viewer.may("scores.close") or employee == viewer.employee
    async with context.db.reading() as connection:
        if await page_queries.person(connection, scope, employee) is None:
            raise NotFoundError(f"employee {employee!r} is not in scope")
        rows = await period_queries.versions(connection, scope, employee, period, pay=money)
        calibrations = await period_queries.calibrations_of(connection, employee, period)
        vetoes = await period_queries.vetoes_of(connection, employee, period)
        appeals = await period_queries.appeals(connection, scope, period)
        told = await period_queries.adjustments(connection, scope, people=[employee], pay=money)
        catalogue = await catalogue_in_force(connection)
        until = await appeal_deadline(connection, rows[0]) if rows else None
    about = [one for one in told if period in (one.period, one.posted_to)]
    if money and (rows or about):
        await note_read(context.db, act, "scores.read_rewards", f"{employee}/{period}", [employee])
    reasons = {one.id: one.reason for one in calibrations}
    return PublishedCardView(
        employee=employee,
        period=period,
        versions=[_version(row, reasons) for row in rows],
        provisional=list(rows[0].provisional) if rows else [],
        appeal_until_ms=until,
        may_appeal=until is not None and now_ms < until and employee == viewer.employee,
        vetoes=[_veto(one, viewer) for one in vetoes if one.state in ("confirmed", "lifted")],
        appeals=[AppealView(**_shared(one)) for one in appeals if one.employee == employee],
        rewards=[_reward(one, catalogue) for one in rows[0].rewards] if rows and money else [],
        reward_minor=rows[0].reward_minor if rows and money else None,
        adjustments=[_adjustment(one, catalogue, money=money) for one in about],
    )


async def adjustments(
    context: Context, act: Act, period: str, department: str | None, *, posted: bool, page: Page
) -> PeriodAdjustmentsView:
    """A page of adjustments posted to the period, or of its own closed cards; the log keeps who saw the money."""
    which = {"posted_to": period} if posted else {"of": period}
    money = act.viewer.may("scores.close")
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, department)
        found = await period_queries.adjustments(connection, act.scope, narrow, **which, pay=money)
        catalogue = await catalogue_in_force(connection)
    shown = found[page.offset : page.offset + page.limit]
    if money:
        await note_read(context.db, act, "scores.read_adjustments", period, (one.employee for one in shown))
    return PeriodAdjustmentsView(total=len(found), rows=[_adjustment(one, catalogue, money=money) for one in shown])


async def calibrations(context: Context, viewer: Viewer, period: str) -> CalibrationsView:
    """Those of a period in scope, newest first."""
    async with context.db.reading() as connection:
        rows = await period_queries.calibrations(connection, viewer.scope, period)
    return CalibrationsView(rows=[_calibration(one, viewer) for one in rows])


async def vetoes(context: Context, viewer: Viewer, period: str) -> VetoesView:
    """Those of a period in scope, newest first."""
    async with context.db.reading() as connection:
        rows = await period_queries.vetoes(connection, viewer.scope, period)
    return VetoesView(rows=[_veto(one, viewer) for one in rows])


async def appeals(context: Context, viewer: Viewer, period: str | None, page: Page) -> AppealsView:
    """A page of appeals in scope, open ones first."""
    async with context.db.reading() as connection:
        rows = await period_queries.appeals(connection, viewer.scope, period)
    rows.sort(key=lambda one: (one.state not in _APPEALS_FIRST, -one.id))
    shown = rows[page.offset : page.offset + page.limit]
    return AppealsView(total=len(rows), rows=[AppealView(**_shared(one)) for one in shown])


def payroll(period: str, rows: Sequence[PayRow], page: Page, position: PositionNames) -> PayrollScoresView:
    """Some people of a closed period, by id."""
    ordered = sorted(rows, key=lambda one: one.card.employee)
    shown = ordered[page.offset : page.offset + page.limit]
    return PayrollScoresView(period=period, total=len(ordered), rows=[_payroll(one, position) for one in shown])


async def payroll_scores(context: Context, viewer_scope: Any, period: str, page: Page) -> PayrollScoresView:
    """The same, read."""
    async with context.db.reading() as connection:
        rows = await pay_rows(connection, viewer_scope, period)
        return payroll(period, rows, page, await position_names(connection))


# --- parts ----------------------------------------------------------------------------------------------------------


async def _cards(
    connection: AsyncConnection, viewer: Viewer, period: str, department: str | None
) -> list[tuple[ClosedRow, CalibrationRow | None]]:
    """Published cards, and open ones as they would be published now, by name, each with the proposal that waits."""
    narrow = await narrow_to(connection, department)
    closed = await period_queries.published(connection, viewer.scope, period, narrow, pay=False)
    done = {row.employee for row in closed}
    people = await periods.people_of(connection, viewer.scope, period, department)
    left = {person: post for person, post in people.items() if person not in done}
    computed = await period_queries.computed(connection, left, period)
    told = await people_queries.names_of_people(connection, viewer.scope)
    calibrations = await period_queries.calibrations(connection, viewer.scope, period, narrow)
    vetoes = await period_queries.vetoes(connection, viewer.scope, period, narrow)
    rows = list(closed)
    for person, card in computed.items():
        row = _open(person, told.get(person, person), left[person], period, card)
        rows.append(judged(row, *standing_of(person, calibrations, vetoes)))
    waiting = {one.employee: one for one in calibrations if one.state == "waiting"}
    rows.sort(key=lambda row: (row.name, row.employee))
    return [(row, waiting.get(row.employee)) for row in rows]


def _open(person: str, name: str, post: Post, period: str, card: ComputedCard) -> ClosedRow:
    return ClosedRow(
        employee=person,
        period=period,
        version=0,
        closing=0,
        cause="",
        status=card.status,
        computed=card.total,
        coverage=card.coverage,
        calibration=None,
        adjustment=0,
        vetoes=(),
        veto_cap=None,
        final=None,
        grade=None,
        provisional=(),
        reward_minor=0,
        rewards=(),
        parts=(),
        published_ms=0,
        name=name,
        department=post.departments[0] if post.departments else "",
        position=post.position,
    )


def _card(row: ClosedRow, waiting: CalibrationRow | None, viewer: Viewer, position: NameView) -> PeriodCardView:
    part, whole = row.coverage
    return PeriodCardView(
        employee=row.employee,
        name=row.name,
        department=row.department,
        position=row.position,
        position_name=position,
        closed=row.version > 0,
        version=row.version,
        computed=_centi(row.computed),
        coverage_pct=decimal_text(Fraction(100 * part, whole) if whole else Fraction(0)),
        adjustment=_centi(row.adjustment) or "",
        veto_cap=_centi(row.veto_cap),
        final=_centi(row.final),
        grade=cast(Any, row.grade),
        provisional=list(row.provisional),
        calibration=None if waiting is None else _calibration(waiting, viewer),
    )


def _version(row: ClosedRow, reasons: Mapping[int, str]) -> CardVersionView:
    return CardVersionView(
        version=row.version,
        cause=row.cause,
        computed=_centi(row.computed),
        adjustment=_centi(row.adjustment) or "",
        reason="" if row.calibration is None else reasons.get(row.calibration, ""),
        veto_cap=_centi(row.veto_cap),
        final=_centi(row.final),
        grade=cast(Any, row.grade),
        published_ms=row.published_ms,
    )


def _calibration(row: CalibrationRow, viewer: Viewer) -> CalibrationView:
    shared = _shared(replace(row, points=0), "points")
    return CalibrationView(**shared, points=_centi(row.points) or "", own=row.proposed_by == viewer.login)


def _veto(row: VetoRow, viewer: Viewer) -> VetoView:
    return VetoView(**_shared(row, "cap"), cap=_centi(row.cap) or "", own=row.reported_by == viewer.login)


def _shared(row: CalibrationRow | VetoRow | AppealRow, *but: str) -> dict[str, Any]:
    """Fields of a row that the page shows as they are."""
    return {name: getattr(row, name) for name in type(row).__slots__ if name not in ("department", *but)}


def _reward(row: RewardRow, catalogue: Catalogue) -> RewardView:
    return RewardView(
        indicator=row.indicator,
        **_names(catalogue, row.indicator),
        base_minor=row.base_minor,
        steps=row.steps,
        multiplier=decimal_text(1 + row.steps * Fraction(row.gain)),
        minor=row.minor,
        gates=sorted(row.gates),
    )


def _adjustment(row: PeriodAdjustment, catalogue: Catalogue, *, money: bool) -> PeriodAdjustmentView:
    places = getattr(_indicator(catalogue, row.indicator), "places", 2)
    before, after = row.before, row.after
    return PeriodAdjustmentView(
        employee=row.employee,
        name=row.name,
        department=row.department,
        period=row.period,
        posted_to=row.posted_to,
        indicator=row.indicator,
        **_names(catalogue, row.indicator),
        cause=row.cause,
        value_from=None if before.value is None else decimal_text(Fraction(before.value), places),
        value_to=None if after.value is None else decimal_text(Fraction(after.value), places),
        points_from=None if before.points is None else decimal_text(Fraction(before.points, MICRO)),
        points_to=None if after.points is None else decimal_text(Fraction(after.points, MICRO)),
        total_from=_centi(before.total),
        total_to=_centi(after.total),
        total=_centi(row.total),
        money_minor=row.money_minor if money else None,
        computed_ms=row.computed_ms,
    )


def _closing(row: PeriodClosing) -> PeriodClosingView:
    return PeriodClosingView(
        department=row.department,
        closed_ms=row.closed_ms,
        closed_by=row.closed_by,
        appeal_until_ms=row.appeal_until_ms,
        people=row.summary["people"],
        accepted=row.summary["accepted"],
        provisional=row.summary["provisional"],
    )


def _payroll(row: PayRow, position: PositionNames) -> PayrollScoreView:
    card = row.card
    return PayrollScoreView(
        employee=card.employee,
        name=card.name,
        department=card.department,
        position=card.position,
        position_name=position(card.position),
        version=card.version,
        computed=_centi(card.computed),
        adjustment=_centi(card.adjustment) or "",
        veto_cap=_centi(card.veto_cap),
        final=_centi(card.final),
        grade=card.grade,
        provisional=bool(card.provisional),
        reward_minor=card.reward_minor,
        adjustments_minor=row.carried_minor,
        payable_minor=row.payable_minor,
    )


def _indicator(catalogue: Catalogue, name: str) -> Indicator | None:
    return max((one for one in catalogue.indicators if one.id == name), key=lambda one: one.starts, default=None)


def _names(catalogue: Catalogue, name: str) -> dict[str, str]:
    found = _indicator(catalogue, name)
    return {"name_zh": found.name_zh if found else name, "name_en": found.name_en if found else name}


def _centi(value: int | None) -> str | None:
    return None if value is None else decimal_text(Fraction(value, CENTI))
