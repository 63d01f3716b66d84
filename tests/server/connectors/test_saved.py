"""``muster connectors``: saved replies in, JSON out; a reply that fails moves no cursor."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MUSTER = Path(sys.executable).parent / "muster"
SOURCE = """\
source: wx
kind: http_json
base_url: https://api.example.com
ok: {path: errcode, equals: 0, busy: [45009], signed_out: [40001]}
streams:
  - fact: customer
    rows: data.list
    page: {type: next_link, next: next}
    key: id
    map: {customer_key: id}
  - fact: audience_day
    rows: days
    key: {join: [{const: wx}, day]}
    map: {platform: {const: wx}, stat_date: {path: day, as: date}, total_followers: {path: n, as: int}}
"""


def run(tmp_path: Path, *replies: object, source: str = SOURCE) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    (tmp_path / "wx.yaml").write_text(source)
    names: list[Path] = []
    for number, reply in enumerate(replies):
        names.append(tmp_path / f"{number}.json")
        names[-1].write_text(reply if isinstance(reply, str) else json.dumps(reply))
    words: list[str | Path] = [MUSTER, "connectors", "map", "--source", tmp_path / "wx.yaml", *names]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def page(*ids: object, **more: object) -> dict[str, object]:
    return {"errcode": 0, "data": {"list": [{"id": one} for one in ids]}, **more}


def test_rows_come_out_with_fact_and_key_and_the_stream_is_found_by_its_shape(tmp_path: Path) -> None:
    code, found = run(tmp_path, page("a"), {"days": [{"day": "20260301", "n": 5}]})
    assert (code, found["quarantine"], found["errors"]) == (0, [], [])
    assert [(row["fact"], row["source_key"]) for row in found["rows"]] == [
        ("customer", "a"),
        ("audience_day", "wx|20260301"),
    ]
    assert found["rows"][1]["fields"]["stat_date"] == "2026-03-01"


def test_a_row_without_key_waits(tmp_path: Path) -> None:
    _, found = run(tmp_path, page("a", None))
    assert [(row["row"], row["codes"]) for row in found["quarantine"]] == [(2, ["missing_key", "missing_field"])]
    assert len(found["rows"]) == 1


@pytest.mark.parametrize(
    ("reply", "code", "retry"),
    [
        ({"errcode": 45009, "errmsg": "busy"}, "refused", True),
        ({"errcode": 40001}, "signed_out", True),
        ({"errcode": 40013}, "refused", False),
        ('{"errcode": 0, "data": {"list": [{"id"', "bad_body", True),
        ({"errcode": 0, "data": [1]}, "schema_changed", False),
        (page("a", next="https://evil.example.net/2"), "foreign_host", False),
    ],
)
def test_a_reply_that_fails_says_whether_to_try_again(tmp_path: Path, reply: object, code: str, retry: bool) -> None:
    (tmp_path / "one.yaml").write_text(SOURCE)
    source = SOURCE.partition("  - fact: audience_day")[0]
    status, found = run(tmp_path, reply, source=source)
    assert status == 1
    assert found["rows"] == []
    assert [(e["code"], e["retry"], e["advance_cursor"]) for e in found["errors"]] == [(code, retry, False)]


def test_a_page_that_comes_twice_is_an_error(tmp_path: Path) -> None:
    _, found = run(tmp_path, page("a"), page("a"))
    assert (len(found["rows"]), found["errors"][0]["code"]) == (1, "page_repeated")


def test_a_next_link_of_the_same_host_is_fine(tmp_path: Path) -> None:
    assert run(tmp_path, page("a", next="https://api.example.com/2"))[0] == 0


def test_tryton_replies_are_unwrapped(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "number": "S7",
        "state": "processing",
        "total_amount": {"__class__": "Decimal", "decimal": "120.50"},
        "currency": 2,
        "currency.": {"id": 2, "code": "CNY"},
        "sale_date": {"__class__": "date", "year": 2026, "month": 3, "day": 1},
        "party": 5,
        "write_date": None,
    }
    (tmp_path / "so.json").write_text(json.dumps({"id": 1, "result": [row]}))
    words = [str(MUSTER), "connectors", "map", "--preset", "erp_tryton", f"sales_order={tmp_path / 'so.json'}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    [found] = json.loads(done.stdout)["rows"]
    fields = found["fields"]
    assert (fields["amount_gross_minor"], fields["currency"], fields["customer_key"]) == (12050, "CNY", "5")
    assert (fields["order_date"], fields["status"]) == ("2026-03-01", "open")


def test_check_tells_the_faults_and_fails(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOURCE.replace("fact: customer", "fact: cust"))
    done = subprocess.run(
        [MUSTER, "connectors", "check", tmp_path / "a.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "line 6" in done.stderr


@pytest.mark.parametrize("words", [["map", "x.json"], ["map", "--preset", "nobody", "x.json"]])
def test_wrong_use_exits_with_2(words: list[str]) -> None:
    done = subprocess.run([MUSTER, "connectors", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
