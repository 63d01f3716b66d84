"""Every model of this family as its profile says it."""

import pytest

from gateway.drivers.anviz.driver import DRIVER
from gateway.drivers.anviz.settings import layout_of
from gateway.profile import Profile, load_profile, profile_folder
from shared.punch import Direction, Method

OURS = sorted(f"anviz/{path.stem}" for path in (profile_folder() / "anviz").glob("*.toml"))


@pytest.fixture(params=OURS)
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


def test_the_models_of_the_page_are_there() -> None:
    models = {"c2", "c2-pro", "t60-plus", "vf30", "vp30", "oa1000", "oa3000", "761", "facedeep-5", "facepass-7", "m5"}
    assert {f"anviz/{model}" for model in models | {"w1-pro"}} <= set(OURS)


def test_a_profile_fits_the_driver(profile: Profile) -> None:
    assert (profile.family, profile.link.transport, profile.link.port) == ("anviz", "tcp", 5010)
    assert set(profile.quirks) <= DRIVER.quirks
    assert layout_of(profile).size in (27, 40)


def test_no_evidence_is_claimed_without_a_terminal(profile: Profile) -> None:
    assert profile.evidence == "untested"


def test_codes_mean_what_the_page_says_and_nothing_more(profile: Profile) -> None:
    assert [profile.direction(state) for state in range(4)] == [Direction.IN, Direction.OUT, *[Direction.UNKNOWN] * 2]
    methods = {profile.method(bit) for bit in (1, 2, 4, 8)}
    known = {Method.FINGER, Method.PASSWORD, Method.CARD}
    assert methods == ({Method.UNKNOWN} if profile.model.startswith("Face") else known)
    assert profile.method(16) is Method.UNKNOWN
