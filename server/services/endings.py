"""When what the rows of a period belong to ends, such as a campaign: until then figures are provisional."""

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.indicator import Indicator
from server.scoring.part import read_part
from server.scoring.plain import When, end_of_day
from server.scoring.window import Days, epoch_day
from server.store import counting
from server.store.counted_facts import shapes


async def endings(
    connection: AsyncConnection, indicators: Iterable[Indicator], days: Days, zone: ZoneInfo
) -> dict[str, date]:
    """Latest end by indicator, of those that have one in the period; days are the company's."""
    found: dict[str, date] = {}
    when = When(days, zone, end_of_day(epoch_day(days.last), zone))
    for one in indicators:
        for part in one.denominator if one.provisional_to is not None else ():
            statement = counting.latest(read_part(part, shapes()), one.provisional_to or "", when)
            for row in await connection.execute(statement):
                if row.latest is not None:
                    found[one.id] = max(row.latest, found.get(one.id, row.latest))
    return found
