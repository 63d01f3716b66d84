"""The employee directory at terminals: ask who is enrolled, compare, write, tell what became of it."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.people.directory import Difference, Step, Wanted, compare
from server.store import command_queries, fleet_queries, people_queries
from server.store.command_queries import OPEN, CommandRow
from server.store.database import Database
from server.store.fleet_queries import TerminalRow
from server.store.log_queries import Entry, append
from shared.clock import WallMs, from_ms
from shared.errors import ConfigError
from shared.wire import MAX_CHANGES, Command, DirectoryUser

EXPIRES_MS = 14 * 24 * 3_600_000
"""How long a terminal may stay away before a command to it is given up."""
ASK_EXPIRES_MS = 3_600_000
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Compared:
    """One terminal and what is to do there; ``difference`` is None while nobody knows who is enrolled."""

    terminal: TerminalRow
    listed_ms: WallMs | None
    difference: Difference | None


async def chosen(db: Database, *, terminal: str | None, group: str | None) -> list[TerminalRow]:
    """The terminal of that serial number or name, or all of that group; ConfigError when there is none."""
    async with db.reading() as connection:
        rows = [row for row in await fleet_queries.terminal_rows(connection) if row.kind == "terminal"]
    if (terminal is None) == (group is None):
        raise ConfigError("name either one terminal or a group of terminals")
    if terminal is not None:
        found = [row for row in rows if terminal == row.serial] or [row for row in rows if terminal == row.name]
    else:
        found = [row for row in rows if row.user_group == group]
    if not found:
        what = f"terminal {terminal!r}" if terminal is not None else f"terminal of group {group!r}"
        raise ConfigError(f"there is no {what}; `muster server terminals list` shows all with their groups")
    return found


async def ask_lists(db: Database, actor: str, terminals: Sequence[TerminalRow], now_ms: WallMs) -> list[bytes]:
    """Ask terminals who is enrolled; ids of the commands. Terminals without a gateway are left out."""
    asked = []
    async with db.writing() as connection:
        for row in terminals:
            if row.gateway is None:
                continue
            command = Command(id=secrets.token_bytes(16), terminal=row.serial, expires_ms=now_ms + ASK_EXPIRES_MS)
            await command_queries.add_command(connection, command, actor, now_ms)
            asked.append(command.id)
        for row in terminals:
            await append(connection, Entry(now_ms, actor, "directory.list", row.serial))
    return asked


async def answers(db: Database, ids: Sequence[bytes], wait_s: float) -> dict[bytes, CommandRow]:
    """What became of these commands: once all are final, or as it is when the time is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        async with db.reading() as connection:
            rows = await command_queries.commands_by_id(connection, ids)
        if loop.time() >= until or all(row.outcome not in OPEN for row in rows.values()):
            return rows
        await asyncio.sleep(LOOK_S)


async def enrolled(db: Database, scope: Scope, terminal: str) -> tuple[WallMs, list[DirectoryUser]] | None:
    """Who was enrolled at a terminal when it was last looked at; NotFoundError outside the scope.

    A list holds people of every department and strangers too, so only who sees everyone sees it.
    """
    if not scope.everyone:
        raise NotFoundError(f"terminal {terminal}")
    async with db.reading() as connection:
        return await command_queries.newest_list(connection, terminal)


async def differences(
    db: Database, scope: Scope, terminals: Sequence[TerminalRow], zone: ZoneInfo, now_ms: WallMs
) -> list[Compared]:
    """Each terminal's list compared with the people of its group in scope; ``zone`` says what day it is."""
    if not scope.everyone:
        raise NotFoundError("the directory")
    today = from_ms(now_ms).astimezone(zone).date()
    found = []
    async with db.reading() as connection:
        for row in terminals:
            numbers = await people_queries.number_rows(connection, scope, row.user_group)
            wanted = [Wanted(n.user_code, n.name, n.left_on is None or n.left_on >= today) for n in numbers]
            listed = await command_queries.newest_list(connection, row.serial)
            difference = None if listed is None else compare(wanted, listed[1])
            found.append(Compared(row, None if listed is None else listed[0], difference))
    return found


async def apply(db: Database, actor: str, compared: Sequence[Compared], now_ms: WallMs) -> list[bytes]:
    """Have the differences written; ids of the commands. Each waits up to 14 days for its terminal."""
    sent: list[bytes] = []
    todo = [
        (one.terminal.serial, one.difference.steps)
        for one in compared
        if one.difference is not None and one.difference.steps and one.terminal.gateway is not None
    ]
    async with db.writing() as connection:
        for serial, steps in todo:
            parts = (steps[start : start + MAX_CHANGES] for start in range(0, len(steps), MAX_CHANGES))
            sent += [await _send(connection, serial, part, now_ms, actor) for part in parts]
        for serial, steps in todo:  # late in the transaction: others who append wait for its end
            kinds = [step.kind for step in steps]
            detail = {kind: kinds.count(kind) for kind in ("add", "rename", "disable")}
            await append(connection, Entry(now_ms, actor, "directory.apply", serial, detail=detail))
    return sent


async def _send(connection: AsyncConnection, terminal: str, steps: Sequence[Step], now_ms: WallMs, actor: str) -> bytes:
    changes = [step.change for step in steps]
    expires_ms = now_ms + EXPIRES_MS
    command = Command(id=secrets.token_bytes(16), terminal=terminal, expires_ms=expires_ms, changes=changes)
    await command_queries.add_command(connection, command, actor, now_ms)
    return command.id


def in_words(row: CommandRow) -> str:
    """What became of a command, as a person says it."""
    if row.outcome == "open":
        return "waits for its gateway" if row.sent_ms is None else "sent, no answer yet"
    if row.outcome == "waiting":
        return f"waits for the terminal, which is tried again: {row.message}"
    if row.outcome != "done":
        return f"{row.outcome}: {row.message}"
    if not row.changes:
        return "listed"
    written = sum(result.outcome == "done" for result in row.results)
    changed = sum(result.outcome == "changed" for result in row.results)
    refused = [result for result in row.results if result.outcome == "refused"]
    words = [f"{written} of {len(row.changes)} written"]
    if changed:
        words.append(f"{changed} changed at the terminal meanwhile and left alone; look at the difference again")
    if refused:
        words.append(f"{len(refused)} refused, such as {refused[0].number}: {refused[0].message}")
    return "; ".join(words)
