"""Flags of a record and what became of each punch (AR-36)."""

from collections.abc import Iterable, Sequence

from server.attendance.facts import Punch
from server.attendance.kept import Kept
from server.attendance.record import Explanation

_BY_FLAG = (
    ("corrected", "AR-1"),
    ("clock_drift_corrected", "AR-3"),
    ("duplicate_dropped", "AR-5"),
    ("outside_window", "AR-9"),
    ("punch_during_leave", "AR-17"),
    ("late_leave_exempt", "AR-19"),
    ("ot_limit_day", "AR-30"),
)


def punch_flags(punches: Iterable[Kept]) -> set[str]:
    """Flags that a punch brings, whatever it counts for."""
    flags = set()
    for punch in punches:
        if punch.merged:
            flags.add("duplicate_dropped")
        if punch.corrected_clock:
            flags.add("clock_drift_corrected")
        if punch.correction:
            flags.add("corrected")
    return flags


def explain(
    punches: Sequence[Kept],
    used: frozenset[int],
    flags: set[str],
    rules: Iterable[str],
    *,
    held: Iterable[int] = (),
    waiting: Sequence[Punch] = (),
) -> Explanation:
    """Fate of the punches; those that wait for a decision are ignored until it is made."""
    applied = {*rules, *(rule for flag, rule in _BY_FLAG if flag in flags)}
    applied |= {"AR-41" if punch.unverified else "AR-1" for punch in waiting}
    ignored = [punch.id for punch in punches if punch.id not in used] + [punch.id for punch in waiting]
    return Explanation(
        used=tuple(sorted(used)),
        merged=tuple(sorted(number for punch in punches for number in punch.merged)),
        held=tuple(sorted(held)),
        ignored=tuple(sorted(ignored)),
        rules=ordered(applied),
    )


def ordered(rules: Iterable[str]) -> tuple[str, ...]:
    """Rule ids by number."""
    return tuple(sorted(rules, key=_number))


def _number(rule: str) -> int:
    return int(rule.removeprefix("AR-"))
