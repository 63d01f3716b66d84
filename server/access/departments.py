"""The tree of departments: who manages one manages those below it."""

from collections.abc import Collection, Mapping


def with_those_below(departments: Collection[str], parents: Mapping[str, str | None]) -> frozenset[str]:
    """These departments and all below them; ``parents`` maps each department to the one above, in any order."""
    found = set(departments)
    while more := {below for below, above in parents.items() if above in found} - found:
        found |= more
    return frozenset(found)
