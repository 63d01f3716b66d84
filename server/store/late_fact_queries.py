"""Rows of facts that came late: which one an adjustment points to. For the engine, which works for everybody."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.store.fact_tables import FACT_TABLES
from shared.clock import WallMs


async def newest_since(
    connection: AsyncConnection, facts: Sequence[str], employee: str, since_ms: WallMs
) -> str | None:
    """The newest row that came or changed since, the person's or nobody's: ``fact/source/key``; None without any."""
    found: list[tuple[int, str]] = []
    for fact in facts:
        table = FACT_TABLES.get(fact)
        if table is None:
            continue
        mine = or_(table.c.employee == employee, table.c.employee.is_(None))
        wanted = select(table.c.changed_ms, table.c.source, table.c.source_key).where(
            table.c.changed_ms >= since_ms, mine
        )
        row = (
            await connection.execute(wanted.order_by(table.c.changed_ms.desc(), table.c.source_key).limit(1))
        ).first()
        if row is not None:
            found.append((row.changed_ms, f"{fact}/{row.source}/{row.source_key}"))
    return max(found)[1] if found else None
