"""Arithmetic on stretches of time: half-open spans of whole minutes since 1970 in UTC, sorted and apart."""

from collections.abc import Iterable
from typing import TypeAlias

Minute: TypeAlias = int
"""Whole minutes since 1970 in UTC."""
Span: TypeAlias = tuple[Minute, Minute]
"""From the first minute up to, without, the second."""
Spans: TypeAlias = tuple[Span, ...]


def union(spans: Iterable[Span]) -> Spans:
    """The same minutes, sorted, without overlaps and empty spans."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def common(left: Spans, right: Spans) -> Spans:
    """Minutes in both."""
    pairs = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return tuple(span for span in pairs if span[0] < span[1])


def without(spans: Spans, holes: Spans) -> Spans:
    """Minutes of ``spans`` that are in none of ``holes``."""
    for start, end in holes:
        pieces = (piece for a, b in spans for piece in ((a, min(b, start)), (max(a, end), b)))
        spans = tuple(piece for piece in pieces if piece[0] < piece[1])
    return spans


def before(spans: Spans, minute: Minute) -> Spans:
    """The part that lies before ``minute``."""
    return tuple((a, min(b, minute)) for a, b in spans if a < minute)


def after(spans: Spans, minute: Minute) -> Spans:
    """The part that lies at or after ``minute``."""
    return tuple((max(a, minute), b) for a, b in spans if b > minute)


def length(spans: Spans) -> int:
    """Minutes in all."""
    return sum(b - a for a, b in spans)
