"""Accounts and sessions: who may come in, who came in, and how that ends."""

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access import throttle
from server.access.departments import with_those_below
from server.access.errors import CredentialsError, TooManyTriesError
from server.access.password_rules import check_new_password
from server.access.roles import ROLES, Permission, Role
from server.access.sessions import is_alive, needs_touch
from server.access.viewer import Viewer
from server.services.passwords import Passwords
from server.store import log_queries, session_queries, user_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.session_queries import SessionRow
from server.store.user_queries import UserRow
from shared.clock import WallMs
from shared.errors import ConfigError, DataError

TOKEN_BYTES = 32
NOBODY = "unknown"
"""Actor of a refused login without an account: people type passwords into the wrong field, so it is not kept."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a call came from, for the operation log."""

    ip: str
    request_id: str
    at_ms: WallMs


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be made."""

    login: str
    name: str
    role: Role
    employee: str | None = None
    departments: tuple[str, ...] = ()
    """What a manager manages; those below come with it."""


# --- coming in and going out ----------------------------------------------------------------------------------------


async def sign_in(
    db: Database, passwords: Passwords, login: str, password: str, *, caller: Caller, former: str | None
) -> str:
    """A new session's token; TooManyTriesError, CredentialsError. ``former`` is the token the browser had: it ends."""
    login = normal_login(login)
    user = await _count_attempt(db, login, caller)
    usable = user is not None and not user.disabled
    right, better_hash = await passwords.check(password, user.password_hash if user is not None else None)
    if user is None or not usable or not right:
        actor = NOBODY if user is None else user.login
        async with db.writing() as connection:
            await _log(connection, caller, actor, "login", actor, result="refused")
        raise CredentialsError(f"login of {actor} refused")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    async with db.writing() as connection:
        await session_queries.forget_failures(connection, login, caller.ip)
        await session_queries.forget_old(connection, caller.at_ms)
        if better_hash is not None:
            await user_queries.set_password_hash(connection, user.id, better_hash)
        if former is not None:
            await session_queries.end_session(connection, token_sha256(former))
        await session_queries.add_session(connection, token_sha256(token), user.id, caller.ip, caller.at_ms)
        await _log(connection, caller, user.login, "login", user.login)
    return token


async def sign_out(db: Database, viewer: Viewer, caller: Caller) -> None:
    """End the viewer's session."""
    async with db.writing() as connection:
        await session_queries.end_session(connection, viewer.session)
        await _log(connection, caller, viewer.login, "logout", viewer.login)


async def viewer_of(db: Database, token: str, now_ms: WallMs) -> Viewer | None:
    """Who the session token belongs to; None when the session is dead or the account is disabled."""
    sha256 = token_sha256(token)
    async with db.reading() as connection:
        rows = await session_queries.session_rows(connection, [sha256])
        viewer = next(iter(await _viewers(connection, rows, now_ms)), None)
    if viewer is not None and needs_touch(rows[0].seen_ms, now_ms):
        async with db.writing() as connection:
            await session_queries.touch_session(connection, sha256, now_ms)
    return viewer


async def viewers_now(db: Database, sessions: Iterable[bytes], now_ms: WallMs) -> dict[bytes, Viewer]:
    """What these sessions allow now, by session; a dead one is missing. Looking is not using: nothing is touched."""
    async with db.reading() as connection:
        rows = await session_queries.session_rows(connection, sorted(set(sessions)))
        return {viewer.session: viewer for viewer in await _viewers(connection, rows, now_ms)}


async def holders(connection: AsyncConnection, permission: Permission) -> list[Viewer]:
    """Whoever may do that, by login, as if signed in."""
    parents = await user_queries.department_parents(connection)
    found = [
        Viewer(
            user=user.id,
            login=user.login,
            name=user.name,
            role=user.role,
            employee=user.employee,
            departments=with_those_below(user.departments, parents),
            session=b"",
        )
        for user in await user_queries.user_rows(connection)
        if user.role in ROLES and not user.disabled
    ]
    return [viewer for viewer in found if viewer.may(permission)]


async def _viewers(connection: AsyncConnection, rows: Sequence[SessionRow], now_ms: WallMs) -> list[Viewer]:
    alive = [row for row in rows if is_alive(row.created_ms, row.seen_ms, now_ms) and not row.user.disabled]
    managers = any(row.user.role == "manager" for row in alive)
    parents = await user_queries.department_parents(connection) if managers else {}
    return [
        Viewer(
            user=row.user.id,
            login=row.user.login,
            name=row.user.name,
            role=row.user.role,
            employee=row.user.employee,
            departments=with_those_below(row.user.departments, parents),
            session=row.token_sha256,
        )
        for row in alive
        if row.user.role in ROLES
    ]


async def _count_attempt(db: Database, login: str, caller: Caller) -> UserRow | None:
    """The account, if any; TooManyTriesError when account or address have to wait.

    A try is counted before it is judged, so that many at once do not all slip through; a success forgets it.
    """
    async with db.writing() as connection:
        await session_queries.count_attempts_alone(connection)
        account = await session_queries.failures_of_login(connection, login, caller.at_ms)
        address = await session_queries.failures_of_address(connection, caller.ip, caller.at_ms)
        if wait_s := throttle.wait_s(account, address, caller.at_ms):
            raise TooManyTriesError(wait_s)
        await session_queries.note_failure(connection, login, caller.ip, caller.at_ms)
        return await user_queries.user_by_login(connection, login)


# --- accounts -------------------------------------------------------------------------------------------------------


async def add_user(
    db: Database, passwords: Passwords, actor: str, new: NewUser, password: str, *, now_ms: WallMs
) -> None:
    """Add an account; DataError for a bad password, ConfigError for what else does not fit."""
    login = normal_login(new.login)
    if not login:
        raise ConfigError("login is empty; give a short name such as wang.fang")
    check_new_password(password, login)
    hashed = await passwords.hash(password)
    async with db.writing() as connection:
        await _check_new_user(connection, login, new)
        await user_queries.add_user(
            connection,
            login=login,
            name=new.name,
            password_hash=hashed,
            role=new.role,
            employee=new.employee,
            departments=new.departments,
            at_ms=now_ms,
        )
        detail = {"role": new.role, "employee": new.employee, "departments": list(new.departments)}
        await log_queries.append(connection, Entry(now_ms, actor, "user.add", login, detail=detail))


async def set_disabled(db: Database, actor: str, login: str, disabled: bool, *, now_ms: WallMs) -> None:
    """Close an account, which ends its sessions at once, or open it again; ConfigError for an unknown login."""
    async with db.writing() as connection:
        user = await _known(connection, login)
        await user_queries.set_disabled(connection, user.id, disabled)
        if disabled:
            await session_queries.end_sessions(connection, user.id)
        action = "user.disable" if disabled else "user.enable"
        await log_queries.append(connection, Entry(now_ms, actor, action, user.login))


async def set_password(
    db: Database, passwords: Passwords, actor: str, login: str, password: str, *, now_ms: WallMs
) -> None:
    """Replace a password, which ends all sessions; DataError for a bad password, ConfigError for an unknown login."""
    check_new_password(password, normal_login(login))
    hashed = await passwords.hash(password)
    async with db.writing() as connection:
        user = await _known(connection, login)
        await user_queries.set_password_hash(connection, user.id, hashed)
        await session_queries.end_sessions(connection, user.id)
        await log_queries.append(connection, Entry(now_ms, actor, "user.password", user.login))


async def sessions(db: Database, login: str, now_ms: WallMs) -> list[SessionRow]:
    """Live sessions of an account, last used first; ConfigError for an unknown login."""
    async with db.reading() as connection:
        rows = await session_queries.sessions_of(connection, (await _known(connection, login)).id)
    return [row for row in rows if is_alive(row.created_ms, row.seen_ms, now_ms)]


async def end_sessions(db: Database, actor: str, login: str, *, now_ms: WallMs) -> int:
    """End all sessions of an account; how many there were. ConfigError for an unknown login."""
    async with db.writing() as connection:
        user = await _known(connection, login)
        ended = await session_queries.end_sessions(connection, user.id)
        await log_queries.append(connection, Entry(now_ms, actor, "user.end_sessions", user.login))
    return ended


def new_password() -> str:
    """A random password that people can type: 96 bits in groups of four."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(5))


def normal_login(login: str) -> str:
    """The form in which a login is kept and looked for: case and width of letters do not matter."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def token_sha256(token: str) -> bytes:
    """What is kept of a session's token."""
    return hashlib.sha256(token.encode()).digest()


async def _known(connection: AsyncConnection, login: str) -> UserRow:
    user = await user_queries.user_by_login(connection, normal_login(login))
    if user is None:
        raise ConfigError(f"user {login!r} does not exist; `muster server users list` shows all")
    return user


async def _check_new_user(connection: AsyncConnection, login: str, new: NewUser) -> None:
    if await user_queries.user_by_login(connection, login) is not None:
        raise ConfigError(
            f"user {login!r} is there already; `muster server users password {login}` changes its password"
        )
    if new.employee is not None and not await user_queries.employee_exists(connection, new.employee):
        raise ConfigError(f"employee {new.employee!r} does not exist; load the company first")
    if unknown := set(new.departments) - set(await user_queries.department_parents(connection)):
        raise ConfigError(f"department {', '.join(sorted(unknown))} does not exist; load the company first")
    if new.role == "employee" and new.employee is None:
        raise DataError(f"user {login!r}: the role employee needs an employee to be", "no_employee")


async def _log(
    connection: AsyncConnection,
    caller: Caller,
    actor: str,
    action: str,
    subject: str,
    *,
    result: Literal["done", "refused"] = "done",
) -> None:
    entry = Entry(caller.at_ms, actor, action, subject, result, caller.ip, caller.request_id)
    await log_queries.append(connection, entry)
