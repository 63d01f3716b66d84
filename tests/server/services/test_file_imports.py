"""Files of old systems become facts step by step, and can be taken back until somebody signs, on both databases."""

import io
import random
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
import xlsxwriter
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from server.access.scope import Scope
from server.connectors.columns import ColumnMap, as_source_file, suggested_columns
from server.connectors.errors import ReplyError, SourceFileError
from server.connectors.profile import ColumnProfile
from server.services import file_imports, file_work, sources
from server.services.fact_decisions import Decision, decide
from server.services.file_imports import Brought
from server.services.sources import unusable_facts
from server.store import review_queries
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.file_import_queries import FileImport
from server.store.log_queries import Entry
from server.store.review_queries import Wanted
from server.store.source_tables import fact_quarantine, file_import_parts, sync_runs
from shared.clock import system_clocks
from shared.errors import DataError

ORDERS = FACT_TABLES["sales_order"]
HEAD = "订单号,下单日期,状态,订单金额,币种,部门,工号"
GOOD = (
    "A1,2024-03-01,已完成,100.50,CNY,north,E1",
    "A2,2024年3月2日,已完成,¥1,CNY,north,E1",  # two values in another form
    "A3,2024-04-01,已取消,200,CNY,south,E2",
    "A3,2024-04-01,已取消,200,CNY,south,E2",  # the row before once more
)
BAD = (
    "A4,2024-04-31,已完成,5,CNY,south,E2",  # no such day
    "A5,2024-04-30,搁置,five,CNY,south,E2",  # an unknown state and no number
    "A1,2024-03-01,已完成,99,CNY,north,E1",  # the key of the first with another amount
)
STATES = {"已完成": "fulfilled", "已取消": "cancelled"}
KEY_AND_FIELDS = {
    "order_no": "订单号",
    "order_date": "下单日期",
    "status": "状态",
    "amount_gross_minor": "订单金额",
    "currency": "币种",
    "org_key": "部门",
    "employee_key": "工号",
}


def entry(actor: str = "mei", at_ms: int = 1_780_000_000_000) -> Entry:
    return Entry(at_ms, actor, "test", "")


def orders_map(source: str = "old_shop", **changed: Any) -> str:
    wanted = {"source": source, "fact": "sales_order", "timezone": "Asia/Shanghai", "key": ("订单号",)}
    return as_source_file(ColumnMap(**{**wanted, "columns": KEY_AND_FIELDS, "values": {"status": STATES}, **changed}))


def csv_of(*rows: str, encoding: str = "utf-8") -> bytes:
    return "\n".join([HEAD, *rows]).encode(encoding)


async def bring(db: Database, body: bytes, name: str = "orders.csv", fact: str = "sales_order") -> FileImport:
    return await file_imports.upload(db, Brought(name, body, fact), entry())


async def done(db: Database, file: FileImport, *works: Any) -> FileImport:
    for work in works:
        await file_imports.begin(db, file.id, work, entry())
        file = await file_work.work(db, file.id, system_clocks())
    return file


async def imported(db: Database, *rows: str, name: str = "orders.csv") -> FileImport:
    file = await bring(db, csv_of(*rows), name)
    await file_imports.put_map(db, file.id, orders_map(), None, entry())
    return await done(db, file, "check", "import")


async def stored(db: Database) -> dict[str, int]:
    async with db.reading() as connection:
        which = select(ORDERS.c.source_key, ORDERS.c.amount_gross_minor).where(ORDERS.c.deleted.is_(False))
        return dict((await connection.execute(which)).all())


async def count(db: Database, table: Any) -> int:
    async with db.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def test_a_dry_run_tells_what_would_happen_and_stores_nothing(db: Database) -> None:
    file = await bring(db, csv_of(*GOOD, *BAD, encoding="gb18030"))
    columns = {one["name"]: one for one in file.profile["columns"]}
    assert (file.rows, columns["订单号"]["distinct"], columns["订单金额"]["kind"]) == (7, 5, "text")
    await file_imports.put_map(db, file.id, orders_map(), None, entry())
    report = (await done(db, file, "check")).report
    assert report is not None
    told = {name: report[name] for name in ("rows", "clean", "changed", "duplicates", "unchanged", "waiting")}
    assert told == {"rows": 7, "clean": 2, "changed": 1, "duplicates": 1, "unchanged": 0, "waiting": 3}
    assert {(one["code"], one["field"], one["line"]) for one in report["reasons"]} == {
        ("bad_date", "order_date", 6),
        ("unknown_value", "status", 7),
        ("bad_number", "amount_gross_minor", 7),
        ("conflict", "source_key", 8),
    }
    assert {one["field"]: (one["was"], one["became"]) for one in report["changes"]} == {
        "order_date": ("2024年3月2日", "2024-03-02"),
        "amount_gross_minor": ("¥1", "100"),
    }
    assert report["months"] == {"2024-03": 2, "2024-04": 1}
    assert (await stored(db), await count(db, fact_quarantine), await count(db, sync_runs)) == ({}, 0, 0)


async def test_an_import_stores_what_fits_and_says_what_differs(db: Database) -> None:
    file = await imported(db, *GOOD, *BAD)
    assert await stored(db) == {"A1": 10050, "A2": 100, "A3": 20000}
    assert await count(db, fact_quarantine) == 3
    found = file.reconciled
    assert found is not None
    assert (found["rows"], found["again"], found["not_fitting"], found["waiting_open"]) == (7, 2, 2, 3)
    assert (found["rows_source"], found["rows_stored"], found["differing"]) == (3, 3, 0)
    by_hand = {("2024-03", "north"): Decimal("101.50"), ("2024-04", "south"): Decimal(200)}
    assert {(one["month"], one["department"]): one["amounts"]["amount_gross_minor"] for one in found["by_group"]} == {
        key: {"source": int(amount * 100), "stored": int(amount * 100)} for key, amount in by_hand.items()
    }
    async with db.reading() as connection:
        found = await unusable_facts(connection, system_clocks().wall_ms())
    assert "source_late" not in found.values(), "history is never late"


async def test_a_row_that_is_stored_with_other_values_stays_and_shows_as_a_difference(db: Database) -> None:
    await imported(db, GOOD[0])
    second = await imported(db, "A1,2024-03-01,已完成,99,CNY,north,E1", name="again.csv")
    assert await stored(db) == {"A1": 10050}
    assert second.reconciled is not None
    [group] = second.reconciled["by_group"]
    assert (second.reconciled["differing"], group["amounts"]["amount_gross_minor"]) == (
        1,
        {"source": 9900, "stored": 10050},
    )


FAULTS: Mapping[str, tuple[str, Mapping[str, str], set[str]]] = {
    # row of a number, the values that a person gives it, why it waits
    "no such day": ("X{n},2024-04-31,已完成,{n},CNY,south,E2", {"order_date": "2024-04-30"}, {"bad_date"}),
    "words": ("X{n},2024-04-30,已完成,twelve,CNY,south,E2", {"amount_gross_minor": "{n}00"}, {"bad_number"}),
    "unknown state": ("X{n},2024-04-30,搁置,{n},CNY,south,E2", {"status": "open"}, {"unknown_value"}),
    "no key": (",2024-04-30,已完成,{n},CNY,south,E2", {"source_key": "X{n}", "order_no": "X{n}"}, {"missing_key"}),
    "no currency": ("X{n},2024-04-30,已完成,{n},,south,E2", {"currency": "CNY"}, {"missing_field"}),
    "two at once": (
        "X{n},2024-13-01,搁置,{n},CNY,south,E2",
        {"order_date": "2024-04-30", "status": "open"},
        {"bad_date", "unknown_value"},
    ),
}


@pytest.mark.parametrize("seed", range(3))
async def test_exactly_the_bad_rows_of_a_file_wait_and_come_in_once_when_they_are_fixed(
    db: Database, seed: int
) -> None:
    pick = random.Random(seed)
    bad = {number: pick.choice(list(FAULTS)) for number in pick.sample(range(1, 201), 30)}
    lines = [
        FAULTS[bad[n]][0].format(n=n) if n in bad else f"X{n},2024-03-01,已完成,{n},CNY,north,E1" for n in range(1, 201)
    ]
    await imported(db, *lines)
    async with db.reading() as connection:
        _, waiting = await review_queries.rows(connection, Scope.system(), Wanted(), limit=100, offset=0)
    # The head is line 1. A row without a key has no number of an order either.
    codes = {
        number: set(FAULTS[kind][2]) | ({"missing_field"} if kind == "no key" else set())
        for number, kind in bad.items()
    }
    assert {row.row_no - 1: set(row.codes) for row in waiting} == codes
    assert await stored(db) == {f"X{n}": n * 100 for n in range(1, 201) if n not in bad}
    for row in waiting:
        number = row.row_no - 1
        told = {field: value.format(n=number) for field, value in FAULTS[bad[number]][1].items()}
        patch = {field: int(value) if field.endswith("_minor") else value for field, value in told.items()}
        await decide(db, Scope.system(), [row.id], Decision("fix", "as on paper", patch), entry("lei"))
        with pytest.raises(DataError):
            await decide(db, Scope.system(), [row.id], Decision("fix", "once more", patch), entry("lei"))
    assert await stored(db) == {f"X{n}": n * 100 for n in range(1, 201)}
    async with db.reading() as connection:
        left, _ = await review_queries.rows(connection, Scope.system(), Wanted(), limit=1, offset=0)
    assert left == 0


async def test_undo_leaves_nothing_of_the_import_even_what_a_person_brought_in(db: Database) -> None:
    before = await imported(db, "B1,2024-01-01,已完成,1,CNY,north,E1", name="before.csv")
    file = await imported(db, *GOOD, *BAD)
    async with db.reading() as connection:
        _, waiting = await review_queries.rows(connection, Scope.system(), Wanted(), limit=10, offset=0)
    [wrong_day] = [row.id for row in waiting if row.codes == ["bad_date"]]
    patch = {"order_date": "2024-04-30"}
    await decide(db, Scope.system(), [wrong_day], Decision("fix", "typed wrong", patch), entry("lei"))
    assert (await stored(db))["A4"] == 500
    with pytest.raises(Exception, match="undo that first"):
        await file_imports.begin(db, before.id, "undo", entry())
    assert (await done(db, file, "undo")).state == "undone"
    assert await stored(db) == {"B1": 100}
    assert await count(db, fact_quarantine) == 0
    assert await count(db, file_import_parts) == 1, "of the other file"
    again = await imported(db, *GOOD)
    assert again.state == "imported", "the same rows may come again"
    assert await stored(db) == {"B1": 100, "A1": 10050, "A2": 100, "A3": 20000}


async def test_an_import_that_breaks_off_goes_on_after_its_last_part(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_imports, "PART", 10)
    rows = [f"C{n},2024-05-{n % 28 + 1:02},已完成,{n},CNY,north,E1" for n in range(45)]
    file = await bring(db, csv_of(*rows))
    await file_imports.put_map(db, file.id, orders_map(), None, entry())
    await done(db, file, "check")
    await file_imports.begin(db, file.id, "import", entry())
    seen: list[int] = []

    def break_off(done_rows: int) -> None:
        seen.append(done_rows)
        if done_rows == 20:
            raise RuntimeError("the process is killed")

    with pytest.raises(RuntimeError):
        await file_work.work(db, file.id, system_clocks(), break_off)
    assert len(await stored(db)) == 20
    await file_imports.begin(db, file.id, "import", entry())
    ended = await file_work.work(db, file.id, system_clocks(), seen.append)
    assert seen[:5] == [10, 20, 30, 40, 45], "no part twice"
    assert (ended.state, len(await stored(db))) == ("imported", 45)
    async with db.reading() as connection:
        assert (await connection.execute(select(sync_runs.c.added, sync_runs.c.pages))).all() == [(45, 5)]


async def test_a_passing_fault_of_the_database_leaves_the_file_to_be_gone_on_with(
    migrated_sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = migrated_sqlite
    file = await bring(db, csv_of(*GOOD))
    await file_imports.put_map(db, file.id, orders_map(), None, entry())
    await done(db, file, "check")
    await file_imports.begin(db, file.id, "import", entry())

    async def locked(*_: Any) -> None:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))

    with monkeypatch.context() as away:
        away.setattr(file_work, "store_page", locked)
        with pytest.raises(OperationalError):
            await file_work.work(db, file.id, system_clocks())
    assert (await file_imports.find(db, file.id)).error is None
    assert (await file_work.work(db, file.id, system_clocks())).state == "imported"
    assert len(await stored(db)) == 3


async def test_whoever_comes_second_to_a_part_stores_nothing_of_it(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes at once: each row is stored and counted once."""
    monkeypatch.setattr(file_imports, "PART", 5)
    file = await bring(db, csv_of(*(f"D{n},2024-05-01,已完成,{n},CNY,north,E1" for n in range(20))))
    await file_imports.put_map(db, file.id, orders_map(), None, entry())
    await done(db, file, "check")
    await file_imports.begin(db, file.id, "import", entry())
    other = Database(db.url.render_as_string(hide_password=False))
    read = file_imports.rows_from
    overtaken: list[int] = []

    async def overtaking(connection: Any, number: int, first: int) -> Any:
        part = await read(connection, number, first)
        if first == 5 and not overtaken:
            overtaken.append(first)
            monkeypatch.setattr(file_work, "rows_from", read)
            await file_work.work(other, number, system_clocks())
        return part

    monkeypatch.setattr(file_work, "rows_from", overtaking)
    await file_work.work(db, file.id, system_clocks())
    await other.close()
    assert overtaken
    assert len(await stored(db)) == 20
    async with db.reading() as connection:
        assert await connection.scalar(select(sync_runs.c.added)) == 20


async def test_signing_takes_two_people_for_many_rows_and_a_note_for_open_ends(db: Database) -> None:
    file = await imported(db, *GOOD, BAD[0])
    with pytest.raises(Exception, match="say in a note"):
        await file_imports.sign(db, file.id, " ", entry())
    signed = await file_imports.sign(db, file.id, "the shop had no such day", entry())
    assert (signed.state, signed.signed_by) == ("signed", "mei"), "few rows: one person is enough"
    with pytest.raises(Exception, match="is signed"):
        await file_imports.begin(db, file.id, "undo", entry())
    assert await count(db, file_import_parts) == 0
    many = await imported(db, *(f"M{n},2024-05-01,已完成,1,CNY,north,E1" for n in range(501)), name="many.csv")
    with pytest.raises(Exception, match="another person"):
        await file_imports.sign(db, many.id, "", entry())
    assert (await file_imports.sign(db, many.id, "", entry("lei"))).signed_by == "lei"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xff\xff\x00a,b\n1,2", "UTF-8"),
        (b"a,b\n", "no rows below"),
        (b"", "no rows"),
        (b"a,a\n1,2", "twice"),
        (b"PK\x03\x04 no workbook", "no readable workbook"),
        (b'{"a": 1}\n{"a":', "line 2"),
        (b"[1, 2]", "no list of JSON objects"),
    ],
)
async def test_a_file_that_is_no_table_is_refused_with_the_reason(
    migrated_sqlite: Database, body: bytes, why: str
) -> None:
    with pytest.raises((ReplyError, DataError), match=why):
        await bring(migrated_sqlite, body)
    assert await count(migrated_sqlite, file_import_parts) == 0


async def test_a_source_that_is_read_by_itself_is_left_alone(migrated_sqlite: Database) -> None:
    db = migrated_sqlite
    await sources.put_source(db, orders_map("live"), "live.yaml", entry())
    file = await bring(db, csv_of(*GOOD))
    await file_imports.put_map(db, file.id, orders_map("live"), None, entry())
    await done(db, file, "check")
    with pytest.raises(DataError, match="live_history"):
        await file_imports.begin(db, file.id, "import", entry())
    assert (await file_imports.find(db, file.id)).state == "checked"


async def test_a_map_is_refused_with_the_line_of_its_fault(migrated_sqlite: Database) -> None:
    file = await bring(migrated_sqlite, csv_of(*GOOD))
    wrong = orders_map(columns={**KEY_AND_FIELDS, "colour": "颜色"})
    with pytest.raises(SourceFileError, match="no field colour"):
        await file_imports.put_map(migrated_sqlite, file.id, wrong, None, entry())
    with pytest.raises(DataError, match="brought as sales_order"):
        await file_imports.put_map(
            migrated_sqlite,
            file.id,
            orders_map(fact="payment", columns={"paid_at": "下单日期", "amount_minor": "订单金额"}, values={}),
            None,
            entry(),
        )


async def test_a_day_that_lies_ahead_waits_for_a_person(migrated_sqlite: Database) -> None:
    file = await imported(migrated_sqlite, GOOD[0], "A9,2999-01-01,已完成,1,CNY,north,E1")
    assert file.report is not None
    assert [(one["code"], one["line"]) for one in file.report["reasons"]] == [("future_date", 3)]
    assert await stored(migrated_sqlite) == {"A1": 10050}


async def test_the_same_file_is_not_imported_twice(migrated_sqlite: Database) -> None:
    await imported(migrated_sqlite, *GOOD)
    with pytest.raises(DataError, match="same content"):
        await bring(migrated_sqlite, csv_of(*GOOD))


async def test_a_formula_stays_text_and_lines_are_counted_as_a_spreadsheet_does(migrated_sqlite: Database) -> None:
    book = io.BytesIO()
    with xlsxwriter.Workbook(book, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, HEAD.split(","))
        sheet.write_row(1, 0, ["A1", "2024-03-01", "已完成", "100.5", "CNY", "north", "E1"])
        sheet.write_row(3, 0, ["A2", "2024-03-01", "已完成", "x", "CNY", "north", "E1"])
        sheet.write_string(3, 3, '=HYPERLINK("http://example.com")')
    file = await bring(migrated_sqlite, book.getvalue(), "orders.xlsx")
    await file_imports.put_map(migrated_sqlite, file.id, orders_map(), None, entry())
    report = (await done(migrated_sqlite, file, "check")).report
    assert report is not None
    [reason] = report["reasons"]
    assert (reason["line"], reason["code"], reason["value"]) == (4, "bad_number", '=HYPERLINK("http://example.com")')


def test_headings_are_known_in_both_languages_each_column_once() -> None:
    def columns(*names: str) -> list[ColumnProfile]:
        return [ColumnProfile(name, "text", 1, 0, 1, many=False, samples=("x",)) for name in names]

    found: Mapping[str, str] = suggested_columns("sales_order", columns(*HEAD.split(","), "颜色"))
    assert found == {**KEY_AND_FIELDS}
    assert suggested_columns("payment", columns("Payment_Value", "Paid (UTC)")) == {
        "amount_minor": "Payment_Value",
        "paid_at": "Paid (UTC)",
    }
