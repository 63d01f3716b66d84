"""Settings of a policy as people write them down: names that differ from the policy above, checked one by one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

import msgspec

from server.attendance.policy import DEFAULT, ClockPolicy, Policy
from shared.errors import DataError

MOST_WINDOW_MIN = 720
"""Wider windows would reach beyond the days around a date that are loaded and touched."""
_DAY_MIN = 1_440

_LIMITS: Final[Mapping[str, int]] = {
    "window_before_min": MOST_WINDOW_MIN,
    "window_after_min": MOST_WINDOW_MIN,
    "dedup_s": 3_600,
    "min_pair_gap_min": 480,
    "contiguous_gap_min": 240,
    "late_grace_min": 480,
    "early_grace_min": 480,
    "in_round_min": 60,
    "out_round_min": 60,
    "ot_gap_min": 480,
    "ot_min_min": 480,
    "ot_round_min": 480,
    "day_ot_limit_min": _DAY_MIN,
    "month_ot_limit_min": 31 * _DAY_MIN,
}
_CLOCK: Final = tuple(field.name for field in fields(ClockPolicy))
NAMES: Final = tuple(field.name for field in fields(Policy) if field.name != "clock")
"""Settings that a company or a group of people may have."""
_WALL = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class SettingsError(DataError):
    """Settings that make no policy; ``parameters`` say of each setting what is wrong.

    ``unknown``, ``type`` (another kind of value), ``range`` (below 0 or above the most) or ``time`` (no HH:MM).
    """

    def __init__(self, problems: Mapping[str, tuple[str, str]]) -> None:
        codes = {name: code for name, (code, _) in problems.items()}
        super().__init__("; ".join(f"{name}: {fact}" for name, (_, fact) in problems.items()), "policy_settings", codes)


def policy_from(settings: Mapping[str, Any], base: Policy = DEFAULT, *, clock: bool = False) -> Policy:
    """``base`` with these settings in its place; SettingsError naming every setting that can not be.

    ``clock`` allows those about terminals' clocks as well, which are the server's, not a group's.
    """
    allowed = (*NAMES, *_CLOCK) if clock else NAMES
    problems = {name: problem for name in settings for problem in _problems(name, settings[name], allowed)}
    if problems:
        raise SettingsError(problems)
    given = {name: value for name, value in settings.items() if name not in _CLOCK}
    clocks = {name: value for name, value in settings.items() if name in _CLOCK}
    whole = _values(base) | given | {"clock": _values(base.clock) | clocks}
    return msgspec.convert(whole, Policy)


def _problems(name: str, value: object, allowed: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What is wrong with a setting: code and fact, at most one."""
    if name not in allowed:
        yield "unknown", "there is no such setting"
        return
    whole = isinstance(value, int) and not isinstance(value, bool)
    most = _LIMITS.get(name)
    if isinstance(value, int) and whole and (value < 0 or (most is not None and value > most)):
        yield "range", f"is {value}, expected 0 {f'to {most}' if most is not None else 'or more'}"
        return
    try:
        policy = msgspec.convert({"clock": {name: value}} if name in _CLOCK else {name: value}, Policy)
    except msgspec.ValidationError as error:
        yield "type", str(error).partition(" - at `$")[0]
        return
    late = policy.late_leave
    if isinstance(value, dict) and set(value) != {"after", "shift_min"}:
        yield "type", "expected after and shift_min"
        return
    if late is not None and not 0 <= late.shift_min <= _DAY_MIN:
        yield "range", f"shift_min is {late.shift_min}, expected 0 to {_DAY_MIN}"
        return
    walls = [wall for pair in policy.restday_breaks for wall in pair] + ([late.after] if late is not None else [])
    for wall in walls:
        if not _WALL.fullmatch(wall):
            yield "time", f"{wall!r} is no time of day (HH:MM)"
            return


def _values(policy: Policy | ClockPolicy) -> dict[str, Any]:
    """Every setting by name; nested ones as they are."""
    values: dict[str, Any] = msgspec.to_builtins(policy)
    return values
