"""KS-12 and KS-15: late facts of closed periods, and scores with other inputs."""

from dataclasses import replace
from fractions import Fraction

import pytest

from server.scoring.catalogue import default_catalogue
from server.scoring.restatement import ClosedCard, ClosedPart, Late, overlaid, restate
from server.scoring.rewards import GateRule, RewardRule
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import IndicatorScore, Observed, score_indicator, total
from server.scoring.tier import DEFAULT_TIERS
from server.scoring.veto import Veto
from server.scoring.whatif import Change, Inputs, what_if
from shared.errors import DataError

BY_ID = {indicator.id: indicator for indicator in default_catalogue().indicators}
LOGISTICS = PeriodWeights(
    {
        "log_on_time_delivery_rate": 40,
        "log_damage_rate": 25,
        "log_unit_delivery_cost": 20,
        "log_complaint_rate": 15,
    },
    100,
    (),
)
DAMAGE = score_indicator(BY_ID["log_damage_rate"], Observed(14, 1_000, 1_000))
FULL = {name: IndicatorScore(BY_ID[name], Observed(1, 1, 1), 100_000_000, None) for name in LOGISTICS.weights}
JANUARY = ClosedCard("2026-01", (ClosedPart(31, FULL | {"log_damage_rate": DAMAGE}, LOGISTICS),))


def sales_card(minor: int, *gates: GateRule, margin: int = 25) -> ClosedCard:
    """January of a seller with a target of 1,000,000.00 and a base of 5,000.00."""
    sales = score_indicator(BY_ID["biz_sales_amount"], Observed(minor, 1, 1), target="1000000")
    earned = score_indicator(BY_ID["biz_gross_margin_rate"], Observed(margin, 100, 1))
    weights = PeriodWeights({"biz_sales_amount": 60, "biz_gross_margin_rate": 40}, 100, ())
    rule = RewardRule("biz_sales_amount", DEFAULT_TIERS["biz_sales_amount"], 5_000_00, gates)
    scores = {"biz_sales_amount": sales, "biz_gross_margin_rate": earned}
    return ClosedCard("2026-01", (ClosedPart(31, scores, weights),), (rule,))


def late(indicator: str, *observed: int) -> dict[tuple[int, str], Late]:
    return {(0, indicator): Late(Observed(*observed))}


def test_x25_one_more_return_leaves_january_and_tells_the_difference() -> None:
    [found] = restate(JANUARY, late("log_damage_rate", 15, 1_000, 1_000))
    assert (found.closed_period, found.place) == ("2026-01", (0, "log_damage_rate"))
    assert (found.before.value, found.after.value) == (Fraction("1.40"), Fraction("1.50"))
    assert (found.before.points, found.after.points) == (102_000_000, 100_000_000)
    # 25 % of two points
    assert (found.before.total, found.after.total, found.total_difference) == (100_50, 100_00, -50)
    assert found.money_difference_minor == 0
    assert JANUARY.total.centi == 100_50


def test_ks12_the_same_figures_need_no_adjustment() -> None:
    assert restate(JANUARY, late("log_damage_rate", 14, 1_000, 1_000)) == []


def test_ks12_money_follows_the_tier_of_the_closed_period() -> None:
    """KS-8 on 5,000.00: sales of 1,100,000 against 1,000,000 are one step of 2 %; a late refund takes it away."""
    [found] = restate(sales_card(110_000_000), late("biz_sales_amount", 109_999_900, 1, 1))
    assert (found.before.money_minor, found.after.money_minor) == (5_100_00, 5_000_00)
    assert found.money_difference_minor == -100_00
    behind_gate = sales_card(110_000_000, GateRule("biz_gross_margin_rate"), margin=19)
    [found] = restate(behind_gate, late("biz_sales_amount", 109_999_900, 1, 1))
    assert found.money_difference_minor == 0


def test_ks12_a_gate_that_closes_later_takes_the_steps_away() -> None:
    """X19: the target of the gross margin is 20 %."""
    card = sales_card(110_000_000, GateRule("biz_gross_margin_rate"), margin=20)
    [found] = restate(card, late("biz_gross_margin_rate", 19, 100, 1))
    assert (found.before.money_minor, found.after.money_minor) == (5_100_00, 5_000_00)


def test_ks12_a_figure_that_goes_away_has_no_difference() -> None:
    part = replace(JANUARY.parts[0], weights=PeriodWeights({"log_damage_rate": 100}, 100, ()))
    [found] = restate(replace(JANUARY, parts=(part,)), late("log_damage_rate", 0, 0, 0))
    assert (found.before.total, found.after.total, found.total_difference) == (102_00, None, None)


def test_ks12_differences_of_a_card_add_up() -> None:
    both = late("log_damage_rate", 15, 1_000, 1_000) | late("log_on_time_delivery_rate", 85, 100, 100)
    found = restate(JANUARY, both)
    end = overlaid(JANUARY, list(both.items()))
    assert JANUARY.total.centi is not None
    assert JANUARY.total.centi + sum(one.total_difference or 0 for one in found) == end.total.centi


def test_ks7_a_closed_period_of_two_posts_is_weighed_by_days() -> None:
    """X12: 12 days of 80 and 18 of 95 points are 89.00; a late fact of the first changes 12 of 30."""
    alone = PeriodWeights({"log_damage_rate": 100}, 100, ())
    first = ClosedPart(12, {"log_damage_rate": score_indicator(BY_ID["log_damage_rate"], Observed(2, 100, 100))}, alone)
    second = ClosedPart(18, {"log_damage_rate": replace(DAMAGE, points=95_000_000)}, alone)
    card = ClosedCard("2026-01", (first, second))
    assert card.total.centi == 89_00
    [found] = restate(card, {(0, "log_damage_rate"): Late(Observed(3, 100, 100))})
    assert found.total_difference == -16_00, "80 to 40 points, 12 of 30 days"


ON_TIME = score_indicator(BY_ID["log_on_time_delivery_rate"], Observed(97, 100, 100))
HALVES = PeriodWeights({"log_on_time_delivery_rate": 50, "log_damage_rate": 50}, 100, ())
INPUTS = Inputs((ON_TIME, DAMAGE), HALVES)


@pytest.mark.parametrize(
    ("claim", "inputs", "change", "centi"),
    [
        ("nothing changes", INPUTS, Change(), 101_00),
        ("X01: damage of 3.0 % is 40 points", INPUTS, Change({"log_damage_rate": Observed(30, 1_000, 1_000)}), 70_00),
        (
            "other weights",
            INPUTS,
            Change(weights=PeriodWeights({"log_on_time_delivery_rate": 25, "log_damage_rate": 75}, 100, ())),
            101_50,
        ),
        ("KS-9 holds in a simulation", replace(INPUTS, vetoes=(Veto("fraud", "case 12"),)), Change(), 60_00),
    ],
)
def test_ks15_what_if(claim: str, inputs: Inputs, change: Change, centi: int) -> None:
    found = what_if(inputs, change)
    assert (found.final.centi, found.simulated) == (centi, True), claim
    assert total(HALVES, {s.indicator.id: s.points for s in inputs.scores}).centi == 101_00, "inputs stay"


def test_ks15_another_target_for_sales() -> None:
    """KS-2: 1,350,000 of 1,500,000 are 90 points."""
    sales = score_indicator(BY_ID["biz_sales_amount"], Observed(135_000_000, 1, 1))
    inputs = Inputs((sales,), PeriodWeights({"biz_sales_amount": 100}, 100, ()))
    assert what_if(inputs, Change()).final.centi is None
    assert what_if(inputs, Change(targets={"biz_sales_amount": "1500000"})).final.centi == 90_00


def test_ks15_a_late_source_stays_late_with_another_target() -> None:
    late = score_indicator(BY_ID["biz_sales_amount"], Observed(1, 1, 1), "source_late", "1")
    inputs = Inputs((late,), PeriodWeights({"biz_sales_amount": 100}, 100, ()))
    assert what_if(inputs, Change(targets={"biz_sales_amount": "2"})).scores[0].no_score == "source_late"


def test_ks15_an_indicator_without_a_score_is_refused() -> None:
    with pytest.raises(DataError, match="no indicator fin_capital_turnover") as refusal:
        what_if(INPUTS, Change(targets={"fin_capital_turnover": "6"}))
    assert refusal.value.parameters == {"field": "fin_capital_turnover"}
