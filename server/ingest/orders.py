"""Commands on their way to gateways, and the results that come back; both may come twice."""

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store import command_queries, fleet_queries
from server.store.change_queries import note_changes
from server.store.database import Database
from server.store.log_queries import Detail, Entry, append
from shared.clock import WallMs
from shared.errors import DataError
from shared.wire import MAX_CHANGES, MAX_RESULT_USERS, ChangeResult, Command, DirectoryUser, Result

EVERY_S = 1.0
"""Between two looks for commands to send."""
UNANSWERED_MS = 60_000
"""A command without a final result is sent again after this time."""
LATE_MS = 600_000
"""How long after its expiry a gateway may still tell what became of it."""
AT_ONCE = 50
OUTCOMES = frozenset({"done", "failed", "expired", "waiting"})
MAX_PARTS = 1000
_TEXT = 300

log = structlog.get_logger("server.ingest")


async def due(db: Database, now_ms: WallMs) -> list[tuple[str, Command]]:
    """What to send now, by gateway; it counts as sent, and comes again when nobody answers."""
    since_ms, late_ms = now_ms - UNANSWERED_MS, now_ms - LATE_MS
    async with db.reading() as connection:  # as a rule there is nothing, and then nothing is locked
        waiting = await command_queries.due_commands(connection, now_ms, since_ms, 1)
        if not waiting and not await command_queries.overdue(connection, late_ms):
            return []
    async with db.writing() as connection:
        await command_queries.expire(connection, late_ms, now_ms)
        found = await command_queries.due_commands(connection, now_ms, since_ms, AT_ONCE)
        if found:
            await command_queries.mark_sent(connection, [command.id for _, command in found], now_ms)
    return found


async def keep_result(db: Database, gateway: str, result: Result, now_ms: WallMs) -> None:
    """Store what became of a command; DataError for one that this gateway was never given."""
    result = _checked(result)
    async with db.writing() as connection:
        if await fleet_queries.gateway_status(connection, gateway) != "active":
            raise DataError(f"gateway {gateway} may not speak", code="revoked_gateway")
        if result.terminal not in await fleet_queries.owned_terminals(connection, gateway):
            raise DataError(f"terminal {result.terminal[:64]} is not of {gateway}", code="foreign_terminal")
        if not await command_queries.keep_result(connection, result, now_ms):
            raise DataError("result of a command that nobody gave", code="unknown_command")
        await note_changes(connection, ["devices"], now_ms)
        if result.outcome != "waiting" and result.part == 0 and result.changes:
            await _note(connection, gateway, result, now_ms)


async def _note(connection: AsyncConnection, gateway: str, result: Result, now_ms: WallMs) -> None:
    outcomes = [change.outcome for change in result.changes]
    written = outcomes.count("done")
    detail: Detail = {"gateway": gateway, "command": result.id.hex(), "outcome": result.outcome, "written": written}
    entry = Entry(now_ms, "system", "directory.result", result.terminal, detail=detail)
    await append(connection, entry)


def _checked(result: Result) -> Result:
    """The same with texts that every column can hold; DataError for one that can not be a result."""
    if len(result.id) != 16 or result.outcome not in OUTCOMES or not 0 <= result.part < result.parts <= MAX_PARTS:
        raise DataError(f"result {result.outcome[:20]!r}, part {result.part} of {result.parts}", code="bad_result")
    if len(result.changes) > MAX_CHANGES or len(result.users) > MAX_RESULT_USERS:
        raise DataError(f"result of {len(result.changes)} changes and {len(result.users)} users", code="bad_result")
    return Result(
        id=result.id,
        terminal=result.terminal,
        at=result.at,
        outcome=result.outcome,
        message=_plain(result.message),
        changes=[
            ChangeResult(number=_plain(one.number), outcome=_plain(one.outcome), message=_plain(one.message))
            for one in result.changes
        ],
        users=[
            DirectoryUser(number=_plain(one.number), name=_plain(one.name), card=_plain(one.card), enabled=one.enabled)
            for one in result.users
        ],
        part=result.part,
        parts=result.parts,
    )


def _plain(text: str) -> str:
    return text.replace("\0", "")[:_TEXT]
