"""Programs that fetch figures: their tokens are shown once, end by themselves, and can be taken back."""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from server.access.clients import (
    CLIENT_PERMISSIONS,
    DAY_MS,
    LONGEST_DAYS,
    TOUCH_MS,
    Client,
    ClientPermission,
    is_good,
)
from server.access.errors import ForbiddenError, NotFoundError, SignInError, TooManyTriesError
from server.access.throttle import ADDRESS
from server.services.accounts import Caller, token_sha256
from server.store import client_queries, log_queries, session_queries
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import WallMs
from shared.errors import DataError

TOKEN_BYTES = 32
PREFIX = "mst_"
"""Lets scanners of repositories find a token that was put into one."""
NO_LOGIN = ""
"""Failed tries of programs are counted by address, under no login."""


async def add_client(
    db: Database,
    actor: str,
    name: str,
    permissions: Sequence[str],
    *,
    days: int,
    now_ms: WallMs,
    caller: Caller | None = None,
) -> str:
    """The token of a new client, which nobody can read again; DataError for what does not fit."""
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise DataError("name: expected 1 to 100 characters that say which program it is", "client_name")
    if unknown := set(permissions) - set(CLIENT_PERMISSIONS) or not permissions:
        raise DataError(f"permission {unknown}: expected some of {', '.join(CLIENT_PERMISSIONS)}", "client_permission")
    if not 1 <= days <= LONGEST_DAYS:
        raise DataError(f"days {days}: expected 1 to {LONGEST_DAYS}; make a new token when it ends", "client_days")
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    expires_ms = now_ms + days * DAY_MS
    async with db.writing() as connection:
        added = await client_queries.add_client(
            connection, name, token_sha256(token), sorted(set(permissions)), created_ms=now_ms, expires_ms=expires_ms
        )
        if added is None:
            raise DataError(f"client {name!r} is there already; revoke it, and give the new one another name", "taken")
        detail: log_queries.Detail = {"permissions": sorted(set(permissions)), "expires_ms": expires_ms}
        await log_queries.append(connection, _entry(caller, Entry(now_ms, actor, "client.add", name, detail=detail)))
    return token


async def revoke_client(db: Database, actor: str, client: int, *, now_ms: WallMs, caller: Caller | None = None) -> None:
    """End a token at once; NotFoundError when there is none that counts."""
    async with db.writing() as connection:
        name = await client_queries.revoke_client(connection, client, now_ms)
        if name is None:
            raise NotFoundError(f"client {client} is not there or was revoked before")
        await log_queries.append(connection, _entry(caller, Entry(now_ms, actor, "client.revoke", name)))


async def client_of(db: Database, token: str | None, permission: ClientPermission, caller: Caller) -> Client:
    """The client whose token it is; SignInError, ForbiddenError, and TooManyTriesError after failures of an address."""
    async with db.reading() as connection:
        failures = await session_queries.failures_of_address(connection, caller.ip, caller.at_ms)
        row = await client_queries.client_by_token(connection, token_sha256(token or ""))
    if wait_s := ADDRESS.wait_s(failures, caller.at_ms):
        raise TooManyTriesError(wait_s)
    if row is None or not is_good(row.expires_ms, row.revoked_ms, caller.at_ms):
        async with db.writing() as connection:
            await session_queries.note_failure(connection, NO_LOGIN, caller.ip, caller.at_ms)
            name = "unknown" if row is None else f"client {row.name}"
            entry = Entry(caller.at_ms, name, "client.use", name, "refused", caller.ip, caller.request_id)
            await log_queries.append(connection, entry)
        raise SignInError("the token is unknown, has ended or was revoked")
    client = Client(row.id, row.name, frozenset(row.permissions))
    if permission not in client.permissions:
        raise ForbiddenError(f"{client.actor} lacks {permission}")
    if row.seen_ms is None or caller.at_ms - row.seen_ms >= TOUCH_MS:
        async with db.writing() as connection:
            await client_queries.touch_client(connection, row.id, caller.at_ms)
    return client


def _entry(caller: Caller | None, entry: Entry) -> Entry:
    """The same with where the call came from."""
    return entry if caller is None else replace(entry, ip=caller.ip, request_id=caller.request_id)
