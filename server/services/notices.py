"""Channels and schedules of notices, and sending them: each once, by one process, tried again when it fails."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.config import ServerConfig
from server.notices import mail, outgoing, robots
from server.notices.mail import Attachment, check_recipients
from server.notices.outgoing import NotSentError, check_address
from server.notices.robots import LIMITS, ROBOTS, Message, Robot
from server.notices.schedule import (
    CATCH_UP_MS,
    EVENT,
    LEASE_MS,
    MOST_ATTEMPTS,
    Every,
    Timing,
    check_timing,
    newest_due,
    retry_delay_ms,
)
from server.notices.secrets_file import Secret, SecretsFile
from server.reports.columns import Language
from server.reports.words import label
from server.services import appeal_notices, notice_text
from server.services.accounts import Caller
from server.services.appeal_notices import HAPPENINGS, SETTLED_MS
from server.services.notice_text import SUBJECTS, Told
from server.store import fleet_queries, log_queries, notice_queries, people_queries, user_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.notice_queries import ChannelRow, NoticeRow, ScheduleRow
from server.store.scope_filter import ALL, Narrow
from shared.clock import Clocks, WallMs
from shared.errors import ConfigError, DataError, MusterError

LOOK_S = 5.0
"""Between two looks for what is due."""
BATCH = 50
MINUTE_MS = 60_000
ALARM = "notice_failed"
ACTOR = "muster"
PEOPLE_NAME = "本人邮件 / Own mail"
NOBODY = "no_address"
"""Code of a notice for people none of whom has an e-mail address."""
EMAIL = "email"
PEOPLE = "people"
"""Kind of a channel that mails those whom something is about, each at the own address."""

log = structlog.get_logger("server.notices")


@dataclass(frozen=True, slots=True)
class ChannelEdit:
    """A channel as it shall be; ``url`` and ``key`` of a robot stay as they are where they are None."""

    kind: str
    name: str
    recipients: tuple[str, ...] = ()
    url: str | None = None
    key: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleEdit:
    """A schedule as it shall be; no departments are all. No timing: each time it happens."""

    report: str
    channel: int
    timing: Timing | None
    language: Language = "zh-CN"
    departments: tuple[str, ...] = ()
    disabled: bool = False


# --- settings -------------------------------------------------------------------------------------------------------


async def put_channel(
    db: Database, config: ServerConfig, actor: str, channel: int | None, edit: ChannelEdit, *, caller: Caller
) -> int:
    """Add or change a channel; DataError for what does not fit, NotFoundError when it is not there."""
    if not edit.name.strip() or not edit.name.isprintable():
        raise DataError("name: expected a name such as HR group", "channel_name")
    secrets = SecretsFile(config.data)
    if edit.kind == EMAIL:
        check_recipients(edit.recipients)
    elif edit.kind != PEOPLE:
        if edit.kind not in ROBOTS:
            raise DataError(f"kind {edit.kind!r}: expected {EMAIL}, {PEOPLE}, {', '.join(ROBOTS)}", "channel_kind")
        if edit.url is not None:
            check_address(edit.kind, edit.url, config.notices.allowed)
        elif channel is None:
            raise DataError("address: a robot needs its webhook address", "robot_address")
    async with db.writing() as connection:
        number = await notice_queries.put_channel(
            connection,
            channel,
            kind=edit.kind,
            name=edit.name.strip(),
            recipients=edit.recipients if edit.kind == EMAIL else (),
            disabled=edit.disabled,
        )
        if number is None:
            raise NotFoundError(f"channel {channel} is not there")
        if edit.kind in ROBOTS and (edit.url is not None or edit.key is not None):
            former = secrets.read().get(number)
            url = edit.url or (former.url if former else None)
            if url is None:
                raise DataError("address: a robot needs its webhook address", "robot_address")
            key = edit.key if edit.key is not None else former.key if former else None
            secrets.put(number, Secret(url, key or None))
        action = "notice.channel.add" if channel is None else "notice.channel.change"
        detail: log_queries.Detail = {"name": edit.name, "disabled": edit.disabled, "recipients": list(edit.recipients)}
        await log_queries.append(connection, _entry(actor, action, str(number), caller, detail))
    return number


async def put_schedule(db: Database, actor: str, schedule: int | None, edit: ScheduleEdit, *, caller: Caller) -> int:
    """Add or change a schedule; what would have been due before now is not sent."""
    if edit.timing is not None:
        check_timing(edit.timing)
    if edit.report not in SUBJECTS:
        raise DataError(f"report {edit.report!r}: expected one of {', '.join(SUBJECTS)}", "report")
    async with db.writing() as connection:
        kind = {row.id: row.kind for row in await notice_queries.channel_rows(connection)}.get(edit.channel)
        if kind is None:
            raise DataError(f"channel {edit.channel} is not there; add it first", "channel")
        _check_happening(edit, kind)
        if unknown := set(edit.departments) - set(await user_queries.department_parents(connection)):
            raise DataError(f"department {', '.join(sorted(unknown))} does not exist", "department")
        timing = _kept(edit.timing) | {"from_ms": caller.at_ms}
        values = {"report": edit.report, "channel": edit.channel, "language": edit.language, "actor": actor, **timing}
        number = await notice_queries.put_schedule(
            connection, schedule, {**values, "departments": list(edit.departments), "disabled": edit.disabled}
        )
        if number is None:
            raise NotFoundError(f"schedule {schedule} is not there")
        action = "notice.schedule.add" if schedule is None else "notice.schedule.change"
        detail: log_queries.Detail = {"report": edit.report, "channel": edit.channel, "disabled": edit.disabled}
        await log_queries.append(connection, _entry(actor, action, str(number), caller, detail))
    return number


async def provide(db: Database, config: ServerConfig, now_ms: WallMs) -> None:
    """Once mail can be sent: the channel to those concerned, and what it tells of. What HR turns off stays off."""
    if config.mail is None:
        return
    async with db.writing() as connection:
        await notice_queries.hold(connection)
        if any(row.kind == PEOPLE for row in await notice_queries.channel_rows(connection)):
            return
        channel = await notice_queries.put_channel(
            connection, None, kind=PEOPLE, name=PEOPLE_NAME, recipients=(), disabled=False
        )
        assert channel is not None  # noqa: S101  (a new one has a number)
        about = {"channel": channel, "language": "zh-CN", "departments": [], "actor": ACTOR, "disabled": False}
        for report in HAPPENINGS:
            values = about | _kept(None) | {"report": report, "from_ms": now_ms}
            await notice_queries.put_schedule(connection, None, values)
        caller = Caller("", "", now_ms)
        await log_queries.append(
            connection, _entry(ACTOR, "notice.channel.add", str(channel), caller, {"kind": PEOPLE})
        )


async def send_test(
    db: Database, config: ServerConfig, actor: str, channel: int, language: Language, *, caller: Caller
) -> str | None:
    """Send a test now; the code of what went wrong, None when it went out."""
    async with db.reading() as connection:
        found = _channel(await notice_queries.channel_rows(connection), channel)
        if found.kind == PEOPLE:
            user = await user_queries.user_by_login(connection, actor)
            own = {user.employee} if user is not None and user.employee is not None else set[str]()
            addresses = await people_queries.mail_addresses(connection, Scope.system(), own)
            found = replace(found, recipients=tuple(addresses))
    message = Message(
        label("test_title", language), label("test_text", language), config.http.address or None, "Muster"
    )
    error = await _deliver(config, found, message, None, caller.at_ms)
    async with db.writing() as connection:
        detail: log_queries.Detail = {"error": error}
        await log_queries.append(connection, _entry(actor, "notice.test", str(channel), caller, detail))
    return error


# --- sending --------------------------------------------------------------------------------------------------------


async def run(db: Database, config: ServerConfig, clocks: Clocks) -> None:
    """Send what is due for the life of the process, beside the work that must not wait for others' servers."""
    await provide(db, config, clocks.wall_ms())
    while True:
        await send_due(db, config, clocks.wall_ms())
        await asyncio.sleep(LOOK_S)


async def send_due(db: Database, config: ServerConfig, now_ms: WallMs) -> int:
    """Make what is due and try what is open; how many were tried. Safe in several processes at once."""
    await _make_due(db, config, now_ms)
    async with db.reading() as connection:
        waiting = await notice_queries.open_notices(connection, now_ms, BATCH)
        channels = {row.id: row for row in await notice_queries.channel_rows(connection)}
        schedules = {row.id: row for row in await notice_queries.schedule_rows(connection)}
        parents = await user_queries.department_parents(connection)
        tried = {
            channel: await notice_queries.tried_since(connection, channel, now_ms - MINUTE_MS)
            for channel in {notice.channel for notice in waiting}
        }
    done = 0
    for notice in waiting:
        if tried[notice.channel] >= _per_minute(channels[notice.channel]):
            continue  # the next look takes it
        tried[notice.channel] += 1
        schedule = schedules[notice.schedule]
        narrow = Narrow(with_those_below(schedule.departments, parents)) if schedule.departments else ALL
        told = Told(schedule.report, notice.due_ms, cast(Language, schedule.language), narrow)
        done += await _try(db, config, notice, channels[notice.channel], told, now_ms=now_ms)
    return done


async def _make_due(db: Database, config: ServerConfig, now_ms: WallMs) -> None:
    async with db.reading() as connection:
        schedules = await notice_queries.schedule_rows(connection)
        off = {row.id for row in await notice_queries.channel_rows(connection) if row.disabled}
        due = [
            (row.id, due_ms)
            for row in schedules
            if not row.disabled and row.channel not in off
            for due_ms in await _instants(connection, row, now_ms, config.zone)
        ]
    if due:
        async with db.writing() as connection:
            for schedule, due_ms in due:
                await notice_queries.make_due(connection, schedule, due_ms, now_ms)


async def _instants(connection: AsyncConnection, schedule: ScheduleRow, now_ms: WallMs, zone: ZoneInfo) -> list[WallMs]:
    since_ms = max(schedule.from_ms, now_ms - CATCH_UP_MS)
    if schedule.every == EVENT:
        return await appeal_notices.instants(connection, schedule.report, since_ms, now_ms - SETTLED_MS)
    due_ms = newest_due(Timing(cast(Every, schedule.every), schedule.day, schedule.at), now_ms, zone)
    return [due_ms] if due_ms >= since_ms else []


async def _try(
    db: Database, config: ServerConfig, notice: NoticeRow, channel: ChannelRow, told: Told, *, now_ms: WallMs
) -> bool:
    async with db.writing() as connection:
        attempts = await notice_queries.claim_notice(connection, notice.id, now_ms, now_ms + LEASE_MS)
    if attempts is None:
        return False
    try:
        if channel.kind == PEOPLE:
            async with db.reading() as connection:
                people = await appeal_notices.concerned(connection, told.report, told.due_ms)
            channel = replace(channel, recipients=tuple(people))
        message = await notice_text.message(db, config, told)
        attached = await notice_text.attachment(db, config, told) if channel.kind == EMAIL else None
        error = await _deliver(config, channel, message, attached, now_ms)
    except MusterError:
        log.exception("notice_failed", notice=notice.id)
        error = "internal"
    await _finish(db, (notice, channel), attempts, error, now_ms)
    return True


async def _finish(
    db: Database, tried: tuple[NoticeRow, ChannelRow], attempts: int, error: str | None, now_ms: WallMs
) -> None:
    notice, channel = tried
    taken = error in (None, mail.SOME)
    given_up = not taken and (attempts >= MOST_ATTEMPTS or error == NOBODY)
    state = "sent" if taken else "failed" if given_up else "open"
    next_ms = now_ms if taken else now_ms + retry_delay_ms(attempts)
    sent_ms = now_ms if taken else None
    async with db.writing() as connection:
        await notice_queries.finish_notice(connection, notice.id, state, error, next_ms=next_ms, sent_ms=sent_ms)
        if error is None:
            await fleet_queries.clear_alarms(connection, [ALARM], channel.name, now_ms)
            return
        if error == mail.SOME or (given_up and error != NOBODY):
            await fleet_queries.raise_alarm(connection, ALARM, channel.name, {"error": error}, now_ms)
    log.warning("notice_not_sent", notice=notice.id, channel=channel.id, error=error, attempts=attempts)


async def _deliver(
    config: ServerConfig, channel: ChannelRow, message: Message, attached: Attachment | None, now_ms: WallMs
) -> str | None:
    """Code of what went wrong; None when it was taken."""
    try:
        if channel.kind in (EMAIL, PEOPLE):
            return await _mail(config, channel, message, attached, now_ms)
        robot = cast(Robot, channel.kind)
        secret = SecretsFile(config.data).read().get(channel.id)
        if secret is None:
            return "robot_address"
        post = robots.post(robot, secret.url, secret.key, message, now_ms)
        answer = await outgoing.send(robot, post, config.notices.allowed)
        return robots.problem(robot, answer.status, answer.body)
    except (NotSentError, DataError) as error:
        return error.code
    except ConfigError as error:
        log.warning("notice_setting", reason=str(error))
        return "setting"


async def _mail(
    config: ServerConfig, channel: ChannelRow, message: Message, attached: Attachment | None, now_ms: WallMs
) -> str | None:
    if config.mail is None:
        return "mail_not_set"
    if not channel.recipients:
        return NOBODY
    text = f"{message.text}\n\n{message.link}\n" if message.link else f"{message.text}\n"
    apart, at_s = channel.kind == PEOPLE, now_ms / 1000
    composed = mail.compose(
        config.mail, channel.recipients, message.title, text, attachment=attached, at_s=at_s, apart=apart
    )
    await mail.send(config.mail, composed)
    return None


def _per_minute(channel: ChannelRow) -> int:
    return BATCH if channel.kind in (EMAIL, PEOPLE) else LIMITS[cast(Robot, channel.kind)].per_minute


def _check_happening(edit: ScheduleEdit, kind: str) -> None:
    """What happens goes to those concerned, each time and whoever they are; what is counted to groups, by the clock."""
    if edit.report in HAPPENINGS:
        if kind != PEOPLE or edit.timing is not None or edit.departments:
            why = f"{edit.report}: expected a channel of kind {PEOPLE}, {EVENT} as its time, and no departments"
            raise DataError(why, "happening", {"field": "report"})
    elif kind == PEOPLE or edit.timing is None:
        why = f"{edit.report}: expected a time, and a channel of another kind than {PEOPLE}"
        raise DataError(why, "happening", {"field": "report"})


def _kept(timing: Timing | None) -> dict[str, Any]:
    if timing is None:
        return {"every": EVENT, "day": None, "at": ""}
    return {"every": timing.every, "day": timing.day, "at": timing.at}


def _channel(rows: Sequence[ChannelRow], channel: int) -> ChannelRow:
    found = next((row for row in rows if row.id == channel), None)
    if found is None:
        raise NotFoundError(f"channel {channel} is not there")
    return found


def _entry(actor: str, action: str, subject: str, caller: Caller, detail: log_queries.Detail) -> Entry:
    return Entry(caller.at_ms, actor, action, subject, "done", caller.ip, caller.request_id, detail)
