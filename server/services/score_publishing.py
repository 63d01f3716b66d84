"""A closed card: what was computed, with what people added and limited; and the same as the engine reads it."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.calibration import Calibration
from server.scoring.catalogue import Catalogue
from server.scoring.final import final
from server.scoring.restatement import ClosedCard, ClosedPart
from server.scoring.rewards import RewardRule, rewards
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import IndicatorScore, NoScore, Observed, Total
from server.scoring.veto import Veto, VetoKind
from server.services.score_rewards import reward_row, rule_of
from server.store import period_queries
from server.store.period_queries import CalibrationRow, ClosedRow, PartRow, VetoRow
from server.store.score_queries import ScoreRow
from shared.clock import WallMs


def judged(row: ClosedRow, calibration: CalibrationRow | None, vetoes: Sequence[VetoRow]) -> ClosedRow:
    """The card with an approved calibration and confirmed vetoes: total, calibration, veto, grade, in this order."""
    made = None
    if calibration is not None:
        approved_by = calibration.decided_by or ""
        made = Calibration(calibration.points, calibration.reason, calibration.proposed_by, approved_by)
    limits = [Veto(cast(VetoKind, one.kind), one.evidence, one.cap) for one in vetoes]
    found = final(Total(row.computed, Fraction(*row.coverage)), made, limits)
    return replace(
        row,
        calibration=None if calibration is None else calibration.id,
        adjustment=0 if calibration is None else calibration.points,
        vetoes=tuple(one.id for one in vetoes),
        veto_cap=min((one.cap for one in vetoes), default=None),
        final=found.centi,
        grade=found.grade,
    )


def rewarded(row: ClosedRow, rules: Sequence[RewardRule], catalogue: Catalogue) -> ClosedRow:
    """The card with its rewards."""
    found = rewards(rules, closed_card(row, catalogue).scores)
    return replace(row, rewards=tuple(map(reward_row, found)), reward_minor=sum(one.minor for one in found))


def closed_card(row: ClosedRow, catalogue: Catalogue) -> ClosedCard:
    """A closed card as it can be computed again, with the versions it was made with."""
    parts = tuple(_part(one, catalogue) for one in row.parts)
    return ClosedCard(row.period, parts, tuple(rule_of(one) for one in row.rewards))


async def publish_again(connection: AsyncConnection, row: ClosedRow, cause: str, at_ms: WallMs) -> ClosedRow:
    """A further version of a closed card, with the calibration and vetoes that stand now; the computed total stays."""
    calibration, vetoes = await standing(connection, row.employee, row.period)
    again = judged(replace(row, version=row.version + 1, cause=cause, published_ms=at_ms), calibration, vetoes)
    await period_queries.add_cards(connection, [again])
    return again


async def standing(
    connection: AsyncConnection, employee: str, period: str
) -> tuple[CalibrationRow | None, list[VetoRow]]:
    """The approved calibration and the confirmed vetoes of a card."""
    calibrations = await period_queries.calibrations_of(connection, employee, period)
    return standing_of(employee, calibrations, await period_queries.vetoes_of(connection, employee, period))


def standing_of(
    employee: str, calibrations: Sequence[CalibrationRow], vetoes: Sequence[VetoRow]
) -> tuple[CalibrationRow | None, list[VetoRow]]:
    """Those of one person of a period's, newest first."""
    approved = [one for one in calibrations if one.employee == employee and one.state == "approved"]
    confirmed = [one for one in vetoes if one.employee == employee and one.state == "confirmed"]
    return approved[0] if approved else None, confirmed


def _part(part: PartRow, catalogue: Catalogue) -> ClosedPart:
    scores = {}
    for row in part.scores:
        definition = catalogue.version(row.indicator, row.lineage.rule_version)
        if definition is not None:
            seen = Observed(row.lineage.numerator, row.lineage.denominator, row.sample)
            reason = cast(NoScore | None, row.no_score)
            scores[row.indicator] = IndicatorScore(definition, seen, row.points, reason, row.lineage.target)
    return ClosedPart((part.last - part.first).days + 1, scores, _weights(part.scores))


def _weights(scores: Sequence[ScoreRow]) -> PeriodWeights:
    whole = max((row.lineage.weight[1] for row in scores), default=1)
    versions = tuple(dict.fromkeys(name for row in scores for name in row.lineage.weight_sets))
    return PeriodWeights({row.indicator: row.lineage.weight[0] for row in scores}, whole, versions)
