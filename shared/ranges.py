"""Sets of seqs as closed intervals: what an ack covers and what a stream holds; never a set of numbers."""

from collections.abc import Iterable

from shared.wire import Ranges

__all__ = ["Ranges", "covers", "difference", "intersection", "ranges", "size", "union"]


def ranges(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """The set that any pairs cover, in normal form; a pair that ends before it starts covers nothing."""
    merged: Ranges = []
    for low, high in sorted(pair for pair in pairs if pair[0] <= pair[1]):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return merged


def union(one: Ranges, other: Ranges) -> Ranges:
    """Seqs in either."""
    if not other:
        return one
    return ranges([*one, *other])


def intersection(one: Ranges, other: Ranges) -> Ranges:
    """Seqs in both."""
    both: Ranges = []
    i = j = 0
    while i < len(one) and j < len(other):
        low, high = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if low <= high:
            both.append((low, high))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return both


def difference(one: Ranges, other: Ranges) -> Ranges:
    """Seqs in the first and not in the second."""
    rest: Ranges = []
    j = 0
    for start, end in one:
        low = start
        while j < len(other) and other[j][1] < low:
            j += 1
        k = j
        while k < len(other) and other[k][0] <= end:
            if low < other[k][0]:
                rest.append((low, other[k][0] - 1))
            low = max(low, other[k][1] + 1)
            k += 1
        if low <= end:
            rest.append((low, end))
    return rest


def covers(held: Ranges, low: int, high: int) -> bool:
    """Whether every seq from ``low`` to ``high`` is in the set."""
    return any(start <= low and high <= end for start, end in held)


def size(held: Ranges) -> int:
    """How many seqs the set has."""
    return sum(high - low + 1 for low, high in held)
