"""Sessions by the SHA-256 of their token, and failed tries to sign in. Both decide who a viewer is: no scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.sessions import ABSOLUTE_MS, IDLE_MS
from server.access.throttle import WINDOW_MS, Failures
from server.store.tables import login_failures, sessions, users
from server.store.user_queries import UserRow, as_user
from shared.clock import WallMs

ATTEMPT_LOCK = 7_004
"""Advisory lock on PostgreSQL: tries are counted one after the other, so that many at once are not all the first."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session and the account it belongs to."""

    token_sha256: bytes
    created_ms: WallMs
    seen_ms: WallMs
    ip: str
    user: UserRow


async def add_session(connection: AsyncConnection, token_sha256: bytes, user: int, ip: str, at_ms: WallMs) -> None:
    """Begin a session."""
    values = {"token_sha256": token_sha256, "user": user, "ip": ip, "created_ms": at_ms, "seen_ms": at_ms}
    await connection.execute(sessions.insert().values(**values))


async def session_rows(connection: AsyncConnection, tokens_sha256: Sequence[bytes]) -> list[SessionRow]:
    """Those of these sessions that were not ended, with their accounts; whether they are too old is not judged here."""
    return await _rows(connection, _with_users().where(sessions.c.token_sha256.in_(tokens_sha256)))


async def sessions_of(connection: AsyncConnection, user: int) -> list[SessionRow]:
    """All sessions of an account, newest first."""
    return await _rows(connection, _with_users().where(sessions.c.user == user).order_by(sessions.c.seen_ms.desc()))


async def touch_session(connection: AsyncConnection, token_sha256: bytes, at_ms: WallMs) -> None:
    """Write the last use of a session."""
    which = update(sessions).where(sessions.c.token_sha256 == token_sha256)
    await connection.execute(which.values(seen_ms=at_ms))


async def end_session(connection: AsyncConnection, token_sha256: bytes) -> None:
    """End one session."""
    await connection.execute(delete(sessions).where(sessions.c.token_sha256 == token_sha256))


async def end_sessions(connection: AsyncConnection, user: int) -> int:
    """End all sessions of an account; how many there were."""
    return (await connection.execute(delete(sessions).where(sessions.c.user == user))).rowcount


async def forget_old(connection: AsyncConnection, now_ms: WallMs) -> None:
    """Remove sessions past their life and failures past the window."""
    too_old = or_(sessions.c.seen_ms <= now_ms - IDLE_MS, sessions.c.created_ms <= now_ms - ABSOLUTE_MS)
    await connection.execute(delete(sessions).where(too_old))
    await connection.execute(delete(login_failures).where(login_failures.c.at_ms <= now_ms - WINDOW_MS))


async def count_attempts_alone(connection: AsyncConnection) -> None:
    """Let no other transaction count tries until this one ends; on SQLite the one writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(ATTEMPT_LOCK)))


async def failures_of_login(connection: AsyncConnection, login: str, now_ms: WallMs) -> Failures:
    """Failed tries on this login inside the window, whether or not there is such an account."""
    return await _failures(connection, _newest_failures(now_ms).where(login_failures.c.login == login))


async def failures_of_address(connection: AsyncConnection, ip: str, now_ms: WallMs) -> Failures:
    """Failed tries from this address inside the window."""
    return await _failures(connection, _newest_failures(now_ms).where(login_failures.c.ip == ip))


async def note_failure(connection: AsyncConnection, login: str, ip: str, at_ms: WallMs) -> None:
    """Count a try as failed; it is counted before it is judged and forgotten when it succeeds."""
    await connection.execute(login_failures.insert().values(login=login, ip=ip, at_ms=at_ms))


async def forget_failures(connection: AsyncConnection, login: str, ip: str) -> None:
    """Forget the failed tries on this login from this address."""
    mine = (login_failures.c.login == login, login_failures.c.ip == ip)
    await connection.execute(delete(login_failures).where(*mine))


def _with_users() -> "Select[Any]":
    of_session = [sessions.c[name] for name in ("token_sha256", "seen_ms", "ip")]
    joined = sessions.join(users, users.c.id == sessions.c.user)
    return select(users, *of_session, sessions.c.created_ms.label("began_ms")).select_from(joined)


async def _rows(connection: AsyncConnection, statement: "Select[Any]") -> list[SessionRow]:
    rows = await connection.execute(statement)
    return [SessionRow(row.token_sha256, row.began_ms, row.seen_ms, row.ip, as_user(row)) for row in rows]


def _newest_failures(now_ms: WallMs) -> "Select[int, Any]":
    columns = func.count().label("number"), func.max(login_failures.c.at_ms).label("newest_ms")
    return select(*columns).where(login_failures.c.at_ms > now_ms - WINDOW_MS)


async def _failures(connection: AsyncConnection, statement: "Select[int, Any]") -> Failures:
    row = (await connection.execute(statement)).one()
    return Failures(row.number, row.newest_ms)
