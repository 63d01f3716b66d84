"""From a score to its consequences, as tables; numbers from the definitions, section 6."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.scoring.calibration import Calibration
from server.scoring.catalogue import default_catalogue
from server.scoring.final import final
from server.scoring.scorecard import Total
from server.scoring.tier import DEFAULT_TIERS, Gate, RewardTier, check_tier, reward
from server.scoring.veto import Veto
from shared.errors import DataError

SALES = DEFAULT_TIERS["biz_sales_amount"]
CONVERSION = DEFAULT_TIERS["dsg_page_conversion_rate"]
MARGIN_MISSED = (Gate(Fraction(19), Fraction(20)),)
MARGIN_REACHED = (Gate(Fraction(20), Fraction(20)),)


@pytest.mark.parametrize(
    ("example", "tier", "actual", "target", "gates", "steps", "multiplier"),
    [
        ("X15", SALES, "1100000", "1000000", (), 1, "1.02"),
        ("X16", SALES, "1099999.99", "1000000", (), 0, "1"),
        ("X17", SALES, "1750000", "1000000", (), 5, "1.10"),
        ("X18", CONVERSION, "3.75", "3.00", (), 2, "1.06"),
        ("X19", SALES, "1300000", "1000000", MARGIN_MISSED, 0, "1"),
        ("KS-8: gate reached", SALES, "1300000", "1000000", MARGIN_REACHED, 3, "1.06"),
        ("KS-8: gate unknown", SALES, "1300000", "1000000", (Gate(None, Fraction(20)),), 0, "1"),
        ("KS-8: below target", SALES, "100", "1000000", (), 0, "1"),
    ],
)
def test_ks8_steps(  # noqa: PLR0917 - a row of the table
    example: str, tier: RewardTier, actual: str, target: str, gates: tuple[Gate, ...], steps: int, multiplier: str
) -> None:
    found = tier.steps(Fraction(actual), Fraction(target), gates)
    assert (found, tier.multiplier(found)) == (steps, Fraction(multiplier)), example


def test_ks8_reward_in_minor_units() -> None:
    """X15: 5,000.00 with one step; and half a fen goes up."""
    assert reward(5_000_00, SALES.multiplier(1)) == 5_100_00
    assert reward(25, Fraction("1.02")) == 26
    assert reward(24, Fraction("1.02")) == 24


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9), st.integers(1, 10**9))
def test_ks8_more_never_earns_less(actual: int, more: int, target: int) -> None:
    low, high = (SALES.steps(Fraction(value), Fraction(target)) for value in (actual, actual + more))
    assert 0 <= low <= high <= 5


def test_ks8_only_where_more_is_better() -> None:
    by_id = {indicator.id: indicator for indicator in default_catalogue().indicators}
    for name in DEFAULT_TIERS:
        check_tier(by_id[name])
    with pytest.raises(DataError, match="more is better"):
        check_tier(by_id["log_damage_rate"])


def test_ks8_a_tier_without_step_or_target_is_refused() -> None:
    with pytest.raises(DataError, match="step"):
        RewardTier(Fraction(0), Fraction(1))
    with pytest.raises(DataError, match="target"):
        SALES.steps(Fraction(1), Fraction(0))


def total(centi: int | None) -> Total:
    """A computed total of full coverage."""
    return Total(centi, Fraction(1))


FRAUD, LEAK = Veto("fraud", "case 12"), Veto("data_leak", "case 13", 40_00)
FIVE = Calibration(5_00, "covered two routes", "e1", "e2")


@pytest.mark.parametrize(
    ("example", "computed", "calibration", "vetoes", "published", "letter"),
    [
        ("X20", 96_40, None, [FRAUD], 60_00, "D"),
        ("X21", 118_00, FIVE, [], 120_00, "S"),
        ("KS-9: the lowest cap wins", 96_40, None, [FRAUD, LEAK], 40_00, "D"),
        ("KS-9: calibration does not lift above the cap", 58_00, FIVE, [FRAUD], 60_00, "D"),
        ("KS-9: a cap does not lift", 30_00, None, [FRAUD], 30_00, "D"),
        ("KS-10: not below 0", 4_00, replace(FIVE, points=-10_00), [], 0, "D"),
        ("KS-13: the grade is that of the final score", 98_00, FIVE, [], 103_00, "A"),
        ("KS-3: no total, nothing to adjust", None, FIVE, [FRAUD], None, None),
    ],
)
def test_ks9_ks10_ks13_final(  # noqa: PLR0917 - a row of the table
    example: str,
    computed: int | None,
    calibration: Calibration | None,
    vetoes: list[Veto],
    published: int | None,
    letter: str | None,
) -> None:
    found = final(total(computed), calibration, vetoes)
    assert (found.centi, found.grade) == (published, letter), example
    assert (found.computed.centi, found.calibration) == (computed, calibration), "kept apart"


@pytest.mark.parametrize(
    ("field", "value"),
    [("points", 10_01), ("points", -10_01), ("reason", " "), ("approved_by", "e1"), ("approved_by", "")],
)
def test_ks10_a_calibration_is_refused_with_its_field(field: str, value: object) -> None:
    with pytest.raises(DataError) as refusal:
        replace(FIVE, **{field: value})  # type: ignore[arg-type]
    assert refusal.value.parameters == {"field": field}


@pytest.mark.parametrize(("field", "value"), [("evidence", ""), ("cap", -1), ("cap", 120_01)])
def test_ks9_a_veto_is_refused_with_its_field(field: str, value: object) -> None:
    with pytest.raises(DataError) as refusal:
        replace(FRAUD, **{field: value})  # type: ignore[arg-type]
    assert refusal.value.parameters == {"field": field}
