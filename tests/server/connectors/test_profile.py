"""What columns of a file hold, and which values were read from another form."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.connectors.columns import ColumnMap, as_source_file
from server.connectors.mapping import Mapped, map_rows
from server.connectors.paths import OUTER
from server.connectors.profile import MOST_DISTINCT, Profiler
from server.connectors.source_file import Source, read_source
from server.connectors.visible import VisibleChange, visible_changes


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "22", "-3"], "int"),
        (["0", "1"], "int"),
        (["1.5", "¥2,000", "3万"], "number"),
        (["2024-03-01", "2024年3月2日"], "date"),
        (["20240301", "20240302"], "int"),
        (["20240301", "2024-03-02"], "date"),
        (["2024-03-01 08:30:00", "2024-03-01T08:30:00Z"], "date"),
        (["是", "否"], "bool"),
        (["1", "x"], "text"),
        ([None, "", "  "], "empty"),
        ([["a"], {"b": 1}], "mixed"),
    ],
)
def test_a_column_is_the_most_special_kind_that_all_its_values_fit(values: list[object], kind: str) -> None:
    profiler = Profiler()
    for value in values:
        profiler.add({"column": value})
    [column] = profiler.columns()
    assert (column.kind, column.filled + column.empty) == (kind, len(values))


def test_empty_cells_and_different_values_are_counted_up_to_a_limit() -> None:
    profiler = Profiler()
    for n in range(MOST_DISTINCT + 50):
        profiler.add({"id": str(n), "shop": None if n % 4 == 0 else "north"})
    numbers, shop = profiler.columns()
    assert (numbers.distinct, numbers.many, numbers.samples) == (MOST_DISTINCT + 1, True, ("0", "1", "2", "3", "4"))
    assert (shop.filled, shop.empty, shop.distinct, shop.many) == (7537, 2513, 1, False)


def source() -> Source:
    return read_source(
        """
source: ledger
kind: file
timezone: Asia/Shanghai
streams:
  - fact: ledger_entry
    call: {files: "x"}
    key: no
    map:
      posted_on: {path: day, as: date}
      account: account
      debit_minor: {path: debit, as: money_minor}
      account_class: {path: class, values: {资产: current_asset}}
      corrected: {path: corrected, as: bool}
""",
        "ledger.yaml",
    )


def changes(**row: str) -> list[VisibleChange]:
    wanted = source()
    plain = {"no": "1", "day": "2024-03-01", "account": "6601", "debit": "5.00", "class": "资产", "corrected": "否"}
    [mapped] = map_rows(wanted, wanted.streams[0], [{**plain, **row}])
    assert isinstance(mapped, Mapped), mapped
    return list(visible_changes(wanted.streams[0], mapped))


def test_values_in_their_plain_form_and_translated_ones_are_no_change() -> None:
    assert changes() == []
    assert changes(day="2024-03-01 10:00:00", debit="-7") == []
    assert changes(account="６６０１") == [], "a text is kept as it is"


@pytest.mark.parametrize(
    ("field", "column", "was", "became"),
    [
        ("debit_minor", "debit", "1,200.50", "120050"),
        ("debit_minor", "debit", "￥3元", "300"),
        ("debit_minor", "debit", "1.2万", "1200000"),
        ("debit_minor", "debit", "１２", "1200"),
        ("posted_on", "day", "2024/3/1", "2024-03-01"),
        ("posted_on", "day", "20240301", "2024-03-01"),
        ("posted_on", "day", "2024年3月1日", "2024-03-01"),
    ],
)
def test_a_value_in_another_form_is_told_with_what_became_of_it(field: str, column: str, was: str, became: str) -> None:
    assert changes(**{column: was}) == [VisibleChange(field, was, became)]


def test_an_instant_is_told_in_utc() -> None:
    wanted = read_source(
        "source: desk\nkind: file\ntimezone: Asia/Shanghai\nstreams:\n  - fact: ticket\n    call: {files: x}\n"
        "    key: no\n    map:\n      created_at: {path: at, as: datetime}\n      status: {const: open}\n",
        "desk.yaml",
    )
    [mapped] = map_rows(wanted, wanted.streams[0], [{"no": "1", "at": "2024/3/1 8:30"}])
    assert isinstance(mapped, Mapped)
    assert mapped.row.occurred_at == dt.datetime(2024, 3, 1, 8, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert list(visible_changes(wanted.streams[0], mapped)) == [
        VisibleChange("created_at", "2024/3/1 8:30", "2024-03-01T00:30:00Z")
    ]


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=20).filter(OUTER.__ne__))
@example("金额\n(元)")
@example("a\\.b[c=1]^")
def test_any_heading_is_found_by_the_path_that_is_written_for_it(heading: str) -> None:
    columns = {"employee_key": "id", "starts_on": "day", "position": heading}
    wanted = ColumnMap("contracts", "labour_contract", "UTC", ("id",), columns)
    [stream] = read_source(as_source_file(wanted), "contracts.yaml").streams
    assert stream.map["position"].path == (heading,)
