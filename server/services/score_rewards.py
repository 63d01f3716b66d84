"""Rewards in steps: who has which base amount for which indicator, and from what day on (KS-8)."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.catalogue import Catalogue
from server.scoring.indicator import Indicator, in_force
from server.scoring.rewards import GateRule, Reward, RewardRule
from server.scoring.tier import DEFAULT_TIERS, RewardTier, check_tier
from server.services.act import Act
from server.services.scheme_rules import catalogue_in_force
from server.store import log_queries, period_queries, reward_queries, score_queries, target_queries
from server.store.database import Database
from server.store.period_queries import RewardRow
from server.store.reward_queries import BaseRow, TierRow
from server.store.score_queries import Post
from shared.errors import DataError

MOST_MINOR = 10**12


@dataclass(frozen=True, slots=True)
class RewardBook:
    """All tiers and bases, to be asked for."""

    tiers: Sequence[TierRow]
    bases: Sequence[BaseRow]

    def rules(self, employee: str, post: Post, day: dt.date) -> tuple[RewardRule, ...]:
        """What somebody is paid for by indicator on a day: an own base comes before that of the post."""
        found = []
        for indicator in sorted({one.indicator for one in self.bases}):
            base = self._base(indicator, "person", employee, day)
            base = self._base(indicator, "position", post.position, day) if base is None else base
            tier, gates = self.tier(indicator, day)
            if base and tier is not None:
                found.append(RewardRule(indicator, tier, base, gates))
        return tuple(found)

    def _base(self, indicator: str, kind: str, unit: str, day: dt.date) -> int | None:
        own = [one for one in self.bases if (one.indicator, one.kind, one.unit) == (indicator, kind, unit)]
        started = [one for one in own if one.starts <= day]
        return max(started, key=lambda one: one.starts).base_minor if started else None

    def tier(self, indicator: str, day: dt.date) -> tuple[RewardTier | None, tuple[GateRule, ...]]:
        """Steps and gates of an indicator on a day: the defaults until a company sets some."""
        started = [one for one in self.tiers if one.indicator == indicator and one.starts <= day]
        if not started:
            return DEFAULT_TIERS.get(indicator), ()
        row = max(started, key=lambda one: one.starts)
        return RewardTier(Fraction(row.step), Fraction(row.gain), row.max_steps), gates_of(row.gates)


async def reward_book(connection: AsyncConnection) -> RewardBook:
    """As it is stored."""
    return RewardBook(await reward_queries.tiers(connection), await reward_queries.bases(connection))


def gates_of(gates: Mapping[str, str | None]) -> tuple[GateRule, ...]:
    """Gates as they are kept."""
    return tuple(GateRule(name, None if least is None else Fraction(least)) for name, least in sorted(gates.items()))


def reward_row(reward: Reward) -> RewardRow:
    """A reward as it is kept with a closed card."""
    rule = reward.rule
    gates = {gate.indicator: None if gate.least is None else str(gate.least) for gate in rule.gates}
    return RewardRow(
        rule.indicator,
        rule.base_minor,
        str(rule.tier.step),
        str(rule.tier.gain),
        rule.tier.max_steps,
        gates,
        reward.steps,
        reward.minor,
    )


def rule_of(row: RewardRow) -> RewardRule:
    """The rule that a kept reward was made by."""
    tier = RewardTier(Fraction(row.step), Fraction(row.gain), row.max_steps)
    return RewardRule(row.indicator, tier, row.base_minor, gates_of(row.gates))


async def put_tier(db: Database, act: Act, row: TierRow, base: BaseRow | None = None) -> None:
    """Set the steps of an indicator from a day on, and with them, where given, a base amount of the same day.

    DataError with field and reason for what does not fit; ``tier_base_missing`` when nobody would be paid by it,
    ``gate_target_missing`` with the gate that waits for a target nobody has.
    """
    RewardTier(_number(row.step, "step"), _number(row.gain, "gain"), row.max_steps)
    async with db.writing() as connection:
        catalogue = await catalogue_in_force(connection)
        check_tier(_indicator(catalogue, row.indicator, row.starts, "indicator"))
        targeted = await target_queries.targeted(connection, row.starts)
        for name, least in row.gates.items():
            _check_gate(_indicator(catalogue, name, row.starts, "gates"), least, targeted, row.starts)
        paid = row.indicator in await reward_queries.paid_indicators(connection, row.starts)
        if not paid and (base is None or not base.base_minor):
            why = f"tier of {row.indicator}: it has no base amount on {row.starts}; give one with the steps"
            raise DataError(why, "tier_base_missing", {"field": "base"})
        await reward_queries.put_tier(connection, row, actor=act.login, at_ms=act.at_ms)
        entry = act.entry("scores.reward_tier", row.indicator, starts=row.starts.isoformat(), gates=sorted(row.gates))
        await log_queries.append(connection, entry)
        if base is not None:
            await _put_base(connection, act, base)


async def put_base(db: Database, act: Act, row: BaseRow) -> None:
    """Set a base amount from a day on; the log keeps whose, never how much."""
    async with db.writing() as connection:
        catalogue = await catalogue_in_force(connection)
        check_tier(_indicator(catalogue, row.indicator, row.starts, "indicator"))
        if (await reward_book(connection)).tier(row.indicator, row.starts)[0] is None:
            raise DataError(f"reward of {row.indicator}: set its steps first", "tier_missing", {"field": "indicator"})
        await _put_base(connection, act, row)


async def _put_base(connection: AsyncConnection, act: Act, row: BaseRow) -> None:
    if not 0 <= row.base_minor <= MOST_MINOR:
        raise DataError(f"base {row.base_minor}: expected 0 to {MOST_MINOR}", "reward", {"field": "base_minor"})
    posts = await score_queries.everybody(connection)
    people = await period_queries.people_in_scope(connection, act.scope)
    known = people & posts.keys() if row.kind == "person" else {post.position for post in posts.values()}
    if row.unit not in known:
        raise DataError(f"no {row.kind} {row.unit!r}", "reward", {"field": "unit"})
    await reward_queries.put_base(connection, row, actor=act.login, at_ms=act.at_ms)
    subject = f"{row.indicator}/{row.kind}/{row.unit}"
    await log_queries.append(connection, act.entry("scores.reward_base", subject, starts=row.starts.isoformat()))


def _indicator(catalogue: Catalogue, name: str, day: dt.date, field: str) -> Indicator:
    found = in_force(catalogue.indicators, name, day) or next(
        (one for one in catalogue.indicators if one.id == name), None
    )
    if found is None:
        raise DataError(f"no indicator {name!r}", "tier", {"field": field})
    return found


def _check_gate(indicator: Indicator, least: str | None, targeted: Collection[str], day: dt.date) -> None:
    check_tier(indicator, "gates")
    if least is not None:
        _number(least, "gates")
    elif indicator.target is None and indicator.id not in targeted:
        why = f"gate {indicator.id}: it has no target on {day}; set one first (muster score targets) or a least value"
        raise DataError(why, "gate_target_missing", {"field": "gates", "indicator": indicator.id})


def _number(text: str, field: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"{field} {text!r}: expected an exact number", "tier", {"field": field}) from error
