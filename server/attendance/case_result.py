"""Answers to worked cases, in the form in which a case says what it expects (section 5 of the rules)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeAlias, TypeGuard
from zoneinfo import ZoneInfo

import msgspec

from server.attendance.cases import Case, Expected, ExpectedDay
from server.attendance.closing import Adjustment, settle
from server.attendance.period import Period, period_of
from server.attendance.record import DayRecord
from shared.clock import WallMs, from_ms

Json: TypeAlias = "str | int | bool | Sequence[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, "Json"]

_REASONS = ("first", "last", "explain")


@dataclass(frozen=True, slots=True)
class CaseResult:
    """Answer to one case; zeros are left out of its days."""

    id: str
    days: list[JsonObject]
    adjustments: list[JsonObject]
    quarantined: int
    period: JsonObject | None

    def as_json(self) -> JsonObject:
        """What ``muster attendance compute`` prints."""
        answer: JsonObject = {
            "id": self.id,
            "days": self.days,
            "adjustments": self.adjustments,
            "quarantined": self.quarantined,
        }
        return answer if self.period is None else answer | {"period": self.period}


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as expected; ``where`` such as ``days[0].late_min``."""

    where: str
    expected: Json
    found: Json


def compute_case(case: Case) -> CaseResult:
    """Records, adjustments and sums of a case."""
    settled = settle(case.facts, case.zone, case.policy, case.closed)
    period = None
    if case.period is not None:
        period = _period(period_of(settled.records, case.facts.calendar, case.policy, *case.period))
    return CaseResult(
        case.id,
        [_day(record, case.zone) for record in settled.records],
        [_adjustment(adjustment) for adjustment in settled.adjustments],
        sum(punch.held is not None for punch in case.facts.punches),
        period,
    )


def differences(expected: Expected, result: CaseResult) -> list[Difference]:
    """Where a result is not as expected: each field of a day, the others where they are given."""
    extra_told = any(day.extra_min is not None for day in expected.days)
    days = [_whole(day, extra_told=extra_told) for day in expected.days]
    found = [_whole(_without_reasons(day), extra_told=extra_told) for day in result.days]
    pairs: list[tuple[str, Json, Json]] = [("days", days, found)]
    if expected.adjustments is not None:
        told: Json = [msgspec.to_builtins(adjustment) for adjustment in expected.adjustments]
        pairs.append(("adjustments", told, result.adjustments))
    if expected.quarantined is not None:
        pairs.append(("quarantined", expected.quarantined, result.quarantined))
    if expected.period is not None:
        known = result.period or {}
        wanted: JsonObject = {k: sorted(v) if isinstance(v, list) else v for k, v in expected.period.items()}
        pairs.append(("period", wanted, {name: known.get(name) for name in wanted}))
    return [difference for where, left, right in pairs for difference in _unequal(where, left, right)]


def _day(record: DayRecord, zone: ZoneInfo) -> JsonObject:
    why = record.explanation
    day: JsonObject = {"date": record.date.isoformat(), "status": record.status}
    day |= _minutes(asdict(record.minutes))
    day |= {"flags": list(record.flags)} if record.flags else {}
    return day | {
        "first": _local(record.first_ms, zone),
        "last": _local(record.last_ms, zone),
        "explain": {
            "used": list(why.used),
            "merged": list(why.merged),
            "held": list(why.held),
            "ignored": list(why.ignored),
            "rules": list(why.rules),
        },
    }


def _adjustment(adjustment: Adjustment) -> JsonObject:
    return {
        "date": adjustment.date.isoformat(),
        "posted_to": adjustment.posted_to,
        "status_from": adjustment.status_from,
        "status_to": adjustment.status_to,
        "delta": _minutes(dict(adjustment.delta)),
    }


def _period(period: Period) -> JsonObject:
    return {
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "standard_min": period.standard,
        "total_min": period.total,
        "ot_15_min": period.ot_15,
        "ot_20_min": period.ot_20,
        "ot_30_min": period.ot_30,
        "comp_min": period.comp,
        "flags": list(period.flags),
    }


def _minutes(minutes: dict[str, int]) -> JsonObject:
    return {f"{name}_min": number for name, number in minutes.items() if number}


def _local(at_ms: WallMs | None, zone: ZoneInfo) -> str | None:
    return None if at_ms is None else _text(from_ms(at_ms).astimezone(zone))


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _without_reasons(day: JsonObject) -> ExpectedDay:
    return msgspec.convert({name: value for name, value in day.items() if name not in _REASONS}, ExpectedDay)


def _whole(day: ExpectedDay, *, extra_told: bool) -> JsonObject:
    """All fields of a day; ``extra_min`` is not in the rules, so it is compared only where somebody asks."""
    whole: JsonObject = msgspec.to_builtins(day)
    return whole | {"flags": sorted(day.flags), "extra_min": (day.extra_min or 0) if extra_told else None}


def _unequal(where: str, expected: Json, found: Json) -> Iterator[Difference]:
    """The innermost places in which two values differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in _names(expected, found):
            yield from _unequal(f"{where}.{name}", expected.get(name), found.get(name))
    elif _rows(expected) and _rows(found) and len(expected) == len(found):
        for number, (left, right) in enumerate(zip(expected, found, strict=True)):
            yield from _unequal(f"{where}[{number}]", left, right)
    elif expected != found:
        yield Difference(where, expected, found)


def _names(*mappings: JsonObject) -> Iterable[str]:
    return dict.fromkeys(name for mapping in mappings for name in mapping)


def _rows(value: Json) -> TypeGuard[list[Json]]:
    """Whether it is a list of objects; others are told whole."""
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)
