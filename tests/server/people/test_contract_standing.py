"""How a contract stands, day by day."""

import datetime as dt

import pytest

from server.people.contract_standing import Reminders, Standing, Term, probation_soon, standing

TODAY = dt.date(2026, 3, 2)


def day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("starts", "ends", "followed", "left", "expected"),
    [
        ("2025-01-01", None, False, None, "active"),
        ("2025-01-01", "2026-04-02", False, None, "active"),
        ("2025-01-01", "2026-04-01", False, None, "expiring"),
        ("2025-01-01", "2026-03-02", False, None, "expiring"),
        ("2025-01-01", "2026-03-02", True, None, "active"),
        ("2025-01-01", "2026-03-01", False, None, "expired"),
        ("2025-01-01", "2026-03-01", True, None, "ended"),
        ("2025-01-01", "2026-03-01", False, "2026-02-28", "ended"),
        ("2025-01-01", "2026-03-10", False, "2026-03-10", "active"),
        ("2025-01-01", None, False, "2026-03-01", "ended"),
        ("2025-01-01", None, False, "2026-03-02", "active"),
        ("2026-03-03", "2027-03-02", False, None, "coming"),
        ("2026-03-02", "2027-03-02", False, None, "active"),
    ],
)
def test_standing(starts: str, ends: str | None, followed: bool, left: str | None, expected: Standing) -> None:
    term = Term(dt.date.fromisoformat(starts), day(ends), followed, day(left))
    assert standing(term, TODAY, Reminders()) == expected


def test_days_ahead_are_the_company_s() -> None:
    term = Term(dt.date(2025, 1, 1), dt.date(2026, 5, 1), False, None)
    assert standing(term, TODAY, Reminders(expiry_days=60)) == "expiring"
    assert standing(term, TODAY, Reminders(expiry_days=59)) == "active"


@pytest.mark.parametrize(
    ("ends", "passed", "expected"),
    [
        (None, None, False),
        ("2026-03-01", None, False),
        ("2026-03-02", None, True),
        ("2026-03-09", None, True),
        ("2026-03-10", None, False),
        ("2026-03-05", True, False),
        ("2026-03-05", False, False),
    ],
)
def test_probation(ends: str | None, passed: bool | None, expected: bool) -> None:
    assert probation_soon(day(ends), passed, TODAY, Reminders()) is expected
