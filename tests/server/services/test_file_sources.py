"""Files that systems leave in the server's folder are read once, part by part, on both databases."""

import os
from pathlib import Path

import pytest
from sqlalchemy import select

from server.connectors.fetch import files
from server.connectors.fetch.secrets import Secrets
from server.services import sources
from server.services.sync import Order, Run, run_source
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import fact_quarantine
from shared.clock import system_clocks

LEDGER = """
source: ledger
kind: file
timezone: Asia/Shanghai
streams:
  - fact: ledger_entry
    call: {files: "ledger/*.csv"}
    expect: {max_reject_ratio: 1}
    key: 凭证号
    map:
      posted_on: {path: 日期, as: date}
      account: 科目
      debit_minor: {path: 借方, as: money_minor}
"""
HEAD = "凭证号,日期,科目,借方"
TABLE = FACT_TABLES["ledger_entry"]


@pytest.fixture
async def folder(db: Database, tmp_path: Path) -> Path:
    await sources.put_source(db, LEDGER, "ledger.yaml", Entry(1, "it", "source.put", "ledger"))
    (tmp_path / "files/ledger").mkdir(parents=True)
    return tmp_path / "files"


def leave(folder: Path, name: str, *rows: str, at_s: int, encoding: str = "utf-8") -> Path:
    path = folder / "ledger" / name
    path.write_bytes("\n".join([HEAD, *rows]).encode(encoding))
    os.utime(path, (at_s, at_s))
    return path


async def run(db: Database, folder: Path) -> Run:
    order = Order(clocks=system_clocks(), holder="test", files=folder)
    [(_, done)] = await run_source(db, "ledger", lambda source: source.streams, Secrets(environ={}), order)
    return done


async def stored(db: Database) -> dict[str, int]:
    async with db.reading() as connection:
        return dict((await connection.execute(select(TABLE.c.source_key, TABLE.c.debit_minor))).all())


async def test_new_and_changed_files_are_read_and_old_ones_are_not(db: Database, folder: Path) -> None:
    leave(folder, "a.csv", "1,2026年3月1日,6601,¥1200.50", "2,2026-03-02,6601,1.2万", at_s=1_000, encoding="gb18030")
    leave(folder, "b.csv", "3,2026-03-03,6601,3", at_s=2_000)
    (folder / "other.csv").write_text("not,ours")
    done = await run(db, folder)
    assert (done.state, done.counts.added, done.message) == ("ok", 3, "")
    assert await stored(db) == {"1": 120050, "2": 1_200_000, "3": 300}
    leave(folder, "a.csv", "1,2026-03-01,6601,9", at_s=1_000)  # by its time it was not touched
    leave(folder, "c.csv", "4,2026-03-04,6601,4", at_s=3_000)
    done = await run(db, folder)
    assert (done.counts.added, done.counts.changed, done.counts.unchanged) == (1, 0, 1)
    leave(folder, "b.csv", "3,2026-03-03,6601,5", at_s=4_000)
    assert (await run(db, folder)).counts.changed == 1
    assert (await stored(db))["3"] == 500


async def test_a_pass_that_was_cut_off_goes_on_after_the_last_part(
    db: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART", 10)
    leave(folder, "a.csv", *(f"{n},2026-03-01,6601,1" for n in range(35)), at_s=1_000)

    class StopError(Exception):
        """As if the process had ended."""

    def progress(now: Run) -> None:
        if now.pages == 2:
            raise StopError

    order = Order(clocks=system_clocks(), holder="test", files=folder, progress=progress)
    with pytest.raises(StopError):
        await run_source(db, "ledger", lambda source: source.streams, Secrets(environ={}), order)
    assert len(await stored(db)) == 20
    done = await run(db, folder)
    assert (done.state, done.counts.added, done.counts.unchanged) == ("ok", 15, 0)
    assert len(await stored(db)) == 35


async def test_a_bad_file_is_named_and_what_came_before_it_stays(db: Database, folder: Path) -> None:
    leave(folder, "a.csv", "1,2026-03-01,6601,1", at_s=1_000)
    bad = folder / "ledger/b.csv"
    bad.write_bytes(b"\xff\xff\xff,\x81")
    os.utime(bad, (2_000, 2_000))
    leave(folder, "c.csv", "3,2026-03-01,6601,3", at_s=3_000)
    done = await run(db, folder)
    assert (done.state, done.error) == ("partial", "bad_encoding")
    assert done.message.startswith("ledger/b.csv: ")
    assert set(await stored(db)) == {"1"}
    bad.unlink()
    assert (await run(db, folder)).state == "ok"
    assert set(await stored(db)) == {"1", "3"}


async def test_two_files_may_say_the_same_and_a_formula_stays_text(db: Database, folder: Path) -> None:
    leave(folder, "a.csv", "=1+1,2026-03-01,6601,1", at_s=1_000)
    leave(folder, "b.csv", "=1+1,2026-03-01,6601,1", at_s=2_000)
    done = await run(db, folder)
    assert (done.state, done.counts.added, done.counts.unchanged) == ("ok", 1, 1)
    assert set(await stored(db)) == {"=1+1"}


async def test_nothing_outside_the_folder_is_read(db: Database, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.csv"
    outside.write_text(f"{HEAD}\n1,2026-03-01,6601,1")
    (folder / "ledger/link.csv").symlink_to(outside)
    assert (await run(db, folder)).counts.added == 0


async def test_a_folder_that_is_not_there_is_named(db: Database, folder: Path) -> None:
    done = await run(db, folder / "nowhere")
    assert (done.state, done.error) == ("failed", "settings")
    assert "nowhere" in done.message


async def test_bad_rows_of_a_file_wait_and_the_others_are_stored(db: Database, folder: Path) -> None:
    leave(folder, "a.csv", "1,2026-03-01,6601,1", "2,soon,6601,x", ",2026-03-01,6601,1", at_s=1_000)
    done = await run(db, folder)
    assert (done.counts.added, done.counts.waiting) == (1, 2)


async def test_a_row_that_waits_names_its_line_of_the_file(db: Database, folder: Path) -> None:
    leave(
        folder, "a.csv", "1,2026-01-05,6602,5", "", "2,soon,6602,5", "3,2026-01-05,6602,5", "4,late,6602,5", at_s=1_000
    )
    await run(db, folder)
    async with db.reading() as connection:
        which = select(fact_quarantine.c.source_key, fact_quarantine.c.row_no)
        assert dict((await connection.execute(which)).all()) == {"2": 4, "4": 6}
