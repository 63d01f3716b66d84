"""From raw rows to rows of facts: pure, all faults of a row at once."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from server.connectors.convert import Reading, convert, is_empty
from server.connectors.paths import OUTER, Path, look
from server.connectors.source_file import Among, Pick, Source, Stream, Value
from server.facts.catalogue import FACTS
from server.facts.codes import Code, Fault
from server.facts.fields import Fact
from shared.errors import DataError

SHOWN = 200
"""Characters of a bad value that are kept beside its code."""
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


@dataclass(frozen=True, slots=True)
class Mapped:
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

    @property
    def codes(self) -> tuple[Code, ...]:
        """Each code once, in order."""
        return tuple(dict.fromkeys(fault.code for fault in self.faults))


def map_rows(source: Source, stream: Stream, rows: Iterable[Any]) -> Iterator[Mapped | Rejected]:
    """Every row in order; what is to be dropped is left out. ``number`` counts the raw rows from 1."""
    zone = ZoneInfo(source.timezone)
    for number, raw in enumerate(rows, start=1):
        for row in _spread(stream, raw):
            if not _dropped(stream, row):
                yield _map_row(stream, number, row, zone)


def map_waiting(source: Source, stream: Stream, raw: Any, patch: Mapping[str, Any]) -> Mapped | Rejected:
    """A row that waited, once more: by the map of today, with a person's values for some fields of its fact.

    ``raw`` is as ``Rejected`` had it; null in ``patch`` takes a field out.
    """
    row = _Row(raw)
    if isinstance(raw, dict) and OUTER in raw:
        row = _Row({name: value for name, value in raw.items() if name != OUTER}, raw[OUTER])
    return _map_row(stream, 1, row, source.zone, patch)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, and the one around it."""

    value: Any
    outer: Any = None

    def kept(self, stream: Stream) -> Any:
        """As it may wait: with the row around, but without that one's other rows."""
        if not isinstance(self.value, dict) or not isinstance(self.outer, dict):
            return self.value
        inner = stream.each[0] if stream.each else None
        return {**self.value, OUTER: {name: value for name, value in self.outer.items() if name != inner}}

    def look(self, path: Path) -> Any:
        if len(path) == 1 and type(self.value) is dict and path[0] != OUTER and type(path[0]) is str:
            return self.value.get(path[0])  # nearly always
        if path and path[0] == OUTER:
            return look(self.outer, path[1:])
        return look(self.value, path)


def _spread(stream: Stream, raw: Any) -> Iterator[_Row]:
    if stream.columns is not None and isinstance(raw, list):
        raw = dict(zip(stream.columns, raw, strict=False))
    if stream.unpivot is not None:
        yield from _unpivoted(stream.unpivot, raw)
        return
    if stream.each is None:
        yield _Row(raw)
        return
    try:
        inner = look(raw, stream.each)
    except DataError:
        inner = "no list"
    if inner is None:
        return
    if not isinstance(inner, list):
        yield _Row(inner, raw)
        return
    for item in inner:
        yield _Row(item, raw)


def _unpivoted(names: Iterable[str], raw: Any) -> Iterator[_Row]:
    if not isinstance(raw, dict):
        yield _Row(raw)
        return
    for name in names:
        if not is_empty(raw.get(name)):
            yield _Row({"name": name, "value": raw[name]}, raw)


def _dropped(stream: Stream, row: _Row) -> bool:
    return any(_says(drop, row) for drop in stream.drop)


def _says(among: Among, row: _Row) -> bool:
    try:
        return among.holds(row.look(among.path))
    except DataError:
        return False  # shaped otherwise: it says nothing of the kind


def _map_row(
    stream: Stream, number: int, row: _Row, zone: ZoneInfo, patch: Mapping[str, Any] = _UNCHANGED
) -> Mapped | Rejected:
    kind = FACTS[stream.fact]
    faults: list[Fault] = []
    found: dict[str, Any] = {}
    if not isinstance(row.value, dict):
        return Rejected(number, row.value, (Fault("", "schema_changed", _shown(row.value)),))
    currency = _currency(stream, row, zone)
    reading = Reading(zone, currency)
    for field, spec in (("source_key", stream.key), *stream.map.items()):
        if field in patch:
            continue
        try:
            value = _value(spec, row, stream, reading)
        except _BadError as error:
            faults.append(Fault(field, error.code, error.shown))
            continue
        if field == "source_key" and value is not None:
            value = str(value)
        if value is not None:
            found[field] = value
    found |= {field: value for field, value in patch.items() if value is not None}
    if "occurred_at" not in found and (at := _own_time(found, kind.times, zone)) is not None:
        found["occurred_at"] = at
    made = _checked(kind.row, found, faults)
    if made is not None and not faults:
        return Mapped(number, _timed(made, kind.times, zone), row.value)
    key = found.get("source_key")
    return Rejected(number, row.kept(stream), tuple(faults), key if isinstance(key, str) else None)


def _checked(row: type[Fact], found: Mapping[str, Any], faults: list[Fault]) -> Fact | None:
    """The row, or its further faults added to those known."""
    known = {fault.field for fault in faults}
    try:
        return row.model_validate(found)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            field = str(problem["loc"][0]) if problem["loc"] else ""
            if field not in known:
                known.add(field)
                faults.append(Fault(field, _code(field, problem["type"], row), _shown(found.get(field))))
    return None


def _code(field: str, kind: str, row: type[Fact]) -> Code:
    if kind in ("missing", "string_too_short"):
        if field == "source_key":
            return "missing_key"
        return "missing_time" if field in _TIMES.get(row, ()) else "missing_field"
    if kind == "value_error":
        return "bad_date" if field.endswith(("_on", "_date", "valid_from", "valid_to")) else "bad_time"
    return _CODES.get(kind, "schema_changed")


_TIMES: Mapping[type[Fact], tuple[str, ...]] = {kind.row: ("occurred_at", *kind.times) for kind in FACTS.values()}


def _own_time(found: Mapping[str, Any], times: Iterable[str], zone: ZoneInfo) -> dt.datetime | None:
    """The time of the event where the source gave none: the first of the fact's own that is set."""
    for name in times:
        at = found.get(name)
        if isinstance(at, dt.datetime):
            return at
        if isinstance(at, dt.date):
            return dt.datetime.combine(at, dt.time(), zone).astimezone(dt.UTC)
    return None


def _timed(row: Fact, times: Iterable[str], zone: ZoneInfo) -> Fact:
    """With its own time, where that was a text that only the row's model could read."""
    if row.occurred_at is not None or (at := _own_time(row.__dict__, times, zone)) is None:
        return row
    return row.model_copy(update={"occurred_at": at})


class _BadError(DataError):
    """A value that can not be read, with what it was."""

    def __init__(self, code: Code, value: Any) -> None:
        super().__init__(code, code)
        self.code: Code = code
        self.shown = _shown(value)


def _value(spec: Value, row: _Row, stream: Stream, reading: Reading) -> Any:
    raw: Any = None
    if spec.when is not None and not _says(spec.when, row):
        return None
    try:
        raw = _raw(spec, row, stream, reading)
        if _nothing(raw, stream) and not (spec.values is not None and _text(raw) in spec.values):
            return None
        if spec.values is not None:
            return _translated(raw, spec.values)
        if spec.as_ is not None:
            return convert(raw, spec.as_, reading)
        return raw if spec.const is not None else _plain(raw, reading)
    except _BadError:
        raise
    except DataError as error:
        raise _BadError(error.code, raw) from error  # type: ignore[arg-type]


def _raw(spec: Value, row: _Row, stream: Stream, reading: Reading) -> Any:
    if spec.path is not None:
        return row.look(spec.path)
    if spec.first_of is not None:
        return _first(spec.first_of, row, stream, reading)
    if spec.join is not None:
        return _joined([_value(part, row, stream, reading) for part in spec.join])
    if spec.pick is not None:
        return _picked(spec.pick, row)
    return spec.const


def _picked(pick: Pick, row: _Row) -> Any:
    """What the chosen element says, or the number of those that were to choose from; without a list nothing."""
    items = row.look(pick.path)
    if items is None:
        return None
    if not isinstance(items, list):
        raise DataError(f"expected a list, got {type(items).__name__}", "schema_changed")
    found = [
        one
        for one in map(_Row, items[pick.skip :])
        if all(_says(among, one) for among in pick.where) and not any(_says(among, one) for among in pick.unless)
    ]
    if pick.take == "count":
        return len(found)
    return found[0 if pick.take == "first" else -1].look(pick.of) if found else None


def _first(parts: Iterable[Value], row: _Row, stream: Stream, reading: Reading) -> Any:
    """The first part that says something; an alternative that is shaped otherwise says nothing."""
    other: _BadError | None = None
    for part in parts:
        try:
            if (value := _value(part, row, stream, reading)) is not None:
                return value
        except _BadError as error:
            if error.code != "schema_changed":
                raise
            other = other or error
    if other is not None:
        raise other
    return None


def _translated(raw: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(raw, dict | list):
        raise DataError("a single value expected", "schema_changed")
    if _text(raw) not in values:
        raise DataError("not in the table of values", "unknown_value")
    return values[_text(raw)]


def _plain(raw: Any, reading: Reading) -> Any:
    """Without ``as``: text and booleans as they are, numbers as text where the fact wants text."""
    if isinstance(raw, str | int | float) and not isinstance(raw, bool):
        return convert(raw, "text", reading)
    if isinstance(raw, dict | list):
        raise DataError("a single value expected", "schema_changed")
    return raw


def _joined(parts: list[Any]) -> str | None:
    texts = [None if part is None else _text(part) for part in parts]
    return None if any(not text for text in texts) else "|".join(text for text in texts if text)


def _nothing(raw: Any, stream: Stream) -> bool:
    if is_empty(raw):
        return True
    return bool(stream.empty) and any(raw == item and type(raw) is type(item) for item in stream.empty)


def _currency(stream: Stream, row: _Row, zone: ZoneInfo) -> str | None:
    spec = stream.map.get("currency")
    if spec is None:
        return None
    try:
        value = _value(spec, row, stream, Reading(zone))
    except _BadError:
        return None
    return value if isinstance(value, str) else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value).strip()


def _shown(value: Any) -> str:
    return "" if value is None else str(value)[:SHOWN]
