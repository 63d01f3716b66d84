"""Rows of a source become rows of facts, each once; what does not fit waits for a person. Nothing is dropped."""

import asyncio
import datetime as dt
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.contacts import without_contacts
from server.connectors.mapping import Mapped, Rejected
from server.connectors.source_file import Stream
from server.facts.codes import Fault
from server.facts.fields import Fact
from server.facts.resolve.rules import key_columns
from server.services.fact_departments import departments
from server.services.own_rows import touch_owners
from server.services.sealing import MASK, fact_place, has_pay, open_raw, seal_raw, waiting_place
from server.store import attribute_writes, fact_marks, fact_queries, source_queries, waiting_queries
from server.store.fact_queries import Link, StoredRow, link_on
from server.store.fact_rows import as_values, layout, payload_hash, sealed_values
from server.store.fact_tables import FACT_TABLES
from server.store.fact_writes import put_rows
from server.store.sealer import NO_KEYS, Sealer, count_uses, sealer_of
from server.store.waiting_queries import WaitingRow
from shared.clock import WallMs
from shared.errors import ConfigError, DataError

MOST_GONE = 0.2
"""Share of the rows of a source that may vanish at once without a person's yes."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Whose rows they are, by which run, when."""

    source: str
    stream: Stream
    zone: ZoneInfo
    """Of the source, for the day on which somebody's id was theirs."""
    run: int
    at_ms: WallMs
    replaces: bool = True
    """False for files of old systems: what is stored stays, and a row of its key with other values is a conflict."""
    revives: bool = True
    """Whether a row that was deleted is back; False for pages that are mapped again, which say nothing about today."""

    @property
    def fact(self) -> str:
        """Name of the fact."""
        return self.stream.fact


@dataclass(slots=True)
class Counts:
    """What became of rows."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    waiting: int = 0
    deleted: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self

    @property
    def rows(self) -> int:
        """Rows that came, the bad ones too."""
        return self.added + self.changed + self.unchanged + self.waiting


class _New(NamedTuple):
    """A row that may be stored, with what tells whether it has to be."""

    number: int
    row: Fact
    raw: Any
    values: list[Any]
    digest: bytes
    secret: bytes | None = None
    """What of it is kept encrypted, still plain."""


async def store_page(connection: AsyncConnection, arrival: Arrival, rows: Iterable[Mapped | Rejected]) -> Counts:
    """Store what fits and let the rest wait, in the caller's transaction; twice the same changes nothing."""
    await source_queries.hold(connection, arrival.source)  # a link of its people is seen whole, or not at all
    sealer = await sealer_of(connection) if has_pay(arrival.fact) else None
    rows = list(rows)
    bad = [one for one in rows if isinstance(one, Rejected)]
    mapped = [one for one in rows if isinstance(one, Mapped)]
    good = await asyncio.to_thread(_all_new, arrival.fact, mapped, sealer)  # meanwhile people's pages are answered
    counts = Counts()
    conflicts = await _store(connection, arrival, good, counts, sealer)
    keys = [one.row.source_key for one in good]
    await waiting_queries.supersede(connection, arrival.source, arrival.stream.id, keys, arrival.at_ms)
    counts.waiting = await _let_wait(connection, arrival, [*bad, *conflicts], sealer)
    if sealer is not None:
        await count_uses(connection, sealer)
    return counts


async def delete_unseen(
    connection: AsyncConnection, arrival: Arrival, seen: Set[str], *, confirmed: bool = False
) -> Counts:
    """Mark the rows that a complete pass over the source did not show.

    DataError ``many_deleted`` when that would be more than MOST_GONE of them and nobody has said yes: a source that
    lost its rights, or its filter, looks the same.
    """
    table = FACT_TABLES[arrival.fact]
    there = await fact_queries.count_live(connection, table, arrival.source)
    gone: list[str] = []
    async for keys in fact_queries.live_keys(connection, table, arrival.source):
        gone += [key for key in keys if key not in seen]
    if len(gone) > there * MOST_GONE and not confirmed:
        raise DataError(
            f"{len(gone)} of {there} rows are gone from {arrival.source}: confirm that, or mend its rights or filter",
            "many_deleted",
            {"gone": str(len(gone)), "there": str(there)},
        )
    await fact_queries.delete_rows(connection, table, arrival.source, gone, run=arrival.run, at_ms=arrival.at_ms)
    rows = await attribute_writes.key_rows(connection, arrival.fact, arrival.source, gone)
    await attribute_writes.settle(connection, {arrival.fact: rows})
    if gone:
        await fact_marks.move(connection, [arrival.fact])
    return Counts(deleted=len(gone))


def _all_new(fact: str, rows: Iterable[Mapped], sealer: Sealer | None) -> list[_New]:
    return [_new(fact, one, sealer) for one in rows]


def _new(fact: str, one: Mapped, sealer: Sealer | None) -> _New:
    values = as_values(fact, one.row)
    secret = sealed_values(fact, one.row)
    return _New(one.number, one.row, one.raw, values, _digest(values, secret, sealer), secret)


def digest_of(fact: str, row: Fact, sealer: Sealer | None) -> bytes:
    """By which it is told whether a row has changed; ConfigError for pay without keys."""
    return _digest(as_values(fact, row), sealed_values(fact, row), sealer)


def _digest(values: list[Any], secret: bytes | None, sealer: Sealer | None) -> bytes:
    if secret is None:
        return payload_hash(values)
    if sealer is None:
        raise ConfigError(NO_KEYS)
    return payload_hash([*values, secret], sealer.mac)


async def _store(
    connection: AsyncConnection, arrival: Arrival, rows: Sequence[_New], counts: Counts, sealer: Sealer | None
) -> list[Rejected]:
    """Write what is new or newer; the conflicts are returned."""
    table = FACT_TABLES[arrival.fact]
    stored = await fact_queries.stored_rows(
        connection, table, arrival.source, sorted({one.row.source_key for one in rows})
    )
    people = await _people(connection, arrival, rows)
    known = layout(arrival.fact)
    updated = known.columns.index("source_updated_at_ms")
    sealed = has_pay(arrival.fact)
    wanted: dict[str, list[Any]] = {}
    replaced: set[str] = set()
    conflicts: list[Rejected] = []
    for one in rows:
        key, updated_ms = one.row.source_key, one.values[updated]
        before = stored.get(key)
        gone = before is not None and before.deleted
        back = gone and arrival.revives
        if before is not None and (_older(updated_ms, before) or (one.digest == before.payload_hash and not back)):
            counts.unchanged += 1
            continue
        if before is not None and not gone and not arrival.replaces:
            fault = Fault("source_key", "conflict", key)
            told = (one.row.employee_key, one.row.org_key, one.row.occurred_at)
            conflicts.append(Rejected(one.number, one.raw, (fault,), key, *told))
            continue
        if before is None:
            counts.added += 1
        else:
            counts.changed += key not in wanted
            replaced.add(key)
        stored[key] = StoredRow(one.digest, updated_ms, gone and not back)
        wanted[key] = _values(arrival, one, people, deleted=gone and not back)
        if sealed:
            wanted[key].append(_sealed(arrival, one, sealer))
    columns = (*known.columns, *_OURS)
    if sealed:
        columns = (*columns, "sealed")
    as_they_were = await attribute_writes.key_rows(connection, arrival.fact, arrival.source, sorted(replaced))
    await put_rows(connection, table, columns, list(wanted.values()))
    asked = [name for name in key_columns(arrival.fact) if name in columns]
    pick = itemgetter(*(columns.index(name) for name in asked)) if asked else None
    as_they_are = [dict(zip(asked, pick(values), strict=True)) for values in wanted.values()] if pick else []
    changed = await attribute_writes.settle(connection, {arrival.fact: [*as_they_were, *as_they_are]})
    if wanted:
        changed[arrival.fact] |= {(arrival.source, key) for key in wanted}
        await fact_marks.move(connection, [arrival.fact])
        await touch_owners(connection, changed, arrival.at_ms)
    return conflicts


def _sealed(arrival: Arrival, one: _New, sealer: Sealer | None) -> bytes | None:
    if one.secret is None or sealer is None:
        return None
    return sealer.seal(one.secret, fact_place(arrival.fact, arrival.source, one.row.source_key))


def _older(updated_ms: WallMs | None, before: StoredRow) -> bool:
    """Whether the stored row is a newer one."""
    stored_ms = before.source_updated_at_ms
    return updated_ms is not None and stored_ms is not None and updated_ms < stored_ms


_OURS = ("source", "employee", "payload_hash", "first_seen_ms", "changed_ms", "run", "deleted")
"""Columns beside those of the fact."""


def _values(arrival: Arrival, one: _New, people: dict[str, list[Link]], *, deleted: bool) -> list[Any]:
    """In the order of the fact's columns, then ours."""
    at_ms = arrival.at_ms
    ours = (arrival.source, person_of(people, one.row, arrival), one.digest, at_ms, at_ms, arrival.run, deleted)
    return [*one.values, *ours]


def person_of(people: dict[str, list[Link]], row: Fact, arrival: Arrival) -> str | None:
    """Whose row it is, by the id that was theirs on its day; the day of arrival where it has none."""
    if row.employee_key is None or row.employee_key not in people:
        return None
    at = row.occurred_at or dt.datetime.fromtimestamp(arrival.at_ms / 1000, dt.UTC)
    day = at.astimezone(arrival.zone).date()
    return link_on(people[row.employee_key], day)


async def _people(connection: AsyncConnection, arrival: Arrival, rows: Sequence[_New]) -> dict[str, list[Link]]:
    keys = {one.row.employee_key for one in rows if one.row.employee_key is not None}
    return await fact_queries.links_of(connection, arrival.source, keys) if keys else {}


async def _let_wait(
    connection: AsyncConnection, arrival: Arrival, rejected: Sequence[Rejected], sealer: Sealer | None
) -> int:
    """Quarantine rows; how many wait. One that a person has decided on stays decided until it comes changed."""
    mac = None if sealer is None else sealer.mac
    places = await departments(connection, arrival.source, arrival.zone, rejected, arrival.at_ms) if rejected else []
    waiting = zip((_waiting(arrival, one) for one in rejected), places, strict=True)
    rows = {row.digest(mac): (row, department) for row, department in waiting}
    known = await waiting_queries.standings(connection, arrival.source, arrival.stream.id, list(rows))
    wanted = []
    for digest, (row, department) in rows.items():
        before = known.get(digest)
        place = waiting_place(arrival.source, arrival.stream.id, digest)
        same = before is not None and (before.is_settled or before.proposal is not None)
        same = same and before is not None and open_raw(sealer, before.raw, place) == row.raw
        if before is None or not (before.is_settled and same):
            raw = seal_raw(sealer, arrival.stream, row.raw, place)
            about = {"department": department, "proposal": before.proposal if before is not None and same else None}
            wanted.append(_quarantine_columns(arrival, digest, row._replace(raw=raw)) | about)
    await waiting_queries.put_waiting(connection, wanted)
    return len(wanted)


def _waiting(arrival: Arrival, one: Rejected) -> WaitingRow:
    [raw] = without_contacts([msgspec.to_builtins(one.raw, str_keys=True)], arrival.stream)
    shown = not has_pay(arrival.fact)  # a value in the wrong column may be pay
    told = [{"field": bad.field, "code": bad.code, "value": bad.value if shown else MASK} for bad in one.faults]
    return WaitingRow(one.number, one.source_key, raw, list(one.codes), told)


def _quarantine_columns(arrival: Arrival, digest: bytes, row: WaitingRow) -> dict[str, Any]:
    return {
        "source": arrival.source,
        "stream": arrival.stream.id,
        "fact": arrival.fact,
        "run": arrival.run,
        "row_no": row.row_no,
        "source_key": row.source_key,
        "digest": digest,
        "raw": row.raw,
        "codes": row.codes,
        "fields": row.fields,
        "state": "open",
        "first_seen_ms": arrival.at_ms,
        "last_seen_ms": arrival.at_ms,
        "decided_by": None,
        "decided_ms": None,
        "patch": None,
        "note": "",
    }
