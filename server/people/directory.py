"""Who should be enrolled at a terminal, compared with who is: what to add, rename and disable. Nobody is deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.wire import DirectoryUser, UserChange

Kind: TypeAlias = Literal["add", "rename", "disable"]
CUT_BYTES = 22
"""Terminals keep 24 bytes of a name and cut it without a word: from here on a beginning counts as the name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody who is known by this number; ``active`` while they work here."""

    number: str
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One person to write, and what it means to people."""

    kind: Kind
    change: UserChange


@dataclass(frozen=True, slots=True)
class Difference:
    """What to write, and what is left to people."""

    steps: tuple[Step, ...] = ()
    strangers: tuple[DirectoryUser, ...] = ()
    """Enrolled numbers that are mapped to nobody: left as they are."""
    disabled: tuple[DirectoryUser, ...] = ()
    """Disabled at the terminal although they work here: somebody had a reason, so they are left as they are."""


def compare(wanted: Sequence[Wanted], enrolled: Sequence[DirectoryUser]) -> Difference:
    """The difference, by number; cards stay as the terminal has them."""
    held = {user.number: user for user in enrolled}
    known = {one.number for one in wanted}
    steps = [step for one in sorted(wanted, key=lambda w: (len(w.number), w.number)) if (step := _step(one, held))]
    working = {one.number for one in wanted if one.active}
    return Difference(
        tuple(steps),
        tuple(user for user in enrolled if user.number not in known),
        tuple(user for user in enrolled if user.number in working and not user.enabled),
    )


def _step(one: Wanted, held: dict[str, DirectoryUser]) -> Step | None:
    before = held.get(one.number)
    if before is None:
        added = DirectoryUser(number=one.number, name=one.name)
        return Step("add", UserChange(user=added, before=None)) if one.active else None
    if not one.active:
        gone = DirectoryUser(number=one.number, name=before.name, card=before.card, enabled=False)
        return Step("disable", UserChange(user=gone, before=before)) if before.enabled else None
    if _same_name(one.name, before.name):
        return None
    renamed = DirectoryUser(number=one.number, name=one.name, card=before.card, enabled=before.enabled)
    return Step("rename", UserChange(user=renamed, before=before))


def _same_name(wanted: str, shown: str) -> bool:
    shown = shown.strip()
    return wanted.strip() == shown or (len(shown.encode()) >= CUT_BYTES and wanted.startswith(shown))
