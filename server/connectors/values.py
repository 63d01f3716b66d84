"""What the fields of a map say of a row: each made into a function once, not looked through for every row."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from server.connectors.convert import Reading, converter, is_empty, single
from server.connectors.paths import OUTER, Path, look
from server.connectors.source_file import Among, Detail, Pick, Value
from server.facts.codes import Code
from shared.errors import DataError

SHOWN = 200
"""Characters of a bad value that are kept beside its code."""


class Row(NamedTuple):
    """A row, and the one around it."""

    value: Any
    outer: Any = None


Place: TypeAlias = Callable[[Row], Any]
"""What is at a place; DataError ``schema_changed`` where the row is shaped otherwise."""
Test: TypeAlias = Callable[[Row], bool]
Read: TypeAlias = Callable[[Row, Reading], Any]
"""What a field says, None for nothing; BadValueError where it can not be read."""


class BadValueError(DataError):
    """A value that can not be read, with what it was."""

    def __init__(self, code: Code, value: Any) -> None:
        super().__init__(code, code)
        self.code: Code = code
        self.shown = shown(value)


def reader(spec: Value, empty: Sequence[Any]) -> Read:
    """A field of a map, for rows that are objects; ``empty`` are values by which the source says nothing."""
    if spec.const is not None and spec.values is None and spec.as_ is None and spec.when is None:
        const = None if _is_nothing(spec.const, empty) else spec.const
        return lambda _row, _reading: const
    name, origin, meaning, values = _name(spec), _origin(spec, empty), _meaning(spec), spec.values or {}

    def read(row: Row, reading: Reading) -> Any:
        raw: Any = None
        try:
            raw = origin(row, reading) if name is None else row.value.get(name)
            # As is_empty says, without a call for every value.
            said = raw is not None and (not isinstance(raw, str) or (raw and not raw.isspace()))
            if (not said or (empty and _is_nothing(raw, empty))) and _text(raw) not in values:
                return None
            return meaning(raw, reading)
        except BadValueError:
            raise
        except DataError as error:
            raise BadValueError(error.code, raw) from error  # type: ignore[arg-type]

    if spec.when is None:
        return read
    applies = test(spec.when)
    return lambda row, reading: read(row, reading) if applies(row) else None


def place(path: Path) -> Place:
    """A path in a row; one that begins with ``^`` is in the row around it."""
    if path and path[0] == OUTER:
        inner = path[1:]
        return lambda row: look(row.outer, inner)
    if len(path) != 1 or not isinstance(path[0], str):
        return lambda row: look(row.value, path)
    name = path[0]

    def named(row: Row) -> Any:
        return row.value.get(name) if type(row.value) is dict else look(row.value, path)

    return named


def test(among: Among) -> Test:
    """Whether a row says one of these; one that is shaped otherwise says nothing of the kind."""
    at = place(among.path)

    def says(row: Row) -> bool:
        try:
            return among.holds(at(row))
        except DataError:
            return False

    return says


def kept(detail: Detail, row: Any, found: Sequence[Any]) -> Iterator[Any]:
    """Of the rows that the call for a row found, those that are not dropped."""
    drops, same = [test(drop) for drop in detail.drop], detail.drop_same
    others = set() if same is None else {_text(_quiet(one, same.at)) for one in _quiet(row, same.of) or ()}
    for one in found:
        by_another = same is None or _text(_quiet(one, same.path)) not in others - {""}
        if by_another and not any(says(Row(one)) for says in drops):
            yield one


def _quiet(value: Any, path: Path) -> Any:
    """What is there; nothing where it is shaped otherwise."""
    try:
        return look(value, path)
    except DataError:
        return None


def shown(value: Any) -> str:
    """A bad value as it is told."""
    return "" if value is None else str(value)[:SHOWN]


def _name(spec: Value) -> str | None:
    """Of a place that is nothing but a name in the row, as nearly all are."""
    if spec.path is None or len(spec.path) != 1:
        return None
    [step] = spec.path
    return step if isinstance(step, str) and step != OUTER else None


def _origin(spec: Value, empty: Sequence[Any]) -> Read:
    """What is there, before it means anything."""
    if spec.path is not None:
        at = place(spec.path)
        return lambda row, _reading: at(row)
    if spec.first_of is not None:
        return _first([reader(part, empty) for part in spec.first_of])
    if spec.join is not None:
        parts = [reader(part, empty) for part in spec.join]
        return lambda row, reading: _joined([part(row, reading) for part in parts])
    if spec.pick is not None:
        return _picked(spec.pick)
    return lambda _row, _reading: spec.const


def _first(parts: Sequence[Read]) -> Read:
    """The first part that says something; an alternative that is shaped otherwise says nothing."""

    def read(row: Row, reading: Reading) -> Any:
        other: BadValueError | None = None
        for part in parts:
            try:
                if (value := part(row, reading)) is not None:
                    return value
            except BadValueError as error:
                if error.code != "schema_changed":
                    raise
                other = other or error
        if other is not None:
            raise other
        return None

    return read


def _picked(pick: Pick) -> Read:
    """What the chosen element says, or the number of those that were to choose from; without a list nothing."""
    at, of = place(pick.path), place(pick.of)
    where, unless = [test(among) for among in pick.where], [test(among) for among in pick.unless]

    def read(row: Row, _reading: Reading) -> Any:
        items = at(row)
        if items is None:
            return None
        if not isinstance(items, list):
            raise DataError(f"expected a list, got {type(items).__name__}", "schema_changed")
        found = [
            one
            for one in map(Row, items[pick.skip :])
            if all(says(one) for says in where) and not any(says(one) for says in unless)
        ]
        if pick.take == "count":
            return len(found)
        return of(found[0 if pick.take == "first" else -1]) if found else None

    return read


def _meaning(spec: Value) -> Callable[[Any, Reading], Any]:
    """What a value that is there stands for."""
    if spec.values is not None:
        values = spec.values
        return lambda raw, _reading: _translated(raw, values)
    if spec.as_ is not None:
        return converter(spec.as_)
    return _plain if spec.const is None else lambda raw, _reading: raw


def _translated(raw: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(raw, (dict, list)):
        raise DataError("a single value expected", "schema_changed")
    text = _text(raw)
    if text not in values:
        raise DataError("not in the table of values", "unknown_value")
    return values[text]


_as_text = converter("text")


def _plain(raw: Any, reading: Reading) -> Any:
    """Without ``as``: text and booleans as they are, numbers as text where the fact wants text."""
    if isinstance(raw, str):
        return single(raw)
    if type(raw) is int:
        return str(raw)  # nearly every key
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return _as_text(raw, reading)
    if isinstance(raw, (dict, list)):
        raise DataError("a single value expected", "schema_changed")
    return raw


def _joined(parts: Sequence[Any]) -> str | None:
    texts = [None if part is None else _text(part) for part in parts]
    return None if any(not text for text in texts) else "|".join(text for text in texts if text)


def _is_nothing(raw: Any, empty: Sequence[Any]) -> bool:
    if is_empty(raw):
        return True
    return bool(empty) and any(raw == item and type(raw) is type(item) for item in empty)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value).strip()
