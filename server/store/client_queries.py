"""Programs that fetch figures. They have no scope of their own: what they may read, they may read of everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.notice_tables import api_clients
from server.store.upsert import insert_into
from shared.clock import WallMs


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client; its token is known by SHA-256 only, and nobody is shown that."""

    id: int
    name: str
    permissions: tuple[str, ...]
    created_ms: WallMs
    expires_ms: WallMs
    revoked_ms: WallMs | None
    seen_ms: WallMs | None


async def client_rows(connection: AsyncConnection) -> list[ClientRow]:
    """All clients by name."""
    return [_row(row) for row in await connection.execute(select(*_COLUMNS).order_by(api_clients.c.name))]


async def client_by_token(connection: AsyncConnection, token_sha256: bytes) -> ClientRow | None:
    """Whose token it is."""
    found = await connection.execute(select(*_COLUMNS).where(api_clients.c.token_sha256 == token_sha256))
    row = found.first()
    return None if row is None else _row(row)


async def add_client(
    connection: AsyncConnection,
    name: str,
    token_sha256: bytes,
    permissions: Sequence[str],
    *,
    created_ms: WallMs,
    expires_ms: WallMs,
) -> int | None:
    """Number of the new client; None when one of that name is there."""
    values = {"name": name, "token_sha256": token_sha256, "permissions": list(permissions)}
    row = insert_into(connection, api_clients).values(**values, created_ms=created_ms, expires_ms=expires_ms)
    added = row.on_conflict_do_nothing(index_elements=["name"]).returning(api_clients.c.id)
    client: int | None = await connection.scalar(added)
    return client


async def revoke_client(connection: AsyncConnection, client: int, at_ms: WallMs) -> str | None:
    """Its token counts no more from this commit on; the name, None when there is no such client or it was revoked."""
    same = (api_clients.c.id == client, api_clients.c.revoked_ms.is_(None))
    name: str | None = await connection.scalar(
        update(api_clients).where(*same).values(revoked_ms=at_ms).returning(api_clients.c.name)
    )
    return name


async def touch_client(connection: AsyncConnection, client: int, at_ms: WallMs) -> None:
    """Write down its last use."""
    await connection.execute(update(api_clients).where(api_clients.c.id == client).values(seen_ms=at_ms))


_COLUMNS = [
    api_clients.c[name] for name in ("id", "name", "permissions", "created_ms", "expires_ms", "revoked_ms", "seen_ms")
]


def _row(row: Row[Any]) -> ClientRow:
    return ClientRow(
        row.id, row.name, tuple(row.permissions), row.created_ms, row.expires_ms, row.revoked_ms, row.seen_ms
    )
