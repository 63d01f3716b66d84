"""What a viewer chose of the scope: a department stands for those below it, too."""

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.departments import with_those_below
from server.store import user_queries
from server.store.scope_filter import Narrow


async def narrow_to(connection: AsyncConnection, department: str | None, site: str | None = None) -> Narrow:
    """The people of a department with those below, of a site, of both; None for all."""
    if department is None:
        return Narrow(site=site)
    return Narrow(with_those_below({department}, await user_queries.department_parents(connection)), site)
