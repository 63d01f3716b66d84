"""Web, content, audiences, design."""

from typing import Annotated, Literal

from pydantic import Field

from server.facts.fields import Count, Day, Fact, Instant, Key, Text


class WebDay(Fact):
    """Figures of a web site for a span; a distinct count holds for its own span and is never added up."""

    stat_date: Day
    span: Literal["day", "month", "quarter"] | None = None
    channel: Key | None = None
    page: Text | None = None
    visits: Count | None = None
    visitors: Count | None = None
    new_users: Count | None = None
    active_users_30d: Count | None = None
    dwell_seconds_total: Count | None = None
    views: Count | None = None
    carts: Count | None = None
    orders: Count | None = None
    paid: Count | None = None


class FunnelEvent(Fact):
    """A step of a visitor."""

    visitor_key: Key
    kind: Literal["page_view", "product_view", "cart", "order", "paid", "goal"]
    occurred_at: Instant
    channel: Key | None = None
    page: Text | None = None
    order_key: Key | None = None
    dwell_seconds: Count | None = None
    bot: bool | None = None


class CampaignEvent(Fact):
    """Somebody and a campaign; ``employee_key`` owns the campaign."""

    campaign: Key
    user_key: Key
    kind: Literal["invited", "joined", "completed"]
    occurred_at: Instant
    ends_on: Day | None = None
    """Last day of the campaign: until then its figures are provisional."""


class ContentPost(Fact):
    """Figures of a post; a cumulative row is a running total."""

    platform: Key
    post_key: Key
    stat_date: Day
    cumulative: bool
    account_key: Key | None = None
    title: Text | None = None
    published_on: Day | None = None
    original: bool | None = None
    reach: Count | None = None
    reads: Count | None = None
    readers: Count | None = None
    likes: Count | None = None
    comments: Count | None = None
    shares: Count | None = None
    favourites: Count | None = None
    conversions: Count | None = None


class AudienceDay(Fact):
    """Followers of an account on a date."""

    platform: Key
    stat_date: Day
    account_key: Key | None = None
    total_followers: Count | None = None
    new_followers: Count | None = None
    lost_followers: Count | None = None


class DesignTask(Fact):
    """A piece of design work; ``employee_key`` made it."""

    created_at: Instant
    status: Literal["open", "in_review", "accepted", "rejected", "cancelled"]
    brief_accepted_at: Instant | None = None
    submitted_at: Instant | None = None
    first_reviewed_at: Instant | None = None
    first_review_passed: bool | None = None
    decided_at: Instant | None = None
    rounds: Count | None = None
    size_class: Key | None = None
    standard_days: Annotated[float, Field(ge=0, le=1_000)] | None = None
    requester_org: Key | None = None
    page_key: Key | None = None
    page_type: Key | None = None
    page_live_from: Instant | None = None
    page_live_to: Instant | None = None
    feedback_score: Annotated[float, Field(ge=0, le=100)] | None = None
