"""GS1 element strings and AIM identifiers: examples of the protocol page."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codes.aim import holds_gs1, split_aim, symbol_name
from shared.codes.gs1 import parse_gs1
from shared.errors import DataError


@pytest.mark.parametrize("code", ["01069012345678921526123110L7", "010690123456789210L7\x1d15261231"])
def test_both_orders_of_the_page_say_the_same(code: str) -> None:
    found = parse_gs1(code)
    assert found.value("01") == "06901234567892"
    assert found.value("10") == "L7"
    assert [e.day for e in found.elements if e.ai == "15"] == [date(2026, 12, 31)]
    assert found.warnings == ()


def test_a_lot_that_swallows_the_rest_is_warned_of() -> None:
    found = parse_gs1("010690123456789210L715261231")
    assert found.value("10") == "L715261231"
    assert found.warnings == ("swallowed:10",)


def test_other_separators_are_a_setting() -> None:
    assert parse_gs1("010690123456789210L7{GS}15261231", ("{GS}",)).value("15") == "261231"


def test_net_weight_has_its_decimals() -> None:
    assert parse_gs1("3102001250").elements[0].amount == "12.50"


def test_day_zero_is_the_last_of_the_month() -> None:
    assert parse_gs1("15260200").elements[0].day == date(2026, 2, 28)


@given(st.text(max_size=600))
def test_any_text_is_elements_or_a_data_error(text: str) -> None:
    try:
        parse_gs1(text)
    except DataError:
        return


def test_which_identifiers_hold_gs1() -> None:
    assert [s for s in ("]C1", "]e0", "]d2", "]Q3", "]J1", "]C0", "]E0", "") if holds_gs1(s)] == [
        "]C1",
        "]e0",
        "]d2",
        "]Q3",
        "]J1",
    ]
    assert split_aim("]J0123") == ("", "]J0123")
    assert (symbol_name("]C1"), symbol_name("")) == ("Code 128", "")
