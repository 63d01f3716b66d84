"""Channels, schedules and notices. They are the company's, so no scope narrows them; pages ask with a permission."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.notice_tables import notice_channels, notice_schedules, notices
from server.store.upsert import insert_into
from shared.clock import WallMs

SETUP_LOCK = 7_006
"""Advisory lock on PostgreSQL of whoever sets up the channel that ships."""


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """Where notices go; a robot's address is not here."""

    id: int
    kind: str
    name: str
    recipients: tuple[str, ...]
    disabled: bool


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """What is told when; ``departments`` are all when there are none."""

    id: int
    report: str
    channel: int
    every: str
    day: int | None
    at: str
    language: str
    departments: tuple[str, ...]
    actor: str
    disabled: bool
    from_ms: WallMs


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One that is or was due."""

    id: int
    schedule: int
    channel: int
    report: str
    due_ms: WallMs
    state: str
    attempts: int
    next_ms: WallMs
    error: str | None
    sent_ms: WallMs | None


async def hold(connection: AsyncConnection) -> None:
    """No other process sets channels up before this transaction ends."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(SETUP_LOCK)))


async def channel_rows(connection: AsyncConnection) -> list[ChannelRow]:
    """All channels by name."""
    rows = await connection.execute(select(notice_channels).order_by(notice_channels.c.name, notice_channels.c.id))
    return [ChannelRow(row.id, row.kind, row.name, tuple(row.recipients), row.disabled) for row in rows]


async def put_channel(
    connection: AsyncConnection,
    channel: int | None,
    *,
    kind: str,
    name: str,
    recipients: Sequence[str],
    disabled: bool,
) -> int | None:
    """Number of the channel that was added, or changed (its kind stays); None when there is none of that number."""
    values = {"name": name, "recipients": list(recipients), "disabled": disabled}
    number = notice_channels.c.id
    found: int | None
    if channel is None:
        found = await connection.scalar(notice_channels.insert().values(kind=kind, **values).returning(number))
    else:
        same = (number == channel, notice_channels.c.kind == kind)
        found = await connection.scalar(update(notice_channels).where(*same).values(**values).returning(number))
    return found


async def schedule_rows(connection: AsyncConnection) -> list[ScheduleRow]:
    """All schedules in the order they were made."""
    return [
        _schedule(row) for row in await connection.execute(select(notice_schedules).order_by(notice_schedules.c.id))
    ]


async def put_schedule(connection: AsyncConnection, schedule: int | None, values: dict[str, Any]) -> int | None:
    """Number of the schedule that was added or changed; None when there is none of that number."""
    number = notice_schedules.c.id
    found: int | None
    if schedule is None:
        found = await connection.scalar(notice_schedules.insert().values(values).returning(number))
    else:
        changed = update(notice_schedules).where(number == schedule).values(values)
        found = await connection.scalar(changed.returning(number))
    return found


async def make_due(connection: AsyncConnection, schedule: int, due_ms: WallMs, now_ms: WallMs) -> None:
    """One notice for a schedule and instant, however often and by however many processes it is asked for."""
    values = {"schedule": schedule, "due_ms": due_ms, "state": "open", "attempts": 0, "next_ms": now_ms}
    row = insert_into(connection, notices).values(**values)
    await connection.execute(row.on_conflict_do_nothing(index_elements=["schedule", "due_ms"]))


async def open_notices(connection: AsyncConnection, now_ms: WallMs, limit: int) -> list[NoticeRow]:
    """Notices to be tried now, longest due first."""
    wanted = _notices().where(notices.c.state == "open", notices.c.next_ms <= now_ms)
    return [NoticeRow(*row) for row in await connection.execute(wanted.order_by(notices.c.next_ms).limit(limit))]


async def tried_since(connection: AsyncConnection, channel: int, since_ms: WallMs) -> int:
    """How many notices of a channel were tried after an instant."""
    joined = notices.join(notice_schedules, notice_schedules.c.id == notices.c.schedule)
    which = (notice_schedules.c.channel == channel, notices.c.tried_ms > since_ms)
    return await connection.scalar(select(func.count()).select_from(joined).where(*which)) or 0


async def claim_notice(connection: AsyncConnection, notice: int, now_ms: WallMs, until_ms: WallMs) -> int | None:
    """How many attempts there are with this one; None when another process has it or it is done."""
    free = (notices.c.id == notice, notices.c.state == "open", notices.c.next_ms <= now_ms)
    taken = update(notices).where(*free)
    taken = taken.values(attempts=notices.c.attempts + 1, next_ms=until_ms, tried_ms=now_ms)
    attempts: int | None = await connection.scalar(taken.returning(notices.c.attempts))
    return attempts


async def finish_notice(
    connection: AsyncConnection, notice: int, state: str, error: str | None, *, next_ms: WallMs, sent_ms: WallMs | None
) -> None:
    """What became of an attempt."""
    values = {"state": state, "error": error, "next_ms": next_ms, "sent_ms": sent_ms}
    await connection.execute(update(notices).where(notices.c.id == notice).values(values))


async def newest_notices(connection: AsyncConnection, limit: int) -> list[NoticeRow]:
    """Newest first."""
    rows = await connection.execute(_notices().order_by(notices.c.due_ms.desc(), notices.c.id.desc()).limit(limit))
    return [NoticeRow(*row) for row in rows]


def _notices() -> Any:
    joined = notices.join(notice_schedules, notice_schedules.c.id == notices.c.schedule)
    row, plan = notices.c, notice_schedules.c
    columns = [row.id, row.schedule, plan.channel, plan.report, row.due_ms, row.state, row.attempts]
    return select(*columns, row.next_ms, row.error, row.sent_ms).select_from(joined)


def _schedule(row: Row[Any]) -> ScheduleRow:
    return ScheduleRow(
        id=row.id,
        report=row.report,
        channel=row.channel,
        every=row.every,
        day=row.day,
        at=row.at,
        language=row.language,
        departments=tuple(row.departments),
        actor=row.actor,
        disabled=row.disabled,
        from_ms=row.from_ms,
    )
