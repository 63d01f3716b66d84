"""Sealed values: published examples, both suites side by side, and nothing that was touched opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.crypto.envelope import Key, Place, is_sealed, key_number
from server.crypto.masters import new_line, read_masters, wrapping
from server.crypto.provider import PROVIDERS, Suite, checked
from shared.errors import ConfigError, DataError

PLACE = Place("fact_labour_contract", "sealed", ("oa", "C-1"))
SUITES: list[Suite] = ["intl", "sm"]


def key(suite: Suite, number: int = 7, fill: int = 1) -> Key:
    provider = PROVIDERS[suite]
    return Key(number, provider, bytes([fill]) * provider.key_bytes)


@pytest.mark.parametrize("suite", SUITES)
def test_sec26_sm_vectors_of_both_suites_come_out_right(suite: Suite) -> None:
    assert checked(suite).name == suite


def test_sec26_sm4_is_that_of_the_standard() -> None:
    """GB/T 32907 A.1 through GCM: an empty text under a zero nonce tells the block cipher apart; RFC 8998 the rest."""
    provider = PROVIDERS["sm"]
    about = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    secret = bytes.fromhex("0123456789abcdeffedcba9876543210")
    nonce = bytes.fromhex("00001234567800000000abcd")
    sealed = provider.seal(secret, nonce, bytes.fromhex("aa" * 8 + "bb" * 8), about)
    assert sealed[:16].hex() == "17f399f08c67d5ee19d0dc9969c4bb7d"


def test_sec26_hash_under_a_key_is_that_of_rfc_4231() -> None:
    made = PROVIDERS["intl"].mac(b"Jefe", b"what do ya want for nothing?")
    assert made.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@pytest.mark.parametrize("suite", SUITES)
@given(plain=st.binary(max_size=200))
def test_what_is_sealed_opens_in_its_place(suite: Suite, plain: bytes) -> None:
    sealed = key(suite).seal(plain, PLACE)
    assert is_sealed(sealed)
    assert key_number(sealed) == 7
    assert key(suite).open(sealed, PLACE) == plain


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    "place",
    [
        Place("fact_labour_contract", "sealed", ("oa", "C-2")),
        Place("fact_labour_contract", "sealed", ("oaC-1",)),
        Place("fact_labour_contract", "other", ("oa", "C-1")),
        Place("fact_employment", "sealed", ("oa", "C-1")),
    ],
    ids=["row", "joined", "column", "table"],
)
def test_sec24_field_encryption_notices_a_move(suite: Suite, place: Place) -> None:
    with pytest.raises(DataError, match="belongs elsewhere"):
        key(suite).open(key(suite).seal(b"1", PLACE), place)


@pytest.mark.parametrize("suite", SUITES)
def test_sec24_field_encryption_notices_every_changed_bit(suite: Suite) -> None:
    sealed = key(suite).seal(b"1", PLACE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DataError):
            key(suite).open(bytes(changed), PLACE)
    for length in range(len(sealed)):
        with pytest.raises(DataError):
            key(suite).open(sealed[:length], PLACE)


def test_the_same_value_is_never_sealed_alike() -> None:
    assert key("sm").seal(b"1", PLACE) != key("sm").seal(b"1", PLACE)


def test_another_key_does_not_open() -> None:
    with pytest.raises(DataError):
        key("intl", fill=2).open(key("intl").seal(b"1", PLACE), PLACE)


def test_a_value_can_not_be_given_to_another_number_of_the_same_key() -> None:
    sealed = bytearray(key("intl").seal(b"1", PLACE))
    sealed[5] = 8
    with pytest.raises(DataError):
        key("intl", number=8).open(bytes(sealed), PLACE)


def test_a_key_never_shows_itself() -> None:
    assert "01" * 4 not in repr(key("intl")).replace("\\x", "")


def test_master_keys_are_lines_and_the_newest_is_the_last() -> None:
    first = new_line({})
    both = f"{first}\n{new_line(read_masters(first))}\n"
    assert list(read_masters(both)) == ["k1", "k2"]
    assert all(len(secret) == 32 for secret in read_masters(both).values())


@pytest.mark.parametrize(
    "line", ["k1", "k1:", "k1:c2hvcnQ=", "K1:" + "A" * 43 + "=", "k1:" + "A" * 43 + "= k1:" + "B" * 43 + "="]
)
def test_a_bad_master_key_is_named_by_its_line_only(line: str) -> None:
    with pytest.raises(ConfigError, match=r"master keys, line \d") as error:
        read_masters(line)
    assert "AAAA" not in str(error.value)


def test_a_missing_master_key_says_which() -> None:
    with pytest.raises(ConfigError, match=r"k1 is needed .* the settings give k2"):
        wrapping("k1", {"k2": bytes(32)}, PROVIDERS["intl"])
