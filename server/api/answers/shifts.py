"""Shift library, patterns, groups and policies."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec

from server.access.viewer import Viewer
from server.api.answers.attendance import zone_of
from server.api.context import Context
from server.api.views.shifts import (
    AttendanceGroupView,
    FlexView,
    GroupsView,
    MembersView,
    MemberView,
    PatternBody,
    PatternsView,
    PatternView,
    PoliciesView,
    PolicyPreviewView,
    PolicyVersionView,
    ProblemView,
    SettingChangeView,
    ShiftBody,
    ShiftCheckView,
    ShiftsView,
    ShiftUsageView,
    ShiftView,
)
from server.attendance.facts import Flex, ShiftPlan
from server.attendance.policy import DEFAULT
from server.attendance.policy_settings import NAMES
from server.rosters.pattern import Pattern
from server.rosters.shift import LibraryShift, net_min
from server.services.groups import PolicyPreview
from server.services.rosters import TOPIC
from server.services.shifts import ShiftCheck
from server.store import change_queries, group_queries, shift_queries
from server.store.shift_queries import PatternRow
from shared.clock import from_ms


async def shifts(context: Context) -> ShiftsView:
    """The library, and how often each shift is planned."""
    async with context.db.reading() as connection:
        library = await shift_queries.library(connection)
        usage = await shift_queries.usage(connection)
        version = await change_queries.newest_change(connection, TOPIC)
    rows = []
    for place, shift in enumerate(library.values()):
        used = usage.get(shift.id)
        span = {"first_on": used.first if used else None, "last_on": used.last if used else None}
        rows.append(ShiftUsageView(**dict(shift_view(shift, place)), days=used.days if used else 0, **span))
    return ShiftsView(shifts=rows, version=version)


async def patterns(context: Context) -> PatternsView:
    """All patterns and the groups that plan by them."""
    async with context.db.reading() as connection:
        rows = await shift_queries.pattern_rows(connection)
        groups = await group_queries.group_rows(connection)
    return PatternsView(
        patterns=[
            PatternView(
                id=row.id,
                name_zh=row.name_zh,
                name_en=row.name_en,
                kind=row.pattern.kind,
                days=[list(day) for day in row.pattern.days],
                by_calendar=row.pattern.by_calendar,
                groups=[group.id for group in groups if group.pattern == row.id],
            )
            for row in rows.values()
        ]
    )


async def groups(context: Context, viewer: Viewer) -> GroupsView:
    """All groups, with how many in scope are in them today."""
    async with context.db.reading() as connection:
        zone = await zone_of(connection, viewer, context.config.zone)
        today = from_ms(context.clocks.wall_ms()).astimezone(zone).date()
        counts = await group_queries.member_counts(connection, viewer.scope, today)
        rows = await group_queries.group_rows(connection)
        version = await change_queries.newest_change(connection, TOPIC)
    return GroupsView(
        groups=[AttendanceGroupView(**dataclasses.asdict(row), people=counts.get(row.id, 0)) for row in rows],
        version=version,
    )


async def members(context: Context, viewer: Viewer, group: str) -> MembersView:
    """Who in scope is in a group when."""
    async with context.db.reading() as connection:
        rows = await group_queries.member_rows(connection, viewer.scope, group)
    return MembersView(members=[MemberView.model_validate(row) for row in rows])


async def policies(context: Context) -> PoliciesView:
    """Every version of every policy, and the defaults."""
    async with context.db.reading() as connection:
        versions = await group_queries.policy_versions(connection)
    defaults: dict[str, Any] = msgspec.to_builtins(DEFAULT)
    return PoliciesView(
        versions=[PolicyVersionView.model_validate(version) for version in versions],
        defaults={name: defaults[name] for name in NAMES},
    )


def shift_of(body: ShiftBody) -> LibraryShift:
    """The shift that was told."""
    flex = Flex(body.flex.earliest, body.flex.latest, body.flex.span_min) if body.flex else None
    plan = ShiftPlan(body.id, body.start, body.end, tuple((one[0], one[1]) for one in body.breaks), flex)
    return LibraryShift(plan, body.name_zh.strip(), body.name_en.strip(), (body.code or "").strip() or None)


def shift_view(shift: LibraryShift, place: int) -> ShiftView:
    """A shift; its colour is its place in the library."""
    plan = shift.plan
    flex = FlexView.model_validate(plan.flex) if plan.flex else None
    return ShiftView(
        id=shift.id,
        name_zh=shift.name_zh,
        name_en=shift.name_en,
        start=plan.start,
        end=plan.end,
        breaks=[list(pair) for pair in plan.breaks],
        flex=flex,
        code=shift.label,
        retired=shift.retired,
        net_min=net_min(plan),
        colour=place,
    )


def check_view(found: ShiftCheck) -> ShiftCheckView:
    """What saving a shift would touch."""
    return ShiftCheckView(
        problems=problem_views(found.problems),
        people=found.people,
        days=found.days,
        closed=found.closed,
        overlaps=found.overlaps,
        copy_id=found.copy_id,
    )


def problem_views(problems: Sequence[Any]) -> list[ProblemView]:
    """What is wrong with which field."""
    return [ProblemView.model_validate(problem) for problem in problems]


def pattern_of(body: PatternBody) -> PatternRow:
    """The pattern that was told."""
    days = tuple(tuple(day) for day in body.days)
    return PatternRow(body.id, body.name_zh.strip(), body.name_en.strip(), Pattern(body.kind, days, body.by_calendar))


def policy_preview(found: PolicyPreview) -> PolicyPreviewView:
    """What publishing would change."""
    changes = [SettingChangeView(name=name, before=old, after=new) for name, (old, new) in found.changes.items()]
    return PolicyPreviewView(
        changes=changes, people=found.people, days=found.days, until=found.until, closed=found.closed
    )
