"""What a company sets about its periods: cycles of departments, days to appeal, the cap of a veto."""

from collections.abc import Collection, Mapping
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.cycle import DEFAULT_CYCLES, Cycle, cycle_in, period_on
from server.scoring.window import days_of
from server.services.act import Act
from server.store import log_queries, period_queries, user_queries
from server.store.database import Database
from server.store.score_queries import Card, Post
from shared.errors import DataError

APPEAL_DAYS = "appeal_days"
VETO_CAP = "veto_cap_centi"
CYCLE = "cycle:"
DEFAULTS: Mapping[str, int] = {APPEAL_DAYS: 7, VETO_CAP: 60_00}


async def cycles(connection: AsyncConnection) -> dict[str, Cycle]:
    """Cycle of each department that has one of its own."""
    kept = await period_queries.settings(connection)
    own = {name.removeprefix(CYCLE): cast(Cycle, value) for name, value in kept.items() if name.startswith(CYCLE)}
    return {**DEFAULT_CYCLES, **own}


async def with_quarters(connection: AsyncConnection, months: Collection[Card], posts: Mapping[str, Post]) -> set[Card]:
    """Cards of months, and those of their quarters of people whose departments go by quarters."""
    own = await cycles(connection)
    quarterly = {person for person, post in posts.items() if cycle_in(post.departments, own) == "quarter"}
    return {*months, *((one, period_on(days_of(month).first, "quarter")) for one, month in months if one in quarterly)}


async def number(connection: AsyncConnection, name: str) -> int:
    """A setting that is a number."""
    return int((await period_queries.settings(connection)).get(name, DEFAULTS[name]))


async def put_settings(db: Database, act: Act, values: Mapping[str, Any]) -> None:
    """Change settings; DataError for one that is out of its bounds."""
    for name, value in values.items():
        if name.startswith(CYCLE) and value not in ("month", "quarter"):
            raise DataError(f"{name} {value!r}: expected month or quarter", "score_setting", {"field": name})
        if name == APPEAL_DAYS and not 1 <= value <= 90:
            raise DataError(f"{name} {value}: expected 1 to 90", "score_setting", {"field": name})
        if name == VETO_CAP and not 0 <= value <= 120_00:
            raise DataError(f"{name} {value}: expected 0 to 12000", "score_setting", {"field": name})
    async with db.writing() as connection:
        known = await user_queries.department_parents(connection)
        named = {name.removeprefix(CYCLE) for name in values if name.startswith(CYCLE)}
        if strange := named - set(known):
            raise DataError(f"no department {min(strange)!r}", "score_setting", {"field": min(strange)})
        for name, value in values.items():
            await period_queries.put_setting(connection, name, value, actor=act.login, at_ms=act.at_ms)
        entry = act.entry("scores.settings", "", **{name.replace(":", "_"): value for name, value in values.items()})
        await log_queries.append(connection, entry)
