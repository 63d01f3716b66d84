"""Whose number on a terminal it probably is, for a person to confirm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Who, and why."""

    employee: str
    name: str
    reason: Literal["terminal_name", "id"]
    terminal: str | None = None
    """The terminal that shows this name for the number."""


def suggest(code: str, shown: Sequence[tuple[str, str]], names: Mapping[str, str]) -> Suggestion | None:
    """The one person that a number points to; None when it is nobody, or could be several.

    ``shown`` are the name and the terminal of each list that has the number, ``names`` everybody's name by id.
    """
    called = {name: terminal for name, terminal in reversed(shown) if name}
    by_name = {(employee, called[name]) for employee, name in names.items() if name in called}
    if len(by_name) == 1 and len(called) == 1:
        employee, terminal = by_name.pop()
        return Suggestion(employee, names[employee], "terminal_name", terminal)
    if called:
        return None  # the terminal says somebody, whom we do not know or not exactly: a number alone proves less
    alike = [employee for employee in names if _plain(employee) == _plain(code)]
    exact = [employee for employee in alike if employee == code]
    chosen = exact or alike
    return Suggestion(chosen[0], names[chosen[0]], "id") if len(chosen) == 1 else None


def _plain(code: str) -> str:
    """Terminals drop leading zeros, and letters when they have none."""
    return code.strip().lower().lstrip("0")
