"""Which times of a fact say what has happened, and so can not lie ahead. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

TOLERANCE = dt.timedelta(days=1)
"""Clocks of systems differ, and a time that was read in the wrong zone is hours off; a wrong month or year is not."""

HAPPENED: Mapping[str, tuple[str, ...]] = {
    "sales_order": ("order_date", "paid_at"),
    "refund": ("refunded_on",),
    "deal": ("created_on",),
    "invoice": ("invoice_date",),
    "payment": ("paid_at",),
    "shipment": ("shipped_on", "picked_up_at", "first_out_for_delivery_at", "delivered_at", "refused_at"),
    "shipment_event": ("occurred_at",),
    "route_stop": ("served_at",),
    "damage_report": ("occurred_on", "confirmed_on"),
    "complaint": ("occurred_on",),
    "ticket": ("created_at", "first_reply_at", "first_solved_at", "solved_at", "reopened_at", "rated_at"),
    "statement_line": ("issued_on", "corrected_on"),
    "tax_filing": ("filed_on",),
    "funnel_event": ("occurred_at",),
    "campaign_event": ("occurred_at",),
    "content_post": ("stat_date",),
    "audience_day": ("stat_date",),
    "design_task": ("created_at", "brief_accepted_at", "submitted_at", "first_reviewed_at", "decided_at"),
    "candidate_stage": ("entered_at",),
    "training_result": ("completed_on",),
    "survey_response": ("submitted_at",),
    "attendance_punch": ("punched_at",),
}
"""Left out: what is planned or promised, first days of contracts and posts, days that entries are booked on ahead of a
month's end, and ``web_day``, whose day stands for a span."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The last moment and the last day that something may have happened on."""

    at: dt.datetime
    day: dt.date

    @classmethod
    def of(cls, now: dt.datetime, zone: ZoneInfo) -> "Latest":
        """Seen from now; the day is that of the source's zone."""
        at = now + TOLERANCE
        return cls(at, at.astimezone(zone).date())


def ahead(fact: str, values: Mapping[str, Any], latest: Latest) -> list[str]:
    """Fields that say that something has happened which lies ahead; a naive time says nothing."""
    times = HAPPENED.get(fact, ())
    return [name for name in times if (value := values.get(name)) is not None and _ahead(value, latest)]


def _ahead(value: Any, latest: Latest) -> bool:
    if isinstance(value, dt.datetime):
        return value.tzinfo is not None and value > latest.at
    return isinstance(value, dt.date) and value > latest.day
