"""The lake follows what is committed: a changed row rewrites its month, pay is never in it, a break leaves it whole."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import delete, insert, update

from server.facts.catalogue import SEALED
from server.scoring.catalogue import default_catalogue
from server.scoring.family import parts_of
from server.scoring.part import Part, read_part
from server.scoring.plain import When
from server.scoring.window import days_of
from server.store import counting, lake_writing
from server.store.counted_facts import shapes
from server.store.counted_rows import counted_rows
from server.store.counting_executor import OnDatabase
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.lake_counting import OnLake
from server.store.lake_register import facts_in_lake, files_for, read_register
from server.store.lake_writing import Written, write_lake
from server.store.process_lock import only_process
from server.store.tables import attendance_days
from shared.errors import ConfigError
from tests.server.services.test_counting import NOW, SHANGHAI, people

ORDERS = FACT_TABLES["sales_order"]
JUNE = When(days_of("2026-06"), SHANGHAI, int(NOW.timestamp() * 1000))
SALES = Part(
    fact="sales_order",
    date="paid_at",
    person="owner else employee",
    sum=("amount_net_minor",),
    where=("paid_at is set",),
)


def ms(month: int, day: int, hour: int = 4) -> int:
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def order(number: int, paid_ms: int | None, person: str = "ann", **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "source": "erp",
        "source_key": f"{number:03}",
        "employee": person,
        "employee_key": person,
        "order_no": "o",
    }
    row |= {"status": "open", "currency": "CNY", "amount_gross_minor": 1, "amount_net_minor": 100 * number}
    kept = {"payload_hash": b"", "first_seen_ms": 1, "changed_ms": 1, "run": 1, "deleted": False}
    return {**row, "paid_at_ms": paid_ms, **kept, **more}


async def three_months(db: Database) -> None:
    await people(db)
    rows = [order(1, ms(4, 3)), order(2, ms(5, 9)), order(3, ms(6, 1)), order(4, ms(6, 2), "bob"), order(5, None)]
    async with db.writing() as connection:
        await connection.execute(insert(ORDERS), rows)


async def sales(db: Database, folder: Path) -> dict[str, int]:
    """June's sales on the lake."""
    lake = OnLake(folder)
    async with db.reading() as connection:
        await lake.know_units(connection)
    found = await counting.count(lake, [read_part(SALES, shapes())], "person", None, JUNE)
    lake.close()
    return {unit: int(counted.total) for unit, counted in found[SALES].items()}


def months(folder: Path, fact: str = "sales_order") -> set[str]:
    return set(read_register(folder).of(fact))


def columns(folder: Path) -> dict[str, set[str]]:
    """What is in any file, whether the register names it or not."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.parquet"):
        schema = duckdb.execute("SELECT name FROM parquet_schema(?)", [str(path)]).fetchall()
        found.setdefault(path.parent.name, set()).update(name for (name,) in schema)
    return found


async def change(db: Database, number: int, **values: Any) -> None:
    async with db.writing() as connection:
        await connection.execute(update(ORDERS).where(ORDERS.c.source_key == f"{number:03}").values(**values))


async def test_months_are_written_once_and_sorted_by_person(db: Database, tmp_path: Path) -> None:
    await three_months(db)
    first = await write_lake(db, tmp_path)
    assert (first.months, first.rows, first.removed) == (4, 5, 0)
    assert months(tmp_path) == {"2026-04", "2026-05", "2026-06", "undated"}
    assert await sales(db, tmp_path) == {"ann": 300, "bob": 400}
    file = read_register(tmp_path).of("sales_order")["2026-06"].path(tmp_path)
    who = duckdb.execute("SELECT employee FROM read_parquet(?)", [str(file)]).fetchall()
    assert who == [("ann",), ("bob",)]
    again = await write_lake(db, tmp_path)
    assert again == Written(0, 0, 0, first.files, first.size)


@pytest.mark.parametrize(
    "values",
    [{"amount_net_minor": 7}, {"employee": "bob"}, {"owner": "cid"}, {"status": "cancelled"}, {"deleted": True}],
)
async def test_a_row_that_changed_in_any_field_rewrites_its_month_alone(
    db: Database, tmp_path: Path, values: dict[str, Any]
) -> None:
    await three_months(db)
    await write_lake(db, tmp_path)
    before = read_register(tmp_path).of("sales_order")
    await change(db, 3, **values)
    assert (await write_lake(db, tmp_path)).months == 1
    after = read_register(tmp_path).of("sales_order")
    assert {month for month in before if before[month] != after[month]} == {"2026-06"}
    async with db.reading() as connection:
        on_database = await counting.count(OnDatabase(connection), [read_part(SALES, shapes())], "person", None, JUNE)
    assert await sales(db, tmp_path) == {unit: int(one.total) for unit, one in on_database[SALES].items()}


async def test_a_row_that_moves_to_another_month_rewrites_both(db: Database, tmp_path: Path) -> None:
    await three_months(db)
    await write_lake(db, tmp_path)
    await change(db, 2, paid_at_ms=ms(6, 5))
    moved = await write_lake(db, tmp_path)
    assert (moved.months, moved.removed) == (1, 1)
    assert months(tmp_path) == {"2026-04", "2026-06", "undated"}
    assert await sales(db, tmp_path) == {"ann": 500, "bob": 400}
    assert {path.name for path in (tmp_path / "sales_order").iterdir()} == {
        file.path(tmp_path).name for file in read_register(tmp_path).of("sales_order").values()
    }


async def test_two_rows_that_change_places_are_seen(db: Database, tmp_path: Path) -> None:
    await three_months(db)
    await write_lake(db, tmp_path)
    await change(db, 3, employee="bob")
    await change(db, 4, employee="ann")
    assert (await write_lake(db, tmp_path)).months == 1
    assert await sales(db, tmp_path) == {"bob": 300, "ann": 400}


async def test_nothing_of_pay_is_in_any_file(db: Database, tmp_path: Path) -> None:
    await people(db)
    contract = FACT_TABLES["labour_contract"]
    row: dict[str, Any] = {
        "source": "hr",
        "source_key": "1",
        "employee": "ann",
        "employee_key": "ann",
        "sealed": b"secret",
    }
    row |= {"payload_hash": b"", "first_seen_ms": 1, "changed_ms": 1, "run": 1, "deleted": False}
    needed = {c.name: date(2026, 1, 1) for c in contract.c if not c.nullable and c.name not in row}
    async with db.writing() as connection:
        await connection.execute(insert(contract).values(**row, **needed))
        await connection.execute(insert(ORDERS), [order(1, ms(6, 1))])
    await write_lake(db, tmp_path)
    held = columns(tmp_path)
    assert held.keys() == {"sales_order"}
    sealed = {name for names in SEALED.values() for name in names} | {"sealed", "pay_in_band"}
    assert all(names.isdisjoint(sealed) for names in held.values())
    assert set(SEALED).isdisjoint(facts_in_lake())


async def test_a_break_leaves_the_lake_as_it_was(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await three_months(db)
    await write_lake(db, tmp_path)
    await change(db, 3, amount_net_minor=9)

    def broken(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(lake_writing, "save_register", broken)
    with pytest.raises(OSError, match="no space"):
        await write_lake(db, tmp_path)
    monkeypatch.undo()
    assert await sales(db, tmp_path) == {"ann": 300, "bob": 400}
    assert (await write_lake(db, tmp_path)).months == 1
    assert await sales(db, tmp_path) == {"ann": 9, "bob": 400}
    assert len(list((tmp_path / "sales_order").iterdir())) == len(months(tmp_path))


async def test_one_process_writes_at_a_time(db: Database, tmp_path: Path) -> None:
    with only_process(tmp_path / "lock", "test"), pytest.raises(ConfigError, match="being written"):
        await write_lake(db, tmp_path)


async def test_only_files_of_the_window_are_opened(db: Database, tmp_path: Path) -> None:
    await three_months(db)
    await write_lake(db, tmp_path)
    files = list(read_register(tmp_path).of("sales_order").values())
    found = files_for(files, read_part(SALES, shapes()), JUNE)
    assert [file.month for file in found] == ["2026-06"]


async def test_whole_numbers_above_all_floats_stay_as_they_are(db: Database, tmp_path: Path) -> None:
    await people(db)
    great = 2**62 + 1
    async with db.writing() as connection:
        await connection.execute(
            insert(ORDERS), [order(1, ms(6, 1), amount_net_minor=great), order(2, ms(6, 1), amount_net_minor=great)]
        )
    await write_lake(db, tmp_path)
    lake = OnLake(tmp_path)
    found = await counting.count(lake, [read_part(SALES, shapes())], "person", None, JUNE)
    lake.close()
    assert found[SALES]["ann"].total == 2 * great


async def test_days_of_attendance_count_alike(db: Database, tmp_path: Path) -> None:
    await people(db)
    same = {"shift": "", "site": "north", "late_min": 0, "early_min": 0, "absent_min": 0, "exempt_min": 0}
    columns = {c.name for c in attendance_days.c}
    rows = []
    for day, part, status, worked in (
        (1, 0, "normal", 400),
        (1, 1, "late", 80),
        (2, 0, "normal", 480),
        (19, 0, "x", 1),
    ):
        row = {"employee": "ann", "date": date(2026, 6, day), "part": part, "status": status, "worked_min": worked}
        row |= {"required_min": 480, "holiday_work_min": 3, "leave_min": 4, "pending_min": 0, **same}
        for column in attendance_days.c:
            if column.name not in row and not column.nullable and column.server_default is None:
                row[column.name] = {} if "JSON" in str(column.type) else "" if "TEXT" in str(column.type) else 0
        rows.append({name: value for name, value in row.items() if name in columns})
    async with db.writing() as connection:
        await connection.execute(delete(attendance_days))
        await connection.execute(insert(attendance_days), rows)
    await write_lake(db, tmp_path)
    wanted = [p for one in default_catalogue().indicators for p in parts_of(one) if p.fact == "attendance_day"]
    parts = [read_part(part, shapes()) for part in dict.fromkeys(wanted)]
    lake = OnLake(tmp_path)
    async with db.reading() as connection:
        await lake.know_units(connection)
        assert len(await counted_rows(connection, "attendance_day", JUNE)) == 3
        for level in ("person", "department", "company"):
            expected = await counting.count(OnDatabase(connection), parts, level, None, JUNE)
            assert await counting.count(lake, parts, level, None, JUNE) == expected
            assert all(expected[part.part] for part in parts)
    lake.close()
