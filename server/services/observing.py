"""What was observed for people: their own rows, or those of the nearest unit above that has any."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.family import besides, is_flow, observe, parts_of
from server.scoring.indicator import Indicator, Level
from server.scoring.part import Counted, Part, ReadPart, read_part
from server.scoring.plain import When, count
from server.scoring.scorecard import NoScore, Observed
from server.scoring.small_groups import Size, heads_of, is_of_people, shown_groups, size_of
from server.services.derived_rows import derived_rows
from server.store import counting
from server.store.counted_facts import DERIVED, shapes
from server.store.counted_pass import COMPANY
from server.store.counted_rows import units_of
from server.store.counting_executor import Executor, Found, OnDatabase
from server.store.post_queries import site_rows
from server.store.score_queries import Post, departments_above

LEVELS: tuple[Level, ...] = ("person", "site", "department", "company")
Unit: TypeAlias = tuple[Level, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation and whose it is."""

    observed: Observed
    reason: NoScore | None
    level: Level
    unit: str
    beside: Mapping[str, Fraction] = field(default_factory=dict)
    """Values of the figures that are shown with it, where there are any."""


async def observe_people(
    connection: AsyncConnection,
    posts: Mapping[str, Post],
    indicators: Collection[Indicator],
    when: When,
    executor: Executor | None = None,
    *,
    standing: Collection[str] = (),
) -> dict[tuple[str, str], Seen]:
    """By person and indicator; nothing found anywhere above a person is an observation of nothing, their own.

    A rate of a unit above stands for whoever has none. A sum does not: against one person's target it would be
    everybody's work. ``executor`` counts, without one the database. Of indicators in ``standing`` only a person's own
    rows are looked at, and whoever has none is left out.
    """
    executor = executor or OnDatabase(connection)
    found: dict[tuple[str, str], Seen] = {}
    open_ = [(person, indicator) for person in sorted(posts) for indicator in indicators]
    for level in LEVELS:
        here = [(person, one) for person, one in open_ if _looks_at(one, level)]
        wanted = {one.id: one for _, one in here}.values()
        if not wanted:
            continue
        units = {unit for person, _ in here for unit in _units(posts[person], person, level)}
        values = await _observe(connection, executor, wanted, level, units=units, when=when)
        for person, indicator in here:
            for unit in _units(posts[person], person, level):
                seen = values.get((indicator.id, unit))
                if seen is not None and (seen.observed.denominator or seen.reason == "few_people"):
                    found[person, indicator.id] = seen
                    break
        open_ = [(who, one) for who, one in open_ if (who, one.id) not in found and one.id not in standing]
    for person, indicator in open_:
        found[person, indicator.id] = Seen(Observed(), "no_denominator", "person", person)
    return found


def _looks_at(indicator: Indicator, level: Level) -> bool:
    """Whether people take an indicator's value from that level: its own, and for rates those above."""
    if is_flow(indicator):
        return indicator.level == level
    return LEVELS.index(indicator.level) <= LEVELS.index(level)


def _units(post: Post, person: str, level: Level) -> Sequence[str]:
    """Units of a person at a level, the nearest first."""
    match level:
        case "person":
            return (person,)
        case "site":
            return (post.site,)
        case "department":
            return post.departments
        case "company":
            return (COMPANY,)


async def _observe(
    connection: AsyncConnection,
    executor: Executor,
    indicators: Iterable[Indicator],
    level: Level,
    *,
    units: Collection[str],
    when: When,
) -> dict[tuple[str, str], Seen]:
    indicators = list(indicators)
    counted = await _count_parts(connection, executor, _parts_told(indicators, level), level, units=units, whens=[when])
    shown = await _shown(connection, executor, indicators, level, counted)
    return {
        (indicator.id, unit): _unless_few(_seen(indicator, counted[when], level, unit), shown[when].get(indicator.id))
        for indicator in indicators
        for unit in _with_rows(indicator, counted[when])
    }


async def _shown(
    connection: AsyncConnection,
    executor: Executor,
    indicators: Iterable[Indicator],
    level: Level,
    counted: Mapping[When, Found],
) -> dict[When, dict[str, frozenset[str]]]:
    """Units that may be told of, by indicator, of those that are about what people are paid or think.

    ``counted`` has what ``_parts_told`` says of these indicators, for some units of the level.
    """
    about = _about_people(indicators, level)
    if not about:
        return {when: {} for when in counted}
    above: dict[str, str | None] = {COMPANY: None}
    if level == "department":
        above |= {one: upper or COMPANY for one, upper in (await departments_above(connection)).items()}
    elif level == "site":
        above |= dict.fromkeys(await site_rows(connection), COMPANY)
    parts = _parts_told(about, level)
    whole = groups = counted
    if level != "company":
        whole = await _count_parts(connection, executor, parts, "company", units=[COMPANY], whens=counted)
        groups = await _count_parts(connection, executor, parts, level, units=above.keys(), whens=counted)

    def sizes(one: Indicator, when: When) -> dict[str, Size]:
        found = {unit: _size(one, groups[when], level, unit) for unit in above}
        return found | {COMPANY: _size(one, whole[when], "company", COMPANY)}

    return {when: {one.id: shown_groups(sizes(one, when), above) for one in about} for when in counted}


def _about_people(indicators: Iterable[Indicator], level: Level) -> list[Indicator]:
    return [one for one in indicators if level != "person" and is_of_people(one)]


def _parts_told(indicators: Collection[Indicator], level: Level) -> Iterable[Part]:
    """Their parts, and who is behind those that are withheld of small groups."""
    parts = [part for one in indicators for part in parts_of(one)]
    return dict.fromkeys([*parts, *(heads for one in _about_people(indicators, level) for heads in heads_of(one))])


def _size(indicator: Indicator, counted: Found, level: Level, unit: str) -> Size:
    own: dict[Part, Counted] = {heads: counted[heads].get(unit, Counted()) for heads in heads_of(indicator)}
    return size_of(indicator, own, _seen(indicator, counted, level, unit).observed.sample)


def _unless_few(seen: Seen, shown: Collection[str] | None) -> Seen:
    """Nothing but the reason of a group with rows that may not be told of."""
    if shown is None or seen.unit in shown or not seen.observed.denominator:
        return seen
    return Seen(Observed(), "few_people", seen.level, seen.unit)


def _seen(indicator: Indicator, counted: Found, level: Level, unit: str) -> Seen:
    own = {part: counted[part].get(unit, Counted()) for part in parts_of(indicator)}
    observed, reason = observe(indicator, own)
    others = {name: observe(one, own)[0] for name, one in besides(indicator).items()}
    values = {name: indicator.value(one.numerator, one.denominator) for name, one in others.items() if one.denominator}
    return Seen(observed, reason, level, unit, values)


def _with_rows(indicator: Indicator, counted: Found) -> Iterator[str]:
    yield from dict.fromkeys(unit for part in parts_of(indicator) for unit in counted[part])


async def observe_unit(
    connection: AsyncConnection, indicators: Collection[Indicator], level: Level, unit: str, whens: Collection[When]
) -> dict[tuple[str, When], Seen]:
    """What one unit's own rows come to, by indicator and period; nobody's above stands in."""
    executor = OnDatabase(connection)
    counted = await _count_parts(connection, executor, _parts_told(indicators, level), level, units=[unit], whens=whens)
    shown = await _shown(connection, executor, indicators, level, counted)
    return {
        (one.id, when): _unless_few(_seen(one, counted[when], level, unit), shown[when].get(one.id))
        for one in indicators
        for when in whens
    }


async def _count_parts(
    connection: AsyncConnection,
    executor: Executor,
    parts: Iterable[Part],
    level: Level,
    *,
    units: Collection[str],
    whens: Collection[When],
) -> Mapping[When, Found]:
    """Count parts by the executor, and in Python from the database where a field is worked out here."""
    wanted = [_read(part) for part in parts]
    stored = [part for part in wanted if part.part.fact not in DERIVED]
    found = await counting.count_each(executor, stored, level, units, whens)
    for part, when in product(wanted, whens):
        if part.part.fact in DERIVED:
            rows = await derived_rows(connection, part.part.fact, when)
            by_unit = count(part, rows, await units_of(connection, level), when)
            found[when][part.part] = {unit: n for unit, n in by_unit.items() if n.rows and unit in units}
    return found


@lru_cache(maxsize=1024)
def _read(part: Part) -> ReadPart:
    return read_part(part, shapes())
