"""Rewards in steps, and the settings of periods of scores."""

from typing import Annotated

from fastapi import APIRouter, Query

from server.api.answers import score_rewards as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import ScoreCloser, ScoresReader, requires
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.score_periods import centi_of
from server.api.views.score_rewards import (
    RewardBasesView,
    RewardBaseView,
    RewardsView,
    RewardTierBody,
    ScoreSettingsBody,
    ScoreSettingsView,
)
from server.services import score_rewards, score_settings
from server.services.act import Act
from server.services.score_settings import APPEAL_DAYS, CYCLE, VETO_CAP
from server.store.reward_queries import BaseRow, TierRow

router = APIRouter(prefix="/api", tags=["score rewards"])


@router.get("/score-settings", dependencies=[requires("scores.close")])
async def score_settings_(context: ContextDep) -> ScoreSettingsView:
    """Days to appeal, the cap of a veto, cycles of departments; beside them grades and the limit of a calibration."""
    return await answers.settings(context)


@router.put("/score-settings")
async def put_score_settings(
    viewer: ScoreCloser, context: ContextDep, caller: CallerDep, body: ScoreSettingsBody
) -> ScoreSettingsView:
    """Change them."""
    values: dict[str, int | str] = {APPEAL_DAYS: body.appeal_days, VETO_CAP: centi_of(body.veto_cap)}
    async with context.db.reading() as connection:
        known = await score_settings.cycles(connection)
    own = {f"{CYCLE}{name}": cycle for name, cycle in body.cycles.items() if known.get(name) != cycle}
    await score_settings.put_settings(context.db, Act(viewer, caller), {**values, **own})
    return await answers.settings(context)


@router.get("/score-rewards")
async def score_rewards_(viewer: ScoresReader, context: ContextDep) -> RewardsView:
    """Steps of indicators, each from a day on, with their gates."""
    return await answers.rewards(context, viewer)


@router.post("/score-rewards/tiers", status_code=204)
async def put_reward_tier(viewer: ScoreCloser, context: ContextDep, caller: CallerDep, body: RewardTierBody) -> None:
    """Set the steps of an indicator from a day on, with a base amount where it pays nobody yet."""
    row = TierRow(body.indicator, body.starts, body.step, body.gain, body.max_steps, body.gates)
    own = body.base
    base = None if own is None else BaseRow(body.indicator, own.kind, own.unit, body.starts, own.base_minor)
    await score_rewards.put_tier(context.db, Act(viewer, caller), row, base)


@router.get("/score-rewards/bases")
async def reward_bases(
    *,
    viewer: ScoresReader,
    context: ContextDep,
    caller: CallerDep,
    indicator: Annotated[Id | None, Query()] = None,
    page: PageDep,
) -> RewardBasesView:
    """Base amounts of posts and of people in scope, the newest of each first; amounts for who sets them."""
    return await answers.bases(context, Act(viewer, caller), indicator, page)


@router.post("/score-rewards/bases", status_code=204)
async def put_reward_base(viewer: ScoreCloser, context: ContextDep, caller: CallerDep, body: RewardBaseView) -> None:
    """Set a base amount from a day on; 0 ends it."""
    row = BaseRow(body.indicator, body.kind, body.unit, body.starts, body.base_minor)
    await score_rewards.put_base(context.db, Act(viewer, caller), row)
