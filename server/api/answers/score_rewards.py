"""Rewards in steps and the settings of periods, as pages show them."""

from fractions import Fraction

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.names import names, position_names
from server.api.context import Context
from server.api.paging import Page
from server.api.views.base import NameView
from server.api.views.score_rewards import (
    RewardBaseRowView,
    RewardBasesView,
    RewardIndicatorView,
    RewardsView,
    RewardTierView,
    ScoreSettingsView,
    ShippedTierView,
)
from server.scoring.calibration import MOST
from server.scoring.indicator import in_force
from server.scoring.numbers import CENTI, CentiPoints, decimal_text
from server.scoring.scorecard import GRADES
from server.scoring.tier import DEFAULT_TIERS
from server.services.act import Act
from server.services.pay_reads import note_read
from server.services.scheme_rules import catalogue_in_force
from server.services.score_settings import APPEAL_DAYS, VETO_CAP, cycles, number
from server.store import people_queries, post_queries, reward_queries
from server.store.reward_queries import BaseRow
from shared.clock import from_ms


async def settings(context: Context) -> ScoreSettingsView:
    """As they are."""
    async with context.db.reading() as connection:
        return ScoreSettingsView(
            appeal_days=await number(connection, APPEAL_DAYS),
            veto_cap=_points(await number(connection, VETO_CAP)),
            cycles=await cycles(connection),
            grades={letter: _points(least) for letter, least in GRADES},
            calibration_most=_points(MOST),
            departments=names(await people_queries.department_names(connection, Scope.system())),
        )


async def rewards(context: Context, viewer: Viewer) -> RewardsView:
    """Steps by indicator and day, and what they can be set for."""
    today = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone).date()
    async with context.db.reading() as connection:
        catalogue = await catalogue_in_force(connection)
        tiers = await reward_queries.tiers(connection)
        paid = await reward_queries.paid_indicators(connection, today)
        positions = await post_queries.position_rows(connection)
    newest = (in_force(catalogue.indicators, name, today) for name in sorted({one.id for one in catalogue.indicators}))
    return RewardsView(
        today=today,
        may_write=viewer.may("scores.close"),
        tiers=[RewardTierView.model_validate(one) for one in tiers],
        shipped=[
            ShippedTierView(indicator=name, step=str(one.step), gain=str(one.gain), max_steps=one.max_steps)
            for name, one in DEFAULT_TIERS.items()
        ],
        paid=paid,
        indicators=[
            RewardIndicatorView(id=one.id, name_zh=one.name_zh, name_en=one.name_en, unit=one.unit)
            for one in newest
            if one is not None and one.better == "up"
        ],
        positions=[NameView(id=one.id, name_zh=one.name_zh, name_en=one.name_en) for one in positions.values()],
    )


async def bases(context: Context, act: Act, indicator: str | None, page: Page) -> RewardBasesView:
    """A page of base amounts; the amounts themselves for who sets them, and the operation log keeps who saw them."""
    today = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone).date()
    money = act.viewer.may("scores.close")
    async with context.db.reading() as connection:
        total, rows = await reward_queries.bases_in_scope(
            connection, act.scope, indicator, today, limit=page.limit, offset=page.offset, pay=money
        )
        position = await position_names(connection)
    if money:
        await note_read(context.db, act, "scores.read_bases", indicator or "", (_payee(row.base) for row in rows))
    return RewardBasesView(
        total=total,
        rows=[
            RewardBaseRowView(
                indicator=row.base.indicator,
                kind="person" if row.base.kind == "person" else "position",
                unit=position(row.base.unit)
                if row.name is None
                else NameView(id=row.base.unit, name_zh=row.name, name_en=row.name),
                starts=row.base.starts,
                base_minor=row.base.base_minor if money else None,
                holds=row.holds,
            )
            for row in rows
        ],
    )


def _payee(base: BaseRow) -> str:
    """Whose a base amount is; a position is told from a person of the same id."""
    return base.unit if base.kind == "person" else f"position/{base.unit}"


def _points(centi: CentiPoints) -> str:
    return decimal_text(Fraction(centi, CENTI))
