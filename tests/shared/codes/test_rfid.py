"""RFID identities: every worked example of the protocol page, and what any bits do."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codes.epc import decode_epc, with_check_digit
from shared.codes.rfid import (
    Em4100,
    Wiegand,
    em4100_bits,
    em4100_of_bits,
    is_random_uid,
    low_32_of_printed,
    rdm6300_of_line,
    wiegand_bits,
    wiegand_of_bits,
)
from shared.errors import DataError

CARD = Em4100(0x0107D15BC4)


def test_printed_forms_of_the_page() -> None:
    assert (CARD.hex, CARD.decimal, CARD.pair) == ("0107D15BC4", "0131161028", "209,23492")
    assert low_32_of_printed("0131161028") == 0x07D15BC4
    assert low_32_of_printed("209,23492") == 0xD15BC4


def test_rdm6300_line_of_the_page() -> None:
    line = bytes.fromhex("02 3031303744313542433434 38 03")[1:-1]
    assert rdm6300_of_line(line) == CARD
    assert rdm6300_of_line(line + b"\r\n") == CARD
    with pytest.raises(DataError, match="checksum"):
        rdm6300_of_line(b"0107D15BC449")


def test_wiegand_bits_of_the_page() -> None:
    card = wiegand_of_bits("10000110010000111000001111")
    assert (card.number, card.facility) == (34567, 12)
    assert wiegand_bits(card) == "10000110010000111000001111"
    wide = wiegand_of_bits("0000011001000011100000111101010100")
    assert wide.hex == "0C8707AA"
    assert wide.reversed().hex == "AA07870C"
    assert wiegand_bits(wide) == "0000011001000011100000111101010100"


@pytest.mark.parametrize("place", range(26))
def test_one_wrong_bit_is_noticed_in_wiegand_26(place: int) -> None:
    bits = "10000110010000111000001111"
    wrong = bits[:place] + ("0" if bits[place] == "1" else "1") + bits[place + 1 :]
    with pytest.raises(DataError):
        wiegand_of_bits(wrong)


@given(st.sampled_from([24, 32]), st.data())
def test_any_wiegand_card_comes_back(bits: int, data: st.DataObject) -> None:
    card = Wiegand(bits, data.draw(st.integers(0, (1 << bits) - 1)))
    assert wiegand_of_bits(wiegand_bits(card)) == card


@given(st.integers(0, (1 << 40) - 1), st.integers(0, 63))
def test_any_em4100_card_comes_back_and_one_wrong_bit_is_noticed(number: int, place: int) -> None:
    bits = em4100_bits(Em4100(number))
    assert em4100_of_bits(bits) == Em4100(number)
    wrong = bits[:place] + ("0" if bits[place] == "1" else "1") + bits[place + 1 :]
    with pytest.raises(DataError):
        em4100_of_bits(wrong)


def test_a_random_uid_names_nobody() -> None:
    assert is_random_uid(bytes.fromhex("08A1B2C3"))
    assert not is_random_uid(bytes.fromhex("04A1B2C3"))


def test_sgtin_of_the_page() -> None:
    epc = decode_epc("3035a537c8377540000003e9")
    assert epc.uri == "urn:epc:id:sgtin:6901234.056789.1001"
    assert (epc.key, epc.serial) == ("06901234567892", 1001)


def test_sscc_of_the_tag_data_standard() -> None:
    """SSCC 0614141 1234567890 of the standard: key 106141412345678908."""
    epc = decode_epc("3174257bf4499602d2000000")
    assert epc.uri == "urn:epc:id:sscc:0614141.1234567890"
    assert (epc.key, epc.serial) == ("106141412345678908", None)


def test_check_digits_of_the_page() -> None:
    assert with_check_digit("36901234500000017") == "369012345000000173"
    assert with_check_digit("0690123456789") == "06901234567892"


@pytest.mark.parametrize("epc", ["", "e2000000", "3" * 23, "30" + "f" * 22, "zz" * 12, "-3035a537c8377540000003e"])
def test_what_is_no_identity_is_a_data_error(epc: str) -> None:
    with pytest.raises(DataError):
        decode_epc(epc)


@given(st.binary(min_size=12, max_size=12))
def test_any_epc_is_an_identity_or_a_data_error(raw: bytes) -> None:
    try:
        epc = decode_epc(raw.hex())
    except DataError:
        return
    assert with_check_digit(epc.key[:-1]) == epc.key


@given(st.binary(max_size=40), st.text(max_size=80))
def test_any_line_is_a_card_or_a_data_error(line: bytes, text: str) -> None:
    for call in (lambda: rdm6300_of_line(line), lambda: low_32_of_printed(text), lambda: em4100_of_bits(text)):
        with suppress(DataError):
            call()
