"""The pages about reports say what the code does."""

import re
from dataclasses import fields
from pathlib import Path

from docs.generate_report_columns import PAGE, page
from server.reports.columns import REPORTS, columns_of
from server.reports.month import MonthSummary
from server.reports.words import CODES

ROOT = Path(__file__).parents[3]


def test_the_page_of_columns_is_as_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_sum_of_a_month_is_described() -> None:
    text = (ROOT / "docs/reference/month-report.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == {f.name for f in fields(MonthSummary)}


def test_every_rule_that_a_column_names_is_a_rule() -> None:
    text = (ROOT / "docs/reference/attendance-rules.md").read_text(encoding="utf-8")
    named = {rule for report in REPORTS for column in columns_of(report) for rule in column.rules}
    assert named <= set(re.findall(r"^\| (AR-\d+) \|", text, re.MULTILINE))


def test_no_report_has_a_column_twice() -> None:
    for report in REPORTS:
        ids = [column.id for column in columns_of(report)]
        assert len(ids) == len(set(ids)), report


def test_every_code_has_two_different_words() -> None:
    assert all(zh and en and zh != en for zh, en in CODES.values())
