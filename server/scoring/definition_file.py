"""Definitions of indicators as a file: each for itself, with the field and line of what is wrong in it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from server.scoring.family import check_parts
from server.scoring.formula import Shapes
from server.scoring.indicator import Indicator, check_indicators
from server.scoring.part import read_part
from server.scoring.toml_lines import line_of
from shared.errors import DataError

MOST_BYTES = 65_536
MOST_DEFINITIONS = 200

_LINE = re.compile(r"at line (\d+)")
_PATH = re.compile(r"`\$\.?(.*)`")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_FIELDS = {
    "curve_points": "curve.points",
    "curve_target": "target",
    "indicator_beside": "beside",
    "indicator_family": "family",
    "indicator_provisional_to": "provisional_to",
    "indicator_twice": "starts",
}
"""What an error without a field is about, by its code."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a definition; ``field`` is a path in it, empty for the whole."""

    code: str
    field: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Defined:
    """One definition of a file: an indicator, or what keeps it from being one."""

    number: int
    id: str
    line: int
    indicator: Indicator | None
    fault: Fault | None


class DefinitionFile:
    """A TOML text with ``[[indicator]]`` tables alone; DataError ``draft_file`` with line and reason for another."""

    def __init__(self, toml: bytes, shapes: Shapes) -> None:
        self._text, tables = _tables(toml)
        self._shapes = shapes
        self.definitions = [self._defined(number, table) for number, table in enumerate(tables)]

    def fault(self, number: int, error: DataError, indicator: Indicator | None = None) -> Fault:
        """An error of a definition with its field and line."""
        told = (error.parameters or {}).get("field")
        field = told if told is not None else _FIELDS.get(error.code, "")
        if not field and indicator is not None:
            field = _part(indicator, self._shapes)
        return Fault(error.code, field, line_of(self._text, f"indicator[{number}].{field}"), str(error))

    def _defined(self, number: int, table: object) -> Defined:
        name = table.get("id") if isinstance(table, Mapping) else None
        known = name if isinstance(name, str) else "", line_of(self._text, f"indicator[{number}]")
        indicator = None
        try:
            indicator = _indicator(table)
            check_indicators([indicator])
            check_parts(indicator, self._shapes)
        except DataError as error:
            return Defined(number, *known, None, self.fault(number, error, indicator))
        return Defined(number, *known, indicator, None)


def _tables(toml: bytes) -> tuple[str, list[object]]:
    try:
        text = toml.decode("utf-8-sig")
        found = tomllib.loads(text)
    except (UnicodeDecodeError, RecursionError) as error:
        raise _no_file("expected TOML in UTF-8", 1) from error
    except tomllib.TOMLDecodeError as error:
        place = _LINE.search(str(error))
        raise _no_file(str(error), int(place[1]) if place else len(text.splitlines())) from error
    tables = found.get("indicator")
    if not isinstance(tables, list) or not tables or len(found) > 1:
        strange = next((name for name in found if name != "indicator"), "indicator")
        raise _no_file("expected [[indicator]] tables alone", line_of(text, f"{strange}[0]"))
    if len(tables) > MOST_DEFINITIONS:
        raise _no_file(
            f"expected {MOST_DEFINITIONS} definitions at most", line_of(text, f"indicator[{len(tables) - 1}]")
        )
    return text, tables


def _no_file(reason: str, line: int) -> DataError:
    return DataError(f"definitions: {reason}", "draft_file", {"line": str(line), "reason": reason})


def _indicator(table: Any) -> Indicator:
    try:
        return msgspec.convert(table, Indicator, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        path = found[1] if (found := _PATH.search(str(error))) else ""
        strange = found[1] if (found := _UNKNOWN.search(str(error))) else ""
        field = ".".join(one for one in (path, strange) if one)
        raise DataError(str(error).partition(" - at `")[0], "indicator_invalid", {"field": field}) from error


def _part(indicator: Indicator, shapes: Shapes) -> str:
    """The first part of numerator or denominator that can not be read; empty when it is another."""
    for name, parts in (("numerator", indicator.numerator), ("denominator", indicator.denominator)):
        for number, part in enumerate(parts):
            try:
                read_part(part, shapes)
            except DataError:
                return f"{name}[{number}]"
    return ""
