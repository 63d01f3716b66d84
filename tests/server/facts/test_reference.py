"""The reference page and the fields that indicators read are those of the facts."""

import pytest

from docs.generate_facts import PAGE, page
from server.facts.catalogue import FACTS
from server.facts.names import NAMES


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python docs/generate_facts.py`"


def test_every_fact_has_a_name_of_its_own_in_both_languages() -> None:
    assert set(NAMES) == set(FACTS)
    for language in zip(*NAMES.values(), strict=True):
        assert len(set(language)) == len(FACTS)


READ = """
shipment: delivered_at refused_at new_promise_at promised_at promised_on force_majeure picked_up_at status cost_minor
shipment: carrier_code tracking_no order_key shipped_on site_key route_key
damage_report: responsibility confirmed_on occurred_on order_key tracking_no kind point
ledger_entry: debit_minor credit_minor cost_class posted_on account account_class org_key
ledger_budget: actual_minor planned_minor period account org_key controllable approved_on
ledger_balance: opening_minor closing_minor account_class period
complaint: responsibility order_key occurred_on repeat_of customer_key category
sales_order: amount_net_minor cost_minor paid_at status is_test customer_key employee_key
sales_order: last_touch_post_key last_touch_at
sales_order_line: category amount_net_minor cost_minor order_key
refund: amount_net_minor refunded_on cost_returned_minor full order_key
customer: customer_key merged_into
customer_owner: customer_key employee_key valid_from valid_to
deal: last_touch_post_key last_touch_at created_on
invoice: amount_gross_minor due_on status
payment: amount_minor paid_at invoice_key
statement_line: corrected_on issued_on employee_key
tax_filing: filed_on due_on corrected penalty_minor
requisition: headcount approved_on needed_by employee_key
candidate_stage: stage entered_at requisition_key candidate_key
employment: joined_on left_on leave_kind probation_passed probation_ends_on
training_result: attended passed rating max_score trainer_key
labour_contract: pay_min_minor pay_max_minor pay_minor pay_grade
survey_response: purpose value scale_min scale_max subject_key submitted_at respondent_key
survey_round: invited closed_on purpose
web_day: active_users_30d stat_date channel
funnel_event: kind visitor_key bot channel page dwell_seconds occurred_at
campaign_event: campaign user_key kind
ticket: csat rated_at solved_at first_reply_business_seconds first_reply_seconds created_at reopened_at first_solved_at
ticket: handle_seconds status
design_task: first_review_passed first_reviewed_at brief_accepted_at decided_at standard_days page_key page_type
audience_day: total_followers stat_date account_key
content_post: reads likes comments shares favourites original stat_date conversions post_key published_on cumulative
route_stop: served_no stop_no served_at window_from
shipment_event: status occurred_at tracking_no site_key
"""
"""Read off the table of sources in the guide to indicators, by hand."""


@pytest.mark.parametrize("line", READ.split("\n")[1:-1])
def test_every_field_that_an_indicator_reads_is_there(line: str) -> None:
    fact, _, fields = line.partition(": ")
    assert set(fields.split()) <= set(FACTS[fact].row.model_fields)
