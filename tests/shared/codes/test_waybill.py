"""Waybill numbers: expected values are those of the protocol page and of the carriers' published examples."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codes.waybill import classify, is_dhl, is_fedex, is_s10, is_ups, is_usps, mod_37_36, s10_check, waybill_in


def carriers(code: str) -> list[str]:
    return [candidate.carrier for candidate in classify(code).candidates]


@pytest.mark.parametrize(
    ("code", "carrier"),
    [
        ("YT1234567890123", "YTO"),
        ("75812345678901", "ZTO"),
        ("771234567890123", "STO"),
        ("4312345678901", "YUNDA"),
        ("9812345678901", "YZPY"),
        ("JT1234567890123", "JT"),
        ("DPK123456789012", "DBL"),
        ("SF1234567890123", "SF"),
        ("JDVA12345678901", "JD"),
        ("YT1234567890123456", "YUNEXPRESS"),
        ("TBA123456789012", "AMAZON"),
        ("268123456789", "STO"),
        ("ZJS123456789012", "ZJS"),
    ],
)
def test_the_composed_examples_lead_to_their_carrier(code: str, carrier: str) -> None:
    assert carriers(code)[0] == carrier


def test_s10_of_the_page() -> None:
    assert s10_check("47312482") == 9
    assert is_s10("EE473124829CN")
    assert not is_s10("EE473124828CN")
    assert not is_s10("EE473124829XX"), "no such country"
    assert carriers("EE473124829CN")[:2] == ["EMS", "S10"]


@pytest.mark.parametrize("number", ["1Z5R89390357567127", "1Z879E930346834440", "1Z410E7W0392751591"])
def test_ups_numbers_published_as_valid(number: str) -> None:
    assert is_ups(number)
    assert not is_ups(number[:-1] + str((int(number[-1]) + 1) % 10))
    assert carriers(number)[0] == "UPS"


@pytest.mark.parametrize("number", ["986578788855", "477179081230"])
def test_fedex_numbers_published_as_valid(number: str) -> None:
    assert is_fedex(number)
    assert "FEDEX" in carriers(number)


@pytest.mark.parametrize("number", ["73891051146", "3318810025", "8487135506"])
def test_dhl_numbers_published_as_valid(number: str) -> None:
    assert is_dhl(number)


@pytest.mark.parametrize("number", ["03071790000523483741", "9400111202555842332669"])
def test_usps_numbers_published_as_valid(number: str) -> None:
    assert is_usps(number)
    assert not is_usps(str(int(number) + 1).zfill(len(number)))


def test_iso_7064_example_of_the_grid_standard() -> None:
    assert mod_37_36("A12425GABC1234002") == "M"


def test_digits_alone_keep_all_candidates_most_specific_first() -> None:
    assert carriers("1012345678901") == ["EMS", "YUNDA", "HTKY"]


def test_a_code_that_fits_nobody_has_no_candidates_and_is_no_error() -> None:
    assert classify("https://example.com/x").candidates == ()
    assert classify("").candidates == ()
    assert classify("运单").candidates == ()


def test_blanks_hyphens_and_case_are_ignored_for_matching() -> None:
    assert classify(" sf-1234 5678 90123 ").number == "SF1234567890123"
    assert carriers(" sf-1234 5678 90123 ")[0] == "SF"


def test_a_sub_parcel_is_told_from_its_number() -> None:
    waybill = classify("JDVA12345678901-1-3-")
    assert (waybill.number, waybill.part) == ("JDVA12345678901", (1, 3))
    assert waybill.candidates[0].carrier == "JD"


@pytest.mark.parametrize(
    "text",
    ["https://ucmp.sf-express.com/q?p1=SF1234567890123&x=1", "SF1234567890123,021WA,3", "SF1234567890123"],
)
def test_the_waybill_is_found_in_the_qr_code_around_it(text: str) -> None:
    assert waybill_in(text) == "SF1234567890123"


def test_a_url_without_a_waybill_stays_whole() -> None:
    assert waybill_in("https://a.cn/?q=!") == "https://a.cn/?q=!"


@given(st.text(max_size=200))
def test_any_text_is_classified(text: str) -> None:
    candidates = classify(text).candidates
    assert len({candidate.carrier for candidate in candidates}) == len(candidates)
    assert [c.specificity for c in candidates] == sorted((c.specificity for c in candidates), reverse=True)
    waybill_in(text)


@given(st.from_regex(r"[0-9]{8}", fullmatch=True), st.integers(0, 7), st.integers(1, 9))
def test_a_wrong_digit_is_noticed_in_an_s10_number(serial: str, place: int, shift: int) -> None:
    wrong = serial[:place] + str((int(serial[place]) + shift) % 10) + serial[place + 1 :]
    if s10_check(serial) != 5:  # the remainders 0 and 6 share this check digit
        assert s10_check(wrong) != s10_check(serial)


def test_a_hostile_text_takes_no_time() -> None:
    begin = time.perf_counter()
    for text in ("A-1-" * 500_000, "-" * 1_000_000, "http://" + "/" * 1_000_000, "1" * 63 + "-" * 1):
        classify(text)
        waybill_in(text)
    assert time.perf_counter() - begin < 1
