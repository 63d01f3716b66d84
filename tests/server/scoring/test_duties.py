"""What duties suggest, and that the rules are about the whole library."""

import pytest

from server.scoring.duties import duty_rules, suggest

LIBRARY = [
    "log_on_time_delivery_rate",
    "log_damage_rate",
    "log_unit_delivery_cost",
    "log_complaint_rate",
    "log_cost_rate",
    "log_sort_on_time_rate",
    "log_route_plan_adherence",
    "biz_sales_amount",
    "biz_new_customers",
    "biz_gross_margin_rate",
    "biz_customer_retention_rate",
    "biz_collection_rate",
    "fin_budget_execution_rate",
    "fin_report_accuracy",
    "fin_cost_control_rate",
    "fin_capital_turnover",
    "fin_tax_compliance_rate",
    "hr_recruitment_completion_rate",
    "hr_employee_retention_rate",
    "hr_training_effect",
    "hr_pay_structure_rationality",
    "hr_employee_satisfaction",
    "hr_candidate_quality",
    "ops_user_growth_rate",
    "ops_conversion_rate",
    "ops_repurchase_rate",
    "ops_page_dwell_time",
    "ops_campaign_participation_rate",
    "ops_funnel_view_rate",
    "ops_funnel_cart_rate",
    "ops_funnel_order_rate",
    "ops_funnel_pay_rate",
    "cs_satisfaction_score",
    "cs_first_response_seconds",
    "cs_resolution_rate",
    "cs_repeat_complaint_rate",
    "cs_avg_handle_time",
    "dsg_pass_rate",
    "dsg_page_conversion_rate",
    "dsg_user_feedback_score",
    "dsg_cycle_time",
    "dsg_collaboration_satisfaction",
    "nm_follower_growth_rate",
    "nm_reads",
    "nm_interaction_rate",
    "nm_conversions",
    "nm_original_content_rate",
    "att_attendance_rate",
    "att_punctuality_rate",
]


def found(duties: str) -> list[str]:
    return [one.rule.indicator for one in suggest(duties)]


def test_there_is_one_rule_for_each_indicator_of_the_library() -> None:
    assert sorted(rule.indicator for rule in duty_rules()) == sorted(LIBRARY)


def test_every_rule_has_names_and_words_in_both_languages_that_match() -> None:
    for rule in duty_rules():
        assert rule.name_zh
        assert rule.name_en
        assert rule.zh
        assert rule.en
        for word in (*rule.zh, *rule.en):
            assert word == word.casefold()
            assert rule.indicator in found(f"负责 {word}.")


@pytest.mark.parametrize(
    ("duties", "expected"),
    [
        (
            "负责片区包裹派送，轻拿轻放，避免投诉",
            ["log_on_time_delivery_rate", "log_damage_rate", "log_complaint_rate"],
        ),
        ("招聘与面试，组织新员工培训", ["hr_recruitment_completion_rate", "hr_training_effect"]),
        ("Recruit staff, hold trainings.", ["hr_recruitment_completion_rate", "hr_training_effect"]),
        ("ＴＡＸ filing", ["fin_tax_compliance_rate"]),
        ("drives a taxi", []),
        ("", []),
    ],
    ids=["courier", "recruiter-zh", "recruiter-en", "full-width", "part-of-a-word", "empty"],
)
def test_duties_suggest(duties: str, expected: list[str]) -> None:
    assert found(duties) == expected


def test_a_suggestion_says_by_which_words() -> None:
    [first, *_] = suggest("报税、开票，处理税务")
    assert (first.rule.indicator, first.found) == ("fin_tax_compliance_rate", ("报税", "税务", "开票"))
