"""Closing earlier or later ends in the same money, and in the same total as one count of everything (KS-12)."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from server.scoring.catalogue import default_catalogue
from server.scoring.restatement import ClosedCard, ClosedPart, Late, Place, overlaid, restate
from server.scoring.rewards import GateRule, RewardRule
from server.scoring.scheme import PeriodWeights
from server.scoring.scorecard import Observed, score_indicator
from server.scoring.tier import RewardTier

BY_ID = {indicator.id: indicator for indicator in default_catalogue().indicators}
SALES, MARGIN = "biz_sales_amount", "biz_gross_margin_rate"
RULES = (RewardRule(SALES, RewardTier(Fraction(1, 10), Fraction(2, 100)), 5_000_01, (GateRule(MARGIN),)),)
WEIGHTS = PeriodWeights({SALES: 60, MARGIN: 40}, 100, ())

sales = st.integers(0, 200_000_000)
margins = st.integers(0, 40)
histories = st.lists(st.tuples(sales, margins), min_size=1, max_size=8)
"""What is counted of the period after each arrival of facts, the last with everything."""


def card(state: tuple[int, int]) -> ClosedCard:
    minor, margin = state
    scores = {
        SALES: score_indicator(BY_ID[SALES], Observed(minor, 1, 1), target="1000000"),
        MARGIN: score_indicator(BY_ID[MARGIN], Observed(margin, 100, 1)),
    }
    return ClosedCard("2026-01", (ClosedPart(31, scores, WEIGHTS),), RULES)


def late(state: tuple[int, int]) -> dict[Place, Late]:
    minor, margin = state
    return {(0, SALES): Late(Observed(minor, 1, 1)), (0, MARGIN): Late(Observed(margin, 100, 1))}


def paid(history: list[tuple[int, int]], closed_after: int) -> tuple[int, int]:
    """Money and total of closing after so many arrivals, each later one in a period of its own that is closed, too."""
    closed = card(history[closed_after])
    money, total = closed.money_minor, closed.total.centi or 0
    told: list[tuple[Place, Late]] = []
    for state in history[closed_after + 1 :]:
        found = restate(overlaid(closed, told), late(state))
        money += sum(one.money_difference_minor for one in found)
        total += sum(one.total_difference or 0 for one in found)
        told += [(one.place, one.late) for one in found]
    return money, total


@given(histories, st.data())
def test_ks12_closing_earlier_or_later_ends_in_the_same_money(
    history: list[tuple[int, int]], data: st.DataObject
) -> None:
    early = data.draw(st.integers(0, len(history) - 1))
    whole = card(history[-1])
    assert paid(history, early) == paid(history, len(history) - 1) == (whole.money_minor, whole.total.centi)
