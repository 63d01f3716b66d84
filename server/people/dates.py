"""Dates as people type them and as spreadsheets store them."""

import re
from datetime import date, timedelta

from shared.errors import DataError

_WRITTEN = re.compile(
    r"(?P<y>\d{4})\s*[-/.年]\s*(?P<m>\d{1,2})\s*[-/.月]\s*(?P<d>\d{1,2})\s*日?(?:[ T]\s*0{1,2}:00(?::00(?:\.0+)?)?)?"
)
_PLAIN = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})")
_SERIAL = re.compile(r"\d{5}(?:\.0+)?")
_EXCEL_DAY_0 = date(1899, 12, 30)
"""Right from March 1900 on: Excel believes in a 29 February 1900."""
FIRST_YEAR, LAST_YEAR = 1930, 2199


def read_date(text: str) -> date:
    """A date: ``2026-03-02``, ``2026/3/2``, ``2026.3.2``, ``2026年3月2日``, ``20260302``, or Excel's number of a day.

    Year first only: which of two small numbers is the month would be a guess. DataError ``bad_date``.
    """
    plain = text.strip().translate(_WIDE)[:40]
    if found := _WRITTEN.fullmatch(plain) or _PLAIN.fullmatch(plain):
        try:
            day = date(int(found["y"]), int(found["m"]), int(found["d"]))
        except ValueError as error:
            raise DataError(f"{text[:40]!r}: there is no such day", "bad_date") from error
    elif _SERIAL.fullmatch(plain):
        day = _EXCEL_DAY_0 + timedelta(days=int(plain[:5]))
    else:
        raise DataError(f"{text[:40]!r}: expected a date such as 2026-03-02 or 2026年3月2日", "bad_date")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise DataError(f"{text[:40]!r}: expected a year from {FIRST_YEAR} to {LAST_YEAR}", "bad_date")
    return day


_WIDE = {ord("０") + n: str(n) for n in range(10)} | {ord("／"): "/", ord("－"): "-", ord("．"): ".", ord("　"): " "}
