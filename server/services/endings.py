"""When what the rows of a period belong to ends, such as a campaign: until then figures are provisional."""

from collections.abc import Iterable, Sequence
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
    return {name: end for (name, _), end in (await endings_each(connection, indicators, [days], zone)).items()}


async def endings_each(
    connection: AsyncConnection, indicators: Iterable[Indicator], steps: Sequence[Days], zone: ZoneInfo
) -> dict[tuple[str, Days], date]:
    """Latest end by indicator and step, of those that have one; steps are in order, oldest first."""
    found: dict[tuple[str, Days], date] = {}
    cut_ms = end_of_day(epoch_day(steps[-1].last), zone)
    whens = [When(days, zone, cut_ms) for days in steps]
    for one in indicators:
        for part in one.denominator if one.provisional_to is not None else ():
            read = read_part(part, shapes())
            for run in counting.runs(read, whens):
                for row in await connection.execute(counting.latest(read, one.provisional_to or "", run)):
                    if row.latest is not None:
                        key = one.id, run[row.nth_period].days
                        found[key] = max(row.latest, found.get(key, row.latest))
    return found
