"""Whether two accounts are one person: what takes two people is not done with two logins."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.services.act import Act
from server.store import user_queries


async def same_person(connection: AsyncConnection, login: str, act: Act) -> bool:
    """Whether the account is the caller's, or belongs to the same employee."""
    if login == act.login:
        return True
    other = await user_queries.user_by_login(connection, login)
    return other is not None and other.employee is not None and other.employee == act.viewer.employee
