"""Exact numbers: no binary floats, rounded half up, twice at most (KS-1)."""

from fractions import Fraction
from typing import TypeAlias

MicroPoints: TypeAlias = int
"""Millionths of a point."""
CentiPoints: TypeAlias = int
"""Hundredths of a point, as published."""

MICRO = 1_000_000
CENTI = 100


def half_up(value: Fraction) -> int:
    """The nearest integer; a half goes up, also below zero."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def decimal_text(value: Fraction, places: int = 2) -> str:
    """The number with so many decimals, rounded half up: ``97.50``."""
    scaled = half_up(value * 10**places)
    sign, digits = "-" if scaled < 0 else "", f"{abs(scaled):0{places + 1}}"
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"
