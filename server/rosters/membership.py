"""Who is in which attendance group when: one at a time, without overlaps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from shared.errors import DataError

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Membership:
    """An employee in a group from a date on; ``to_on`` is inclusive, None while it is open."""

    group: str
    from_on: date
    to_on: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it covers the date."""
        return self.from_on <= day and (self.to_on is None or day <= self.to_on)


def joined(before: Iterable[Membership], new: Membership) -> list[Membership]:
    """The memberships of one employee once ``new`` is added, in order.

    One that runs into it ends the day before, and goes on after it when it lasts longer; one from the same day gives
    way. DataError ``member_overlap`` when a later one begins inside it, ``member_span`` when it ends before it begins.
    """
    if new.to_on is not None and new.to_on < new.from_on:
        raise DataError(f"membership ends on {new.to_on}, before it begins on {new.from_on}", "member_span")
    kept = []
    for old in before:
        if old.from_on > new.from_on and (new.to_on is None or old.from_on <= new.to_on):
            raise DataError(
                f"already in {old.group} from {old.from_on}: end the new one before that day", "member_overlap"
            )
        if not old.holds(new.from_on):
            kept.append(old)
            continue
        if old.from_on < new.from_on:
            kept.append(replace(old, to_on=new.from_on - _DAY))
        if new.to_on is not None and (old.to_on is None or old.to_on > new.to_on):
            kept.append(replace(old, from_on=new.to_on + _DAY))
    return sorted([*kept, new], key=lambda one: one.from_on)


def left(before: Iterable[Membership], group: str, last: date) -> list[Membership]:
    """The memberships of one employee who is in the group until ``last``; DataError ``not_member`` if not in it then.

    A membership that would begin after that day is gone.
    """
    kept, found = [], False
    for old in before:
        if old.group != group or (old.to_on is not None and old.to_on < last):
            kept.append(old)
        elif old.from_on <= last:
            kept.append(replace(old, to_on=last))
            found = True
        else:
            found = True
    if not found:
        raise DataError(f"not in {group} on {last} or after", "not_member")
    return sorted(kept, key=lambda one: one.from_on)


def group_on(memberships: Sequence[Membership], day: date) -> str | None:
    """Group of the date; None for nobody's."""
    return next((one.group for one in memberships if one.holds(day)), None)
