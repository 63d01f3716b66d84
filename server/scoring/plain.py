"""Counting in plain Python: what the databases' way of counting has to equal, and the way for few rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import TypeAlias
from zoneinfo import ZoneInfo

from server.scoring.formula import EndOf, Field, FirstSet, Least, Number, Operand
from server.scoring.part import Counted, Heads, ReadPart
from server.scoring.where import AnyOf, Compared, Condition, Empty, Flag, Listed
from server.scoring.window import EPOCH, Days, epoch_day, window_of

Value: TypeAlias = str | int | bool | None
Row: TypeAlias = Mapping[str, Value]
"""Fields as ``formula.Kind`` says; ``source`` and ``source_key`` are always there."""
UnitOf: TypeAlias = Callable[[Row, Value], Iterable[str]]
"""The units that a row counts for, by the row and the person it is of."""
Key: TypeAlias = tuple[Value, ...]

P90, MEDIAN = 90, 50
JOINT = "\x1f"
"""Between values that make one text."""

_COMPARE: dict[str, Callable[[int | str, int | str], bool]] = {
    "<": lambda left, right: left < right,  # type: ignore[operator]
    "<=": lambda left, right: left <= right,  # type: ignore[operator]
    ">": lambda left, right: left > right,  # type: ignore[operator]
    ">=": lambda left, right: left >= right,  # type: ignore[operator]
    "=": lambda left, right: left == right,
}


@dataclass(frozen=True, slots=True)
class When:
    """The period that is counted, where the company is, and how far data has come."""

    days: Days
    zone: ZoneInfo
    cut_ms: int
    """Rows dated later do not count yet (KS-3)."""

    @property
    def cut_day(self) -> int:
        """The local day of the cut."""
        return epoch_day(local_day(self.cut_ms, self.zone))


def local_day(at_ms: int, zone: ZoneInfo) -> date:
    """The day on which an instant falls."""
    return datetime.fromtimestamp(at_ms // 1000, zone).date()


def end_of_day(day: int, zone: ZoneInfo) -> int:
    """Last millisecond of a day, given as days since 1970."""
    following = date(1970, 1, 1) + timedelta(days=day + 1)
    return int(datetime.combine(following, time(), zone).timestamp()) * 1000 - 1


def value_of(operand: Operand, row: Row, zone: ZoneInfo) -> Value:
    """What an operand gives for a row."""
    match operand:
        case Field(name):
            return row[name]
        case EndOf(name):
            day = row[name]
            return None if day is None else end_of_day(int(day), zone)
        case Number(number):
            return number
        case Least(left, right):
            values = [value_of(left, row, zone), value_of(right, row, zone)]
            return None if None in values else min(int(value) for value in values if value is not None)
        case FirstSet(options):
            return next((value for one in options if (value := value_of(one, row, zone)) is not None), None)


def holds(condition: Condition, row: Row, when: When) -> bool:
    """Whether a row meets a condition."""
    match condition:
        case Empty(name, wanted):
            return (row[name] is None) == wanted
        case Flag(name, value, wanted):
            return (row[name] is value) == wanted
        case Listed(name, words, wanted):
            return row[name] is not None and (row[name] in words) == wanted
        case AnyOf(options):
            return any(holds(option, row, when) for option in options)
        case Compared():
            return _compared(condition, row, when)


def count(part: ReadPart, rows: Sequence[Row], units: UnitOf, when: When) -> dict[str, Counted]:
    """What the part comes to for each unit that has a row of it, none of its alternatives."""
    groups: dict[str, list[Row]] = {}
    for row in chosen(part, rows, when, before=part.part.stock is not None):
        for unit in units(row, value_of(part.person, row, when.zone)):
            groups.setdefault(unit, []).append(row)
    if isinstance(part.part, Heads):
        return {unit: _heads(part, group, when) for unit, group in groups.items()}
    elsewhere = None if part.also is None else _keys_of(part.also, rows, when)
    return {unit: _count(part, group, when, elsewhere) for unit, group in groups.items()}


def chosen(part: ReadPart, rows: Iterable[Row], when: When, *, before: bool = False) -> list[Row]:
    """Rows in the window, or up to its end, that meet the conditions of ``where``."""
    return [
        row
        for row in rows
        if in_window(part, row, when, before=before) and all(holds(condition, row, when) for condition in part.where)
    ]


def in_window(part: ReadPart, row: Row, when: When, *, before: bool = False) -> bool:
    """Whether the row's date lies in the window, or with ``before`` anywhere up to its end."""
    if part.date is None:
        return True
    at = value_of(part.date.operand, row, when.zone)
    if at is None:
        return False
    window = window_of(part.part.window, when.days)
    window = Days(EPOCH, window.last) if before else window
    match part.date.kind:
        case "month":
            return f"{window.first:%Y-%m}" <= str(at) <= f"{window.last:%Y-%m}"
        case "day":
            return epoch_day(window.first) <= int(at) <= min(epoch_day(window.last), when.cut_day)
        case _:
            first_ms = end_of_day(epoch_day(window.first) - 1, when.zone) + 1
            return first_ms <= int(at) <= min(end_of_day(epoch_day(window.last), when.zone), when.cut_ms)


def _compared(condition: Compared, row: Row, when: When) -> bool:
    left = value_of(condition.left, row, when.zone)
    if condition.right == "period.first":
        right: Value = epoch_day(when.days.first)
    elif condition.right == "period.last":
        right = epoch_day(when.days.last)
    else:
        right = value_of(condition.right, row, when.zone)
    if left is None or right is None:
        return False
    return _COMPARE[condition.comparison](left, int(right) + condition.plus if condition.plus else right)


def _count(part: ReadPart, rows: Sequence[Row], when: When, elsewhere: set[Key] | None) -> Counted:
    times = part.factor(when.days.months)
    if part.part.stock:
        return _stock(part, rows, when)
    if part.part.percentile:
        return _percentile(part, rows, when)
    if part.distinct:
        good = _good_keys(part, rows, when)
        return Counted(Fraction(times * len(good if elsewhere is None else good & elsewhere)), len(good))
    good_rows = [row for row in rows if all(holds(condition, row, when) for condition in part.good)]
    if part.rating is not None:
        rated = [rating for row in good_rows if (rating := _rating(part.rating, row, when.zone)) is not None]
        return Counted(times * sum(rated, Fraction(0)), len(rated))
    if part.sum:
        total = sum(_summed(part, row, when.zone) for row in good_rows)
        return Counted(Fraction(times * total, part.parts_of_one), len(good_rows))
    return Counted(Fraction(times * len(good_rows)), len(good_rows))


def _heads(part: ReadPart, rows: Sequence[Row], when: When) -> Counted:
    good = [row for row in rows if _good(part, row, when)]
    keys: dict[str, set[Key | None]] = {}
    for row in good:
        place = JOINT.join(str(value_of(one, row, when.zone) or "") for one in part.apart)
        keys.setdefault(place, set()).add(_key(part, row, when.zone))
    apart = {place: len(found - {None}) for place, found in keys.items()}
    return Counted(Fraction(sum(apart.values())), len(good), apart)


def _percentile(part: ReadPart, rows: Sequence[Row], when: When) -> Counted:
    """By place and not by a function of its own, so that the value is one of them or the mean of two (KS-1)."""
    operand = part.sum[0].value.operand
    values = sorted(int(value) for row in rows if (value := value_of(operand, row, when.zone)) is not None)
    number = len(values)
    if not number:
        return Counted()
    places = [-(-9 * number // 10)] if part.part.percentile == P90 else [(number + 1) // 2, number // 2 + 1]
    total = part.factor(when.days.months) * sum(values[place - 1] for place in places)
    return Counted(Fraction(total, len(places) * part.parts_of_one), number)


def _stock(part: ReadPart, rows: Sequence[Row], when: When) -> Counted:
    operand = part.sum[0].value.operand
    dated = sorted((row for row in rows), key=lambda row: _age(part, row, when))
    start: dict[Key, int] = {}
    end: dict[Key, int] = {}
    for row in dated:
        key, value = _key(part, row, when.zone), value_of(operand, row, when.zone)
        if key is not None and value is not None:
            (end if in_window(part, row, when) else start)[key] = int(value)
    both = start.keys() & end.keys()
    total = sum(start[key] if part.part.stock == "start" else end[key] - start[key] for key in both)
    return Counted(Fraction(part.factor(when.days.months) * total, part.parts_of_one), len(both))


def _summed(part: ReadPart, row: Row, zone: ZoneInfo) -> int:
    return sum(summand.sign * int(value_of(summand.value.operand, row, zone) or 0) for summand in part.sum)


def _rating(rating: tuple[Operand, Operand, Operand], row: Row, zone: ZoneInfo) -> Fraction | None:
    value, least, most = (value_of(operand, row, zone) for operand in rating)
    if value is None or least is None or most is None or least == most:
        return None
    return 1 + Fraction(4 * (int(value) - int(least)), int(most) - int(least))


def _key(part: ReadPart, row: Row, zone: ZoneInfo) -> Key | None:
    key = tuple(value_of(operand, row, zone) for operand in part.distinct)
    return None if None in key else key


def _good_keys(part: ReadPart, rows: Sequence[Row], when: When) -> set[Key]:
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        key = _key(part, row, when.zone)
        if key is not None:
            groups.setdefault(key, []).append(row)
    if part.part.first:
        groups = {key: [min(group, key=lambda row: _age(part, row, when))] for key, group in groups.items()}
    good = {key: [row for row in group if _good(part, row, when)] for key, group in groups.items()}
    return {key for key, group in good.items() if group and _days(part, group, when.zone) >= part.part.days}


def _good(part: ReadPart, row: Row, when: When) -> bool:
    return all(holds(condition, row, when) for condition in part.good)


def _age(part: ReadPart, row: Row, when: When) -> tuple[Value, ...]:
    at = None if part.date is None else value_of(part.date.operand, row, when.zone)
    return at, row["source"], row["source_key"]


def _days(part: ReadPart, rows: Sequence[Row], zone: ZoneInfo) -> int:
    if part.date is None or not part.part.days:
        return 0
    found = [value_of(part.date.operand, row, zone) for row in rows]
    return len({local_day(int(at), zone) if part.date.kind == "instant" else at for at in found if at is not None})


def _keys_of(part: ReadPart, rows: Sequence[Row], when: When) -> set[Key]:
    return _good_keys(part, chosen(part, rows, when), when)
