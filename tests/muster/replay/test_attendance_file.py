"""The two wide tables are read whole, and each row that makes no sense is named."""

from datetime import date, datetime
from pathlib import Path

import pytest

from muster.replay.attendance import Side, read_attendance
from muster.replay.problems import refuse
from shared.errors import ConfigError

IN = ",05/01/2015,06/01/2015,07/01/2015\n2,05/01/2015 09:01,NA,NA\n10,05/01/2015 10:08,06/01/2015 09:54,NA\n"
OUT = ",05/01/2015,06/01/2015,07/01/2015\n2,05/01/2015 17:20,NA,NA\n10,05/01/2015 17:19,06/01/2015 16:34,NA\n"


def folder(tmp_path: Path, arrivals: str = IN, departures: str = OUT) -> Path:
    (tmp_path / "in_time.csv").write_text(arrivals)
    (tmp_path / "out_time.csv").write_text(departures)
    return tmp_path


def test_each_cell_is_a_punch_and_a_day_without_any_is_a_holiday(tmp_path: Path) -> None:
    read = read_attendance(folder(tmp_path))
    assert read.users == ("2", "10")
    assert read.days == (date(2015, 1, 5), date(2015, 1, 6))
    assert read.sides[0] == Side("2", datetime(2015, 1, 5, 9, 1), out=False)
    assert [side.out for side in read.sides] == [False, False, True, True, False, True]
    assert read.problems == ()


@pytest.mark.parametrize(
    ("arrivals", "line", "reason"),
    [
        (IN.replace("05/01/2015 09:01", "soon"), 2, "'soon' is no time"),
        (IN.replace("06/01/2015 09:54", "07/01/2015 09:54"), 3, "lies on another day"),
        (IN.replace("\n2,", "\nBob,"), 2, "employee 'Bob'"),
        (IN.replace(",NA,NA\n", ",NA\n"), 2, "3 cells, expected 4"),
        (IN.replace(",06/01/2015,", ",31/02/2015,"), 1, "'31/02/2015' is no day"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_and_the_rest_is_read(
    tmp_path: Path, arrivals: str, line: int, reason: str
) -> None:
    read = read_attendance(folder(tmp_path, arrivals))
    assert [problem.line for problem in read.problems] == [line]
    assert reason in read.problems[0].reason
    assert read.sides
    assert f"in_time.csv, line {line}" in str(refuse(list(read.problems)))


def test_a_missing_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"in_time\.csv"):
        read_attendance(tmp_path)
