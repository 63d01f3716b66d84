"""Notices: where they go, when, and what became of them."""

from typing import cast

from fastapi import APIRouter

from server.access.scope import Scope
from server.api.answers.names import names
from server.api.context import CallerDep, Context, ContextDep
from server.api.guards import NoticeWriter, requires
from server.api.views.notices import (
    ChannelBody,
    ChannelView,
    Language,
    NoticesView,
    NoticeView,
    SavedView,
    ScheduleBody,
    ScheduleView,
    TestView,
)
from server.notices.schedule import EVENT, Every, Timing, next_due
from server.notices.secrets_file import Secret, SecretsFile
from server.services import notices
from server.services.notices import ChannelEdit, ScheduleEdit
from server.store import notice_queries, people_queries
from server.store.notice_queries import ChannelRow, ScheduleRow

router = APIRouter(prefix="/api", tags=["notices"])

NEWEST = 50


@router.get("/notices", dependencies=[requires("notices.write")])
async def read_notices(context: ContextDep) -> NoticesView:
    """Channels, schedules, and the newest notices with what became of them."""
    secrets = SecretsFile(context.config.data).read()
    async with context.db.reading() as connection:
        channels = await notice_queries.channel_rows(connection)
        schedules = await notice_queries.schedule_rows(connection)
        newest = await notice_queries.newest_notices(connection, NEWEST)
        departments = await people_queries.department_names(connection, Scope.system())
    return NoticesView(
        mail=context.config.mail is not None,
        zone=context.config.zone.key,
        channels=[_channel(row, secrets.get(row.id)) for row in channels],
        schedules=[_schedule(row, context) for row in schedules],
        notices=[NoticeView.model_validate(row) for row in newest],
        departments=names(departments),
    )


@router.post("/notices/channels", status_code=201)
async def add_channel(viewer: NoticeWriter, context: ContextDep, caller: CallerDep, body: ChannelBody) -> SavedView:
    """A new channel."""
    edit = _channel_edit(body)
    number = await notices.put_channel(context.db, context.config, viewer.login, None, edit, caller=caller)
    return SavedView(id=number)


@router.post("/notices/channels/{channel}")
async def change_channel(
    viewer: NoticeWriter, context: ContextDep, caller: CallerDep, channel: int, body: ChannelBody
) -> SavedView:
    """Change a channel; its kind stays, an address or key that is left out too."""
    edit = _channel_edit(body)
    number = await notices.put_channel(context.db, context.config, viewer.login, channel, edit, caller=caller)
    return SavedView(id=number)


@router.post("/notices/channels/{channel}/test")
async def try_channel(
    viewer: NoticeWriter, context: ContextDep, caller: CallerDep, channel: int, language: Language = "zh-CN"
) -> TestView:
    """Send a test at once, and say what became of it."""
    error = await notices.send_test(context.db, context.config, viewer.login, channel, language, caller=caller)
    return TestView(error=error)


@router.post("/notices/schedules", status_code=201)
async def add_schedule(viewer: NoticeWriter, context: ContextDep, caller: CallerDep, body: ScheduleBody) -> SavedView:
    """A new schedule."""
    return SavedView(id=await notices.put_schedule(context.db, viewer.login, None, _schedule_edit(body), caller=caller))


@router.post("/notices/schedules/{schedule}")
async def change_schedule(
    viewer: NoticeWriter, context: ContextDep, caller: CallerDep, schedule: int, body: ScheduleBody
) -> SavedView:
    """Change a schedule; what would have been due before now is not sent."""
    return SavedView(
        id=await notices.put_schedule(context.db, viewer.login, schedule, _schedule_edit(body), caller=caller)
    )


def _channel_edit(body: ChannelBody) -> ChannelEdit:
    return ChannelEdit(body.kind, body.name, tuple(body.recipients), body.url, body.key, body.disabled)


def _schedule_edit(body: ScheduleBody) -> ScheduleEdit:
    timing = None if body.every == "event" else Timing(body.every, body.day, body.at)
    return ScheduleEdit(body.report, body.channel, timing, body.language, tuple(body.departments), body.disabled)


def _channel(row: ChannelRow, secret: Secret | None) -> ChannelView:
    tail, has_key = (secret.tail, secret.key is not None) if secret is not None else ("", False)
    shown = {"id": row.id, "kind": row.kind, "name": row.name, "recipients": row.recipients, "disabled": row.disabled}
    return ChannelView.model_validate(
        {**shown, "recipients": list(row.recipients), "address_tail": tail, "has_key": has_key}
    )


def _schedule(row: ScheduleRow, context: Context) -> ScheduleView:
    due_ms = None
    if not row.disabled and row.every != EVENT:
        timing = Timing(cast(Every, row.every), row.day, row.at)
        due_ms = next_due(timing, context.clocks.wall_ms(), context.config.zone)
    names_ = ("id", "report", "channel", "every", "day", "at", "language", "disabled")
    shown = {name: getattr(row, name) for name in names_}
    return ScheduleView.model_validate({**shown, "departments": list(row.departments), "next_ms": due_ms})
