"""Files of indicators that an administrator chooses on the page: what of them could come into force, and what not."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from server.scoring.definition_file import MOST_BYTES, Defined, DefinitionFile, Fault
from server.scoring.rules import Change, IndicatorItem, changed, put, rules_of
from server.services.schemes import check_changes
from server.store import scheme_queries
from server.store.counted_facts import shapes
from shared.clock import WallMs
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Judged:
    """A definition of a file: ready for a draft, as it is in force already, or with its fault."""

    defined: Defined
    fault: Fault | None
    unchanged: bool = False


async def judge_file(connection: AsyncConnection, toml: bytes, now_ms: WallMs) -> list[Judged]:
    """Each definition in the order of the file, checked as a draft of it is that comes after the others.

    Nothing is written.

    DataError ``draft_file`` with line and reason for what is no such file.
    """
    if len(toml) > MOST_BYTES:
        reason = f"expected {MOST_BYTES} bytes at most"
        raise DataError(f"definitions: {reason}", "draft_file", {"line": "1", "reason": reason})
    file = DefinitionFile(toml, shapes())
    before = await scheme_queries.book_at(connection)
    there = set(rules_of(before).catalogue.indicators)
    every = [put(IndicatorItem(indicator=one.indicator)) for one in file.definitions if one.indicator is not None]
    found: list[Judged] = []
    keys = set[str]()
    for one in file.definitions:
        fault = one.fault
        if one.indicator is not None and one.indicator not in there:
            change = put(IndicatorItem(indicator=one.indicator))
            try:
                _once(change, keys)
                others = changed(before, (one for one in every if one.key != change.key))
                await check_changes(connection, others, [change], now_ms)
            except DataError as error:
                fault = file.fault(one.number, error, one.indicator)
        found.append(Judged(one, fault, one.indicator in there))
    return found


def _once(change: Change, keys: set[str]) -> None:
    if change.key in keys:
        raise DataError(f"{change.key}: two versions of the file start on this day", "indicator_twice")
    keys.add(change.key)
