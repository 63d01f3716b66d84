"""Every model of this family as its profile says it."""

import pytest

from gateway.drivers.hanvon.driver import DRIVER
from gateway.profile import Profile, load_profile, profile_folder
from shared.punch import Direction

OURS = sorted(f"hanvon/{path.stem}" for path in (profile_folder() / "hanvon").glob("*.toml"))


@pytest.fixture(params=OURS)
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


def test_the_models_of_the_page_are_there() -> None:
    models = ("f710", "f810", "fk628", "c220", "c230", "e350", "e350a", "s7150a")
    assert {f"hanvon/{model}" for model in models} <= set(OURS)


def test_a_profile_fits_the_driver(profile: Profile) -> None:
    assert (profile.family, profile.link.transport, profile.link.port) == ("hanvon", "tcp", 9922)
    assert set(profile.quirks) <= DRIVER.quirks


def test_no_evidence_is_claimed_without_a_terminal(profile: Profile) -> None:
    assert profile.evidence == "untested"


def test_work_states_are_the_defaults_of_the_page(profile: Profile) -> None:
    assert [profile.direction(state) for state in range(4)] == [
        Direction.UNKNOWN,
        Direction.IN,
        Direction.OUT,
        Direction.UNKNOWN,
    ]
