"""What all scores go by beside the rules, by one statement: it is asked after every event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Text, cast, literal, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.target import Target, Targets
from server.store.company_zone import zone_named, zone_of_company
from server.store.tables import departments, indicator_targets


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the company is, how it is built, and what it aims at."""

    zone: ZoneInfo
    above: Mapping[str, str | None]
    """The department above each."""
    targets: Targets


async def setting(connection: AsyncConnection) -> Setting:
    """As it is now."""
    none, aim = cast(null(), Text), indicator_targets.c
    rows = await connection.execute(
        union_all(
            select(
                literal("zone", Text).label("what"),
                zone_of_company().scalar_subquery().label("one"),
                none.label("two"),
                none.label("three"),
                none.label("four"),
            ),
            select(literal("department", Text), departments.c.id, departments.c.parent, none, none),
            select(literal("target", Text), aim.indicator, aim.unit, cast(aim.starts, Text), aim.target),
        )
    )
    zone: str | None = None
    above: dict[str, str | None] = {}
    targets: list[Target] = []
    for what, one, two, three, four in rows:
        match what:
            case "zone":
                zone = one
            case "department":
                above[one] = two
            case _:
                targets.append(Target(one, two, date.fromisoformat(three), four))
    return Setting(zone_named(zone), above, Targets(targets))
