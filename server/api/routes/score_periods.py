"""Periods of scores: closing, calibration, grave events, appeals, export."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from server.access.scope import Scope
from server.api.answers import score_periods as answers
from server.api.answers.narrowing import narrow_to
from server.api.context import CallerDep, ContextDep
from server.api.guards import (
    OwnAsker,
    OwnReader,
    PayrollReader,
    ScoreCloser,
    ScoreJudge,
    ScoresReader,
    whom,
)
from server.api.paging import PageDep
from server.api.routes.reports import sent
from server.api.views.base import Id
from server.api.views.score_periods import (
    AppealAnswerBody,
    AppealBody,
    AppealsView,
    CalibrationBody,
    CalibrationsView,
    ClosePeriodBody,
    MadeView,
    PayrollScoresView,
    PeriodAdjustmentsView,
    PeriodCardsView,
    PeriodDetailView,
    PeriodsView,
    PublishedCardView,
    SecondBody,
    VetoBody,
    VetoesView,
    centi_of,
)
from server.reports.columns import Language
from server.reports.words import title
from server.services import score_judging as judging
from server.services import score_periods as periods
from server.services.act import Act
from server.services.report_files import Setting
from server.services.score_export import score_file
from server.services.score_judging import Reported
from server.store import log_queries
from server.store.log_queries import Entry

router = APIRouter(prefix="/api", tags=["score periods"])

PERIOD = r"^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2]|Q[1-4])$"
PeriodPath = Annotated[str, Path(pattern=PERIOD)]


# --- periods --------------------------------------------------------------------------------------------------------


@router.get("/score-periods")
async def score_periods(viewer: ScoresReader, context: ContextDep) -> PeriodsView:
    """Periods with scores in scope, newest first, and how many cards of each are published."""
    return await answers.period_list(context, viewer)


@router.get("/score-periods/{period}")
async def score_period(
    *, viewer: ScoresReader, context: ContextDep, period: PeriodPath, department: Id | None = None
) -> PeriodDetailView:
    """A period's checklist for the people in scope, its closings, how the grades fall."""
    return await answers.period(context, viewer, period, department)


@router.post("/score-periods/{period}/close")
async def close_score_period(
    *, viewer: ScoreCloser, context: ContextDep, caller: CallerDep, period: PeriodPath, body: ClosePeriodBody
) -> PeriodDetailView:
    """Publish the cards of a period, of a department or of everybody; what comes later is an adjustment."""
    act = Act(viewer, caller)
    await periods.close_period(context.db, act, period, body.department, accepted=body.accepted)
    return await answers.period(context, viewer, period, body.department)


@router.get("/score-periods/{period}/cards")
async def score_period_cards(
    *, viewer: ScoresReader, context: ContextDep, period: PeriodPath, department: Id | None = None, page: PageDep
) -> PeriodCardsView:
    """Cards by name: computed total, adjustment, veto, final score and grade apart."""
    return await answers.cards(context, viewer, period, department, page)


@router.get("/score-periods/{period}/cards/{employee}")
async def published_card(
    *, viewer: OwnReader, context: ContextDep, caller: CallerDep, period: PeriodPath, employee: Id
) -> PublishedCardView:
    """What was published of a person's period and what came of it; ``employee`` may be ``me``."""
    about = whom(viewer, employee, others="scores.read")
    return await answers.published_card(context, Act(viewer, caller), about, period)


@router.get("/score-periods/{period}/adjustments")
async def score_period_adjustments(
    *,
    viewer: ScoresReader,
    context: ContextDep,
    caller: CallerDep,
    period: PeriodPath,
    department: Id | None = None,
    by: Literal["posted", "of"] = "posted",
    page: PageDep,
) -> PeriodAdjustmentsView:
    """What late facts of closed periods change, posted to the period, or ``of`` its own cards."""
    act = Act(viewer, caller)
    return await answers.adjustments(context, act, period, department, posted=by == "posted", page=page)


@router.get("/score-periods/{period}/file", response_class=StreamingResponse)
async def score_period_file(
    *,
    viewer: ScoresReader,
    context: ContextDep,
    caller: CallerDep,
    period: PeriodPath,
    department: Id | None = None,
    format: Literal["xlsx", "csv"] = "xlsx",  # noqa: A002  (as in reports)
    language: Language = "zh-CN",
) -> StreamingResponse:
    """Closed cards in scope as a workbook or as CSV; money only for who closes periods. The operation log keeps it."""
    async with context.db.reading() as connection:
        narrow = await narrow_to(connection, department)
    setting = Setting(caller.at_ms, context.config.zone, language, context.config.company)
    money = viewer.may("scores.close")
    file = await score_file(context.db, viewer.scope, period, narrow, setting, kind=format, money=money)
    detail = {"format": format, "department": department, "money": money}
    async with context.db.writing() as connection:
        entry = Entry(caller.at_ms, viewer.login, "scores.export", period, "done", caller.ip, caller.request_id, detail)
        await log_queries.append(connection, entry)
    return sent(file, f"{title('scores', language)}-{period}.{format}", f"scores-{period}")


@router.get("/v1/payroll/scores/{period}")
async def payroll_scores(
    *, client: PayrollReader, context: ContextDep, caller: CallerDep, period: PeriodPath, page: PageDep
) -> PayrollScoresView:
    """Everybody's closed period, by id: final score, reward, what earlier periods changed, and their sum."""
    found = await answers.payroll_scores(context, Scope.system(), period, page)
    detail = {"limit": page.limit, "offset": page.offset}
    async with context.db.writing() as connection:
        entry = Entry(
            caller.at_ms, client.actor, "payroll.scores", period, "done", caller.ip, caller.request_id, detail
        )
        await log_queries.append(connection, entry)
    return found


# --- calibrations and grave events ----------------------------------------------------------------------------------


@router.get("/score-periods/{period}/calibrations")
async def score_calibrations(viewer: ScoreJudge, context: ContextDep, period: PeriodPath) -> CalibrationsView:
    """Proposals of a period in scope, newest first."""
    return await answers.calibrations(context, viewer, period)


@router.post("/score-periods/{period}/calibrations", status_code=201)
async def propose_calibration(
    *, viewer: ScoreJudge, context: ContextDep, caller: CallerDep, period: PeriodPath, body: CalibrationBody
) -> MadeView:
    """Propose -10 to +10 points for an open card, with a reason; another person approves."""
    act, points = Act(viewer, caller), centi_of(body.points)
    made = await judging.propose(context.db, act, body.employee, period, points=points, reason=body.reason)
    return MadeView(id=made)


@router.post("/score-calibrations/{calibration}/decide", status_code=204)
async def decide_calibration(
    viewer: ScoreJudge, context: ContextDep, caller: CallerDep, calibration: int, body: SecondBody
) -> None:
    """Approve what another person proposed, or refuse it."""
    act = Act(viewer, caller)
    await judging.decide_calibration(context.db, act, calibration, approve=body.approve, note=body.note)


@router.post("/score-calibrations/{calibration}/withdraw", status_code=204)
async def withdraw_calibration(viewer: ScoreJudge, context: ContextDep, caller: CallerDep, calibration: int) -> None:
    """Take one's own proposal back."""
    await judging.withdraw_calibration(context.db, Act(viewer, caller), calibration)


@router.get("/score-periods/{period}/vetoes")
async def score_vetoes(viewer: ScoreJudge, context: ContextDep, period: PeriodPath) -> VetoesView:
    """Grave events of a period in scope, newest first."""
    return await answers.vetoes(context, viewer, period)


@router.post("/score-periods/{period}/vetoes", status_code=201)
async def report_veto(
    *, viewer: ScoreJudge, context: ContextDep, caller: CallerDep, period: PeriodPath, body: VetoBody
) -> MadeView:
    """Report a grave event with its evidence; another person confirms."""
    cap = None if body.cap is None else centi_of(body.cap)
    told = Reported(body.employee, period, body.kind, body.evidence, cap)
    return MadeView(id=await judging.report_veto(context.db, Act(viewer, caller), told))


@router.post("/score-vetoes/{veto}/decide", status_code=204)
async def decide_veto(viewer: ScoreJudge, context: ContextDep, caller: CallerDep, veto: int, body: SecondBody) -> None:
    """Confirm what another person reported, or refuse it."""
    await judging.decide_veto(context.db, Act(viewer, caller), veto, confirm=body.approve, note=body.note)


# --- appeals --------------------------------------------------------------------------------------------------------


@router.get("/score-appeals")
async def score_appeals(
    *,
    viewer: ScoreJudge,
    context: ContextDep,
    period: Annotated[str | None, Query(pattern=PERIOD)] = None,
    page: PageDep,
) -> AppealsView:
    """Appeals of people in scope, open ones first."""
    return await answers.appeals(context, viewer, period, page)


@router.post("/score-appeals/{appeal}/decide")
async def decide_appeal(
    viewer: ScoreJudge, context: ContextDep, caller: CallerDep, appeal: int, body: AppealAnswerBody
) -> MadeView:
    """Decide about an appeal with a note; ``changed`` waits for a second person."""
    points = None if body.points is None else centi_of(body.points)
    act = Act(viewer, caller)
    return MadeView(id=await judging.decide_appeal(context.db, act, appeal, body.answer, body.note, points=points))


@router.post("/me/score-periods/{period}/appeals", status_code=201)
async def appeal_own_card(
    *, viewer: OwnAsker, context: ContextDep, caller: CallerDep, period: PeriodPath, body: AppealBody
) -> MadeView:
    """Appeal one's own published card, or one indicator of it."""
    return MadeView(id=await judging.appeal(context.db, Act(viewer, caller), period, body.text, body.indicator))


@router.post("/me/score-appeals/{appeal}/withdraw", status_code=204)
async def withdraw_appeal(viewer: OwnAsker, context: ContextDep, caller: CallerDep, appeal: int) -> None:
    """Take one's own appeal back."""
    await judging.withdraw_appeal(context.db, Act(viewer, caller), appeal)
