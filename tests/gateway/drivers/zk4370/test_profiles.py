"""Every model of this family as its profile says it."""

import pytest

from gateway.drivers.zk4370.driver import DRIVER
from gateway.drivers.zk4370.settings import LAYOUTS
from gateway.profile import Profile, load_profile, profile_folder
from shared.punch import Direction, Method

OURS = sorted(
    str(path.relative_to(profile_folder()).with_suffix(""))
    for path in profile_folder().glob("*/*.toml")
    if 'family = "zk4370"' in path.read_text(encoding="utf-8")
)


@pytest.fixture(params=OURS)
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


def test_the_models_of_the_page_are_there() -> None:
    assert {"zkteco/k14", "zkteco/k20", "zkteco/k40", "zkteco/f18", "zkteco/f19", "zkteco/iface702"} <= set(OURS)
    assert {"zkteco/iclock260", "zksoftware/u580"} <= set(OURS)


def test_quirks_and_layouts_are_known_to_the_driver(profile: Profile) -> None:
    assert set(profile.quirks) <= DRIVER.quirks
    assert set(profile.layouts) <= LAYOUTS
    assert profile.link.transport in ("tcp", "udp")


def test_no_evidence_is_claimed_without_a_terminal(profile: Profile) -> None:
    assert profile.evidence == "untested"


def test_codes_mean_what_the_page_says(profile: Profile) -> None:
    methods = {0: Method.PASSWORD, 1: Method.FINGER, 2: Method.CARD, 3: Method.PIN, 15: Method.FACE, 25: Method.PALM}
    assert {code: profile.method(code) for code in methods} == methods
    assert [profile.direction(code) for code in range(6)] == [
        Direction.IN,
        Direction.OUT,
        Direction.BREAK_OUT,
        Direction.BREAK_IN,
        Direction.OVERTIME_IN,
        Direction.OVERTIME_OUT,
    ]
    assert (profile.direction(255), profile.method(200)) == (Direction.UNKNOWN, Method.UNKNOWN)
