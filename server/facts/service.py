"""Tickets and complaints."""

from typing import Literal

from server.facts.fields import Count, Day, Fact, Instant, Key, Rating, Text
from server.facts.logistics import Responsibility


class Complaint(Fact):
    """A customer complained."""

    occurred_on: Day
    category: Text | None = None
    status: Key | None = None
    about: Key | None = None
    """``fact:key`` of what it is about."""
    order_key: Key | None = None
    tracking_no: Key | None = None
    responsibility: Responsibility | None = None
    customer_key: Key | None = None
    repeat_of: Key | None = None


class Ticket(Fact):
    """A case of customer service; first replies are those of a human, a source that can not tell gives none."""

    created_at: Instant
    status: Literal["open", "pending", "on_hold", "solved", "closed", "deleted"]
    priority: Key | None = None
    first_reply_at: Instant | None = None
    first_reply_minutes: Count | None = None
    first_reply_business_minutes: Count | None = None
    first_reply_seconds: Count | None = None
    first_reply_business_seconds: Count | None = None
    first_solved_at: Instant | None = None
    solved_at: Instant | None = None
    """The last time."""
    reopened_at: Instant | None = None
    """The first time."""
    resolution_minutes: Count | None = None
    resolution_business_minutes: Count | None = None
    handle_seconds: Count | None = None
    reopens: Count | None = None
    replies: Count | None = None
    csat: Rating | None = None
    rated_at: Instant | None = None
    customer_key: Key | None = None
