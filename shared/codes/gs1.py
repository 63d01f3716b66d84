"""GS1 element strings through biip, which is loaded when first needed.

Source: protocols/scan-devices.md of the specification.
"""

import re
from dataclasses import dataclass
from datetime import date

from shared.errors import ConfigError, DataError

SEPARATOR = "\x1d"
LENGTH_LIMIT = 512
"""Characters; the largest GS1 message of a symbol in use has some 300."""
_SWALLOWED = re.compile(r"(?:0[012]\d{14}|1[1357]\d{6}|21\d{4}|30\d{2}|37\d{2})")
"""What another element looks like inside a lot or serial number."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: application identifier and its text."""

    ai: str
    value: str
    day: date | None = None
    """Of a date element; the day 00 is the last of its month."""
    amount: str | None = None
    """Of a measure or price: a decimal number in the unit of the identifier."""


@dataclass(frozen=True, slots=True)
class Gs1:
    """What a GS1 code says, and what may be wrong with it."""

    elements: tuple[Element, ...]
    warnings: tuple[str, ...] = ()
    """``swallowed:10``: the lot looks as if it held further elements, so a separator may be missing."""

    def value(self, ai: str) -> str | None:
        """Text of the first element with this identifier."""
        return next((element.value for element in self.elements if element.ai == ai), None)


def parse_gs1(text: str, separators: tuple[str, ...] = (SEPARATOR,)) -> Gs1:
    """Elements in the order of the code; DataError ``no_gs1`` when it is none. biip is needed."""
    try:
        from biip import ParseError
        from biip.gs1_messages import GS1Message
    except ImportError as error:
        raise ConfigError("GS1 codes need biip, which is not installed: install muster again") from error
    for separator in separators:
        text = text.replace(separator, SEPARATOR)
    text = text.strip(SEPARATOR)
    if len(text) > LENGTH_LIMIT:
        raise DataError(f"GS1: {len(text)} characters, expected {LENGTH_LIMIT} at most", code="no_gs1")
    try:
        message = GS1Message.parse(text)
    except (ParseError, ValueError, ArithmeticError) as error:
        raise DataError(f"GS1: {str(error)[:200]}", code="no_gs1") from error
    found = tuple(
        Element(part.ai.ai, part.value, part.date, None if part.decimal is None else str(part.decimal))
        for part in message.element_strings
    )
    warnings = tuple(f"swallowed:{e.ai}" for e in found if e.ai in ("10", "21") and _SWALLOWED.search(e.value))
    return Gs1(found, warnings)
