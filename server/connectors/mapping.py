"""From raw rows to rows of facts: pure, all faults of a row at once."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from server.connectors.convert import Reading, is_empty
from server.connectors.paths import OUTER, look
from server.connectors.source_file import Source, Stream
from server.connectors.values import BadValueError, Read, Row, reader, shown, test
from server.facts.catalogue import FACTS, FactKind
from server.facts.codes import Code, Fault
from server.facts.fields import Fact
from server.facts.happened import Latest, ahead
from server.facts.wide import widened
from shared.errors import DataError

_CODES: Mapping[str, Code] = {
    "missing": "missing_field",
    "literal_error": "unknown_value",
    "string_too_long": "too_large",
    "string_too_short": "missing_field",
    "string_pattern_mismatch": "unknown_value",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "int_parsing": "bad_number",
    "int_type": "bad_number",
    "int_from_float": "bad_number",
    "float_parsing": "bad_number",
    "float_type": "bad_number",
    "finite_number": "bad_number",
    "bool_parsing": "unknown_value",
    "bool_type": "unknown_value",
    "date_parsing": "bad_date",
    "date_type": "bad_date",
    "date_from_datetime_parsing": "bad_date",
    "datetime_parsing": "bad_time",
    "datetime_type": "bad_time",
    "datetime_from_date_parsing": "bad_time",
}
_UNCHANGED: Mapping[str, Any] = {}


class Mapped(NamedTuple):
    """A row that fits its fact."""

    number: int
    row: Fact
    raw: Any
    """As it came, for whoever has to say more about it later."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that has to wait, with everything that is wrong with it."""

    number: int
    raw: Any
    faults: tuple[Fault, ...]
    source_key: str | None = None
    employee_key: str | None = None
    """Whom and which department it is about, and when, as far as that could be read."""
    org_key: str | None = None
    at: dt.datetime | None = None

    @property
    def codes(self) -> tuple[Code, ...]:
        """Each code once, in order."""
        return tuple(dict.fromkeys(fault.code for fault in self.faults))


def map_rows(
    source: Source,
    stream: Stream,
    rows: Iterable[Any],
    *,
    now: dt.datetime | None = None,
    lines: Iterable[int] | None = None,
) -> Iterator[Mapped | Rejected]:
    """Every row in order; what is to be dropped is left out.

    ``number`` is the line of the file where ``lines`` tells, else it counts the raw rows from 1. What has happened
    well after ``now`` is a ``future_date``; without it nothing is.
    """
    numbered = enumerate(rows, start=1) if lines is None else zip(lines, rows, strict=True)
    latest = None if now is None else Latest.of(now, source.zone)
    made = _Map.of(source, stream)
    drops = [test(drop) for drop in stream.drop]
    for number, raw in numbered:
        for row in _spread(stream, raw):
            if not drops or not any(says(row) for says in drops):
                yield made.row(number, row, latest=latest)


def map_waiting(
    source: Source,
    stream: Stream,
    raw: Any,
    patch: Mapping[str, Any],
    *,
    now: dt.datetime | None = None,
    accepts: bool = False,
) -> Mapped | Rejected:
    """A row that waited, once more: by the map of today, with a person's values for some fields of its fact.

    ``raw`` is as ``Rejected`` had it; null in ``patch`` takes a field out. ``accepts``: a person takes numbers out of
    range and times ahead of now as they are.
    """
    row = Row(raw)
    if isinstance(raw, dict) and OUTER in raw:
        row = Row({name: value for name, value in raw.items() if name != OUTER}, raw[OUTER])
    latest = None if now is None or accepts else Latest.of(now, source.zone)
    return _Map.of(source, stream).row(1, row, patch, latest=latest, accepts=accepts)


def _spread(stream: Stream, raw: Any) -> Iterable[Row]:
    """The rows that a raw one holds."""
    if stream.columns is not None and isinstance(raw, list):
        raw = dict(zip(stream.columns, raw, strict=False))
    if stream.unpivot is not None:
        return _unpivoted(stream.unpivot, raw)
    if stream.each is None:
        return (Row(raw),)
    try:
        inner = look(raw, stream.each)
    except DataError:
        inner = "no list"
    if inner is None:
        return ()
    return [Row(item, raw) for item in inner] if isinstance(inner, list) else (Row(inner, raw),)


def _unpivoted(names: Iterable[str], raw: Any) -> Iterable[Row]:
    if not isinstance(raw, dict):
        return (Row(raw),)
    return [Row({"name": name, "value": raw[name]}, raw) for name in names if not is_empty(raw.get(name))]


def _kept(stream: Stream, row: Row) -> Any:
    """As it may wait: with the row around, but without that one's other rows."""
    if not isinstance(row.value, dict) or not isinstance(row.outer, dict):
        return row.value
    inner = stream.each[0] if stream.each else None
    return {**row.value, OUTER: {name: value for name, value in row.outer.items() if name != inner}}


@dataclass(frozen=True, slots=True)
class _Map:
    """A stream's map as functions, made once for all rows of a page."""

    stream: Stream
    kind: FactKind
    fields: tuple[tuple[str, Read], ...]
    currency: Read | None
    zone: ZoneInfo
    readings: dict[str | None, Reading]
    """By currency of the row."""

    @classmethod
    def of(cls, source: Source, stream: Stream) -> "_Map":
        """That of a stream."""
        specs = {"source_key": stream.key, **stream.map}
        fields = {name: reader(spec, stream.empty) for name, spec in specs.items()}
        zone = source.zone
        return cls(
            stream, FACTS[stream.fact], tuple(fields.items()), fields.get("currency"), zone, {None: Reading(zone)}
        )

    def row(
        self,
        number: int,
        row: Row,
        patch: Mapping[str, Any] = _UNCHANGED,
        *,
        latest: Latest | None = None,
        accepts: bool = False,
    ) -> Mapped | Rejected:
        """A row of the fact, or everything that is wrong with it."""
        if not isinstance(row.value, dict):
            return Rejected(number, row.value, (Fault("", "schema_changed", shown(row.value)),))
        faults: list[Fault] = []
        found: dict[str, Any] = {}
        reading = self._reading(row)
        fields = [(field, read) for field, read in self.fields if field not in patch] if patch else self.fields
        for field, read in fields:
            try:
                value = read(row, reading)
            except BadValueError as error:
                faults.append(Fault(field, error.code, error.shown))
                continue
            if value is not None:
                found[field] = value
        if "source_key" in found:
            found["source_key"] = str(found["source_key"])
        if patch:
            found |= {field: value for field, value in patch.items() if value is not None}
        if "occurred_at" not in found and (at := _own_time(found, self.kind.times, self.zone)) is not None:
            found["occurred_at"] = at
        made = _checked(widened(self.kind.row) if accepts else self.kind.row, found, faults)
        if latest is not None:
            values = found if made is None else made.__dict__
            late = ahead(self.kind.name, values, latest)
            faults += [Fault(field, "future_date", values[field].isoformat()) for field in late]
        if made is not None and not faults:
            return Mapped(number, _timed(made, self.kind.times, self.zone), row.value)
        key, person, department = (_text_of(found, name) for name in ("source_key", "employee_key", "org_key"))
        at = found.get("occurred_at")
        known_at = at if isinstance(at, dt.datetime) and at.tzinfo is not None else None
        return Rejected(number, _kept(self.stream, row), tuple(faults), key, person, department, known_at)

    def _reading(self, row: Row) -> Reading:
        """With the row's currency, where it can be told."""
        if self.currency is None:
            return self.readings[None]
        try:
            currency = self.currency(row, self.readings[None])
        except BadValueError:
            currency = None
        currency = currency if isinstance(currency, str) else None
        if currency not in self.readings:
            self.readings[currency] = Reading(self.zone, currency)
        return self.readings[currency]


def _text_of(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) else None


def _checked(row: type[Fact], found: Mapping[str, Any], faults: list[Fault]) -> Fact | None:
    """The row, or its further faults added to those known."""
    try:
        return row.model_validate(found)
    except ValidationError as error:
        known = {fault.field for fault in faults}
        for problem in error.errors(include_url=False):
            field = str(problem["loc"][0]) if problem["loc"] else ""
            if field not in known:
                known.add(field)
                faults.append(Fault(field, _code(field, problem["type"], row), shown(found.get(field))))
    return None


def _code(field: str, kind: str, row: type[Fact]) -> Code:
    if kind in ("missing", "string_too_short"):
        if field == "source_key":
            return "missing_key"
        return "missing_time" if field in _times(row) else "missing_field"
    if kind == "value_error":
        return "bad_date" if field.endswith(("_on", "_date", "valid_from", "valid_to")) else "bad_time"
    return _CODES.get(kind, "schema_changed")


_TIMES: Mapping[type[Fact], tuple[str, ...]] = {kind.row: ("occurred_at", *kind.times) for kind in FACTS.values()}


def _times(row: type[Fact]) -> tuple[str, ...]:
    """Those of a fact, also of its row with wider ranges."""
    return next((_TIMES[one] for one in row.__mro__ if one in _TIMES), ())


def _own_time(found: Mapping[str, Any], times: Iterable[str], zone: ZoneInfo) -> dt.datetime | None:
    """The time of the event where the source gave none: the first of the fact's own that is set."""
    for name in times:
        at = found.get(name)
        if isinstance(at, dt.datetime):
            return at
        if isinstance(at, dt.date):
            return _midnight(at, zone)
    return None


@lru_cache(maxsize=4_096)
def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)


def _timed(row: Fact, times: Iterable[str], zone: ZoneInfo) -> Fact:
    """With its own time, where that was a text that only the row's model could read."""
    if row.occurred_at is not None or (at := _own_time(row.__dict__, times, zone)) is None:
        return row
    return row.model_copy(update={"occurred_at": at})
