"""One line in the operation log for a call."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.services.accounts import Caller
from server.store import log_queries
from server.store.log_queries import Entry


async def journal(
    connection: AsyncConnection, caller: Caller, actor: str, action: str, about: str, **detail: str | int
) -> None:
    """Note who did what to which object; late in the transaction, as others that append wait for its end."""
    entry = Entry(caller.at_ms, actor, action, about, ip=caller.ip, request_id=caller.request_id, detail=detail)
    await log_queries.append(connection, entry)
