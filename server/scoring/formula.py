"""Fields of a row, and the little that may be done with them: what a definition writes where a value is read.

``NAME``, ``NAME else NAME`` (the first that is set), ``end of NAME`` (the last millisecond of a day), ``min(A, B)``,
and whole numbers. Nothing else: definitions are data, and nothing in them is run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.errors import DataError

Kind: TypeAlias = Literal["text", "whole", "thousandths", "flag", "day", "instant", "month"]
"""What a field holds: ``thousandths`` a number with decimals times 1,000, ``day`` days since 1970-01-01, ``instant``
UTC milliseconds, ``month`` YYYY-MM."""
Shape: TypeAlias = Mapping[str, Kind]
"""Fields of a fact."""
Shapes: TypeAlias = Mapping[str, Shape]
"""By name of the fact."""

SUMMED: frozenset[Kind] = frozenset({"whole", "thousandths"})
THOUSAND = 1_000
_NUMBER = re.compile(r"-?[0-9]{1,12}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LEAST = re.compile(r"min\((.+),(.+)\)")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the row."""

    name: str


@dataclass(frozen=True, slots=True)
class EndOf:
    """The last millisecond of a day, where the company is."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number, in the unit of what it is compared with."""

    value: int


@dataclass(frozen=True, slots=True)
class Least:
    """The smaller of two; empty when one is."""

    left: "Operand"
    right: "Operand"


@dataclass(frozen=True, slots=True)
class FirstSet:
    """The first that is not empty."""

    options: tuple["Operand", ...]


Operand: TypeAlias = Field | EndOf | Number | Least | FirstSet


@dataclass(frozen=True, slots=True)
class Typed:
    """An operand and what it gives."""

    operand: Operand
    kind: Kind


def read_operand(text: str, shape: Shape) -> Typed:
    """The operand that is written there; DataError names what is wrong with it."""
    options = [_piece(piece.strip(), shape) for piece in text.split(" else ")]
    kinds = {option.kind for option in options}
    if len(kinds) > 1:
        raise DataError(f"{text!r} is {' or '.join(sorted(kinds))}; expected one kind of value", "formula_kind")
    only = options[0]
    return only if len(options) == 1 else Typed(FirstSet(tuple(option.operand for option in options)), only.kind)


def scaled(number: int, kind: Kind) -> Number:
    """A written number as rows hold it."""
    return Number(number * THOUSAND if kind == "thousandths" else number)


def is_number(text: str) -> bool:
    """Whether it is written as a whole number."""
    return _NUMBER.fullmatch(text) is not None


def _piece(text: str, shape: Shape) -> Typed:
    if least := _LEAST.fullmatch(text):
        return _least(text, least[1].strip(), least[2].strip(), shape)
    if text.startswith("end of "):
        name = text.removeprefix("end of ").strip()
        if _kind(name, shape) != "day":
            raise DataError(f"{text!r}: {name} is no day", "formula_kind")
        return Typed(EndOf(name), "instant")
    return Typed(Field(text), _kind(text, shape))


def _least(text: str, left: str, right: str, shape: Shape) -> Typed:
    first = _piece(left, shape)
    second = Typed(scaled(int(right), first.kind), first.kind) if is_number(right) else _piece(right, shape)
    if first.kind != second.kind or first.kind not in SUMMED:
        raise DataError(f"{text!r}: expected two numbers of one kind", "formula_kind")
    return Typed(Least(first.operand, second.operand), first.kind)


def _kind(name: str, shape: Shape) -> Kind:
    if not _NAME.fullmatch(name):
        raise DataError(f"{name!r} is no field; expected a name, 'a else b', 'end of a' or 'min(a, b)'", "formula")
    if name not in shape:
        raise DataError(f"no field {name!r}; there are {', '.join(sorted(shape))}", "formula_field")
    return shape[name]
