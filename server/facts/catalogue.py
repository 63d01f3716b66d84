"""Every fact by its name, and what says when it happened."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from server.facts import commerce, finance, logistics, media, people, service
from server.facts.fields import Fact


@dataclass(frozen=True, slots=True)
class FactKind:
    """A fact: its row, the fields that say when it happened, first that is set, and how its key is made."""

    name: str
    row: type[Fact]
    times: tuple[str, ...]
    key: str
    """What ``source_key`` is, for the reference page."""

    @property
    def required(self) -> frozenset[str]:
        """Fields that a source has to map."""
        return frozenset(name for name, field in self.row.model_fields.items() if field.is_required())


def _kind(row: type[Fact], times: str, key: str) -> FactKind:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", row.__name__).lower()
    return FactKind(name, row, tuple(times.split()), key)


_ALL = (
    _kind(commerce.SalesOrder, "paid_at order_date", "id of the order"),
    _kind(commerce.SalesOrderLine, "", "id of the order, | and number of the line"),
    _kind(commerce.Refund, "refunded_on", "id of the refund"),
    _kind(commerce.Customer, "", "id of the customer"),
    _kind(commerce.CustomerOwner, "valid_from", "id of the customer, | and first day"),
    _kind(commerce.Deal, "closed_on created_on", "id of the deal or lead"),
    _kind(commerce.Invoice, "invoice_date due_on", "id of the invoice"),
    _kind(commerce.Payment, "paid_at", "id of the payment"),
    _kind(logistics.Shipment, "delivered_at refused_at picked_up_at shipped_on", "carrier, | and tracking number"),
    _kind(logistics.ShipmentEvent, "occurred_at", "tracking number, |, status, | and time"),
    _kind(logistics.RouteStop, "served_at window_from", "route, | and number of the stop"),
    _kind(logistics.DamageReport, "occurred_on", "id of the report"),
    _kind(service.Complaint, "occurred_on", "id of the complaint"),
    _kind(service.Ticket, "created_at", "id of the ticket"),
    _kind(finance.LedgerBudget, "approved_on", "period, |, account, |, department, | and revision"),
    _kind(finance.LedgerEntry, "posted_on", "id of the entry's line"),
    _kind(finance.LedgerBalance, "", "period, | and account"),
    _kind(finance.StatementLine, "issued_on", "report, | and line"),
    _kind(finance.TaxFiling, "filed_on due_on", "period, | and kind of tax"),
    _kind(media.WebDay, "stat_date", "date, |, span, |, channel, | and page"),
    _kind(media.FunnelEvent, "occurred_at", "id of the event, or visitor, |, kind, | and time"),
    _kind(media.CampaignEvent, "occurred_at", "campaign, |, user, | and kind"),
    _kind(media.ContentPost, "stat_date", "platform, |, post, | and date"),
    _kind(media.AudienceDay, "stat_date", "platform, |, account, | and date"),
    _kind(media.DesignTask, "decided_at created_at", "id of the task"),
    _kind(people.Requisition, "opened_on", "id of the requisition"),
    _kind(people.CandidateStage, "entered_at", "candidate, |, requisition, | and stage"),
    _kind(people.Employment, "joined_on", "person, | and first day"),
    _kind(people.TrainingResult, "completed_on", "course, | and person"),
    _kind(people.SurveyResponse, "submitted_at", "survey, |, answer, | and question"),
    _kind(people.SurveyRound, "opened_on", "survey, with | and department where it is asked per department"),
    _kind(people.LabourContract, "starts_on", "id of the contract"),
    _kind(people.AttendancePunch, "punched_at", "id of the punch, or person, | and time"),
)

FACTS: dict[str, FactKind] = {kind.name: kind for kind in _ALL}

SEALED: Mapping[str, tuple[str, ...]] = {"labour_contract": ("pay_min_minor", "pay_max_minor", "pay_minor")}
"""Fields that are kept encrypted, together in the column ``sealed``, and have no column of their own."""
