"""Stays of RFID tags, and what antennas watch."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import AntennaConfig, TerminalConfig
from gateway.scans import presence
from gateway.scans.presence import Antennas, Presence
from shared.errors import ConfigError
from shared.scan import ScanKind


def test_reads_without_a_pause_are_one_stay() -> None:
    one = Presence(3000)
    assert [one.is_new("a", 1, at) for at in (0, 1000, 3500, 6499, 9499)] == [True, False, False, False, True]


def test_each_antenna_and_each_tag_has_its_own_stay() -> None:
    one = Presence(3000)
    assert [one.is_new(tag, antenna, 0) for tag, antenna in (("a", 1), ("a", 2), ("b", 1), ("a", 1))] == [
        True,
        True,
        True,
        False,
    ]


def test_a_late_message_does_not_begin_a_stay_anew() -> None:
    one = Presence(3000)
    assert [one.is_new("a", 1, at) for at in (5000, 4000, 7000)] == [True, False, False]


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=200))
def test_a_stay_begins_exactly_after_a_pause(times: list[int]) -> None:
    one, times = Presence(3000), sorted(times)
    expected = [True, *(after - before >= 3000 for before, after in pairwise(times))]
    assert [one.is_new("a", 1, at) for at in times] == expected


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "TAGS_LIMIT", 100)
    one = Presence(3000)
    for n in range(10_000):
        assert one.is_new(str(n), 1, n)
    assert len(one._last_ms) <= 100


def test_antennas_map_to_docks_and_kinds() -> None:
    config = TerminalConfig(
        name="gate",
        profile="impinj/iot",
        antennas={"1": AntennaConfig(station="dock 1", kind="inbound"), "2": AntennaConfig(kind="load")},
    )
    antennas = Antennas(config)
    assert antennas.numbers == [1, 2]
    assert antennas.place(1) == ("dock 1", ScanKind.INBOUND)
    assert antennas.place(2) == ("gate/2", ScanKind.LOAD)
    assert antennas.place(3) == (None, None)


@pytest.mark.parametrize("antennas", [{"0": AntennaConfig()}, {"x": AntennaConfig()}, {"1": AntennaConfig(kind="up")}])
def test_antennas_that_do_not_exist_are_named(antennas: dict[str, AntennaConfig]) -> None:
    with pytest.raises(ConfigError, match="antenna"):
        Antennas(TerminalConfig(name="gate", profile="impinj/iot", antennas=antennas))
