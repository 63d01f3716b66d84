"""Targets are set from a day on, or taken back, and the scores that they change are computed again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.people.dates import FIRST_YEAR, LAST_YEAR
from server.scoring.target import EVERYBODY, KINDS, Kind, Target, read_amount
from server.scoring.target_file import Fault, TargetLine
from server.services.scheme_rules import catalogue_in_force
from server.store import (
    log_queries,
    people_queries,
    period_queries,
    post_queries,
    score_queries,
    target_queries,
)
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.score_queries import Card, upwards
from shared.errors import DataError

TOLD = 20
"""Faults of a file that its error tells of."""


class TargetFaultsError(DataError):
    """A file of targets has faults, so nothing of it is stored."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        told = [*map(str, faults[:TOLD]), *([f"and {len(faults) - TOLD} more"] if len(faults) > TOLD else [])]
        super().__init__("; ".join(told), "targets_faults", {"faults": str(len(faults))})
        self.fields = {f"{one.line}.{one.field}": one.code for one in faults}
        """Code by line and field."""


@dataclass(frozen=True, slots=True)
class Known:
    """What targets can be set for in a scope."""

    indicators: Collection[str]
    units: Mapping[Kind, Collection[str]]

    def check(self, one: Target, kinds: Collection[Kind] = KINDS) -> None:
        """DataError with the ``field`` that names what is not there, or is no day of a target."""
        if one.indicator not in self.indicators:
            raise DataError(f"no indicator {one.indicator!r}", "targets_indicator", {"field": "indicator"})
        if not any(one.unit in self.units[kind] for kind in kinds):
            raise DataError(f"no person or department {one.unit!r}", "targets_unit", {"field": "unit"})
        if not FIRST_YEAR <= one.starts.year <= LAST_YEAR:
            why = f"{one.starts}: expected a year from {FIRST_YEAR} to {LAST_YEAR}"
            raise DataError(why, "targets_day", {"field": "starts"})
        read_amount(one.target)


async def known_to(connection: AsyncConnection, scope: Scope) -> Known:
    """The same of a viewer: everybody's targets are for who sees everybody."""
    units: dict[Kind, Collection[str]] = {
        "everybody": {EVERYBODY} if scope.everyone else (),
        "department": {row.id for row in await people_queries.department_names(connection, scope)},
        "employee": (await people_queries.names_of_people(connection, scope)).keys(),
    }
    return Known({one.id for one in (await catalogue_in_force(connection)).indicators}, units)


async def set_targets(
    db: Database, scope: Scope, targets: Sequence[Target], entry: Entry, kinds: Collection[Kind] = KINDS
) -> int:
    """Set targets; how many scorecards are to be computed again. DataError as ``Known.check``; then none is set."""
    async with db.writing() as connection:
        known = await known_to(connection, scope)
        for one in targets:
            known.check(one, kinds)
        return await _put(connection, targets, entry)


async def set_lines(db: Database, scope: Scope, lines: Sequence[TargetLine], entry: Entry) -> int:
    """Set the targets of a file, all of them or, with TargetFaultsError, none."""
    async with db.writing() as connection:
        judged = await judge(connection, scope, lines)
        if faults := [fault for one in judged for fault in one.faults]:
            raise TargetFaultsError(faults)
        return await _put(connection, [one.target for one in judged if one.target is not None], entry)


async def judge(connection: AsyncConnection, scope: Scope, lines: Sequence[TargetLine]) -> list[TargetLine]:
    """The lines of a file with all their faults: those of what they name beside those of how they are written."""
    known = await known_to(connection, scope)
    units = {unit for ids in known.units.values() for unit in ids}
    return [replace(one, faults=(*_unknown(one, known.indicators, units), *one.faults)) for one in lines]


def _unknown(line: TargetLine, indicators: Collection[str], units: Collection[str]) -> Iterable[Fault]:
    indicator, unit, *_ = line.told
    if indicator not in indicators:
        yield Fault(line.line, "indicator", "targets_indicator", f"no indicator {indicator!r}")
    if unit not in units:
        yield Fault(line.line, "unit", "targets_unit", f"no person or department {unit!r}")


async def remove_target(db: Database, scope: Scope, entry: Entry, *, indicator: str, unit: str, starts: date) -> int:
    """Take a target back as if it had never been set, so that the one before holds on; scorecards as ``set_targets``.

    NotFoundError for one that is not there or not in scope.
    """
    async with db.writing() as connection:
        known = await known_to(connection, scope)
        seen = scope.everyone or any(unit in ids for ids in known.units.values())
        if not seen or not await target_queries.remove_target(connection, indicator, unit, starts):
            raise NotFoundError(f"target of {indicator} for {unit!r} from {starts} on")
        return await _touch(connection, {unit}, starts, entry)


async def scorecards_of(connection: AsyncConnection, targets: Sequence[Target]) -> set[Card]:
    """Scorecards that may change by these targets."""
    if not targets:
        return set()
    return await _cards(connection, {one.unit for one in targets}, min(one.starts for one in targets))


async def _put(connection: AsyncConnection, targets: Sequence[Target], entry: Entry) -> int:
    await target_queries.put_targets(connection, targets, actor=entry.actor, at_ms=entry.at_ms)
    return await _touch(connection, {one.unit for one in targets}, min(one.starts for one in targets), entry)


async def _touch(connection: AsyncConnection, units: Collection[str], first: date, entry: Entry) -> int:
    touched = await _cards(connection, units, first)
    await score_queries.touch_scores(connection, touched)
    await log_queries.append(connection, entry)
    return len(touched)


async def _cards(connection: AsyncConnection, units: Collection[str], first: date) -> set[Card]:
    """Scorecards from a day on of people who are, or once were, in one of these units; what is closed stays (KS-12)."""
    above = await score_queries.departments_above(connection)
    record = await post_queries.posts_on_record(connection)
    wanted = set(units)
    concerned = {
        person
        for person, post in (await score_queries.everybody(connection)).items()
        if wanted & {EVERYBODY, person, *post.departments}
        or any(wanted.intersection(upwards(had.department, above)) for had in record.get(person, ()))
    }
    cards = {one for one in await score_queries.cards_since(connection, f"{first:%Y-%m}") if one[0] in concerned}
    return cards - await period_queries.closed_among(connection, cards)
