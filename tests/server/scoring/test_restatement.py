"""KS-12 and KS-15: late facts of closed periods, and scores with other inputs."""

from dataclasses import replace
from fractions import Fraction

import pytest

from server.scoring.catalogue import default_catalogue
from server.scoring.restatement import Closed, Paid, restate
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import Observed, score_indicator, total
from server.scoring.tier import DEFAULT_TIERS, Gate
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
HUNDRED = dict.fromkeys(LOGISTICS.weights, 100_000_000)
DAMAGE = score_indicator(BY_ID["log_damage_rate"], Observed(14, 1_000, 1_000))
JANUARY = Closed("2026-01", DAMAGE, LOGISTICS, HUNDRED | {"log_damage_rate": 102_000_000})


def test_x25_one_more_return_adjusts_march_and_leaves_january() -> None:
    found = restate(JANUARY, Observed(15, 1_000, 1_000), "damage_report/77", "2026-03")
    assert found is not None
    assert (found.closed_period, found.open_period, found.cause) == ("2026-01", "2026-03", "damage_report/77")
    assert (found.before.value, found.after.value) == (Fraction("1.40"), Fraction("1.50"))
    assert (found.before.points, found.after.points) == (102_000_000, 100_000_000)
    # 25 % of two points
    assert (found.before.total, found.after.total, found.total_difference) == (100_50, 100_00, -50)
    assert found.money_difference_minor is None


def test_ks12_the_same_figures_need_no_adjustment() -> None:
    assert restate(JANUARY, Observed(14, 1_000, 1_000), "damage_report/78", "2026-03") is None


def test_ks12_money_follows_the_tier_of_the_closed_period() -> None:
    """KS-8 on 5,000.00: sales of 1,100,000 against 1,000,000 are one step of 2 %; a late refund takes it away."""
    sales = score_indicator(BY_ID["biz_sales_amount"], Observed(110_000_000, 1, 1), target="1000000")
    weights = PeriodWeights({"biz_sales_amount": 100}, 100, ())
    paid = Paid(DEFAULT_TIERS["biz_sales_amount"], 5_000_00)
    closed = Closed("2026-01", sales, weights, {"biz_sales_amount": sales.points}, paid)
    found = restate(closed, Observed(109_999_900, 1, 1), "refund/9", "2026-03")
    assert found is not None
    assert (found.before.money_minor, found.after.money_minor) == (5_100_00, 5_000_00)
    assert found.money_difference_minor == -100_00
    missed = replace(closed, paid=replace(paid, gates=(Gate(Fraction(19), Fraction(20)),)))
    behind_gate = restate(missed, Observed(109_999_900, 1, 1), "refund/9", "2026-03")
    assert behind_gate is not None
    assert behind_gate.money_difference_minor == 0


def test_ks12_a_figure_that_goes_away_has_no_difference() -> None:
    alone = replace(JANUARY, weights=PeriodWeights({"log_damage_rate": 100}, 100, ()))
    found = restate(alone, Observed(), "shipment/1", "2026-03")
    assert found is not None
    assert (found.before.total, found.after.total, found.total_difference) == (102_00, None, None)


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
