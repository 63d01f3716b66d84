"""Which rows count: conditions as they are written in a definition.

``status in open, won`` · ``status not in deleted`` · ``csat is set`` · ``bot is not true`` ·
``reopened_at is empty or reopened_at > first_solved_at + 72h`` · ``left_on > period.last``. An empty field fails every
condition but ``is empty``, ``is not true`` and ``is not false``.
"""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from server.scoring.formula import Kind, Operand, Shape, Typed, is_number, read_operand, scaled
from shared.errors import DataError

Comparison: TypeAlias = Literal["<", "<=", ">", ">=", "="]
Edge: TypeAlias = Literal["period.first", "period.last"]
"""First and last day of the period."""

EDGES: tuple[Edge, ...] = ("period.first", "period.last")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_COMPARED = re.compile(r"(.+?) (<=|>=|<|>|=) (.+?)(?: \+ ([0-9]{1,5})(h|d))?")
_LISTED = re.compile(r"([a-z0-9_]+) (not in|in) (.+)")
_STATE = re.compile(r"([a-z0-9_]+) is (not )?(empty|set|true|false)")
_WORD = re.compile(r"[^\s,]{1,64}")


@dataclass(frozen=True, slots=True)
class Empty:
    """The field is empty, or is set."""

    field: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Flag:
    """The field is yes or no; ``wanted`` False: it is anything else, empty too."""

    field: str
    value: bool
    wanted: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """The field is one of these words, or none of them."""

    field: str
    words: tuple[str, ...]
    wanted: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """``left`` against ``right`` and so many milliseconds or days after it."""

    left: Operand
    comparison: Comparison
    right: Operand | Edge
    plus: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them at least."""

    options: tuple["Condition", ...]


Condition: TypeAlias = Empty | Flag | Listed | Compared | AnyOf


def read_condition(text: str, shape: Shape) -> Condition:
    """The condition that is written there; DataError names the field and what is wrong."""
    options = tuple(_one(option.strip(), shape) for option in text.split(" or "))
    return options[0] if len(options) == 1 else AnyOf(options)


def _one(text: str, shape: Shape) -> Condition:
    if state := _STATE.fullmatch(text):
        return _state(state[1], negated=bool(state[2]), word=state[3], shape=shape)
    if listed := _LISTED.fullmatch(text):
        read_operand(listed[1], shape)
        words = tuple(word.strip() for word in listed[3].split(","))
        if shape[listed[1]] != "text" or not all(_WORD.fullmatch(word) for word in words):
            raise DataError(f"{text!r}: expected a text field and words with commas between them", "where_words")
        return Listed(listed[1], words, listed[2] == "in")
    if compared := _COMPARED.fullmatch(text):
        return _compared(text, compared, shape)
    raise DataError(f"{text!r} is no condition; for example 'status in open, won' or 'csat is set'", "where")


def _state(field: str, *, negated: bool, word: str, shape: Shape) -> Condition:
    kind = read_operand(field, shape).kind
    if word in ("empty", "set"):
        return Empty(field, (word == "empty") != negated)
    if kind != "flag":
        raise DataError(f"{field!r} is no yes or no", "where_kind")
    return Flag(field, word == "true", not negated)


def _compared(text: str, found: re.Match[str], shape: Shape) -> Condition:
    left, sign, right, amount, unit = found.groups()
    first = read_operand(left, shape)
    other = _right(right, first, shape)
    if other is None or first.kind in ("text", "flag"):
        raise DataError(f"{text!r} compares what can not be compared", "where_kind")
    return Compared(first.operand, sign, other, _later(text, amount, unit, first.kind))  # type: ignore[arg-type]


def _right(text: str, left: Typed, shape: Shape) -> Operand | Edge | None:
    if text in EDGES:
        return next(edge for edge in EDGES if edge == text) if left.kind == "day" else None
    if is_number(text):
        return scaled(int(text), left.kind) if left.kind in ("whole", "thousandths") else None
    found = read_operand(text, shape)
    return found.operand if found.kind == left.kind else None


def _later(text: str, amount: str | None, unit: str | None, kind: Kind) -> int:
    if amount is None:
        return 0
    if kind == "instant":
        return int(amount) * (HOUR_MS if unit == "h" else DAY_MS)
    if kind == "day" and unit == "d":
        return int(amount)
    raise DataError(f"{text!r}: only a time, or a day with '+ 30d', can be moved on", "where_kind")
