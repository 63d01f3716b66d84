"""Topics, keys, digests, clocks and errors that both sides share."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import CLOCK_SUSPECT_BEFORE_S, device_seconds, from_ms, system_clocks, to_ms
from shared.errors import ConfigError, DataError
from shared.keys import Event, business_key, digest
from shared.punch import Punch
from shared.scan import Damaged, Scan, ScanKind
from shared.topics import check_gateway_id, down, parse_up, up
from tests.shared.strategies import EVENTS, PUNCHES

GATEWAYS = st.from_regex(r"gw-[0-9a-f]{10}", fullmatch=True)
KINDS = st.sampled_from(["hello", "ev", "health", "csr", "result"])


@given(GATEWAYS, KINDS)
def test_a_topic_says_who_speaks_and_what_about(gateway: str, kind: str) -> None:
    topic = up(gateway, kind)  # type: ignore[arg-type]
    assert topic == f"gw/{gateway}/up/{kind}"
    parsed = parse_up(topic)
    assert (parsed.gateway, parsed.kind) == (gateway, kind)


@given(st.text() | st.lists(st.sampled_from(["gw", "gw-0123456789", "up", "ev", "#", "+", ""])).map("/".join))
def test_any_other_topic_is_a_data_error(topic: str) -> None:
    try:
        parsed = parse_up(topic)
    except DataError as error:
        assert error.code == "bad_topic"  # noqa: PT017
    else:
        assert topic == up(parsed.gateway, parsed.kind)


@pytest.mark.parametrize(
    "topic",
    ["gw/gw-0123456789/down/ack", "gw/gw-0123456789/up/ev\n", "gw/gw-0123456789\n/up/ev", "gw/gw-012345678G/up/ev"],
)
def test_a_topic_that_only_looks_like_ours_is_refused(topic: str) -> None:
    with pytest.raises(DataError):
        parse_up(topic)


def test_a_gateway_hears_on_its_own_topic() -> None:
    assert down("gw-0123456789", "ack") == "gw/gw-0123456789/down/ack"


@given(st.text())
def test_a_gateway_id_is_checked_whole(text: str) -> None:
    good = len(text) == 13 and text.startswith("gw-") and set(text[3:]) <= set("0123456789abcdef")
    if good:
        assert check_gateway_id(text) == text
    else:
        with pytest.raises(ConfigError):
            check_gateway_id(text)


# --- keys -----------------------------------------------------------------------------------------------------------


@given(st.binary())
def test_a_digest_is_sha256(body: bytes) -> None:
    assert digest(body) == hashlib.sha256(body).digest()


@given(PUNCHES, PUNCHES)
def test_what_push_and_pull_report_differently_is_no_part_of_a_punchs_key(one: Punch, other: Punch) -> None:
    """architecture.md section 9: terminal, user text and device second only."""
    twin = msgspec.structs.replace(
        other, terminal=one.terminal, user=one.user, at_device=one.at_device, native_seq=one.native_seq
    )
    assert business_key(twin) == business_key(one)


def punch(**changes: object) -> Punch:
    return msgspec.structs.replace(Punch("T1", "7", 1_800_000_000, 28_800, 1_799_971_200_000), **changes)


@pytest.mark.parametrize("changes", [{"terminal": "T2"}, {"user": "07"}, {"at_device": 1_800_000_001}])
def test_two_true_punches_have_two_keys(changes: dict[str, object]) -> None:
    assert business_key(punch(**changes)) != business_key(punch())


def test_the_native_number_counts_only_while_the_clock_is_suspect() -> None:
    assert datetime(2015, 1, 1, tzinfo=UTC).timestamp() == CLOCK_SUSPECT_BEFORE_S
    assert business_key(punch(native_seq=1)) == business_key(punch(native_seq=2))
    reset = CLOCK_SUSPECT_BEFORE_S - 1
    assert business_key(punch(at_device=reset, native_seq=1)) != business_key(punch(at_device=reset, native_seq=2))
    assert business_key(punch(at_device=reset)) == business_key(punch(at_device=reset))


def test_a_punch_without_a_clock_of_its_own_has_no_key() -> None:
    assert business_key(punch(at_device=None)) is None


def test_scans_have_a_key_only_when_the_source_numbers_them() -> None:
    scan = Scan("S1", "SF1", "]C1", ScanKind.DELIVERED, 1_800_000_000_123)
    assert business_key(scan) is None, "two parcels may carry one code in a second"
    first, second = (msgspec.structs.replace(scan, native_seq=number) for number in (1, 2))
    assert None is not business_key(first) != business_key(second)


def test_what_is_damaged_has_no_key() -> None:
    assert business_key(Damaged("T1", "noise", b"\xff", 1)) is None


@given(EVENTS)
def test_a_key_is_none_or_has_four_parts(event: Event) -> None:
    key = business_key(event)
    assert key is None or [type(part) for part in key] == [str, str, int, int]


# --- clocks ---------------------------------------------------------------------------------------------------------

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(
    lambda naive: naive.replace(tzinfo=UTC, microsecond=naive.microsecond // 1000 * 1000)
)


@given(TIMES)
def test_milliseconds_and_back_is_exact(at: datetime) -> None:
    assert from_ms(to_ms(at)) == at


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_and_the_other_way(at_ms: int) -> None:
    assert to_ms(from_ms(at_ms)) == at_ms


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_device_seconds_count_the_wall_clock_as_if_utc(wall: datetime) -> None:
    expected = (wall.replace(microsecond=0) - datetime(1970, 1, 1)) // timedelta(seconds=1)
    assert device_seconds(wall) == expected


def test_the_system_clocks_tell_milliseconds() -> None:
    clocks = system_clocks()
    first = clocks.mono_ms()
    assert abs(clocks.wall_ms() - to_ms(datetime.now(UTC))) < 60_000
    assert 0 <= clocks.mono_ms() - first < 60_000
