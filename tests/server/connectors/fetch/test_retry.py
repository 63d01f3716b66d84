"""When a call is tried again, and when a stream: by the table of the guide (1 s to 5 min, six tries, 15 min)."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connectors.fetch.retry import delay_s, next_run_s


@given(st.integers(1, 5), st.integers())
def test_a_wait_is_between_nothing_and_a_doubling_second(failures: int, seed: int) -> None:
    wait_s = delay_s(failures, Random(seed))
    assert wait_s is not None
    assert 0 <= wait_s <= 2 ** (failures - 1) <= 300


def test_the_sixth_failure_is_the_last() -> None:
    assert delay_s(6, Random(1)) is None
    assert delay_s(6, Random(1), retry_after_s=1) is None


@pytest.mark.parametrize(("asked_s", "wait_s"), [(0, 0.0), (7, 7.0), (900, 900.0), (1_200, 1_200.0), (86_400, None)])
def test_a_wait_that_is_asked_for_is_kept_or_left_to_the_next_run(asked_s: float, wait_s: float | None) -> None:
    assert delay_s(1, Random(1), asked_s) == wait_s


@pytest.mark.parametrize(("failures", "wait_s"), [(0, 3_600), (1, 120), (4, 960), (5, 900), (50, 900)])
def test_a_stream_that_failed_is_due_sooner_and_one_that_is_down_every_quarter_of_an_hour(
    failures: int, wait_s: int
) -> None:
    assert next_run_s(3_600, failures) == wait_s
