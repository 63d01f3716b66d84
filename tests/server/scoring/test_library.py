"""The shipped library against the page of definitions, and each indicator on rows counted by hand (section 7)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.scoring.catalogue import default_catalogue
from server.scoring.family import check_parts, final_on, observe, parts_of
from server.scoring.indicator import Indicator
from server.scoring.numbers import decimal_text
from server.scoring.part import Counted, read_part
from server.scoring.plain import Row, Value, When, count
from server.scoring.scorecard import NoScore, Observed, score_indicator
from server.scoring.window import days_of
from server.store.counted_facts import shapes
from shared.errors import DataError

PAGE = Path(__file__).parents[4] / "shared/domain/indicators.md"
SHANGHAI = ZoneInfo("Asia/Shanghai")
Rows: TypeAlias = Sequence[tuple[str, Mapping[str, Value]]]
LIBRARY = {one.id: one for one in default_catalogue().indicators}


# --- the page -------------------------------------------------------------------------------------------------------


def table_rows(heading: str) -> list[list[str]]:
    """Cells of the tables of a chapter."""
    if not PAGE.exists():
        pytest.skip(f"the page of definitions is not beside the checkout: {PAGE}")
    chapter = PAGE.read_text(encoding="utf-8").split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in chapter.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def definitions() -> dict[str, list[str]]:
    return {row[0].strip("`"): row[1:] for row in table_rows("1. Department indicators")}


def test_the_library_is_that_of_the_page() -> None:
    further = [row[0].strip("`") for row in table_rows("2. Library indicators")]
    assert sorted(LIBRARY) == sorted([*definitions(), *further])


def test_names_units_and_directions_are_those_of_the_page() -> None:
    for name, (zh, unit, better, *_) in definitions().items():
        one = LIBRARY[name]
        assert (one.name_zh, one.unit, one.better) == (zh, unit.replace("–", "-"), better)


def test_curves_and_targets_are_those_of_the_page() -> None:
    for name, cells in definitions().items():
        one, target, curve = LIBRARY[name], cells[8], cells[9]
        corners = [tuple(map(Fraction, pair)) for pair in re.findall(r"\(([\d.]+),([\d.]+)\)", curve)]
        assert list(one.line_to(one.target or "1").points) == corners, name
        assert one.curve.kind == curve.split()[0], name
        if target.startswith("set per"):
            assert (one.target, one.target_needed) == (None, True), name
        elif one.better != "zone":
            assert one.target is not None, name
            assert Fraction(one.target) == Fraction(target), name


def test_families_are_those_of_the_page() -> None:
    families = {"union-distinct": "union_distinct", "tier-combined": "tier_combined", "semi-additive": "semi_additive"}
    for row in table_rows("7. Where the numbers come from"):
        said = row[1].split(" / ")[0]
        for name in re.findall(r"`(\w+)`", row[0]):
            expected = "percentile" if said == "median" else families.get(said, said.replace(" ", "_"))
            assert LIBRARY[name].family == expected, name


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("cs_satisfaction_score", 20),
        ("dsg_user_feedback_score", 10),
        ("dsg_collaboration_satisfaction", 3),
        ("hr_employee_satisfaction", 5),
        ("log_damage_rate", 1),
    ],
)
def test_ks4_minimum_samples(name: str, least: int) -> None:
    assert LIBRARY[name].min_sample == least


def test_provisional_days_are_those_of_the_page() -> None:
    expected = {
        "fin_report_accuracy": 30,
        "log_damage_rate": 15,
        "biz_new_customers": 15,
        "cs_resolution_rate": 10,
        "ops_conversion_rate": 7,
        "dsg_page_conversion_rate": 7,
        "nm_conversions": 7,
        "log_complaint_rate": 7,
    }
    assert {name: one.provisional_days for name, one in LIBRARY.items() if one.provisional_days} == expected


def test_campaigns_are_provisional_to_their_end() -> None:
    assert {name: one.provisional_to for name, one in LIBRARY.items() if one.provisional_to} == {
        "ops_campaign_participation_rate": "ends_on"
    }


@pytest.mark.parametrize(
    ("end", "lookback", "expected"),
    [
        (None, {}, date(2026, 2, 1)),
        (date(2026, 1, 20), {}, date(2026, 2, 1)),
        (date(2026, 2, 14), {}, date(2026, 2, 15)),
        (date(2026, 2, 14), {"campaign_event": 20}, date(2026, 2, 21)),
    ],
)
def test_a_figure_is_final_after_the_last_of_its_campaigns(
    end: date | None, lookback: dict[str, int], expected: date
) -> None:
    assert final_on(LIBRARY["ops_campaign_participation_rate"], date(2026, 1, 31), lookback, end) == expected


@pytest.mark.parametrize("field", ["occurred_at", "nothing"])
def test_what_is_no_day_of_the_rows_is_no_end(field: str) -> None:
    wrong = msgspec.structs.replace(LIBRARY["ops_campaign_participation_rate"], provisional_to=field)
    with pytest.raises(DataError) as refused:
        check_parts(wrong, shapes())
    assert refused.value.code == "indicator_provisional_to"


# --- rows -----------------------------------------------------------------------------------------------------------


def at(text: str) -> int:
    """Milliseconds of a time in Shanghai: ``06-02 10:00`` of 2026."""
    return int(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI).timestamp() * 1000)


def day(text: str) -> int:
    """Days since 1970 of ``06-02`` of 2026."""
    return (date.fromisoformat(f"2026-{text}") - date(1970, 1, 1)).days


JUNE = When(days_of("2026-06"), SHANGHAI, at("07-31 00:00"))


def full(fact: str, number: int, fields: Mapping[str, Value]) -> Row:
    shape = shapes()[fact]
    assert not set(fields) - set(shape), f"{fact} has no {set(fields) - set(shape)}"
    return {**dict.fromkeys(shape), "source": "s", "source_key": f"{number:03}", "employee": "ann", **fields}


def observed(name: str, rows: Rows, when: When = JUNE) -> tuple[Observed, NoScore | None]:
    """What the indicator observes for ann in these rows."""
    indicator = LIBRARY[name]
    made: dict[str, list[Row]] = {}
    for number, (fact, fields) in enumerate(rows):
        made.setdefault(fact, []).append(full(fact, number, fields))
    counted = {
        part: count(read_part(part, shapes()), made.get(part.fact, []), _person, when).get("ann", Counted())
        for part in parts_of(indicator)
    }
    return observe(indicator, counted)


def _person(_row: Row, person: Value) -> Iterable[str]:
    return () if person is None else (str(person),)


def value(indicator: Indicator, seen: Observed) -> str:
    return decimal_text(indicator.value(seen.numerator, seen.denominator), 4).rstrip("0").rstrip(".")


SIGNED: dict[str, Value] = {"status": "delivered", "delivered_at": at("06-10 12:00"), "carrier_code": "sf"}
ORDER: dict[str, Value] = {"status": "open", "paid_at": at("06-05 10:00"), "amount_net_minor": 10_000}
TICKET: dict[str, Value] = {"status": "solved", "created_at": at("06-05 10:00")}
VIEW: dict[str, Value] = {"kind": "page_view", "occurred_at": at("06-05 10:00")}
POST: dict[str, Value] = {"platform": "wechat", "stat_date": day("06-05"), "reads_added": 0, "interactions_added": 0}
EMPLOYED: dict[str, Value] = {"joined_on": day("01-05")}


def many(number: int, fact: str, **given: Value) -> Rows:
    return [(fact, given) for _ in range(number)]


CASES: list[tuple[str, str, list[Any], str]] = [
    (
        "on the promise is on time, a millisecond later is not; cancelled before it left and excused are left out",
        "log_on_time_delivery_rate",
        [
            ("shipment", {"status": "delivered", "promised_at": at("06-10 12:00"), "delivered_at": at("06-10 12:00")}),
            (
                "shipment",
                {"status": "delivered", "promised_at": at("06-10 12:00"), "delivered_at": at("06-10 12:00") + 1},
            ),
            ("shipment", {"status": "delivered", "promised_on": day("06-30"), "delivered_at": at("06-30 23:59")}),
            ("shipment", {"status": "delivered", "promised_on": day("06-30"), "delivered_at": at("07-01 00:00")}),
            (
                "shipment",
                {
                    "status": "delivered",
                    "promised_at": at("05-10 12:00"),
                    "new_promise_at": at("06-12 12:00"),
                    "delivered_at": at("06-12 11:00"),
                },
            ),
            ("shipment", {"status": "cancelled", "promised_at": at("06-10 12:00")}),
            ("shipment", {"status": "in_transit", "promised_at": at("06-10 12:00"), "force_majeure": "flood"}),
            ("shipment", {"status": "delivered", "promised_at": at("07-01 00:00"), "delivered_at": at("06-30 12:00")}),
        ],
        "3/5",
    ),
    (
        "X24: a parcel counts once however often it was reported",
        "log_damage_rate",
        [
            *(
                ("shipment", {**SIGNED, "tracking_no": f"P{n}", "damaged_on": day("06-12") if n <= 14 else None})
                for n in range(1, 1000)
            ),
            ("shipment", {**SIGNED, "tracking_no": "P1000", "delivered_at": None, "refused_at": at("06-10 12:00")}),
            (
                "shipment",
                {**SIGNED, "tracking_no": "P1", "damaged_on": day("06-13"), "delivered_at": at("06-11 12:00")},
            ),
        ],
        "14/1000",
    ),
    (
        "booked delivery costs over parcels; of a site that books no carrier, what the parcels cost",
        "log_unit_delivery_cost",
        [
            *(("shipment", {**SIGNED, "tracking_no": f"P{n}", "cost_minor": 999}) for n in range(10)),
            ("ledger_entry", {"posted_on": day("06-30"), "cost_class": "delivery_carrier", "debit_minor": 5_000}),
            ("ledger_entry", {"posted_on": day("06-30"), "cost_class": "delivery_damage", "debit_minor": 1_000}),
            ("ledger_entry", {"posted_on": day("06-30"), "cost_class": "delivery_fleet", "credit_minor": 500}),
            ("ledger_entry", {"posted_on": day("06-30"), "cost_class": "other", "debit_minor": 70_000}),
        ],
        "5500/10",
    ),
    (
        "without carrier bills the parcels' own costs count",
        "log_unit_delivery_cost",
        [
            *(("shipment", {**SIGNED, "tracking_no": f"P{n}", "cost_minor": 700}) for n in range(10)),
            ("ledger_entry", {"posted_on": day("06-30"), "cost_class": "delivery_fleet", "debit_minor": 500}),
        ],
        "7500/10",
    ),
    (
        "complaints of the courier's parcels",
        "log_complaint_rate",
        [
            *(("shipment", {**SIGNED, "tracking_no": f"P{n}"}) for n in range(200)),
            ("complaint", {"occurred_on": day("06-12"), "counted": True, "parcel_courier": "ann", "employee": "agent"}),
            ("complaint", {"occurred_on": day("06-12"), "counted": True, "order_courier": "bob", "employee": "ann"}),
            ("complaint", {"occurred_on": day("06-12"), "counted": None, "order_courier": "ann"}),
        ],
        "1/200",
    ),
    (
        "refunds reduce the period in which they are booked, of whoever owns the customer",
        "biz_sales_amount",
        [
            ("sales_order", {**ORDER, "amount_net_minor": 80_000}),
            ("sales_order", {**ORDER, "employee": "bob", "owner": "ann", "amount_net_minor": 30_000}),
            ("sales_order", {**ORDER, "owner": "bob", "amount_net_minor": 1}),
            ("sales_order", {**ORDER, "is_test": True, "amount_net_minor": 1}),
            ("sales_order", {**ORDER, "paid_at": None, "amount_net_minor": 1}),
            ("sales_order", {**ORDER, "paid_at": at("05-31 23:59"), "amount_net_minor": 1}),
            ("refund", {"refunded_on": day("06-30"), "amount_net_minor": 10_000}),
            ("refund", {"refunded_on": day("07-01"), "amount_net_minor": 5}),
        ],
        "100000/1",
    ),
    (
        "each customer once, by the first valid order",
        "biz_new_customers",
        [
            ("sales_order", {**ORDER, "customer_key": "a", "first_valid": True}),
            ("sales_order", {**ORDER, "customer_key": "b", "customer": "c", "first_valid": True}),
            ("sales_order", {**ORDER, "customer_key": "d"}),
        ],
        "2/1",
    ),
    (
        "orders without a cost are left out on both sides, and so are their refunds",
        "biz_gross_margin_rate",
        [
            ("sales_order", {**ORDER, "amount_net_minor": 10_000, "cost_minor": 7_700}),
            ("sales_order", {**ORDER, "amount_net_minor": 99_999}),
            (
                "refund",
                {
                    "refunded_on": day("06-20"),
                    "amount_net_minor": 1_000,
                    "cost_returned_minor": 770,
                    "order_has_cost": True,
                },
            ),
            ("refund", {"refunded_on": day("06-20"), "amount_net_minor": 500, "order_has_cost": None}),
        ],
        "2070/9000",
    ),
    (
        "customers of May who came again in June, at whoever",
        "biz_customer_retention_rate",
        [
            *(("sales_order", {**ORDER, "customer_key": c, "paid_at": at("05-10 10:00")}) for c in "abcd"),
            ("sales_order", {**ORDER, "customer_key": "a", "employee": "bob"}),
            ("sales_order", {**ORDER, "customer_key": "b", "fully_refunded_on": day("06-09")}),
            ("sales_order", {**ORDER, "customer_key": "x", "customer": "c"}),
            ("sales_order", {**ORDER, "customer_key": "e"}),
        ],
        "2/4",
    ),
    (
        "received of what was due",
        "biz_collection_rate",
        [
            ("invoice", {"due_on": day("06-10"), "amount_gross_minor": 1_000, "received_in_period_minor": 1_000}),
            ("invoice", {"due_on": day("06-10"), "amount_gross_minor": 1_000, "received_in_period_minor": 900}),
            ("invoice", {"due_on": day("06-10"), "amount_gross_minor": 1_000, "status": "cancelled"}),
            ("invoice", {"due_on": day("07-10"), "amount_gross_minor": 1_000}),
        ],
        "1900/2000",
    ),
    (
        "the revision that was in force at the end of the period, with what was booked where nothing is given",
        "fin_budget_execution_rate",
        [
            (
                "ledger_budget",
                {"period": "2026-06", "planned_minor": 1, "approved_on": day("05-01"), "replaced_on": day("06-30")},
            ),
            (
                "ledger_budget",
                {
                    "period": "2026-06",
                    "planned_minor": 500,
                    "approved_on": day("06-30"),
                    "replaced_on": day("07-01"),
                    "actual_minor": 490,
                },
            ),
            ("ledger_budget", {"period": "2026-06", "planned_minor": 1, "approved_on": day("07-01")}),
            ("ledger_budget", {"period": "2026-06", "planned_minor": 500, "booked_minor": 480}),
            ("ledger_budget", {"period": "2026-05", "planned_minor": 500, "booked_minor": 480}),
        ],
        "970/1000",
    ),
    (
        "corrected after the 30th day is not corrected",
        "fin_report_accuracy",
        [
            ("statement_line", {"issued_on": day("06-01")}),
            ("statement_line", {"issued_on": day("06-01"), "corrected_on": day("07-01")}),
            ("statement_line", {"issued_on": day("06-01"), "corrected_on": day("07-02")}),
        ],
        "2/3",
    ),
    (
        "controllable lines alone",
        "fin_cost_control_rate",
        [
            ("ledger_budget", {"period": "2026-06", "planned_minor": 1_000, "actual_minor": 900, "controllable": True}),
            ("ledger_budget", {"period": "2026-06", "planned_minor": 1_000, "actual_minor": 100, "controllable": None}),
        ],
        "900/1000",
    ),
    (
        "a month's sales of a year over the mean of opening and closing working capital: 12 x 500 / 1,000",
        "fin_capital_turnover",
        [
            (
                "ledger_entry",
                {"posted_on": day("06-10"), "account_class": "revenue", "credit_minor": 600, "debit_minor": 100},
            ),
            (
                "ledger_balance",
                {"period": "2026-06", "account_class": "current_asset", "opening_minor": 1_500, "closing_minor": 1_900},
            ),
            (
                "ledger_balance",
                {"period": "2026-06", "account_class": "current_liability", "opening_minor": 600, "closing_minor": 800},
            ),
            (
                "ledger_balance",
                {"period": "2026-05", "account_class": "current_asset", "opening_minor": 9, "closing_minor": 9},
            ),
        ],
        "12000/2000",
    ),
    (
        "on time, right at first and without penalty",
        "fin_tax_compliance_rate",
        [
            ("tax_filing", {"due_on": day("06-15"), "filed_on": day("06-15"), "penalty_minor": 0}),
            ("tax_filing", {"due_on": day("06-15"), "filed_on": day("06-16")}),
            ("tax_filing", {"due_on": day("06-15"), "filed_on": day("06-10"), "corrected": True}),
            ("tax_filing", {"due_on": day("06-15"), "filed_on": day("06-10"), "penalty_minor": 1}),
            ("tax_filing", {"due_on": day("06-15")}),
        ],
        "1/5",
    ),
    (
        "no more than what was asked for",
        "hr_recruitment_completion_rate",
        [
            (
                "requisition",
                {"needed_by": day("06-10"), "approved_on": day("05-10"), "headcount": 2, "on_board_in_time": 3},
            ),
            (
                "requisition",
                {"needed_by": day("06-10"), "approved_on": day("05-10"), "headcount": 3, "on_board_in_time": 1},
            ),
            ("requisition", {"needed_by": day("06-10"), "headcount": 5}),
        ],
        "3/5",
    ),
    (
        "on the list before the first day; agreed ends are left out",
        "hr_employee_retention_rate",
        [
            ("employment", EMPLOYED),
            ("employment", {**EMPLOYED, "left_on": day("07-01"), "leave_kind": "resigned"}),
            ("employment", {**EMPLOYED, "left_on": day("06-30"), "leave_kind": "resigned"}),
            ("employment", {**EMPLOYED, "left_on": day("06-15"), "leave_kind": "retired"}),
            ("employment", {**EMPLOYED, "left_on": day("05-31"), "leave_kind": "resigned"}),
            ("employment", {"joined_on": day("06-01")}),
        ],
        "2/3",
    ),
    (
        "0.4 of half attended, 0.4 of all passed, 0.2 of 4 out of 5: 76 points",
        "hr_training_effect",
        [
            (
                "training_result",
                {
                    "occurred_at": at("06-10 10:00"),
                    "trainer": "ann",
                    "attended": True,
                    "max_score": 100_000,
                    "passed": True,
                    "rating": 4_000,
                },
            ),
            ("training_result", {"occurred_at": at("06-10 10:00"), "trainer": "ann", "attended": False}),
        ],
        "19/25",
    ),
    (
        "pay in its band",
        "hr_pay_structure_rationality",
        [
            *many(4, "labour_contract", starts_on=day("01-01"), pay_in_band=True),
            ("labour_contract", {"starts_on": day("01-01"), "pay_in_band": False}),
            ("labour_contract", {"starts_on": day("01-01"), "ends_on": day("06-29"), "pay_in_band": False}),
            ("labour_contract", {"starts_on": day("07-01"), "pay_in_band": False}),
            ("labour_contract", {"starts_on": day("01-01")}),
        ],
        "4/5",
    ),
    (
        "a scale of 0 to 10 becomes 1 to 5: 8 of 10 is 4.2",
        "hr_employee_satisfaction",
        [
            *many(
                6,
                "survey_response",
                purpose="employee_satisfaction",
                closed_on=day("06-20"),
                value=8_000,
                scale_min=0,
                scale_max=10_000,
            ),
        ],
        "126/30",
    ),
    (
        "active users at the end against the last figure before",
        "ops_user_growth_rate",
        [
            ("web_day", {"stat_date": day("05-30"), "channel": "app", "active_users_30d": 900}),
            ("web_day", {"stat_date": day("05-31"), "channel": "app", "active_users_30d": 1_000}),
            ("web_day", {"stat_date": day("06-15"), "channel": "app", "active_users_30d": 1_500}),
            ("web_day", {"stat_date": day("06-30"), "channel": "app", "active_users_30d": 1_050}),
            ("web_day", {"stat_date": day("06-30"), "channel": "new", "active_users_30d": 500}),
            ("web_day", {"stat_date": day("06-30"), "channel": "app", "page": "/", "active_users_30d": 1}),
        ],
        "50/1000",
    ),
    (
        "by the first view of each visitor, without bots",
        "ops_conversion_rate",
        [
            ("funnel_event", {**VIEW, "visitor_key": "a", "paid_at": at("06-06 10:00")}),
            ("funnel_event", {**VIEW, "visitor_key": "b"}),
            (
                "funnel_event",
                {**VIEW, "visitor_key": "b", "occurred_at": at("06-25 10:00"), "paid_at": at("06-26 10:00")},
            ),
            ("funnel_event", {**VIEW, "visitor_key": "c", "bot": True}),
            ("funnel_event", {**VIEW, "visitor_key": "d", "kind": "cart"}),
        ],
        "1/2",
    ),
    (
        "paid on two days of the 90 to the end of June: 2 April is the first",
        "ops_repurchase_rate",
        [
            ("sales_order", {**ORDER, "customer_key": "a", "paid_at": at("04-02 00:00")}),
            ("sales_order", {**ORDER, "customer_key": "a"}),
            ("sales_order", {**ORDER, "customer_key": "b", "paid_at": at("04-01 23:59")}),
            ("sales_order", {**ORDER, "customer_key": "b"}),
            ("sales_order", {**ORDER, "customer_key": "c", "paid_at": at("06-05 00:00")}),
            ("sales_order", {**ORDER, "customer_key": "c", "paid_at": at("06-05 23:59")}),
        ],
        "1/3",
    ),
    (
        "the middle of views, each at most 1,800 s",
        "ops_page_dwell_time",
        [("funnel_event", {**VIEW, "visitor_key": "a", "dwell_seconds": s}) for s in (10, 9_999, 60, 2_000)],
        "1860/2",
    ),
    (
        "of those invited, who finished",
        "ops_campaign_participation_rate",
        [
            (
                "campaign_event",
                {
                    "campaign": "c",
                    "user_key": "a",
                    "kind": "invited",
                    "occurred_at": at("06-05 10:00"),
                    "completed_at": at("06-07 10:00"),
                },
            ),
            (
                "campaign_event",
                {
                    "campaign": "c",
                    "user_key": "a",
                    "kind": "invited",
                    "occurred_at": at("06-06 10:00"),
                    "repeated": True,
                },
            ),
            ("campaign_event", {"campaign": "c", "user_key": "b", "kind": "invited", "occurred_at": at("06-05 10:00")}),
            ("campaign_event", {"campaign": "c", "user_key": "c", "kind": "joined", "occurred_at": at("06-05 10:00")}),
        ],
        "1/2",
    ),
    *(
        (
            "a step of the funnel",
            name,
            [
                *(("funnel_event", {**VIEW, "kind": step, "visitor_key": v}) for v in "abcd"),
                ("funnel_event", {**VIEW, "kind": following, "visitor_key": "a"}),
                ("funnel_event", {**VIEW, "kind": following, "visitor_key": "a"}),
                ("funnel_event", {**VIEW, "kind": following, "visitor_key": "z"}),
            ],
            "1/4",
        )
        for name, step, following in (
            ("ops_funnel_view_rate", "page_view", "product_view"),
            ("ops_funnel_cart_rate", "product_view", "cart"),
            ("ops_funnel_order_rate", "cart", "order"),
            ("ops_funnel_pay_rate", "order", "paid"),
        )
    ),
    (
        "20 ratings of 4.6; by the day of the rating, else that of the solution",
        "cs_satisfaction_score",
        [
            *many(19, "ticket", **TICKET, csat=4_600, rated_at=at("06-20 10:00")),
            ("ticket", {**TICKET, "csat": 4_600, "solved_at": at("06-20 10:00")}),
            ("ticket", {**TICKET, "rated_at": at("06-20 10:00")}),
        ],
        "92/20",
    ),
    (
        "business seconds where there are any; minutes are not converted; an even number has two middles",
        "cs_first_response_seconds",
        [
            ("ticket", {**TICKET, "first_reply_business_seconds": 20, "first_reply_seconds": 900}),
            ("ticket", {**TICKET, "first_reply_seconds": 35}),
            ("ticket", {**TICKET, "first_reply_seconds": 500}),
            ("ticket", {**TICKET, "first_reply_seconds": 10}),
            ("ticket", {**TICKET, "first_reply_minutes": 1}),
        ],
        "55/2",
    ),
    (
        "opened again within 72 hours is not solved, a second later it is",
        "cs_resolution_rate",
        [
            ("ticket", {**TICKET, "first_solved_at": at("06-05 12:00"), "solved_at": at("06-05 12:00")}),
            (
                "ticket",
                {
                    **TICKET,
                    "first_solved_at": at("06-05 12:00"),
                    "solved_at": at("06-09 12:00"),
                    "reopened_at": at("06-08 12:00"),
                },
            ),
            (
                "ticket",
                {
                    **TICKET,
                    "first_solved_at": at("06-05 12:00"),
                    "solved_at": at("06-09 12:00"),
                    "reopened_at": at("06-08 12:00") + 1_000,
                },
            ),
            ("ticket", {**TICKET, "status": "open"}),
            ("ticket", {**TICKET, "status": "deleted", "solved_at": at("06-05 12:00")}),
        ],
        "2/4",
    ),
    (
        "repeats among complaints",
        "cs_repeat_complaint_rate",
        [
            *many(8, "complaint", occurred_on=day("06-05")),
            ("complaint", {"occurred_on": day("06-05"), "repeated": True}),
            ("complaint", {"occurred_on": day("06-05"), "repeat_of": "x"}),
        ],
        "2/10",
    ),
    (
        "minutes of the tickets that say how long",
        "cs_avg_handle_time",
        [
            ("ticket", {**TICKET, "solved_at": at("06-05 12:00"), "handle_seconds": 300}),
            ("ticket", {**TICKET, "solved_at": at("06-05 12:00"), "handle_seconds": 660}),
            ("ticket", {**TICKET, "solved_at": at("06-05 12:00")}),
        ],
        "960/120",
    ),
    (
        "passed at the first review",
        "dsg_pass_rate",
        [
            (
                "design_task",
                {"status": "accepted", "first_reviewed_at": at("06-05 12:00"), "first_review_passed": True},
            ),
            (
                "design_task",
                {"status": "accepted", "first_reviewed_at": at("06-05 12:00"), "first_review_passed": False},
            ),
            ("design_task", {"status": "open"}),
        ],
        "1/2",
    ),
    (
        "visitors of the designer's pages",
        "dsg_page_conversion_rate",
        [
            (
                "funnel_event",
                {**VIEW, "visitor_key": "a", "designer": "ann", "employee": None, "goal_at": at("06-06 10:00")},
            ),
            ("funnel_event", {**VIEW, "visitor_key": "b", "designer": "ann", "employee": None}),
            ("funnel_event", {**VIEW, "visitor_key": "c", "designer": "bob", "employee": "ann"}),
        ],
        "1/2",
    ),
    (
        "ratings of the designer's work",
        "dsg_user_feedback_score",
        [
            *many(
                10,
                "survey_response",
                purpose="user_feedback",
                designer="ann",
                submitted_at=at("06-05 10:00"),
                value=4_000,
                scale_min=1_000,
                scale_max=5_000,
            )
        ],
        "40/10",
    ),
    (
        "working days over standard days",
        "dsg_cycle_time",
        [
            (
                "design_task",
                {"status": "accepted", "decided_at": at("06-10 10:00"), "working_days": 3, "standard_days": 2_500},
            ),
            (
                "design_task",
                {"status": "accepted", "decided_at": at("06-10 10:00"), "working_days": 2, "standard_days": 2_500},
            ),
            (
                "design_task",
                {"status": "rejected", "decided_at": at("06-10 10:00"), "working_days": 9, "standard_days": 2_500},
            ),
        ],
        "5/5",
    ),
    (
        "what other departments say",
        "dsg_collaboration_satisfaction",
        [
            *(
                (
                    "survey_response",
                    {
                        "purpose": "collaboration",
                        "subject": "ann",
                        "respondent_key": r,
                        "submitted_at": at("06-05 10:00"),
                        "value": v,
                        "scale_min": 1_000,
                        "scale_max": 5_000,
                    },
                )
                for r, v in (("x", 5_000), ("y", 4_000), ("z", 4_000))
            ),
        ],
        "13/3",
    ),
    (
        "followers at the end against the last figure before, of accounts that have both",
        "nm_follower_growth_rate",
        [
            (
                "audience_day",
                {"platform": "wechat", "account_key": "a", "stat_date": day("05-31"), "total_followers": 1_000},
            ),
            (
                "audience_day",
                {"platform": "wechat", "account_key": "a", "stat_date": day("06-29"), "total_followers": 1_040},
            ),
            (
                "audience_day",
                {"platform": "douyin", "account_key": "a", "stat_date": day("06-29"), "total_followers": 77},
            ),
        ],
        "40/1000",
    ),
    (
        "reads as they were added",
        "nm_reads",
        [
            ("content_post", {**POST, "reads_added": 300}),
            ("content_post", {**POST, "reads_added": 20}),
            ("content_post", {**POST, "stat_date": day("07-01"), "reads_added": 9}),
        ],
        "320/1",
    ),
    (
        "X22: 0.7 x 8 % + 0.3 x 2 %",
        "nm_interaction_rate",
        [
            ("content_post", {**POST, "original": True, "reads_added": 10_000, "interactions_added": 800}),
            ("content_post", {**POST, "original": False, "reads_added": 40_000, "interactions_added": 800}),
        ],
        "31/500",
    ),
    (
        "orders and leads by last touch; what the platform counts is not added to them",
        "nm_conversions",
        [
            ("sales_order", {**ORDER, "touched_by": "ann", "employee": "bob", "last_touch_at": at("05-29 10:00")}),
            ("sales_order", {**ORDER, "touched_by": "ann", "last_touch_at": at("05-29 09:59")}),
            (
                "deal",
                {"created_on": day("06-05"), "touched_by": "ann", "last_touch_at": at("06-01 10:00"), "stage": "open"},
            ),
            ("content_post", {**POST, "conversions_added": 50}),
        ],
        "2/1",
    ),
    (
        "without such links what the platform counts",
        "nm_conversions",
        [("content_post", {**POST, "conversions_added": 50}), ("content_post", {**POST, "conversions_added": 7})],
        "57/1",
    ),
    (
        "posts, however many rows they have",
        "nm_original_content_rate",
        [
            *many(3, "content_post", **POST, published_on=day("06-05"), post_key="a", original=True),
            ("content_post", {**POST, "published_on": day("06-05"), "post_key": "b", "original": False}),
        ],
        "1/2",
    ),
    (
        "delivery cost over the net amount shipped",
        "log_cost_rate",
        [
            ("shipment", {"status": "shipped", "shipped_on": day("06-05"), "order_net_minor": 10_000}),
            ("ledger_entry", {"posted_on": day("06-30"), "cost_class": "delivery_carrier", "debit_minor": 800}),
        ],
        "800/10000",
    ),
    (
        "sorted within the cut-off",
        "log_sort_on_time_rate",
        [
            (
                "shipment_event",
                {
                    "status": "inbound",
                    "tracking_no": "a",
                    "occurred_at": at("06-05 10:00"),
                    "sorted_at": at("06-05 14:00"),
                },
            ),
            (
                "shipment_event",
                {
                    "status": "inbound",
                    "tracking_no": "b",
                    "occurred_at": at("06-05 10:00"),
                    "sorted_at": at("06-05 14:01"),
                },
            ),
            ("shipment_event", {"status": "inbound", "tracking_no": "c", "occurred_at": at("06-05 10:00")}),
            ("shipment_event", {"status": "sorted", "tracking_no": "d", "occurred_at": at("06-05 10:00")}),
        ],
        "1/3",
    ),
    (
        "in order or in the window",
        "log_route_plan_adherence",
        [
            (
                "route_stop",
                {
                    "route_key": "r",
                    "stop_no": 1,
                    "served_no": 1,
                    "window_from": at("06-05 10:00"),
                    "window_to": at("06-05 11:00"),
                    "served_at": at("06-05 15:00"),
                },
            ),
            (
                "route_stop",
                {
                    "route_key": "r",
                    "stop_no": 2,
                    "served_no": 3,
                    "window_from": at("06-05 10:00"),
                    "window_to": at("06-05 11:00"),
                    "served_at": at("06-05 11:00"),
                },
            ),
            (
                "route_stop",
                {
                    "route_key": "r",
                    "stop_no": 3,
                    "served_no": 2,
                    "window_from": at("06-05 10:00"),
                    "window_to": at("06-05 11:00"),
                    "served_at": at("06-05 09:59"),
                },
            ),
        ],
        "2/3",
    ),
    (
        "worked and on leave over what was required and on leave",
        "att_attendance_rate",
        [
            (
                "attendance_day",
                {
                    "date": day("06-05"),
                    "finished": True,
                    "required_min": 480,
                    "worked_min": 450,
                    "leave_min": 0,
                    "holiday_work_min": 0,
                },
            ),
            (
                "attendance_day",
                {
                    "date": day("06-08"),
                    "finished": True,
                    "required_min": 240,
                    "worked_min": 240,
                    "leave_min": 240,
                    "holiday_work_min": 0,
                },
            ),
            ("attendance_day", {"date": day("06-09"), "finished": False, "required_min": 480}),
        ],
        "930/960",
    ),
    (
        "days without fault of those with required minutes",
        "att_punctuality_rate",
        [
            ("attendance_day", {"date": day("06-05"), "finished": True, "required_min": 480, "normal": True}),
            ("attendance_day", {"date": day("06-06"), "finished": True, "required_min": 480, "normal": False}),
            ("attendance_day", {"date": day("06-07"), "finished": True, "required_min": 0, "normal": True}),
        ],
        "1/2",
    ),
    (
        "probations that ended",
        "hr_candidate_quality",
        [
            (
                "employment",
                {
                    **EMPLOYED,
                    "recruiter": "ann",
                    "employee": "new",
                    "probation_ends_on": day("06-30"),
                    "probation_passed": True,
                },
            ),
            (
                "employment",
                {
                    **EMPLOYED,
                    "recruiter": "ann",
                    "employee": "new",
                    "probation_ends_on": day("06-01"),
                    "probation_passed": False,
                },
            ),
            ("employment", {**EMPLOYED, "recruiter": "ann", "employee": "new", "probation_ends_on": day("07-01")}),
        ],
        "1/2",
    ),
]


@pytest.mark.parametrize(("claim", "name", "rows", "expected"), CASES, ids=[f"{c[1]}-{n}" for n, c in enumerate(CASES)])
def test_indicator(claim: str, name: str, rows: Rows, expected: str) -> None:
    seen, reason = observed(name, rows)
    above, below = map(int, expected.split("/"))
    assert Fraction(seen.numerator, seen.denominator) == Fraction(above, below), claim
    if LIBRARY[name].family not in ("composite", "tier_combined", "mean"):
        assert (seen.numerator, seen.denominator) == (above, below), claim
    assert reason == ("few_answers" if LIBRARY[name].response else None)


def test_each_indicator_has_a_case() -> None:
    assert {name for _, name, _, _ in CASES} == set(LIBRARY)


# --- worked numbers -------------------------------------------------------------------------------------------------


def points(name: str, rows: Rows) -> str | None:
    seen, reason = observed(name, rows)
    score = score_indicator(LIBRARY[name], seen, reason)
    return None if score.points is None else decimal_text(Fraction(score.points, 1_000_000))


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [(((True, 10_000, 800), (False, 40_000, 800)), "108.00"), (((False, 40_000, 800),), "25.00")],
    ids=["X22", "X23"],
)
def test_ks11_tiers(tiers: tuple[tuple[bool, int, int], ...], expected: str) -> None:
    rows: Rows = [
        ("content_post", {**POST, "original": original, "reads_added": reads, "interactions_added": interactions})
        for original, reads, interactions in tiers
    ]
    assert points("nm_interaction_rate", rows) == expected


def test_x24_damage_is_a_union() -> None:
    rows: Rows = [
        ("shipment", {**SIGNED, "tracking_no": f"P{n}", "damaged_on": day("06-12") if n <= 14 else None})
        for n in range(1, 1001)
    ]
    assert points("log_damage_rate", rows) == "102.00"


def test_ks4_below_the_minimum_there_is_no_score() -> None:
    rated: Rows = [*many(19, "ticket", **TICKET, csat=5_000, rated_at=at("06-20 10:00"))]
    assert points("cs_satisfaction_score", rated) is None
    assert points("cs_satisfaction_score", [*rated, rated[0]]) == "120.00"


def test_ks4_raters_are_distinct_people() -> None:
    answer: dict[str, Value] = {"purpose": "collaboration", "subject": "ann", "submitted_at": at("06-05 10:00")}
    answer |= {"value": 4_300, "scale_min": 1_000, "scale_max": 5_000}
    two: Rows = [("survey_response", {**answer, "respondent_key": r}) for r in ("x", "x", "y", "y")]
    assert points("dsg_collaboration_satisfaction", two) is None
    assert (
        points("dsg_collaboration_satisfaction", [*two, ("survey_response", {**answer, "respondent_key": "z"})])
        == "100.00"
    )


@pytest.mark.parametrize(("invited", "reason"), [(10, None), (11, "few_answers")])
def test_ks4_six_in_ten_have_to_answer(invited: int, reason: str | None) -> None:
    answers: Rows = [
        (
            "survey_response",
            {
                "purpose": "employee_satisfaction",
                "survey_key": "q",
                "respondent_key": str(n),
                "closed_on": day("06-20"),
                "value": 4_000,
                "scale_min": 1_000,
                "scale_max": 5_000,
            },
        )
        for n in range(6)
    ]
    asked: dict[str, Value] = {"purpose": "employee_satisfaction", "survey_key": "q", "closed_on": day("06-20")}
    rows: Rows = [*answers, ("survey_round", {**asked, "invited": invited})]
    assert observed("hr_employee_satisfaction", rows)[1] == reason


def test_ks3_a_composite_with_an_empty_part_has_no_score() -> None:
    rows: Rows = [
        ("training_result", {"occurred_at": at("06-10 10:00"), "trainer": "ann", "attended": True, "rating": 5_000})
    ]
    assert observed("hr_training_effect", rows)[1] == "no_denominator"


def test_ks3_in_a_running_period_only_what_is_due_counts() -> None:
    running = When(days_of("2026-06"), SHANGHAI, at("06-10 12:00"))
    rows: Rows = [
        ("shipment", {"status": "in_transit", "promised_at": at("06-10 12:00")}),
        ("shipment", {"status": "in_transit", "promised_at": at("06-10 12:00") + 1}),
    ]
    seen, _ = observed("log_on_time_delivery_rate", rows, running)
    assert (seen.numerator, seen.denominator) == (0, 1)


def test_an_indicator_with_targets_of_ones_own_has_no_score_without() -> None:
    seen, _ = observed("biz_sales_amount", [("sales_order", {**ORDER, "amount_net_minor": 135_000_000})])
    sales = LIBRARY["biz_sales_amount"]
    assert score_indicator(sales, seen).no_score == "no_target"
    assert score_indicator(sales, seen, target="1000000").points == 120_000_000, "X05"


@given(st.sampled_from(CASES), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(case: Any, order: Any) -> None:
    _, name, rows, _ = case
    numbered = list(enumerate(rows))
    order.shuffle(numbered)
    made: dict[str, list[Row]] = {}
    for number, (fact, fields) in numbered:
        made.setdefault(fact, []).append(full(fact, number, fields))
    parts = [read_part(part, shapes()) for part in parts_of(LIBRARY[name])]
    counted = {
        part.part: count(part, made.get(part.part.fact, []), _person, JUNE).get("ann", Counted()) for part in parts
    }
    assert observe(LIBRARY[name], counted) == observed(name, rows)


RATES = [
    case
    for case in CASES
    if LIBRARY[case[1]].family in ("ratio", "mean") and not any(part.distinct for part in parts_of(LIBRARY[case[1]]))
]


@given(st.sampled_from(RATES), st.integers(2, 5))
def test_the_same_rows_again_keep_a_rate(case: Any, times: int) -> None:
    """A parcel list and a copy of it under other keys have the rate of the list."""
    _, name, rows, expected = case
    seen, _ = observed(name, [*rows] * times)
    assert Fraction(seen.numerator, seen.denominator) == Fraction(expected)
    assert seen.denominator == times * observed(name, rows)[0].denominator
