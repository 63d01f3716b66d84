"""Values of sources become typed values, or say by a code why not."""

import contextlib
import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connectors.convert import KINDS, As, Reading, convert
from shared.errors import DataError

CHINA = Reading(ZoneInfo("Asia/Shanghai"), "CNY")
YEN = Reading(ZoneInfo("Asia/Tokyo"), "JPY")


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("12.34", 1234),
        ("¥1,234.50", 123450),
        ("￥１２.５０", 1250),
        ("3.5万", 3_500_000),
        ("20元", 2000),
        ("-0.005", -1),
        (0.1, 10),
        (7, 700),
    ],
)
def test_money_is_read_as_people_write_it(text: object, minor: int) -> None:
    assert convert(text, "money_minor", CHINA) == minor


@given(st.floats())
def test_a_number_and_its_text_are_one_amount(amount: float) -> None:
    def told(value: object) -> object:
        try:
            return convert(value, "money_minor", CHINA)
        except DataError as error:
            return error.code

    assert told(amount) == told(str(amount))


def test_a_currency_without_decimals_has_none() -> None:
    assert convert("1200", "money_minor", YEN) == 1200


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4))
def test_money_is_exact_to_half_a_minor_unit(amount: Decimal) -> None:
    expected = int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    assert convert(str(amount), "money_minor", CHINA) == expected


@pytest.mark.parametrize("text", ["2024-03-01", "2024/3/1", "20240301", "2024年3月1日", "2024.03.01", "２０２４-03-01"])
def test_dates_of_the_guide_are_one_day(text: str) -> None:
    assert convert(text, "date", CHINA) == dt.date(2024, 3, 1)


def test_an_instant_with_offset_falls_on_the_day_of_the_source() -> None:
    assert convert("2024-02-29T18:30:00Z", "date", CHINA) == dt.date(2024, 3, 1)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-03-01T08:30:00Z", "2024-03-01T08:30:00"),
        ("2024-03-01 08:30:00", "2024-03-01T00:30:00"),
        ("2024-03-01T08:30:00.123+01:00", "2024-03-01T07:30:00"),
        ("20240301 0830", None),
        ("2024-03-01", "2024-02-29T16:00:00"),
    ],
)
def test_times_are_utc_and_those_without_offset_are_of_the_source(text: str, utc: str | None) -> None:
    if utc is None:
        with pytest.raises(DataError) as refused:
            convert(text, "datetime", CHINA)
        assert refused.value.code == "bad_time"
    else:
        assert convert(text, "datetime", CHINA) == dt.datetime.fromisoformat(utc).replace(tzinfo=dt.UTC)


@given(st.datetimes(min_value=dt.datetime(1971, 1, 1), max_value=dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)))
def test_iso_and_epoch_say_the_same_instant(at: dt.datetime) -> None:
    whole = at.replace(microsecond=0)
    assert convert(at.isoformat(), "datetime", CHINA) == whole
    assert convert(int(whole.timestamp()), "epoch_s", CHINA) == whole
    assert convert(str(int(whole.timestamp() * 1000)), "epoch_ms", CHINA) == whole


def test_serial_dates_of_workbooks_count_from_1899() -> None:
    assert convert(45352, "excel_date", CHINA) == dt.date(2024, 3, 1)


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("2024-02-30", "date", "bad_date"),
        ("soon", "date", "bad_date"),
        ("2024-03-01 25:00", "datetime", "bad_time"),
        ("2024-03-01T083000.1", "datetime", "bad_time"),  # ISO 8601 of a form that is not read
        ("2024-03-01T24:00:00", "datetime", "bad_time"),
        ("2024-W09-5", "date", "bad_date"),
        ("twelve", "int", "bad_number"),
        ("1.5", "int", "bad_number"),
        (True, "money_minor", "bad_number"),
        ("1e30", "money_minor", "out_of_range"),
        (12, "excel_date", "bad_date"),
        ("maybe", "bool", "unknown_value"),
        ({"a": 1}, "text", "schema_changed"),
        ("x" * 30_000, "text", "too_large"),
    ],
)
def test_what_can_not_be_read_says_why(text: object, kind: As, code: str) -> None:
    with pytest.raises(DataError) as refused:
        convert(text, kind, CHINA)
    assert refused.value.code == code


@given(
    st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2)),
    st.sampled_from(KINDS),
)
def test_hostile_values_are_read_or_refused_and_nothing_else(value: object, kind: As) -> None:
    with contextlib.suppress(DataError):
        convert(value, kind, CHINA)
