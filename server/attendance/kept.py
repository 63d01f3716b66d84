"""Which punches count (AR-1, AR-2, AR-5, AR-6, AR-41)."""

from collections.abc import Iterable
from dataclasses import dataclass

from server.attendance.facts import Punch
from server.attendance.policy import Policy
from server.attendance.schedule import MINUTE_MS
from server.attendance.spans import Minute
from shared.clock import WallMs
from shared.punch import Direction

_IN = frozenset((Direction.IN, Direction.BREAK_IN, Direction.OVERTIME_IN))
_OUT = frozenset((Direction.OUT, Direction.BREAK_OUT, Direction.OVERTIME_OUT))


@dataclass(frozen=True, slots=True)
class Kept:
    """A punch that counts, with those merged into it."""

    id: int
    true_ms: WallMs
    minute: Minute
    """Seconds cut off (AR-6)."""
    side: int
    """1 in, -1 out, 0 unknown."""
    corrected_clock: bool
    correction: bool
    merged: tuple[int, ...] = ()


def keep(punches: Iterable[Punch], policy: Policy) -> list[Kept]:
    """Punches that count, in order of time, repeats dropped and near ones merged."""
    known = {punch.id: punch for punch in punches}.values()
    counting = [(p.true_ms, p.direction, p) for p in known if p.true_ms is not None and counts(p, policy)]
    kept: list[Kept] = []
    last_of_side: dict[int, int] = {}  # in directional mode a way in never swallows a way out
    for true_ms, _, punch in sorted(counting, key=lambda item: (item[0], item[1], item[2].id)):
        side = _side(punch.direction)
        group = side if policy.pairing == "directional" else 0
        into = last_of_side.get(group)
        if into is not None and not punch.correction and true_ms - kept[into].true_ms <= policy.dedup_s * 1_000:
            kept[into] = _merge(kept[into], punch)
            continue
        last_of_side[group] = len(kept)
        moved = true_ms != punch.at_ms
        kept.append(Kept(punch.id, true_ms, true_ms // MINUTE_MS, side, moved, punch.correction))
    return kept


def counts(punch: Punch, policy: Policy) -> bool:
    """Whether a punch that is not held has an effect."""
    if punch.standing == "pending" and punch.unverified:
        return policy.unverified_punches == "accept"
    return punch.standing == "approved"


def _side(direction: Direction) -> int:
    return 1 if direction in _IN else -1 if direction in _OUT else 0


def _merge(kept: Kept, punch: Punch) -> Kept:
    moved = kept.corrected_clock or punch.true_ms != punch.at_ms
    return Kept(kept.id, kept.true_ms, kept.minute, kept.side, moved, kept.correction, (*kept.merged, punch.id))
