"""Budgets, entries, balances, statements, taxes."""

from typing import Literal

from server.facts.fields import Count, Day, Fact, Key, Minor, Month


class LedgerBudget(Fact):
    """A planned amount; the revision approved last by the period's end is the budget."""

    period: Month
    account: Key
    org_key: Key
    planned_minor: Minor | None = None
    actual_minor: Minor | None = None
    revision: Count | None = None
    approved_on: Day | None = None
    controllable: bool | None = None


class LedgerEntry(Fact):
    """A booked line."""

    posted_on: Day
    account: Key | None = None
    account_class: Key | None = None
    cost_class: (
        Literal["delivery_carrier", "delivery_fleet", "delivery_packaging", "delivery_damage", "other"] | None
    ) = None
    debit_minor: Minor | None = None
    credit_minor: Minor | None = None
    corrected: bool | None = None
    corrects_key: Key | None = None


class LedgerBalance(Fact):
    """A balance of a period: a stock, read at a date."""

    period: Month
    account: Key
    account_class: Literal["current_asset", "current_liability", "revenue", "cost", "other"]
    opening_minor: Minor | None = None
    closing_minor: Minor | None = None


class StatementLine(Fact):
    """A line of an issued report; ``employee_key`` prepared it."""

    report_key: Key
    line_key: Key
    issued_on: Day
    corrected_on: Day | None = None


class TaxFiling(Fact):
    """A tax return."""

    period: Month
    tax_kind: Key
    due_on: Day
    filed_on: Day | None = None
    corrected: bool | None = None
    penalty_minor: Minor | None = None
