"""The books of finance, recruitment and contracts of HR, and campaigns of operations, as views of one SQLite file."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from muster.business.campaigns import CampaignStep
from muster.business.company import Business
from muster.business.rows import Span, at, month_end
from muster.business.trade import Sale
from muster.sample.people import DEPARTMENTS, EVERY_DEPOT

PARCEL_YUAN = 5.15
ASSETS, LIABILITIES = 1_240_000, 560_000
TAXES = ("增值税", "附加税", "个人所得税", "印花税")
STATEMENT_LINES = 120
_VIEWS = """
create table muster_ledger (entry_id integer primary key, posted_on, account, account_class, cost_class, department,
    debit, credit, corrected, corrects);
create table muster_budget (period, account, department, revision, planned, actual, approved_on, controllable);
create table muster_balance (period, account, account_class, opening, closing);
create table muster_payment (payment_id integer primary key, paid_at, amount, currency, invoice);
create table muster_invoice (invoice_id integer primary key, number, state, issued_on, due_on, amount, remaining,
    currency, person, changed_at);
create table muster_statement (report, line, issued_on, corrected_on, preparer);
create table muster_tax (period, tax_kind, due_on, filed_on, corrected, penalty, accountant);
create table muster_requisition (id integer primary key, opened_on, approved_on, needed_by, headcount, filled,
    closed_on, recruiter, department, updated_at);
create table muster_candidate_stage (id integer primary key, candidate, requisition, stage, entered_at, recruiter,
    updated_at);
create table muster_employment (id integer primary key, employee, joined_on, left_on, leave_kind, probation_ends_on,
    probation_passed, requisition, department, updated_at);
create table muster_contract (contract_id integer primary key, person, starts_on, ends_on, kind, position, duties,
    pay_grade, pay_min, pay_max, pay);
create table muster_campaign_event (id integer primary key, campaign, user_key, kind, happened_at, ends_on, owner,
    department, updated_at);
"""
_CHANGED = "2024-01-01 00:00:00"


def write_books(path: Path, business: Business) -> None:
    """Make the file anew; parcels that own scanners delivered cost as much as those of the sales."""
    span, sales = business.span, business.trade.sales
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as books:
        books.executescript(_VIEWS)
        _ledger(books, span, sales, business.scanned)
        _budgets(books, span)
        _invoices(books, span)
        _statements(books, span)
        _recruiting(books, span)
        _contracts(books, span)
        _campaigns(books, business.campaigns)


def _put(books: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    if rows:
        marks = ",".join("?" * len(rows[0]))
        books.executemany(f"insert into {table} values ({marks})", rows)  # noqa: S608  (our own names)


def _ledger(
    books: sqlite3.Connection, span: Span, sales: Sequence[Sale], scanned: Mapping[tuple[str, date], int]
) -> None:
    by_day: dict[date, list[Sale]] = {}
    for sale in sales:
        by_day.setdefault(sale.paid.date(), []).append(sale)
    rows: list[tuple[object, ...]] = []
    for day in span.days():
        net = sum(sale.net_minor for sale in by_day.get(day, [])) / 100
        entries: list[tuple[object, ...]] = [("6001", "revenue", None, "business", 0, net)]
        for site in EVERY_DEPOT:
            share = len(by_day.get(day, [])) / len(EVERY_DEPOT) + scanned.get((site, day), 0)
            entries += [
                ("6601", "cost", "delivery_carrier", site, round(share * PARCEL_YUAN, 2), 0),
                ("6602", "cost", "delivery_packaging", site, round(share * 0.55, 2), 0),
                ("6603", "cost", "delivery_damage", site, round(share * 0.2, 2), 0),
            ]
        rows += [(None, str(day), *entry[:4], f"{entry[4]:.2f}", f"{entry[5]:.2f}", 0, None) for entry in entries]
    _put(books, "muster_ledger", rows)


def _budgets(books: sqlite3.Connection, span: Span) -> None:
    pick = span.pick("budgets")
    budgets, balances = [], []
    for number, first in enumerate(span.months()):
        period = f"{first:%Y-%m}"
        for department, *_ in DEPARTMENTS:
            for account, controllable in (("6610", 1), ("6620", 0)):
                planned = pick.randint(60, 140) * 1_000
                actual = f"{planned * pick.uniform(0.93, 1.03):.2f}"
                approved = str(first - timedelta(days=12))
                budgets.append((period, account, department, 1, f"{planned}.00", actual, approved, controllable))
        assets, debts = ASSETS + 4_000 * number, LIABILITIES + 1_500 * number
        balances.append((period, "1000", "current_asset", f"{assets}.00", f"{assets + 4_000}.00"))
        balances.append((period, "2000", "current_liability", f"{debts}.00", f"{debts + 1_500}.00"))
    _put(books, "muster_budget", budgets)
    _put(books, "muster_balance", balances)


def _invoices(books: sqlite3.Connection, span: Span) -> None:
    pick = span.pick("invoices")
    sellers = span.of("business", "sales_rep")
    invoices: list[Sequence[object]] = []
    payments: list[Sequence[object]] = []
    for day in span.days():
        for _ in range(3):
            number, amount = len(invoices) + 1, pick.randint(20, 400) * 100
            due = day + timedelta(days=20)
            paid = pick.random() < 0.965 and due <= span.last
            state = "paid" if paid else "posted"
            changed = f"{min(due, span.last)} 18:00:00"
            head = (number, f"INV{number:05}", state, str(day), str(due), f"{amount}.00", f"{0 if paid else amount}.00")
            invoices.append((*head, "CNY", sellers[number % len(sellers)], changed))
            if paid:
                payments.append(
                    (None, f"{due - timedelta(days=pick.randint(0, 9))} 10:00:00", f"{amount}.00", "CNY", number)
                )
    _put(books, "muster_invoice", invoices)
    _put(books, "muster_payment", payments)


def _statements(books: sqlite3.Connection, span: Span) -> None:
    pick = span.pick("statements")
    accountants = span.of("finance")
    lines, taxes = [], []
    for first in span.months():
        issued = first + timedelta(days=4)
        for line in range(STATEMENT_LINES):
            if issued <= span.last:
                corrected = str(issued + timedelta(days=6)) if pick.random() < 0.005 else None
                lines.append((f"{first:%Y-%m}", line, str(issued), corrected, accountants[line % len(accountants)]))
        for number, kind in enumerate(TAXES):
            due = first + timedelta(days=14)
            filed = str(due - timedelta(days=pick.randint(0, 4))) if due <= span.last else None
            taxes.append((f"{first:%Y-%m}", kind, str(due), filed, 0, None, accountants[number % len(accountants)]))
    _put(books, "muster_statement", lines)
    _put(books, "muster_tax", taxes)


def _recruiting(books: sqlite3.Connection, span: Span) -> None:
    pick = span.pick("recruiting")
    recruiters = span.of("hr")
    wanted: list[Sequence[object]] = []
    stages: list[Sequence[object]] = []
    employed: list[Sequence[object]] = []
    for one in span.people:
        since = span.first - timedelta(days=200 + int(one.number) % 900)
        trial = since + timedelta(days=90)
        employed.append((None, one.id, str(since), None, None, str(trial), 1, None, one.department, _CHANGED))
    for first in span.months():
        for recruiter in recruiters:
            number, needed = len(wanted) + 1, month_end(first) - timedelta(days=pick.randint(4, 18))
            joined, over = needed - timedelta(days=pick.randint(0, 3)), needed <= span.last
            hired = over and pick.random() < 0.92
            opened = first - timedelta(days=30)
            closed = str(joined) if hired else None
            wanted.append(
                (number, str(opened), str(opened), str(needed), 1, int(hired), closed, recruiter, "logistics", _CHANGED)
            )
            if not hired:
                continue
            for stage, days in (("applied", 24), ("interviewed", 12), ("offered", 6), ("on_board", 0)):
                moment = at(joined - timedelta(days=days), 10).strftime("%Y-%m-%d %H:%M:%S")
                stages.append((None, f"CAND{number:04}", number, stage, moment, recruiter, _CHANGED))
            trial = joined + timedelta(days=30)
            passed = int(pick.random() < 0.9) if trial <= span.last else None
            left = pick.random() < 0.15 and joined + timedelta(days=45) <= span.last
            gone = (str(joined + timedelta(days=45)), "resigned") if left else (None, None)
            employed.append(
                (None, f"n{number:04}", str(joined), *gone, str(trial), passed, number, "logistics", _CHANGED)
            )
    _put(books, "muster_requisition", wanted)
    _put(books, "muster_candidate_stage", stages)
    _put(books, "muster_employment", employed)


def _contracts(books: sqlite3.Connection, span: Span) -> None:
    pick = span.pick("contracts")
    rows = []
    for number, one in enumerate(span.people):
        least = 6_000 + 500 * (number % 5)
        most, since = least * 2, span.first - timedelta(days=100 + number)
        own = round((least + most) / 2 * pick.uniform(0.78, 1.15))
        ends = str(since + timedelta(days=3 * 365))
        head = (None, one.id, str(since), ends, "fixed_term", one.position, None, f"G{number % 5 + 1}")
        rows.append((*head, f"{least}.00", f"{most}.00", f"{own}.00"))
    _put(books, "muster_contract", rows)


def _campaigns(books: sqlite3.Connection, steps: Sequence[CampaignStep]) -> None:
    rows = []
    for step in steps:
        moment = step.at.strftime("%Y-%m-%d %H:%M:%S")
        rows.append((None, step.campaign, step.user, step.kind, moment, step.ends, step.owner, "operations", moment))
    _put(books, "muster_campaign_event", rows)
