"""The signature of the ingest API: the guide's example, and everything that is refused (connectors.md section 6)."""

import contextlib
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connectors.push.body import MOST_BYTES, Batch, read_batch, unpacked
from server.connectors.push.errors import BodyError, PushError, SignatureError, TooLargeError, UnsupportedError
from server.connectors.push.signature import Stamp, check, sign

SECRET = "test-secret-please-rotate"
TIME, NONCE = "1764000000", "n-7f3a"
BODY = b'{"batch_id":"b-0001","rows":[]}'
SIGNATURE = "v1=980a689ccf730fbae7b68314662ccb0a1daa5c557115e2cd8487c20dd1f77908"
LONG_NONCE = "n-7f3a-7f3a"


def stamp(body: bytes = BODY, *, time: str = TIME, nonce: str = LONG_NONCE, version: str = "v1") -> Stamp:
    return Stamp(time, nonce, sign(SECRET, time, nonce, body, version))


def test_the_example_of_the_guide_reproduces() -> None:
    assert sign(SECRET, TIME, NONCE, BODY) == SIGNATURE


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_good_call_is_taken_with_either_secret(version: str) -> None:
    check(stamp(version=version), BODY, [SECRET], 1764000000)
    check(stamp(version=version), BODY, ["the-next-one", SECRET], 1764000000)


@given(place=st.integers(0, len(BODY) - 1), byte=st.integers(1, 255), version=st.sampled_from(["v1", "v2"]))
def test_a_changed_byte_is_refused(place: int, byte: int, version: str) -> None:
    changed = BODY[:place] + bytes([BODY[place] ^ byte]) + BODY[place + 1 :]
    with pytest.raises(SignatureError):
        check(stamp(version=version), changed, [SECRET], 1764000000)


@pytest.mark.parametrize("off_s", [-301, 301, -(10**9)])
def test_an_old_or_future_time_is_refused(off_s: int) -> None:
    with pytest.raises(SignatureError, match="old"):
        check(stamp(), BODY, [SECRET], 1764000000 + off_s)


@pytest.mark.parametrize("off_s", [-300, 300])
def test_clocks_may_differ_by_five_minutes(off_s: int) -> None:
    check(stamp(), BODY, [SECRET], 1764000000 + off_s)


@pytest.mark.parametrize(
    "bad",
    [
        Stamp(TIME, LONG_NONCE, ""),
        Stamp(TIME, LONG_NONCE, "v3=00"),
        Stamp(TIME, LONG_NONCE, sign("another", TIME, LONG_NONCE, BODY)),
        Stamp("", LONG_NONCE, sign(SECRET, "", LONG_NONCE, BODY)),
        Stamp("-1", LONG_NONCE, sign(SECRET, "-1", LONG_NONCE, BODY)),
        Stamp("9" * 400, LONG_NONCE, sign(SECRET, "9" * 400, LONG_NONCE, BODY)),
        Stamp(TIME, "short", sign(SECRET, TIME, "short", BODY)),
        Stamp(TIME, "n" * 65, sign(SECRET, TIME, "n" * 65, BODY)),
        Stamp(TIME, "n-7f3a 7f3a", sign(SECRET, TIME, "n-7f3a 7f3a", BODY)),
    ],
    ids=["none", "version", "secret", "no time", "negative", "huge", "short nonce", "long nonce", "spaces"],
)
def test_what_is_not_signed_as_agreed_is_refused(bad: Stamp) -> None:
    with pytest.raises(SignatureError):
        check(bad, BODY, [SECRET], 1764000000)


def test_a_packed_body_is_unpacked_and_a_bomb_is_not() -> None:
    assert unpacked(gzip.compress(BODY), "gzip") == BODY
    with pytest.raises(TooLargeError):
        unpacked(gzip.compress(b" " * (MOST_BYTES + 1)), "gzip")
    with pytest.raises(UnsupportedError, match="cut"):
        unpacked(gzip.compress(BODY)[:-9], "gzip")
    with pytest.raises(UnsupportedError, match="follows"):
        unpacked(gzip.compress(BODY) + gzip.compress(BODY), "gzip")
    with pytest.raises(UnsupportedError):
        unpacked(BODY, "gzip")
    with pytest.raises(UnsupportedError):
        unpacked(BODY, "br")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", UnsupportedError),
        (b"\xff", UnsupportedError),
        (b"[]", BodyError),
        (b'{"batch_id":"b"}', BodyError),
        (b'{"batch_id":"","rows":[]}', BodyError),
        (b'{"batch_id":"b","rows":[1]}', BodyError),
        (b'{"batch_id":"b","rows":[],"more":1}', BodyError),
        (b'{"batch_id":"b","rows":[' + b",".join([b"{}"] * 1_001) + b"]}", TooLargeError),
    ],
    ids=["cut", "no text", "list", "no rows", "no id", "no row", "more", "many"],
)
def test_a_body_of_another_form_is_refused(body: bytes, error: type[PushError]) -> None:
    with pytest.raises(error):
        read_batch(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for encoding in ("", "gzip"):
        with contextlib.suppress(PushError):
            assert isinstance(read_batch(unpacked(body, encoding)), Batch)
