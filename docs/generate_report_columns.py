"""Writes docs/reference/report-columns.md from the columns that reports have."""

from pathlib import Path

from server.reports.columns import REPORTS, columns_of
from server.reports.words import title

PAGE = Path(__file__).parent / "reference" / "report-columns.md"
_HEAD = """# Columns of reports

Written by `python docs/generate_report_columns.py` from `server/reports/columns.toml`; a test holds the two together.
Page, API, workbook and CSV have the same columns. `hours` and `minutes` are whole minutes in JSON; files show hours
with two decimals. `days` are exact parts, two decimals, half up. [month-report.md](month-report.md) says what the
monthly ones count. After `leave_min` a month has one column `leave:TYPE` in hours for each leave type of the company.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for report in REPORTS:
        parts.append(f"\n## {title(report, 'zh-CN')} · {title(report, 'en')} (`{report}`)\n")
        parts.append("| id | kind | 列 | column | what it counts | rules |\n|---|---|---|---|---|---|\n")
        for column in columns_of(report):
            about = f"{column.about_zh} / {column.about_en}" if column.about_zh else ""
            cells = (f"`{column.id}`", column.kind, column.zh, column.en, about, " ".join(column.rules))
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
