"""Raw rows become rows of facts; every fault of a row is told at once."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connectors.mapping import Mapped, Rejected, map_rows
from server.connectors.paths import look, parse_path
from server.connectors.source_file import Source, read_source
from shared.errors import DataError

ORDERS = """\
source: shop
kind: http_json
timezone: Asia/Shanghai
streams:
  - fact: sales_order
    empty: [false]
    drop: [{path: kind, among: [test]}]
    key: {join: [shop, id]}
    map:
      order_no: {first_of: [name, number]}
      status: {path: state, values: {1: open, 2: fulfilled, true: cancelled}}
      currency: {const: CNY}
      amount_gross_minor: {path: total, as: money_minor}
      paid_at: {path: paid, as: datetime}
      customer_key: 'custom[id=9].value'
      employee_key: seller.id
"""
GOOD: dict[str, Any] = {
    "shop": "s1",
    "id": 5,
    "name": "N5",
    "state": 2,
    "total": "10.5",
    "paid": "2026-03-01 08:00:00",
    "custom": [{"id": 8, "value": "no"}, {"id": 9, "value": "c1"}],
    "seller": False,
}


def mapped(rows: list[Any], text: str = ORDERS) -> list[Mapped | Rejected]:
    source = read_source(text, "shop.yaml")
    return list(map_rows(source, source.streams[0], rows))


def only(row: Any, text: str = ORDERS) -> dict[str, Any]:
    [one] = mapped([row], text)
    assert isinstance(one, Mapped), one
    return one.row.model_dump(mode="json", exclude_none=True)


def codes(row: Any) -> dict[str, str]:
    [one] = mapped([row])
    assert isinstance(one, Rejected), one
    return {fault.field: fault.code for fault in one.faults}


def test_a_row_is_mapped_by_the_verbs() -> None:
    assert only(GOOD) == {
        "source_key": "s1|5",
        "order_no": "N5",
        "status": "fulfilled",
        "currency": "CNY",
        "amount_gross_minor": 1050,
        "paid_at": "2026-03-01T00:00:00Z",
        "occurred_at": "2026-03-01T00:00:00Z",
        "customer_key": "c1",
    }


def test_the_second_alternative_counts_where_the_first_says_nothing() -> None:
    assert only({**GOOD, "name": " ", "number": 77})["order_no"] == "77"


def test_booleans_and_numbers_are_looked_up_as_text() -> None:
    assert only({**GOOD, "state": True})["status"] == "cancelled"


def test_rows_that_are_none_are_left_out() -> None:
    assert mapped([{**GOOD, "kind": "test"}]) == []


def test_all_faults_of_a_row_are_told_at_once() -> None:
    bad = {**GOOD, "id": None, "state": 3, "total": "ten", "paid": "yesterday", "name": None}
    assert codes(bad) == {
        "source_key": "missing_key",
        "status": "unknown_value",
        "amount_gross_minor": "bad_number",
        "paid_at": "bad_time",
        "order_no": "missing_field",
    }


def test_a_changed_type_is_a_changed_schema() -> None:
    assert codes({**GOOD, "seller": [1]}) == {"employee_key": "schema_changed"}
    assert codes("no object") == {"": "schema_changed"}


def test_each_makes_a_row_of_every_element_and_sees_the_row_around() -> None:
    text = """\
source: shop
kind: http_json
streams:
  - fact: sales_order_line
    each: lines
    key: {join: [^.id, no]}
    map: {order_key: ^.id, line_no: no, quantity: {path: n, as: int}}
"""
    rows = mapped([{"id": 1, "lines": [{"no": 1, "n": 2}, {"no": 2, "n": "x"}]}, {"id": 2}], text)
    assert [type(row) for row in rows] == [Mapped, Rejected]
    assert isinstance(rows[0], Mapped)
    assert rows[0].row.source_key == "1|1"
    assert isinstance(rows[1], Rejected)
    assert (rows[1].source_key, rows[1].codes) == ("1|2", ("bad_number",))


def test_lists_in_the_order_of_columns_are_rows() -> None:
    text = """\
source: k3
kind: http_json
streams:
  - fact: customer
    columns: [FId, FNumber]
    key: FId
    map: {customer_key: FNumber}
"""
    assert only([7, "C7"], text) == {"source_key": "7", "customer_key": "C7"}


PICKS = """\
source: desk
kind: http_json
streams:
  - fact: ticket
    key: id
    map:
      created_at: {pick: {path: said, take: first, of: at}, as: datetime}
      status: {const: open}
      first_reply_at:
        as: datetime
        pick:
          {path: said, skip: 1, where: [{path: public, among: [true]}], unless: [{path: by.id, among: [null]}],
           take: first, of: at}
      solved_at: {pick: {path: said, where: [{path: new, among: [3]}], take: last, of: at}, as: datetime}
      reopens: {pick: {path: said, where: [{path: new, among: [2]}], take: count}}
"""


def _said(day: int, new: int | None = None, *, public: bool = True, by: int | None = 7) -> dict[str, Any]:
    return {"at": f"2026-03-{day:02}T08:00:00Z", "public": public, "by": {"id": by}, "new": new}


def test_one_is_picked_out_of_a_list() -> None:
    said = [_said(1), _said(2, by=None), _said(3, public=False), _said(4, 3), _said(5, 2), _said(6, 3), _said(7, 2)]
    assert only({"id": 1, "said": said}, PICKS) == {
        "source_key": "1",
        "created_at": "2026-03-01T08:00:00Z",
        "occurred_at": "2026-03-01T08:00:00Z",
        "status": "open",
        "first_reply_at": "2026-03-04T08:00:00Z",
        "first_reply_seconds": 3 * 86_400,
        "solved_at": "2026-03-06T08:00:00Z",
        "reopens": 2,
    }


def test_an_element_that_is_not_there_says_nothing() -> None:
    found = only({"id": 1, "said": [_said(1)]}, PICKS)
    assert found.keys() == {"source_key", "created_at", "occurred_at", "status", "reopens"}
    assert found["reopens"] == 0


@pytest.mark.parametrize("said", [{"at": 1}, "text", 5])
def test_what_is_no_list_is_a_changed_schema(said: Any) -> None:
    [one] = mapped([{"id": 1, "said": said}], PICKS)
    assert isinstance(one, Rejected)
    assert {fault.code for fault in one.faults} == {"schema_changed"}


def test_a_row_without_the_list_says_nothing_by_it() -> None:
    [one] = mapped([{"id": 1}], PICKS)
    assert isinstance(one, Rejected)
    assert one.codes == ("missing_time",)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(GOOD)), json_values) | json_values, max_size=4))
def test_any_row_is_mapped_or_waits_with_a_code(rows: list[Any]) -> None:
    found = mapped(rows)
    assert all(isinstance(one, Mapped) or one.codes for one in found)
    kept = [row for row in rows if not (isinstance(row, dict) and row.get("kind") == "test")]
    assert len(found) == len(kept)


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b", 1), ("list[0].x", 2), ("list[-1].x", 3), ("list[x=3].x", 3), (r"p\.q", 4), ("a.none.deeper", None)],
)
def test_paths_lead_where_they_say(path: str, value: object) -> None:
    document = {"a": {"b": 1, "none": None}, "list": [{"x": 2}, {"x": 3}], "p.q": 4}
    assert look(document, parse_path(path)) == value


@given(st.text(max_size=20))
def test_a_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except ValueError:
        return
    with contextlib.suppress(DataError):
        look({"a": [1]}, path)


def test_a_source_is_read_alike_twice() -> None:
    assert isinstance(read_source(ORDERS, "x"), Source)
    assert read_source(ORDERS, "x") == read_source(ORDERS, "y")


WIDE = """\
source: survey
kind: http_json
timezone: Asia/Shanghai
streams:
  - fact: survey_response
    unpivot: [Q1, Q2]
    key: {join: [{const: s7}, ^.id, name]}
    map:
      survey_key: {const: s7}
      question_key: name
      value: value
      submitted_at: {path: ^.at, as: datetime}
"""


def test_a_column_for_each_question_becomes_a_row_for_each_answer() -> None:
    row = {"id": 5, "at": "2026-03-01 08:00:00", "Q1": "4", "Q2": " ", "other": 1}
    assert only(row, WIDE) == {
        "source_key": "s7|5|Q1",
        "survey_key": "s7",
        "question_key": "Q1",
        "value": 4.0,
        "submitted_at": "2026-03-01T00:00:00Z",
        "occurred_at": "2026-03-01T00:00:00Z",
    }
    assert [type(one) for one in mapped([row, "no row"], WIDE)] == [Mapped, Rejected]


def test_the_day_of_a_moment_is_that_of_the_source() -> None:
    """16:30 UTC on 9 May is half past midnight on 10 May in Shanghai."""
    text = ORDERS.replace(
        "{path: paid, as: datetime}", "{path: paid, as: datetime}\n      order_date: {path: ms, as: epoch_ms_date}"
    )
    assert only({**GOOD, "ms": 1_778_344_200_000}, text)["order_date"] == "2026-05-10"
