"""Targets as pages show them."""

from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.names import names
from server.api.context import Context
from server.api.paging import Page
from server.api.views.base import NameView
from server.api.views.score_targets import (
    ScoreTargetFaultView,
    ScoreTargetFileView,
    ScoreTargetIndicatorView,
    ScoreTargetLineView,
    ScoreTargetsView,
    ScoreTargetView,
)
from server.scoring.indicator import Indicator, in_force
from server.scoring.target import EVERYBODY, Targets
from server.scoring.target_file import HEADS, TargetLine
from server.services import targets as service
from server.services.scheme_rules import catalogue_in_force
from server.store import people_queries, target_queries
from server.store.target_queries import ListedTarget
from shared.clock import from_ms


async def listed(context: Context, viewer: Viewer, indicator: str | None, q: str, page: Page) -> ScoreTargetsView:
    """A page of targets in scope."""
    today = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone).date()
    async with context.db.reading() as connection:
        known = await _indicators(connection, today)
        total, rows = await target_queries.targets_in_scope(
            connection, viewer.scope, today, indicator=indicator, q=q, limit=page.limit, offset=page.offset
        )
        departments = await people_queries.department_names(connection, viewer.scope)
    return ScoreTargetsView(
        today=today,
        may_write=viewer.may("scores.close"),
        total=total,
        rows=[_row(one, known) for one in rows],
        indicators=list(known.values()),
        departments=names(departments),
    )


async def checked(context: Context, scope: Scope, lines: list[TargetLine]) -> ScoreTargetFileView:
    """What a file would set, and its faults; nothing is stored."""
    today = from_ms(context.clocks.wall_ms()).astimezone(context.config.zone).date()
    async with context.db.reading() as connection:
        judged = await service.judge(connection, scope, lines)
        known = await _indicators(connection, today)
        people = await people_queries.names_of_people(connection, scope)
        departments = await people_queries.department_names(connection, scope)
        now = await target_queries.targets(connection)
        cards = await service.scorecards_of(connection, [one.target for one in judged if one.target is not None])
    units = {row.id: row for row in names(departments)}
    units |= {one: NameView(id=one, name_zh=name, name_en=name) for one, name in people.items()}
    if scope.everyone:
        units[EVERYBODY] = NameView(id=EVERYBODY, name_zh="", name_en="")
    faulty = sum(bool(one.faults) for one in judged)
    return ScoreTargetFileView(
        rows=[_line(one, known, units, now) for one in judged], faults=faulty, scorecards=0 if faulty else len(cards)
    )


async def _indicators(connection: AsyncConnection, today: date) -> dict[str, ScoreTargetIndicatorView]:
    """All indicators by id, as they are today or, before they begin, as they will be."""
    catalogue = await catalogue_in_force(connection)
    first = {one.id: one for one in reversed(catalogue.indicators)}
    found = (in_force(catalogue.indicators, name, today) or first[name] for name in sorted(first))
    return {one.id: _indicator(one) for one in found}


def _indicator(one: Indicator) -> ScoreTargetIndicatorView:
    return ScoreTargetIndicatorView(
        id=one.id,
        name_zh=one.name_zh,
        name_en=one.name_en,
        unit=one.unit,
        target=one.target,
        needed=one.target_needed and one.target is None,
        by_target=one.curve.kind in ("ratio", "ratio_pts"),
    )


def _row(one: ListedTarget, known: dict[str, ScoreTargetIndicatorView]) -> ScoreTargetView:
    target = one.target
    return ScoreTargetView(
        indicator=_name(target.indicator, known),
        kind=one.kind,
        unit=NameView(id=target.unit, name_zh=one.name_zh, name_en=one.name_en),
        starts=target.starts,
        target=target.target,
        measure=known[target.indicator].unit if target.indicator in known else "",
        set_by=one.set_by,
        set_ms=one.set_ms,
        holds=one.holds,
    )


def _name(indicator: str, known: dict[str, ScoreTargetIndicatorView]) -> NameView:
    found = known.get(indicator)
    zh, en = (indicator, indicator) if found is None else (found.name_zh, found.name_en)
    return NameView(id=indicator, name_zh=zh, name_en=en)


def _line(
    one: TargetLine, known: dict[str, ScoreTargetIndicatorView], units: dict[str, NameView], now: Targets
) -> ScoreTargetLineView:
    indicator, unit, *_ = one.told
    target = one.target
    seen = target is not None and unit in units
    return ScoreTargetLineView(
        line=one.line,
        indicator=_name(indicator, known) if indicator in known else None,
        unit=units.get(unit),
        told=dict(zip(HEADS, one.told, strict=True)),
        starts=None if target is None else target.starts,
        measure=known[indicator].unit if indicator in known else "",
        before=now.of(indicator, [unit], target.starts) if target is not None and seen else None,
        faults=[ScoreTargetFaultView(field=bad.field, code=bad.code, reason=bad.reason) for bad in one.faults],
    )
