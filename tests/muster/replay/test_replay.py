"""Recorded data goes through terminal, gateway, broker and server, and comes out as plain code on the files says.

The expected figures are computed here, straight from the CSV files, by code that shares nothing with Muster.
"""

import csv
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.muster.replay.conftest import MUSTER, Replayed, replay

KOLKATA, SAO_PAULO = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Sao_Paulo")


def rows(data: Path, query: str) -> list[tuple[str | int | None, ...]]:
    connection = sqlite3.connect(f"file:{data / 'server/muster.db'}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def milliseconds(text: str, form: str, zone: ZoneInfo) -> int:
    wall = datetime.strptime(text, form).replace(tzinfo=zone)
    return (wall - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.timeout(600)
def test_a_year_of_attendance_arrives_whole(shared_files: Path, recorded_year: Replayed) -> None:
    source = shared_files / "data/attendance"
    expected: dict[tuple[str, str], list[int]] = {}
    for name in ("in_time.csv", "out_time.csv"):
        head, *people = csv.reader((source / name).read_text().splitlines())
        for person in people:
            for day, cell in zip(head[1:], person[1:], strict=True):
                if cell != "NA":
                    date = f"{day[6:]}-{day[3:5]}-{day[:2]}"
                    at = milliseconds(cell, "%d/%m/%Y %H:%M", KOLKATA)
                    expected.setdefault((f"replay-{person[0]}", date), []).append(at)

    tally = recorded_year.tally
    punches = sum(map(len, expected.values()))
    assert punches == 18_904
    assert (tally["emitted"], tally["stored"], tally["lost"], tally["duplicates"]) == (punches, punches, 0, 0)
    assert rows(recorded_year.data, "select count(*) from punches") == [(punches,)]
    found = rows(
        recorded_year.data, "select employee, date, first_ms, last_ms from attendance_days where status <> 'absent'"
    )
    assert {(employee, date): (first, last) for employee, date, first, last in found} == {
        key: (min(times), max(times)) for key, times in expected.items()
    }


@pytest.mark.timeout(600)
def test_the_on_time_rate_of_a_thousand_orders_is_that_of_the_file(shared_files: Path, tmp_path: Path) -> None:
    source = shared_files / "data/olist"
    with (source / "olist_orders_dataset.csv").open() as file:
        orders = list(csv.DictReader(file))
    counted = [o for o in orders if o["order_status"] != "canceled" or o["order_delivered_carrier_date"]]
    on_time = [
        o
        for o in counted
        if o["order_delivered_customer_date"]
        and o["order_delivered_customer_date"][:10] <= o["order_estimated_delivery_date"][:10]
    ]
    scans = sum(bool(o[f"order_delivered_{what}_date"]) for o in orders for what in ("carrier", "customer"))

    tally = replay("orders", source, "America/Sao_Paulo", tmp_path / "orders").tally

    assert (tally["emitted"], tally["stored"], tally["lost"], tally["duplicates"]) == (scans, scans, 0, 0)
    ((numerator, denominator),) = rows(
        tmp_path / "orders",
        "select sum(value_num), sum(value_den) from scores where indicator = 'log_on_time_delivery_rate'",
    )
    assert isinstance(numerator, int)
    assert isinstance(denominator, int)
    assert Fraction(numerator, denominator) == Fraction(len(on_time), len(counted))
    assert (numerator, denominator) == (len(on_time), len(counted))
    delivered = rows(
        tmp_path / "orders", "select tracking_no, delivered_at_ms from shipments where delivered_at_ms is not null"
    )
    assert {number: at for number, at in delivered} == {  # noqa: C416 - pairs, as their types do not say
        o["order_id"]: milliseconds(o["order_delivered_customer_date"], "%Y-%m-%d %H:%M:%S", SAO_PAULO)
        for o in orders
        if o["order_delivered_customer_date"]
    }


def test_a_row_that_makes_no_sense_stops_the_replay_before_anything_is_fed(tmp_path: Path) -> None:
    for name in ("in_time.csv", "out_time.csv"):
        (tmp_path / name).write_text(",05/01/2015\n1,yesterday\n")
    words = [str(MUSTER), "replay", "attendance", str(tmp_path), "--zone", "Asia/Kolkata", "--data", "none"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "in_time.csv, line 2" in done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("words", [["--zone", "Mars/Base"], ["--zone", "Asia/Kolkata", "--data", "a", "--config", "b"]])
def test_wrong_options_say_what_to_do_and_exit_with_2(tmp_path: Path, words: list[str]) -> None:
    for name in ("in_time.csv", "out_time.csv"):
        (tmp_path / name).write_text(",05/01/2015\n1,05/01/2015 09:00\n")
    done = subprocess.run(
        [MUSTER, "replay", "attendance", tmp_path, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "--zone" in done.stderr or "--config" in done.stderr
