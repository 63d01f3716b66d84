"""Worked examples of the scoring rules, as tables; numbers from the definitions, section 6."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.scoring.catalogue import default_catalogue, read_catalogue
from server.scoring.curve import Curve
from server.scoring.indicator import in_force
from server.scoring.numbers import decimal_text, half_up
from server.scoring.scheme import PeriodWeights, Place
from server.scoring.scorecard import Observed, grade, input_hash, score_indicator, total
from server.scoring.season import weights_over
from shared.errors import DataError


def pts(*corners: tuple[str, str]) -> Curve:
    """A curve of straight lines."""
    return Curve("pts", tuple((Fraction(x), Fraction(y)) for x, y in corners))


ON_TIME_RATE, PUNCTUALITY = (
    next(one for one in default_catalogue().indicators if one.id == name)
    for name in ("log_on_time_delivery_rate", "att_punctuality_rate")
)
ON_TIME = pts(("85", "0"), ("97", "100"), ("99.5", "120"))
DAMAGE = pts(("0.5", "120"), ("1.5", "100"), ("3", "40"), ("5", "0"))
MARGIN = pts(("10", "0"), ("20", "100"), ("25", "120"))
RESOLUTION = pts(("60", "0"), ("85", "100"), ("95", "120"))
BUDGET = pts(("70", "0"), ("95", "100"), ("102", "100"), ("120", "0"))
COMPLAINTS = pts(("0.2", "120"), ("0.5", "100"), ("2", "0"))
SALES = Curve("ratio", target=Fraction(1_000_000))
COST = Curve(
    "ratio_pts",
    ((Fraction("0.85"), Fraction(120)), (Fraction(1), Fraction(100)), (Fraction("1.3"), Fraction(0))),
    Fraction(6),
)


@pytest.mark.parametrize(
    ("example", "curve", "value", "points"),
    [
        ("X01", DAMAGE, "3.0", "40.00"),
        ("X01", DAMAGE, "1.5", "100.00"),
        ("X02", MARGIN, "18", "80.00"),
        ("X02", MARGIN, "23", "112.00"),
        ("X03", RESOLUTION, "70", "40.00"),
        ("X03", RESOLUTION, "85", "100.00"),
        ("X04", BUDGET, "98", "100.00"),
        ("X04", BUDGET, "80", "40.00"),
        ("X04", BUDGET, "111", "50.00"),
        ("X05", SALES, "1350000", "120.00"),
        ("X06", COST, "5.10", "120.00"),
        ("X07", ON_TIME, "97", "100.00"),
        ("X07", DAMAGE, "3.0", "40.00"),
        ("X07", COST, "6.00", "100.00"),
        ("X07", COMPLAINTS, "0.5", "100.00"),
        ("X24", DAMAGE, "1.40", "102.00"),
        ("curve of on-time delivery", ON_TIME, "84", "0.00"),
        ("curve of on-time delivery", ON_TIME, "91", "50.00"),
        ("curve of on-time delivery", ON_TIME, "100", "120.00"),
    ],
)
def test_curve(example: str, curve: Curve, value: str, points: str) -> None:
    assert decimal_text(Fraction(curve.score(Fraction(value)), 1_000_000)) == points, example


def test_a_step_curve_gives_the_points_of_the_highest_bound_reached() -> None:
    curve = Curve("step", ((Fraction(80), Fraction(60)), (Fraction(90), Fraction(100))))
    assert [curve.score(Fraction(v)) // 1_000_000 for v in (79, 80, 89, 90, 99)] == [0, 60, 60, 100, 100]


@pytest.mark.parametrize(
    ("kind", "points", "target"),
    [("pts", (), None), ("pts", ((1, 0), (1, 5)), None), ("ratio", (), 0), ("ratio_pts", ((0, 0), (1, 100)), None)],
)
def test_a_curve_that_can_not_be_drawn_is_refused(
    kind: str, points: tuple[tuple[int, int], ...], target: int | None
) -> None:
    exact = tuple((Fraction(x), Fraction(y)) for x, y in points)
    with pytest.raises(DataError):
        Curve(kind, exact, None if target is None else Fraction(target))  # type: ignore[arg-type]


# --- totals ---------------------------------------------------------------------------------------------------------


def weighted(*pairs: tuple[int, str | None]) -> tuple[str | None, str | None, Fraction]:
    """Published total, grade and coverage of (weight, points or none)."""
    weights = PeriodWeights({str(n): weight for n, (weight, _) in enumerate(pairs)}, 100, ())
    points = {str(n): None if p is None else int(Fraction(p) * 1_000_000) for n, (_, p) in enumerate(pairs)}
    found = total(weights, points)
    if found.centi is None:
        return None, None, found.coverage
    return decimal_text(Fraction(found.centi, 100)), grade(found.centi), found.coverage


@pytest.mark.parametrize(
    ("example", "pairs", "expected"),
    [
        ("X07", [(40, "100"), (25, "40"), (20, "100"), (15, "100")], ("85.00", "B", 1)),
        ("X08", [(40, "100"), (30, "40"), (10, "100"), (20, "100")], ("82.00", "C", 1)),
        ("X13", [(30, "100"), (25, "100"), (20, None), (15, None), (10, None)], (None, None, Fraction(55, 100))),
        ("X14", [(30, "100"), (25, "100"), (20, "100"), (15, None), (10, None)], ("100.00", "A", Fraction(75, 100))),
        ("X26", [(100, "99.995")], ("100.00", "A", 1)),
        ("X26", [(100, "99.994")], ("99.99", "B", 1)),
        ("KS-3: exactly 60 % is enough", [(60, "90"), (40, None)], ("90.00", "B", Fraction(60, 100))),
        ("KS-3: nothing known", [(60, None), (40, None)], (None, None, 0)),
    ],
)
def test_total(example: str, pairs: list[tuple[int, str | None]], expected: tuple[object, ...]) -> None:
    assert weighted(*pairs) == expected, example


def test_a_missing_denominator_is_no_score_and_not_zero() -> None:
    indicator = ON_TIME_RATE
    score = score_indicator(indicator, Observed())
    assert (score.points, score.no_score, score.value) == (None, "no_denominator", None)


def test_below_the_minimum_sample_there_is_no_score() -> None:
    indicator = read_catalogue(TWO_VERSIONS, WEIGHTS).indicators[0]
    assert score_indicator(indicator, Observed(4, 4, 4)).no_score == "below_minimum_sample"
    assert score_indicator(indicator, Observed(5, 5, 5)).points == 120_000_000


def test_the_value_is_written_in_per_cent() -> None:
    score = score_indicator(ON_TIME_RATE, Observed(97, 100, 100))
    assert (score.value, score.points) == (Fraction(97), 100_000_000)


@given(st.integers(1, 5_000), st.data())
def test_a_score_is_the_exact_line_rounded_half_up(denominator: int, data: st.DataObject) -> None:
    """Against the definition written out: (85, 0) to (97, 100)."""
    numerator = data.draw(st.integers(0, denominator))
    points = score_indicator(ON_TIME_RATE, Observed(numerator, denominator, denominator)).points
    rate = Fraction(100 * numerator, denominator)
    if 85 <= rate <= 97:
        exact = (rate - 85) * Fraction(100, 12) * 1_000_000
        assert points is not None
        assert -Fraction(1, 2) < points - exact <= Fraction(1, 2)


@pytest.mark.parametrize(("value", "rounded"), [("0.5", 1), ("-0.5", 0), ("1.4999", 1), ("2.5", 3), ("-1.5", -1)])
def test_a_half_goes_up(value: str, rounded: int) -> None:
    assert half_up(Fraction(value)) == rounded


@pytest.mark.parametrize(("value", "text"), [("97.5", "97.50"), ("0.005", "0.01"), ("-0.125", "-0.12"), ("7", "7.00")])
def test_published_numbers_have_two_decimals(value: str, text: str) -> None:
    assert decimal_text(Fraction(value)) == text


# --- versions -------------------------------------------------------------------------------------------------------

TWO_VERSIONS = b"""
[[indicator]]
id = "a"
name_zh = "a"
name_en = "a"
unit = "%"
better = "up"
family = "ratio"
scale = "100"
good = ["delivered_at is set"]
denominator = [{ fact = "shipment", date = "promised_at" }]
min_sample = 5
source = "test"
starts = 2026-01-01
curve = { kind = "pts", points = [["0", "0"], ["100", "120"]] }

[[indicator]]
id = "a"
name_zh = "a"
name_en = "a"
unit = "%"
better = "up"
family = "ratio"
scale = "100"
good = ["delivered_at is set"]
denominator = [{ fact = "shipment", date = "promised_at" }]
source = "test"
starts = 2026-02-01
curve = { kind = "pts", points = [["0", "0"], ["100", "100"]] }
"""
WEIGHTS = b"""
[[set]]
id = "all"
name_zh = "a"
name_en = "a"
weights = { a = 100 }
source = "test"
starts = 2026-01-01
"""


def test_the_version_in_force_is_the_latest_that_started() -> None:
    versions = read_catalogue(TWO_VERSIONS, WEIGHTS).indicators
    days = (date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 1))
    found = [in_force(versions, "a", day) for day in days]
    assert [v and v.starts for v in found] == [None, date(2026, 1, 1), date(2026, 2, 1)]


def test_period_weights_are_the_mean_of_daily_weights() -> None:
    """KS-7 as in X11: 21 days with 30 and 10 with 40."""
    text = WEIGHTS.decode()
    two = read_catalogue(
        TWO_VERSIONS + TWO_VERSIONS.replace(b'"a"\nname', b'"b"\nname'),
        (
            text.replace("a = 100", "a = 30, b = 70")
            + text.replace("a = 100", "a = 40, b = 60").replace("01-01", "01-22")
        ).encode(),
    )
    mean = weights_over(two.sets, Place("sales_rep"), date(2026, 1, 1), date(2026, 1, 31))
    assert Fraction(mean.weights["a"], mean.denominator) * 100 == Fraction(21 * 30 + 10 * 40, 31)
    assert mean.versions == ("all/2026-01-01", "all/2026-01-22")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("a = 100", "a = 99", "add up to 99"),
        ("a = 100", "b = 100", "no indicator b"),
        ("a = 100", "a = 101", "<= 100"),
        ("starts = 2026-01-01", "starts = 2026-01-01\nextra = 1", "extra"),
    ],
)
def test_weights_that_make_no_sense_are_refused(old: str, new: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read_catalogue(TWO_VERSIONS, WEIGHTS.replace(old.encode(), new.encode()))


def test_two_versions_may_not_start_on_one_day() -> None:
    with pytest.raises(DataError, match="two versions"):
        read_catalogue(TWO_VERSIONS.replace(b"2026-02-01", b"2026-01-01"), WEIGHTS)


def test_the_shipped_curve_of_on_time_delivery_is_that_of_the_definitions() -> None:
    assert ON_TIME_RATE.line.points == ON_TIME.points
    assert (ON_TIME_RATE.target, ON_TIME_RATE.unit, ON_TIME_RATE.better) == ("97", "%", "up")


def test_the_input_hash_changes_with_every_input() -> None:
    indicator = ON_TIME_RATE
    base = score_indicator(indicator, Observed(9, 10, 10))
    hashes = {
        input_hash(base, "e1", "2026-03"),
        input_hash(base, "e2", "2026-03"),
        input_hash(base, "e1", "2026-04"),
        input_hash(score_indicator(indicator, Observed(8, 10, 10)), "e1", "2026-03"),
        input_hash(score_indicator(PUNCTUALITY, Observed(9, 10, 10)), "e1", "2026-03"),
    }
    assert len(hashes) == 5
    assert input_hash(score_indicator(indicator, Observed(9, 10, 10)), "e1", "2026-03") in hashes
