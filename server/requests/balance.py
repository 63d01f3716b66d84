"""What is left of granted leave: grants with dates of validity, and what was taken from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Lot:
    """Minutes given, to be taken on dates from ``from_on`` to ``until_on``, both inclusive."""

    minutes: int
    from_on: date
    until_on: date | None = None

    def valid_on(self, day: date) -> bool:
        """Whether leave on that date can come out of it."""
        return self.from_on <= day and (self.until_on is None or day <= self.until_on)


@dataclass(frozen=True, slots=True)
class Taking:
    """Minutes of leave on a date, or minutes lost on it."""

    date: date
    minutes: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Lots after everything was taken."""

    left: tuple[int, ...]
    """Minutes left in each lot, in the order given."""
    short: int
    """Minutes taken that no lot covered."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Whether more can be taken."""

    needed: int
    left: int
    """Minutes that could be taken on those dates before this."""
    short: int
    """Minutes that are missing; 0: it can be taken."""


def settle(lots: Sequence[Lot], takings: Iterable[Taking]) -> Standing:
    """Take from lots in order of date, each time from the one that ends first: no other way covers more."""
    left = [lot.minutes for lot in lots]
    order = sorted(range(len(lots)), key=lambda at: (lots[at].until_on or date.max, lots[at].from_on, at))
    short = 0
    for taking in sorted(takings, key=lambda one: one.date):
        wanted = taking.minutes
        for at in order:
            if wanted and left[at] and lots[at].valid_on(taking.date):
                taken = min(wanted, left[at])
                left[at] -= taken
                wanted -= taken
        short += wanted
    return Standing(tuple(left), short)


def left_on(lots: Sequence[Lot], takings: Iterable[Taking], day: date) -> int:
    """Minutes that can still be taken on that date."""
    standing = settle(lots, takings)
    return sum(left for lot, left in zip(lots, standing.left, strict=True) if lot.valid_on(day))


def cover(lots: Sequence[Lot], takings: Sequence[Taking], more: Sequence[Taking]) -> Cover:
    """Whether ``more`` can be taken too, what was taken for later dates included."""
    needed = sum(one.minutes for one in more)
    before = settle(lots, takings)
    short = settle(lots, [*takings, *more]).short - before.short
    days = {one.date for one in more}
    left = sum(
        minutes for lot, minutes in zip(lots, before.left, strict=True) if any(lot.valid_on(day) for day in days)
    )
    return Cover(needed, left, max(short, 0))


@dataclass(frozen=True, slots=True)
class CarryOver:
    """What may be taken over into the next year: until ``until`` (MM-DD), at most ``most_min`` (None: all)."""

    until: str
    most_min: int | None = None

    def of(self, left: int) -> int:
        """Minutes out of those left that go over."""
        return left if self.most_min is None else min(left, self.most_min)

    def last_day(self, year: int) -> date:
        """Last date on which minutes taken over from the year before can be taken."""
        return date.fromisoformat(f"{year}-{self.until}")


def months_later(day: date, months: int) -> date:
    """Last date of a stretch of so many months that begins on ``day``; shorter months end it on their last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for number in range(day.day, day.day - 4, -1):
        try:
            return date(year, month + 1, number)
        except ValueError:
            continue
    raise AssertionError(day)
