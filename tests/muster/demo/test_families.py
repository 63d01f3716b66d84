"""The list of families, their devices, and what counts as well."""

import re
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from gateway.profile import load_profile
from muster.demo import app
from muster.demo import families as listed
from muster.demo.families import FAMILIES, missing_library, stands_of
from muster.demo.family_run import Result, Shown, Skipped, marks
from muster.demo.family_screen import lines, summary
from muster.demo.stand import Depot, Mark, Stand
from muster.stage.ledger import Stored
from shared.errors import ConfigError


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    ports: Mapping[str, int] = dict.fromkeys(FAMILIES, 1)
    return Depot(tmp_path, ports, 1, ZoneInfo("Asia/Shanghai"))


class Silent(Stand):
    """A terminal whose punches get lost."""

    async def give(self, mark: Mark) -> None:
        """Nothing happens."""


def test_every_driver_has_its_family_in_the_demo() -> None:
    assert set(FAMILIES) == {entry.name for entry in entry_points(group="muster.drivers")}


def test_the_page_lists_every_family_with_a_readme_that_exists() -> None:
    page = Path(__file__).parents[3] / "docs" / "howto" / "families.md"
    rows = re.findall(r"^\| \[(\w+)\]\((.*?)\)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [family for family, _ in rows] == sorted(FAMILIES)
    assert [link for _, link in rows if not (page.parent / link).is_file()] == []


def test_every_device_has_a_serial_and_a_name_of_its_own_and_a_profile_of_its_family(depot: Depot) -> None:
    stands = list(stands_of(FAMILIES, depot))
    assert len({stand.serial for _, stand in stands}) == len(stands)
    assert len({(family, stand.label) for family, stand in stands}) == len(stands)
    assert [load_profile(stand.profile).family for _, stand in stands] == [family for family, _ in stands]


def test_no_second_comes_twice_at_a_device_and_none_lies_in_the_future(depot: Depot) -> None:
    happening = [*marks(depot, live=False), *marks(depot, live=True)]
    assert len({mark.at for mark in happening}) == len({mark.code for mark in happening}) == len(happening) == 20
    assert max(mark.at for mark in happening) <= depot.now()
    assert len({mark.user for mark in happening}) == 5


async def test_a_device_is_well_only_when_it_was_reached_and_all_of_it_is_stored_once(depot: Depot) -> None:
    one = Shown("anviz", Silent(depot, "T1", "anviz/c2-pro"))
    await one.give(Mark(1, "1001", datetime(2026, 11, 23, 8, 59, 1), "YT1"))
    second = 1_795_424_341  # 2026-11-23 08:59:01 counted as if UTC
    for stored, reached, well in (
        ({}, True, False),
        ({("T1", "1001", second): 2}, True, False),
        ({("T1", "1001", second): 1, ("T1", "1001", second + 1): 1}, True, False),
        ({("T1", "1001", second): 1}, False, False),
        ({("T1", "1001", second): 1}, True, True),
    ):
        one.online.clear()
        if reached:
            one.online.set()
        one.tally = one.ledger.compare(Stored(stored, {}, 0, 0))
        assert one.good is well, (stored, reached)
        assert Result([one], [], 0, 1.0, Path()).good is well
    assert not Result([one], [], 1, 1.0, Path()).good  # nothing that was given belongs into quarantine


def test_a_family_without_its_library_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "find_spec", lambda _module: None)
    assert missing_library("llrp") == "sllurp is not installed: pip install 'muster[llrp]'"
    assert missing_library("anviz") is None
    result = Result([], [Skipped("llrp", "sllurp is not installed")], 0, 1.0, Path())
    assert lines(result)[0] == {"family": "llrp", "reason": "sllurp is not installed", "skipped": True}
    assert result.good
    assert "0 families" in summary(result)


def test_a_family_that_does_not_exist_is_bad_input() -> None:
    done = CliRunner().invoke(app, ["--only", "telepathy"])
    assert isinstance(done.exception, ConfigError)
    assert "telepathy" in str(done.exception)
