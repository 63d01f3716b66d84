"""Shift library, patterns, attendance groups and their policies."""

from dataclasses import replace

from fastapi import APIRouter

from server.api.answers import shifts as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import RosterReader, ShiftWriter, requires
from server.api.views.base import Id
from server.api.views.shifts import (
    GroupBody,
    GroupsView,
    JoinBody,
    LaidOutDay,
    LaidOutView,
    LayOutBody,
    LeaveGroupBody,
    MembersView,
    PatternBody,
    PatternsView,
    PoliciesView,
    PolicyBody,
    PolicyPreviewView,
    RetireBody,
    ShiftBody,
    ShiftCheckView,
    ShiftsView,
    TouchedView,
    WithdrawBody,
)
from server.services import groups, shifts
from server.store.group_queries import GroupRow
from shared.errors import DataError

router = APIRouter(prefix="/api", tags=["shifts"])


# --- shifts ---------------------------------------------------------------------------------------------------------


@router.get("/shifts", dependencies=[requires("rosters.read")])
async def shift_library(context: ContextDep) -> ShiftsView:
    """Every shift, in order of start."""
    return await answers.shifts(context)


@router.post("/shifts/check", dependencies=[requires("shifts.write")])
async def check_shift(body: ShiftBody, context: ContextDep) -> ShiftCheckView:
    """What saving the shift would touch; nothing is saved."""
    return answers.check_view(await shifts.check_shift(context.db, answers.shift_of(body)))


@router.post("/shifts")
async def add_shift(body: ShiftBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep) -> ShiftCheckView:
    """Add a shift."""
    shift = answers.shift_of(body)
    return answers.check_view(await shifts.save_shift(context.db, viewer.login, shift, new=True, caller=caller))


@router.post("/shifts/{shift}")
async def change_shift(
    shift: Id, body: ShiftBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep
) -> ShiftCheckView:
    """Change a shift; its days in open months are computed again, closed months keep its times from changing."""
    told = answers.shift_of(body)
    told = replace(told, plan=replace(told.plan, id=shift))
    return answers.check_view(await shifts.save_shift(context.db, viewer.login, told, new=False, caller=caller))


@router.post("/shifts/{shift}/retire", status_code=204)
async def retire_shift(
    shift: Id, body: RetireBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep
) -> None:
    """Take a shift out of what can be planned, or back in."""
    await shifts.retire_shift(context.db, viewer.login, shift, retired=body.retired, caller=caller)


# --- patterns -------------------------------------------------------------------------------------------------------


@router.get("/patterns", dependencies=[requires("rosters.read")])
async def pattern_list(context: ContextDep) -> PatternsView:
    """All patterns."""
    return await answers.patterns(context)


@router.post("/patterns", status_code=204)
async def save_pattern(body: PatternBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep) -> None:
    """Add a pattern, or change the one of that id."""
    await shifts.save_pattern(context.db, viewer.login, answers.pattern_of(body), caller)


@router.post("/patterns/layout", dependencies=[requires("shifts.write")])
async def lay_out_pattern(body: LayOutBody, context: ContextDep) -> LaidOutView:
    """The pattern on the calendar, at most a year."""
    if not 0 <= (body.last - body.first).days <= 366:
        raise DataError(f"{body.first} to {body.last}: expected at most a year, in order", "span_length")
    row = answers.pattern_of(body.pattern)
    laid = await shifts.preview_pattern(context.db, row, body.anchor_on, body.first, body.last, site=body.site)
    return LaidOutView(days=[LaidOutDay(date=day, shifts=list(those)) for day, those in laid.items()])


@router.post("/patterns/{pattern}/drop", status_code=204)
async def drop_pattern(pattern: Id, viewer: ShiftWriter, context: ContextDep, caller: CallerDep) -> None:
    """Delete a pattern that no group plans by."""
    await shifts.drop_pattern(context.db, viewer.login, pattern, caller)


# --- groups ---------------------------------------------------------------------------------------------------------


@router.get("/attendance-groups")
async def attendance_groups(viewer: RosterReader, context: ContextDep) -> GroupsView:
    """All attendance groups."""
    return await answers.groups(context, viewer)


@router.post("/attendance-groups", status_code=204)
async def save_group(body: GroupBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep) -> None:
    """Add a group, or change the one of that id."""
    row = GroupRow(body.id, body.name_zh, body.name_en, body.pattern, body.anchor_on, None)
    await groups.save_group(context.db, viewer.login, row, caller)


@router.get("/attendance-groups/{group}/members")
async def group_members(group: Id, viewer: RosterReader, context: ContextDep) -> MembersView:
    """Who in scope is, was or will be in the group."""
    return await answers.members(context, viewer, group)


@router.post("/attendance-groups/{group}/members")
async def join_group(
    group: Id, body: JoinBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep
) -> TouchedView:
    """Take people into the group from a date on."""
    days = await groups.join_group(
        context.db, viewer.login, group, body.people, from_on=body.from_on, to_on=body.to_on, caller=caller
    )
    return TouchedView(days=days)


@router.post("/attendance-groups/{group}/members/end")
async def leave_group(
    group: Id, body: LeaveGroupBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep
) -> TouchedView:
    """Let people be in the group until a date."""
    days = await groups.leave_group(context.db, viewer.login, group, body.people, last=body.last, caller=caller)
    return TouchedView(days=days)


# --- policies -------------------------------------------------------------------------------------------------------


@router.get("/policies", dependencies=[requires("shifts.write")])
async def policy_list(context: ContextDep) -> PoliciesView:
    """Every version of every policy, and the defaults."""
    return await answers.policies(context)


@router.post("/policies/check", dependencies=[requires("shifts.write")])
async def check_policy(body: PolicyBody, context: ContextDep) -> PolicyPreviewView:
    """What publishing would change; nothing is published."""
    return answers.policy_preview(await groups.preview_policy(context.db, body.group, body.from_on, body.settings))


@router.post("/policies")
async def publish_policy(
    body: PolicyBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep
) -> PolicyPreviewView:
    """Publish settings from a date on."""
    about = (body.group, body.from_on, body.settings)
    return answers.policy_preview(await groups.publish_policy(context.db, viewer.login, *about, caller=caller))


@router.post("/policies/withdraw")
async def withdraw_policy(
    body: WithdrawBody, viewer: ShiftWriter, context: ContextDep, caller: CallerDep
) -> TouchedView:
    """Take a version back."""
    days = await groups.withdraw_policy(context.db, viewer.login, body.group, body.from_on, caller=caller)
    return TouchedView(days=days)
