"""Whether the shift that another system names is one of ours."""

import re
from collections.abc import Collection
from dataclasses import dataclass

_TIMES = re.compile(r"(\d{1,2})[:：](\d{2})\s*[-–—~至到]+\s*(?:次日|翌日|\+1)?\s*(\d{1,2})[:：](\d{2})")
_NONE = frozenset(("休息", "休", "无", "未排班", "不排班", "-", "off", "rest", "none"))


@dataclass(frozen=True, slots=True)
class KnownShift:
    """A shift of ours by all its names, and when it is, as ``HH:MM``."""

    id: str
    names: frozenset[str]
    """In small letters, the id and code among them."""
    start: str
    end: str


def known_shift(shift: str, names: Collection[str | None], start: str, end: str) -> KnownShift:
    """A shift under each of its names."""
    return KnownShift(shift, frozenset(_plain(name) for name in (shift, *names) if name), start, end)


def differs(said: str, planned: Collection[KnownShift], library: Collection[KnownShift]) -> bool:
    """Whether the other system has another shift there; a word that is nowhere known says nothing."""
    times = {(f"{int(a):02}:{b}", f"{int(c):02}:{d}") for a, b, c, d in _TIMES.findall(said)}
    if times:
        return times != {(shift.start, shift.end) for shift in planned}
    word = _plain(said)
    if word in _NONE:
        return bool(planned)
    if any(word in shift.names for shift in planned):
        return False
    return any(word in shift.names for shift in library)


def _plain(name: str) -> str:
    return re.sub(r"\s", "", name).casefold()
