"""Budgets: which revision is in force, and what was booked on its line."""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

from server.facts.resolve.rule import Cause, Causes, Row, Rule, each, own_key

NEVER_APPROVED = dt.date(1970, 1, 1)
"""A revision without a day of approval comes before all others."""


def _booked_in(entry: Row, _causes: Causes, _zone: ZoneInfo) -> Row:
    return {"booked_in": f"{entry['posted_on']:%Y-%m}"}


def _line(rows: Sequence[Row], causes: Causes, _zone: ZoneInfo) -> list[Row]:
    """What all revisions of a line share, and for each the day on which the next one was approved."""
    entries = causes["ledger_entry"]
    booked = sum((entry["debit_minor"] or 0) - (entry["credit_minor"] or 0) for entry in entries) if entries else None
    revisions = sorted(causes["ledger_budget"], key=_age)
    following = {own_key(row): _approved(after) for row, after in pairwise(revisions)}
    return [{"replaced_on": following.get(own_key(row)), "booked_minor": booked} for row in rows]


def _age(budget: Row) -> tuple[dt.date, int, tuple[str, str]]:
    return _approved(budget), budget["revision"] or 0, own_key(budget)


def _approved(budget: Row) -> dt.date:
    approved: dt.date = budget["approved_on"] or NEVER_APPROVED
    return approved


_LINE = ("period", "account", "org_key")

RULES = (
    Rule("ledger_entry", ("source", "source_key"), ("booked_in",), (), each(_booked_in), ("posted_on",), alone=True),
    Rule(
        "ledger_budget",
        _LINE,
        ("replaced_on", "booked_minor"),
        (
            Cause("ledger_budget", _LINE, ("approved_on", "revision")),
            Cause("ledger_entry", ("booked_in", "account", "org_key"), ("debit_minor", "credit_minor")),
        ),
        _line,
        ("approved_on", "revision"),
    ),
)
