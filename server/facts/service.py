"""Tickets and complaints."""

from typing import Literal, Self

from pydantic import model_validator

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
    """By the clock, nights too; from `created_at` to `first_reply_at` where the source tells no seconds."""
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

    @model_validator(mode="after")
    def _reply_seconds(self) -> Self:
        """A reply before its ticket says that two clocks differ, not how long anybody waited."""
        if self.first_reply_seconds is None and self.first_reply_at is not None:
            waited_s = int((self.first_reply_at - self.created_at).total_seconds())
            if waited_s >= 0:
                self.__dict__["first_reply_seconds"] = waited_s  # the row is frozen
        return self
