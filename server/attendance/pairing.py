"""From punches of one shift to times present (AR-10, AR-12)."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.attendance.kept import Kept
from server.attendance.policy import Policy
from server.attendance.spans import Minute, Span

SCHEDULED = -(1 << 63)
"""Instead of a punch's id, and none that any has: nobody punched, the scheduled time stands (AR-11)."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Times present, and a side whose other side is missing."""

    pairs: tuple[tuple[Kept, Kept], ...] = ()
    lone_out: Kept | None = None
    """An OUT before everything else: its IN is missing."""
    lone_in: Kept | None = None
    """An IN after everything else: its OUT is missing."""
    rules: tuple[str, ...] = ("AR-12",)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Closed pairs as spans."""
        return tuple((start.minute, end.minute) for start, end in self.pairs)

    @property
    def used(self) -> frozenset[int]:
        """Ids of the punches that are a side."""
        ends = [punch.id for pair in self.pairs for punch in pair]
        ends += [punch.id for punch in (self.lone_in, self.lone_out) if punch is not None]
        return frozenset(number for number in ends if number != SCHEDULED)

    @property
    def first(self) -> Kept:
        """The earliest side."""
        return next(p for p in (self.lone_out, *(pair[0] for pair in self.pairs), self.lone_in) if p is not None)

    @property
    def last(self) -> Kept:
        """The latest side."""
        outs = [pair[1] for pair in reversed(self.pairs)]
        return next(p for p in (self.lone_in, *outs, self.lone_out) if p is not None)


def pair(punches: Sequence[Kept], start: Minute, end: Minute, policy: Policy, *, may_go_on: bool) -> Sides:
    """Sides of at least one punch in order; ``start`` and ``end`` are the effective ones of the shift.

    While the shift may go on, a lone punch is somebody who came: that the OUT is missing can not be known.
    """
    if policy.pairing == "directional":
        return _directional(punches)
    if len(punches) == 1 or (policy.pairing == "first_last" and _close(punches, policy)):
        first, last = punches[0], punches[-1]
        came = may_go_on or abs(first.minute - start) <= abs(last.minute - end)
        return Sides(lone_in=first, rules=("AR-10",)) if came else Sides(lone_out=last, rules=("AR-10",))
    if policy.pairing == "first_last":
        return Sides(((punches[0], punches[-1]),))
    pairs = tuple(zip(punches[::2], punches[1::2], strict=False))
    return Sides(pairs, lone_in=punches[-1] if len(punches) % 2 else None)


def _close(punches: Sequence[Kept], policy: Policy) -> bool:
    return punches[-1].minute - punches[0].minute < policy.min_pair_gap_min


def _directional(punches: Sequence[Kept]) -> Sides:
    """First of repeated INs, last of repeated OUTs; a punch without direction is the side that is due."""
    pairs: list[tuple[Kept, Kept]] = []
    lone_out: Kept | None = None
    open_in: Kept | None = None
    for punch in punches:
        side = punch.side or (-1 if open_in else 1)
        if side > 0:
            open_in = open_in or punch
        elif open_in is not None:
            pairs.append((open_in, punch))
            open_in = None
        elif pairs:
            pairs[-1] = (pairs[-1][0], punch)
        else:
            lone_out = punch
    return Sides(tuple(pairs), lone_out, open_in)
