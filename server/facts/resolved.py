"""Attributes of a fact that follow from other rows, kept with the row so that scoring reads one table.

They are settled when a row arrives, whichever of the rows comes last; see ``server/facts/resolve``. None of them comes
from a source.
"""

from pydantic import BaseModel, ConfigDict

from server.facts.fields import Count, Day, Instant, Key, Minor


class Resolved(BaseModel):
    """Attributes of one fact; empty means no, or not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SalesOrderResolved(Resolved):
    """What customers, owners, refunds and posts say about an order."""

    customer: Key | None = None
    """The customer it counts for, where theirs was merged into another."""
    owner: Key | None = None
    """The person whose customer it was on the day of payment; empty: whoever sold it."""
    fully_refunded_on: Day | None = None
    """First refund that gave everything back: such an order is no valid one."""
    taken_back: bool | None = None
    """Refunded whole within 15 days of payment: it makes nobody a new customer."""
    first_valid: bool | None = None
    """The customer's first order that was paid and not cancelled, a test, or taken back."""
    touched_by: Key | None = None
    """The person whose post was the last touch."""


class SalesOrderLineResolved(Resolved):
    """What its order says about a line."""

    paid_at: Instant | None = None
    """Of its order, where that is a valid one."""
    owner: Key | None = None
    """Of its order, else whoever sold it."""


class RefundResolved(Resolved):
    """What its order says about a refund."""

    owner: Key | None = None
    """Of its order, else whoever sold it."""
    order_has_cost: bool | None = None
    """Without a cost the order is left out of the margin, and so is its refund."""


class CustomerResolved(Resolved):
    """Where a chain of merges ends."""

    root: Key | None = None
    """The customer that is left; empty for one that was not merged."""


class DealResolved(Resolved):
    """What posts say about a deal."""

    touched_by: Key | None = None
    """The person whose post was the last touch."""


class InvoiceResolved(Resolved):
    """Money that came in for an invoice, never more than its amount."""

    received_in_month_minor: Minor | None = None
    """Up to the end of the month in which it is due."""
    received_in_quarter_minor: Minor | None = None
    """Up to the end of the quarter in which it is due."""


class ShipmentResolved(Resolved):
    """What damage reports and orders say about a parcel."""

    damaged_on: Day | None = None
    """First confirmed damage by logistics, wherever it was found."""
    damaged_before_return_on: Day | None = None
    """The same without what returns showed; never a score, only to be seen beside it."""
    order_net_minor: Minor | None = None
    """Net amount of its order."""


class ShipmentEventResolved(Resolved):
    """What other events say about an arrival at a site."""

    sorted_at: Instant | None = None
    """First sorting after the parcel came in, before it comes in again."""


class DamageReportResolved(Resolved):
    """Which parcel a report is about."""

    parcel: Key | None = None
    """Its tracking number, else that of the first parcel of its order."""


class ComplaintResolved(Resolved):
    """What earlier complaints say about one."""

    repeated: bool | None = None
    """The same customer complained about the same order or matter up to 7 days before."""
    counted: bool | None = None
    """By logistics, and the first of its order within 7 days."""
    parcel_courier: Key | None = None
    """The person who carried the parcel it names."""
    order_courier: Key | None = None
    """The person who carried the first parcel of its order."""


class LedgerBudgetResolved(Resolved):
    """What other revisions and booked entries say about a budget line."""

    replaced_on: Day | None = None
    """When the next revision of the line was approved."""
    booked_minor: Minor | None = None
    """Booked on the line: debit less credit; empty without an entry."""


class LedgerEntryResolved(Resolved):
    """Where an entry belongs among budgets."""

    booked_in: Key | None = None
    """Month of its day."""


class FunnelEventResolved(Resolved):
    """What a visitor did after a page view, and whose work the page is."""

    paid_at: Instant | None = None
    """First payment up to 7 days later."""
    goal_at: Instant | None = None
    """First goal up to 7 days later."""
    designer: Key | None = None
    """The person whose work the page showed."""
    page_type: Key | None = None


class CampaignEventResolved(Resolved):
    """What became of an invitation."""

    completed_at: Instant | None = None
    """When the person invited finished, first."""
    repeated: bool | None = None
    """Invited before."""


class ContentPostResolved(Resolved):
    """What a row adds to the one before; of a running total the difference."""

    reads_added: int | None = None
    interactions_added: int | None = None
    """Likes, comments, shares and favourites."""
    conversions_added: int | None = None


class RequisitionResolved(Resolved):
    """What became of posts to be filled."""

    on_board_in_time: Count | None = None
    """Candidates on board by the day they were needed."""


class EmploymentResolved(Resolved):
    """Who hired."""

    recruiter: Key | None = None


class TrainingResultResolved(Resolved):
    """Who trained."""

    trainer: Key | None = None


class SurveyResponseResolved(Resolved):
    """Whom an answer is about, and when its survey was closed."""

    subject: Key | None = None
    """The person it is about, where ``subject_key`` is somebody's id."""
    designer: Key | None = None
    """The person whose work it is about, where ``subject_key`` is a design task."""
    closed_on: Day | None = None


RESOLVED: dict[str, type[Resolved]] = {
    "sales_order": SalesOrderResolved,
    "sales_order_line": SalesOrderLineResolved,
    "refund": RefundResolved,
    "customer": CustomerResolved,
    "deal": DealResolved,
    "invoice": InvoiceResolved,
    "shipment": ShipmentResolved,
    "shipment_event": ShipmentEventResolved,
    "damage_report": DamageReportResolved,
    "complaint": ComplaintResolved,
    "ledger_budget": LedgerBudgetResolved,
    "ledger_entry": LedgerEntryResolved,
    "funnel_event": FunnelEventResolved,
    "campaign_event": CampaignEventResolved,
    "content_post": ContentPostResolved,
    "requisition": RequisitionResolved,
    "employment": EmploymentResolved,
    "training_result": TrainingResultResolved,
    "survey_response": SurveyResponseResolved,
}
"""By fact; the others have none."""

OWNERS = frozenset(
    {"owner", "touched_by", "parcel_courier", "order_courier", "designer", "recruiter", "trainer", "subject"}
)
"""Attributes that name the person whose row it is, beside ``employee``."""
