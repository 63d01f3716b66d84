"""What people see of rows that wait before they decide: what one becomes, which are alike, whose task they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.connectors.mapping import Mapped, Rejected, map_waiting
from server.connectors.source_file import Source, Stream
from server.facts.catalogue import FACTS, SEALED
from server.services import accounts
from server.services.sealing import has_pay, open_raw, waiting_place
from server.services.sources import load_source, stream_named
from server.store import log_queries, review_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.review_queries import WaitingFact
from server.store.sealer import sealer_of
from shared.clock import WallMs, from_ms
from shared.errors import DataError

MOST_TOGETHER = 20_000
"""Rows of one decision."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A row that waits beside what becomes of it."""

    row: WaitingFact
    raw: Any
    """As it came; none where it may hold pay, which is never shown here."""
    mapped: Mapping[str, Any] | None
    """Fields of the fact; None while something is wrong with it."""
    faults: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Alike:
    """Rows with the same fault: the same value in the same field, for the same reason."""

    field: str
    code: str
    value: str
    rows: tuple[WaitingFact, ...]


async def show(
    connection: AsyncConnection, scope: Scope, number: int, patch: Mapping[str, Any] | None, now_ms: WallMs
) -> Reviewed:
    """A row, and what it becomes with the patch; nothing is stored. NotFoundError outside the viewer's scope."""
    [row] = await found(connection, scope, [number])
    shown = None if has_pay(row.fact) else await raw_of(connection, row)
    outcome = await mapped(connection, row, patch or {}, now_ms)
    if isinstance(outcome, Rejected):
        return Reviewed(row, shown, None, tuple(_told(fault, has_pay(row.fact)) for fault in outcome.faults))
    sealed = set(SEALED.get(row.fact, ()))
    return Reviewed(row, shown, outcome.row.model_dump(mode="json", exclude_none=True, exclude=sealed), ())


async def alike(connection: AsyncConnection, scope: Scope, number: int, name: str) -> Alike:
    """Rows of the stream that wait for the same reason as this one in that field, itself among them.

    What may be pay is masked and so like nothing else. Rows about which two people decide already are left out.
    """
    [row] = await found(connection, scope, [number])
    wrong = [fault for fault in row.fields if fault["field"] == name]
    if not wrong:
        raise DataError(f"nothing is wrong with {name} of row {number}", "no_such_fault")
    same = await review_queries.open_of_stream(connection, scope, row.source, row.stream)
    rows = [one for one in same if wrong[0] in one.fields and one.proposal is None]
    if has_pay(row.fact):
        rows = [one for one in rows if one.id == number]
    return Alike(name, wrong[0]["code"], wrong[0]["value"], tuple(rows))


async def assign(db: Database, scope: Scope, numbers: Sequence[int], login: str | None, entry: Entry) -> None:
    """Make rows somebody's task; None: nobody's.

    DataError ``no_reviewer`` for an account that may not review, ``beyond_reviewer`` for rows that it may not see.
    """
    async with db.writing() as connection:
        rows = await found(connection, scope, numbers)
        if login is not None:
            people = await accounts.holders(connection, "facts.review")
            holder = next((one for one in people if one.login == login), None)
            if holder is None:
                raise DataError(f"{login} may not review rows that wait", "no_reviewer", {"login": login})
            seen = await review_queries.some(connection, holder.scope, numbers)
            if len(seen) < len(rows):
                told = {"login": login, "rows": str(len(rows) - len(seen))}
                raise DataError(f"{login} may not see {told['rows']} of these rows", "beyond_reviewer", told)
        if await review_queries.assign(connection, [row.id for row in rows], login) < len(rows):
            raise DataError("some of these rows are decided already", "decided")
        detail = {"rows": ", ".join(str(row.id) for row in rows), "to": login}
        await log_queries.append(connection, replace(entry, object=rows[0].source, detail=detail))


async def found(connection: AsyncConnection, scope: Scope, numbers: Sequence[int]) -> list[WaitingFact]:
    """These rows; NotFoundError when one of them is not there for the viewer."""
    rows = await review_queries.some(connection, scope, numbers)
    if missing := sorted(set(numbers) - {row.id for row in rows}):
        raise NotFoundError(f"waiting row {missing[0]}")
    return rows


async def mapped(
    connection: AsyncConnection, row: WaitingFact, patch: Mapping[str, Any], now_ms: WallMs, *, accepts: bool = False
) -> Mapped | Rejected:
    """What becomes of a row by the map of today. DataError ``unknown_field``, ``pay_typed``."""
    source, stream = await stream_of(connection, row)
    raw = await raw_of(connection, row)
    return map_waiting(source, stream, raw, _checked(stream, patch), now=from_ms(now_ms), accepts=accepts)


async def stream_of(connection: AsyncConnection, row: WaitingFact) -> tuple[Source, Stream]:
    """Where a row came from."""
    _, source = await load_source(connection, row.source)
    return source, stream_named(source, row.stream)


async def raw_of(connection: AsyncConnection, row: WaitingFact) -> Any:
    """The row as it came, opened."""
    sealer = await sealer_of(connection) if has_pay(row.fact) else None
    return open_raw(sealer, row.raw, waiting_place(row.source, row.stream, row.digest))


def _checked(stream: Stream, patch: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = sorted(set(patch) - set(FACTS[stream.fact].row.model_fields))
    if unknown:
        raise DataError(f"{stream.fact} has no field {', '.join(unknown)}", "unknown_field", {"field": unknown[0]})
    for name in SEALED.get(stream.fact, ()):
        if patch.get(name) is not None:
            raise DataError(
                f"{name} is pay and not typed in here: correct it in its system or with the contract, or leave it out",
                "pay_typed",
                {"field": name},
            )
    return patch


def _told(fault: Any, masked: bool) -> Mapping[str, str]:
    return {"field": fault.field, "code": fault.code, "value": "***" if masked else fault.value}
