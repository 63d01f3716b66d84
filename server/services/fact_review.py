"""People decide about rows of business systems that wait: put right, refuse. Every decision is in the operation log."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.connectors.mapping import Mapped, Rejected, map_waiting
from server.connectors.source_file import Source, Stream
from server.facts.catalogue import FACTS, SEALED
from server.services.fact_store import Arrival, Counts, store_page
from server.services.sealing import has_pay, open_raw, sealer_of, waiting_place
from server.services.sources import load_source, stream_named
from server.store import log_queries, review_queries, source_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.review_queries import WaitingFact
from shared.errors import DataError

MOST_AT_ONCE = 500
"""More rows, or pay, are for two people to decide about."""


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


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides what, and why."""

    entry: Entry
    """For the operation log."""
    note: str = ""
    patch: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the fact with their right values; null takes one out."""


async def show(
    connection: AsyncConnection, scope: Scope, number: int, patch: Mapping[str, Any] | None = None
) -> Reviewed:
    """A row, and what it becomes with the patch; nothing is stored. NotFoundError outside the viewer's scope."""
    row = await _row(connection, scope, number)
    source, stream = await _stream(connection, row)
    raw = await _raw(connection, row)
    outcome = map_waiting(source, stream, raw, _checked(stream, patch or {}))
    shown = None if has_pay(row.fact) else raw
    if isinstance(outcome, Rejected):
        return Reviewed(row, shown, None, tuple(_fault(fault) for fault in outcome.faults))
    sealed = set(SEALED.get(row.fact, ()))
    return Reviewed(row, shown, outcome.row.model_dump(mode="json", exclude_none=True, exclude=sealed), ())


async def alike(connection: AsyncConnection, scope: Scope, number: int, name: str) -> Alike:
    """Rows of the stream that wait for the same reason as this one in that field, itself among them."""
    row = await _row(connection, scope, number)
    found = [fault for fault in row.fields if fault["field"] == name]
    if not found:
        raise DataError(f"nothing is wrong with {name} of row {number}", "no_such_fault")
    same = await review_queries.open_of_stream(connection, scope, row.source, row.stream)
    return Alike(name, found[0]["code"], found[0]["value"], tuple(one for one in same if found[0] in one.fields))


async def fix(db: Database, scope: Scope, numbers: Sequence[int], decision: Decision) -> Counts:
    """Send rows through the whole pipeline again, with a person's values for some of their fields.

    DataError ``still_wrong`` names what is wrong with the first that does not fit, and then nothing is changed;
    ``second_person`` for more than MOST_AT_ONCE, or pay.
    """
    counts = Counts()
    async with db.writing() as connection:
        rows = [await _row(connection, scope, number) for number in numbers]
        _for_one_person(rows)
        for row in rows:
            source, stream = await _stream(connection, row)
            outcome = map_waiting(source, stream, await _raw(connection, row), _checked(stream, decision.patch))
            if isinstance(outcome, Rejected):
                told = ", ".join(f"{fault.field}: {fault.code}" for fault in outcome.faults)
                raise DataError(f"row {row.id} still does not fit: {told}", "still_wrong", {"row": str(row.id)})
            await _decided(connection, row, "fixed", decision)
            counts += await _store(connection, row, outcome, decision.entry)
        await _log(connection, rows, decision)
    return counts


async def refuse(db: Database, scope: Scope, numbers: Sequence[int], decision: Decision) -> None:
    """These rows are none: they are kept, and wait no longer."""
    async with db.writing() as connection:
        rows = [await _row(connection, scope, number) for number in numbers]
        _for_one_person(rows)
        for row in rows:
            await _decided(connection, row, "rejected", decision)
        await _log(connection, rows, decision)


async def _row(connection: AsyncConnection, scope: Scope, number: int) -> WaitingFact:
    row = await review_queries.one(connection, scope, number)
    if row is None:
        raise NotFoundError(f"waiting row {number}")
    return row


async def _stream(connection: AsyncConnection, row: WaitingFact) -> tuple[Source, Stream]:
    _, source = await load_source(connection, row.source)
    return source, stream_named(source, row.stream)


async def _raw(connection: AsyncConnection, row: WaitingFact) -> Any:
    sealer = await sealer_of(connection) if has_pay(row.fact) else None
    return open_raw(sealer, row.raw, waiting_place(row.source, row.stream, row.digest))


def _checked(stream: Stream, patch: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = sorted(set(patch) - set(FACTS[stream.fact].row.model_fields))
    if unknown:
        raise DataError(f"{stream.fact} has no field {', '.join(unknown)}", "unknown_field", {"field": unknown[0]})
    return patch


def _for_one_person(rows: Sequence[WaitingFact]) -> None:
    if len(rows) > MOST_AT_ONCE or any(has_pay(row.fact) for row in rows):
        raise DataError(
            f"{len(rows)} rows: more than {MOST_AT_ONCE}, or rows with pay, take two people", "second_person"
        )


async def _decided(connection: AsyncConnection, row: WaitingFact, state: str, decision: Decision) -> None:
    entry = decision.entry
    values = {"state": state, "decided_by": entry.actor, "decided_ms": entry.at_ms, "note": decision.note}
    values |= {"patch": dict(decision.patch)} if decision.patch else {}
    if not await review_queries.decide(connection, [row.id], values):
        raise DataError(f"row {row.id} is decided already", "decided", {"row": str(row.id)})


async def _store(connection: AsyncConnection, row: WaitingFact, outcome: Mapped, entry: Entry) -> Counts:
    known, source = await load_source(connection, row.source)
    started = {"source": row.source, "stream": row.stream, "kind": "review", "map_version": known.map_version}
    run = await source_queries.begin_run(connection, {**started, "actor": entry.actor, "started_ms": entry.at_ms})
    arrival = Arrival(row.source, stream_named(source, row.stream), source.zone, run, entry.at_ms)
    counts = await store_page(connection, arrival, [outcome])
    await source_queries.set_run(connection, run, {"state": "ok", "ended_ms": entry.at_ms, **asdict(counts)})
    return counts


async def _log(connection: AsyncConnection, rows: Sequence[WaitingFact], decision: Decision) -> None:
    numbers = ", ".join(str(row.id) for row in rows)
    told = {"rows": numbers, "patch": msgspec.json.encode(decision.patch).decode(), "note": decision.note}
    await log_queries.append(connection, replace(decision.entry, object=rows[0].source if rows else "", detail=told))


def _fault(fault: Any) -> Mapping[str, str]:
    return {"field": fault.field, "code": fault.code, "value": fault.value}
