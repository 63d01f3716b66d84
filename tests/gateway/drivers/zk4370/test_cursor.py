"""Where reading goes on, for logs that grow, roll over, are cleared, or hold equal records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.zk4370.cursor import Place
from shared.errors import DataError

SIZE = 8


def log(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(SIZE, "little") for number in numbers)


def read(place: Place, records: bytes) -> tuple[list[bytes], Place]:
    """What is new, and the place after it, through the bytes that the outbox keeps."""
    total = len(records) // SIZE
    first = place.new_from(records, SIZE)
    after = Place.decode(place.after(records, SIZE, first, total).encode())
    return [records[i * SIZE : (i + 1) * SIZE] for i in range(first, total)], after


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(0, 60))
def test_a_growing_log_yields_every_record_once_in_order(numbers: list[int], cut: int) -> None:
    early = log(*numbers[:cut])
    first, place = read(Place(), early)
    rest, place = read(place, log(*numbers))
    assert b"".join(first + rest) == log(*numbers)
    assert place.number == len(numbers)


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 40))
def test_a_log_that_drops_its_oldest_loses_nothing(held: int, before: int, more: int) -> None:
    everything = list(range(before + more))
    _, place = read(Place(), log(*everything[:before][-held:]))
    new, _ = read(place, log(*everything[-held:]))
    missing = [n for n in everything[-held:] if n >= before]
    assert b"".join(new)[-len(missing) * SIZE :] == log(*missing) if missing else True


def test_a_cleared_log_is_taken_whole_and_counted_on() -> None:
    _, place = read(Place(), log(*range(20)))
    new, place = read(place, log(100, 101))
    assert (len(new), place.number) == (2, 22)


def test_after_a_log_was_found_empty_everything_is_new() -> None:
    _, place = read(Place(), log(1, 2))
    _, place = read(place, b"")
    assert len(read(place, log(1, 2))[0]) == 2


def test_a_log_with_records_of_another_size_is_taken_whole() -> None:
    _, place = read(Place(), log(1, 2))
    assert place.new_from(bytes(80), 40) == 0


@pytest.mark.parametrize(
    "value", [b"", b"\x02" + bytes(16), b"\x01" + bytes(16) + b"x", b"\x01\x08" + bytes(15) + b"xyz"]
)
def test_a_cursor_that_is_none_of_ours_is_named(value: bytes) -> None:
    with pytest.raises(DataError):
        Place.decode(value)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_place_or_a_data_error(value: bytes) -> None:
    try:
        place = Place.decode(value)
    except DataError:
        return
    assert Place.decode(place.encode()) == place
