"""Values that are accepted though written otherwise than Muster writes them; who imports is shown them first. Pure."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from server.connectors.convert import is_empty, normal
from server.connectors.mapping import Mapped
from server.connectors.source_file import Stream, Value
from server.connectors.values import SHOWN

_PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_PLAIN_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?(\.\d+)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_NUMBERS = frozenset(("int", "money_minor", "duration_s"))
_TIMES = frozenset(("date", "datetime"))


@dataclass(frozen=True, slots=True)
class VisibleChange:
    """A value as it was written and as it was read."""

    field: str
    was: str
    became: str


def visible_changes(stream: Stream, mapped: Mapped) -> Iterator[VisibleChange]:
    """What of a row that fits was full-width, an amount with separators or words, or a date in another form.

    Translations by a table of values are not told: the map says them itself.
    """
    if not isinstance(mapped.raw, dict):
        return
    for field, spec in stream.map.items():
        raw = _text_of(spec, mapped.raw)
        if raw is not None and _differs(raw, spec.as_):
            yield VisibleChange(field, raw[:SHOWN], _told(getattr(mapped.row, field)))


def _text_of(spec: Value, raw: dict[str, object]) -> str | None:
    if spec.path is None or len(spec.path) != 1 or spec.values is not None:
        return None
    value = raw.get(str(spec.path[0]))
    return None if is_empty(value) or not isinstance(value, str) else value.strip()


def _differs(text: str, form: str | None) -> bool:
    if form in _NUMBERS:
        return not _PLAIN_NUMBER.fullmatch(text)
    if form in _TIMES:
        return not _PLAIN_TIME.fullmatch(text)
    return form is not None and form != "text" and normal(text) != text


def _told(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return "" if value is None else str(value)[:SHOWN]
