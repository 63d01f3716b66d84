"""Commands to terminals, when they were sent, and what became of them. No row but a list of users is about a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.tables import assignments, command_users, commands, gateways
from server.store.upsert import insert_into
from shared.clock import WallMs
from shared.wire import ChangeResult, Command, DirectoryUser, Result, UserChange

OPEN = ("open", "waiting")


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command and how far it is."""

    id: bytes
    terminal: str
    changes: tuple[UserChange, ...]
    actor: str
    created_ms: WallMs
    expires_ms: WallMs
    sent_ms: WallMs | None
    outcome: str
    message: str
    result_ms: WallMs | None
    results: tuple[ChangeResult, ...]


async def add_command(connection: AsyncConnection, command: Command, actor: str, at_ms: WallMs) -> None:
    """Add a command that is sent as soon as its gateway listens."""
    values = {"id": command.id, "terminal": command.terminal, "changes": msgspec.to_builtins(command.changes)}
    times = {"created_ms": at_ms, "expires_ms": command.expires_ms}
    row = commands.insert().values(**values, **times, actor=actor, outcome="open", message="", results=[])
    await connection.execute(row)


async def due_commands(
    connection: AsyncConnection, now_ms: WallMs, unanswered_since_ms: WallMs, limit: int
) -> list[tuple[str, Command]]:
    """Open commands with the active gateway of their terminal, oldest first: never sent, or not answered for long."""
    belongs = and_(assignments.c.terminal == commands.c.terminal, assignments.c.to_ms.is_(None))
    joined = commands.join(assignments, belongs).join(gateways, gateways.c.id == assignments.c.gateway)
    sent_ms = commands.c.sent_ms
    which = (
        commands.c.outcome.in_(OPEN),
        commands.c.expires_ms >= now_ms,
        or_(sent_ms.is_(None), sent_ms < unanswered_since_ms),
        gateways.c.status == "active",
    )
    columns = (assignments.c.gateway, commands.c.id, commands.c.terminal, commands.c.expires_ms, commands.c.changes)
    wanted = select(*columns).select_from(joined).where(*which).order_by(commands.c.created_ms, commands.c.id)
    return [
        (
            row.gateway,
            Command(id=row.id, terminal=row.terminal, expires_ms=row.expires_ms, changes=_changes(row.changes)),
        )
        for row in await connection.execute(wanted.limit(limit))
    ]


async def mark_sent(connection: AsyncConnection, ids: Sequence[bytes], at_ms: WallMs) -> None:
    """Remember when these were sent last."""
    await connection.execute(update(commands).where(commands.c.id.in_(ids)).values(sent_ms=at_ms))


async def send_again(connection: AsyncConnection, gateway: str) -> None:
    """Its open commands are sent anew: a gateway that greets may have forgotten them."""
    mine = select(assignments.c.terminal).where(assignments.c.gateway == gateway, assignments.c.to_ms.is_(None))
    which = (commands.c.outcome.in_(OPEN), commands.c.sent_ms.is_not(None), commands.c.terminal.in_(mine))
    await connection.execute(update(commands).where(*which).values(sent_ms=None))


async def overdue(connection: AsyncConnection, before_ms: WallMs) -> bool:
    """Whether there are open commands that expired before then."""
    return await connection.scalar(select(commands.c.id).where(*_overdue(before_ms)).limit(1)) is not None


async def expire(connection: AsyncConnection, before_ms: WallMs, at_ms: WallMs) -> int:
    """End open commands that expired before then and that no gateway answered; how many."""
    message = "its time was over and no gateway had answered"
    values = {"outcome": "expired", "message": message, "result_ms": at_ms}
    return (await connection.execute(update(commands).where(*_overdue(before_ms)).values(**values))).rowcount


async def keep_result(connection: AsyncConnection, result: Result, at_ms: WallMs) -> bool:
    """Store one part of a result; False for a command that is not there. What is final stays as it is."""
    known = (commands.c.id == result.id, commands.c.terminal == result.terminal)
    row = (await connection.execute(select(commands.c.outcome).where(*known).with_for_update())).first()
    if row is None:
        return False
    if row.outcome not in OPEN:
        return True
    values: dict[str, Any] = {"message": result.message, "result_ms": at_ms}
    if result.outcome == "done":
        await _keep_users(connection, result)
        which = select(func.count()).where(command_users.c.command == result.id)
        complete = (await connection.scalar(which) or 0) >= result.parts
        values |= {"outcome": "done" if complete else row.outcome}
        if complete:
            await _forget_lists(connection, result)
    else:
        values |= {"outcome": result.outcome}
    if result.part == 0 and result.outcome != "waiting":
        values |= {"results": msgspec.to_builtins(result.changes)}
    await connection.execute(update(commands).where(*known).values(**values))
    return True


async def command_rows(connection: AsyncConnection, terminal: str | None, limit: int) -> list[CommandRow]:
    """Commands, newest first; only those of one terminal where it is given."""
    which = select(commands).order_by(commands.c.created_ms.desc(), commands.c.id).limit(limit)
    rows = await connection.execute(which if terminal is None else which.where(commands.c.terminal == terminal))
    return [_row(row) for row in rows]


async def commands_by_id(connection: AsyncConnection, ids: Sequence[bytes]) -> dict[bytes, CommandRow]:
    """Those of these ids that are there."""
    rows = await connection.execute(select(commands).where(commands.c.id.in_(ids)))
    return {row.id: _row(row) for row in rows}


async def newest_list(connection: AsyncConnection, terminal: str) -> tuple[WallMs, list[DirectoryUser]] | None:
    """Who was enrolled at a terminal when it was last looked at, and when; None before the first time."""
    done = (commands.c.terminal == terminal, commands.c.outcome == "done")
    newest = select(commands.c.id, commands.c.result_ms).where(*done)
    row = (await connection.execute(newest.order_by(commands.c.result_ms.desc()).limit(1))).first()
    if row is None:
        return None
    parts = select(command_users.c.users).where(command_users.c.command == row.id).order_by(command_users.c.part)
    users = [user for part in await connection.scalars(parts) for user in part]
    return row.result_ms, msgspec.convert(users, list[DirectoryUser])


async def _forget_lists(connection: AsyncConnection, result: Result) -> None:
    """Only the newest list of a terminal is kept: it is about people, and the older ones are of no use."""
    older = select(commands.c.id).where(
        commands.c.terminal == result.terminal, commands.c.outcome == "done", commands.c.id != result.id
    )
    await connection.execute(delete(command_users).where(command_users.c.command.in_(older)))


async def _keep_users(connection: AsyncConnection, result: Result) -> None:
    values = {"command": result.id, "part": result.part, "users": msgspec.to_builtins(result.users)}
    statement = insert_into(connection, command_users).values(**values)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["command", "part"], set_={"users": statement.excluded.users})
    )


def _overdue(before_ms: WallMs) -> Sequence[ColumnElement[bool]]:
    return (commands.c.outcome.in_(OPEN), commands.c.expires_ms < before_ms)


def _changes(found: object) -> list[UserChange]:
    return msgspec.convert(found, list[UserChange])


def _row(row: Row[Any]) -> CommandRow:
    return CommandRow(
        row.id,
        row.terminal,
        tuple(_changes(row.changes)),
        row.actor,
        row.created_ms,
        row.expires_ms,
        row.sent_ms,
        row.outcome,
        row.message,
        row.result_ms,
        tuple(msgspec.convert(row.results, list[ChangeResult])),
    )
