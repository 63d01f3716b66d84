"""KS-5 to KS-7: weights with seasons and approved changes, and periods of several posts."""

from datetime import date, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.scoring.catalogue import default_catalogue
from server.scoring.numbers import decimal_text
from server.scoring.scheme import Place
from server.scoring.scorecard import Mean, published, total
from server.scoring.season import Delta, Spell, applied, check_deltas, check_spells, default_seasons, weights_over
from server.scoring.segment import Segment, period_mean
from shared.errors import DataError

SETS = default_catalogue().sets
KNOWN = {indicator.id for indicator in default_catalogue().indicators}
SEASONS = {delta.id: delta for delta in default_seasons()}
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)


def through(name: str, first: date = FIRST, last: date = LAST) -> Spell:
    """A shipped season in force, all January unless told."""
    return Spell(SEASONS[name], first, last)


def shares(department: str, *seasons: Spell, own: tuple[Spell, ...] = ()) -> dict[str, Fraction]:
    """Weights of January in per cent."""
    found = weights_over(SETS, Place("anybody", (department,)), FIRST, LAST, seasons, own)
    return {name: Fraction(100 * weight, found.denominator) for name, weight in found.weights.items()}


@pytest.mark.parametrize(
    ("season", "weights"),
    [
        ("peak_sales", "40.0000 21.4286 17.1429 12.8571 8.5714"),
        ("packaging_fix", "37.3333 30.0000 18.6667 14.0000"),
        ("resolution_push", "28.1250 23.4375 25.0000 14.0625 9.3750"),
        ("mega_promo_logistics", "45.0000 30.0000 14.2857 10.7143"),
        ("mega_promo_cs", "26.0000 35.0000 17.3333 13.0000 8.6667"),
    ],
)
def test_ks6_resulting_weights_of_the_shipped_seasons(season: str, weights: str) -> None:
    """The table of section 4, in the order of the department's indicators."""
    found = shares(SEASONS[season].department, through(season))
    assert [decimal_text(weight, 4) for weight in found.values()] == weights.split()


def test_x09_the_packaging_project_lowers_a_total_with_damage() -> None:
    weights = weights_over(SETS, Place("anybody", ("logistics",)), FIRST, LAST, [through("packaging_fix")])
    points = dict.fromkeys(weights.weights, 100_000_000) | {"log_damage_rate": 40_000_000}
    assert total(weights, points).centi == 82_00
    assert weights.versions == ("logistics/2015-01-01", "packaging_fix/2026-01-01")


def test_x10_weights_stay_exact() -> None:
    sevenths = [Fraction(150, 7), Fraction(120, 7), Fraction(90, 7), Fraction(60, 7)]
    assert list(shares("business", through("peak_sales")).values()) == [40, *sevenths]


def test_x11_ten_days_of_a_season() -> None:
    found = shares("business", through("peak_sales", date(2026, 1, 5), date(2026, 1, 14)))
    assert found["biz_sales_amount"] == Fraction(21 * 30 + 10 * 40, 31)
    assert sum(found.values()) == 100


def test_ks6_an_approved_change_of_a_person_comes_after_the_season() -> None:
    """Season 40, then own 50: the others keep 60 parts of the 50 that are left."""
    own = Spell(msgspec.structs.replace(SEASONS["peak_sales"], id="own", weights={"biz_sales_amount": 50}), FIRST, LAST)
    assert shares("business", through("peak_sales"), own=(own,))["biz_new_customers"] == Fraction(150, 7) * 50 / 60


def test_ks6_a_season_leaves_sets_without_its_indicators() -> None:
    assert shares("finance", through("peak_sales")) == shares("finance")


def test_ks6_a_post_replaces_the_department_before_a_season_works() -> None:
    place = Place("courier", ("logistics",))
    found = weights_over(SETS, place, FIRST, LAST, [through("mega_promo_logistics")])
    per_cent = {name: Fraction(100 * weight, found.denominator) for name, weight in found.weights.items()}
    assert (per_cent["log_complaint_rate"], per_cent["log_unit_delivery_cost"]) == (Fraction(50, 3), Fraction(25, 3))


def test_ks6_one_season_for_a_set_and_a_day() -> None:
    one, two = through("packaging_fix"), through("mega_promo_logistics", LAST, LAST + timedelta(days=3))
    with pytest.raises(DataError, match="packaging_fix is in force on logistics"):
        shares("logistics", one, two)
    with pytest.raises(DataError, match="packaging_fix is in force") as refusal:
        check_spells([one, two], SETS)
    assert refusal.value.parameters == {"field": "first"}
    with pytest.raises(DataError, match="mega_promo_logistics is in force"):
        check_spells([two, one], SETS)
    check_spells([one, through("mega_promo_logistics", LAST + timedelta(days=1), LAST + timedelta(days=3))], SETS)
    check_spells([one, through("peak_sales")], SETS)


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        ({"weights": {"log_damage_rate": 60, "log_complaint_rate": 41}}, "weights", "add up to 101"),
        ({"weights": {}}, "weights", "at least one"),
        ({"weights": {"log_nothing": 5}}, "weights", "no indicator log_nothing"),
        ({"department": "finance"}, "department", "no set of finance"),
    ],
)
def test_ks6_a_change_is_refused_with_field_and_reason(change: dict[str, object], field: str, why: str) -> None:
    delta = msgspec.structs.replace(SEASONS["packaging_fix"], **change)
    with pytest.raises(DataError, match=why) as refusal:
        check_deltas([delta], SETS, KNOWN)
    assert refusal.value.parameters == {"field": field}


def delta_of(**weights: int) -> Delta:
    """A change without more meaning."""
    return Delta(id="d", name_zh="d", name_en="d", department="d", weights=weights, source="test")


def test_ks6_others_without_weight_can_not_take_the_rest() -> None:
    weights = {"a": Fraction(100), "b": Fraction(0)}
    with pytest.raises(DataError, match="remaining 10"):
        applied(weights, delta_of(a=90))
    assert applied(weights, delta_of(a=100)) == weights


@given(st.lists(st.integers(1, 100), min_size=2, max_size=8), st.integers(0, 100))
def test_ks5_every_change_adds_up_to_100_and_keeps_proportions(parts: list[int], new: int) -> None:
    weights = {f"i{n}": Fraction(100 * part, sum(parts)) for n, part in enumerate(parts)}
    found = applied(weights, delta_of(i0=new))
    assert sum(found.values()) == 100
    assert found["i0"] == new
    assert all(found[name] * weights["i1"] == found["i1"] * weights[name] for name in weights if name != "i0")


def test_a_spell_does_not_end_before_it_starts() -> None:
    with pytest.raises(DataError, match="before the first day"):
        through("peak_sales", LAST, FIRST)


def segment(days: int, points: int | None, coverage: str = "1") -> Segment:
    """A post of so many days."""
    return Segment(days, Mean(None if points is None else Fraction(points), Fraction(coverage)))


@pytest.mark.parametrize(
    ("example", "segments", "centi", "coverage"),
    [
        ("X12", [segment(12, 80), segment(18, 95)], 89_00, "1"),
        ("KS-7: a segment without total", [segment(10, None, "0.2"), segment(20, 90)], 90_00, "22/30"),
        ("KS-7: exactly 60 %", [segment(12, None, "0"), segment(18, 90)], 90_00, "0.6"),
        ("KS-7: below 60 %", [segment(13, None, "0"), segment(17, 90)], None, "17/30"),
        ("nothing", [], None, "0"),
        ("KS-1: rounded once", [segment(1, 80), segment(2, 81)], 80_67, "1"),
    ],
)
def test_ks7_a_period_of_several_posts(example: str, segments: list[Segment], centi: int | None, coverage: str) -> None:
    found = published(period_mean(segments))
    assert (found.centi, found.coverage) == (centi, Fraction(coverage)), example


def test_ks7_a_segment_has_days() -> None:
    with pytest.raises(DataError, match="at least 1"):
        segment(0, 80)


def test_ks6_a_season_is_for_its_department_and_those_below_and_the_nearest_wins() -> None:
    """North has its own season while business has one: people of the north have theirs alone."""
    north = Delta(
        id="north", name_zh="北", name_en="North", department="north", weights={"biz_sales_amount": 60}, source="test"
    )
    spells = (through("peak_sales"), Spell(north, FIRST, LAST))
    shares_of = []
    for departments in (("business",), ("north", "business"), ("south", "business")):
        found = weights_over(SETS, Place("anybody", departments), FIRST, LAST, spells)
        shares_of.append(Fraction(100 * found.weights["biz_sales_amount"], found.denominator))
    assert shares_of == [40, 60, 40]
