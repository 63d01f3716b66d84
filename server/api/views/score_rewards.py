"""Rewards in steps, and what a company sets about its periods of scores."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View
from server.api.views.score_periods import Points

Part = Annotated[str, Field(pattern=r"^[0-9]{1,6}([./][0-9]{1,6})?$")]
"""Exact part of 1, such as 0.1 or 1/3."""


class ScoreSettingsBody(View):
    """What a company sets about its periods."""

    appeal_days: Annotated[int, Field(ge=1, le=90)]
    veto_cap: Points
    cycles: dict[str, Literal["month", "quarter"]]
    """By department; those below it have it too, all others go by months."""


class ScoreSettingsView(ScoreSettingsBody):
    """The same, with what nobody sets."""

    grades: dict[str, str]
    """From how many points on each is given."""
    calibration_most: str
    """Points that a calibration may add or take."""
    departments: list[NameView]


class RewardTierView(View):
    """Steps of an indicator from a day on; exact numbers."""

    indicator: Id
    starts: dt.date
    step: Part
    """Part of the target, such as 0.1."""
    gain: Part
    """Part of the base amount for each step."""
    max_steps: Annotated[int, Field(ge=1, le=100)]
    gates: dict[str, str | None] = Field(default={})
    """Indicators that have to reach so much; null: their target."""


class RewardPayeeView(View):
    """Whom a base amount is for, and how much."""

    kind: Literal["person", "position"]
    unit: Id
    base_minor: Annotated[int, Field(ge=0, le=10**12)]


class RewardTierBody(RewardTierView):
    """Steps as they are set."""

    base: RewardPayeeView | None = None
    """A base amount from the same day on; needed while the indicator pays nobody."""


class ShippedTierView(View):
    """Steps that hold until a company sets some."""

    indicator: str
    step: str
    gain: str
    max_steps: int


class RewardIndicatorView(NameView):
    """An indicator whose value can be rewarded: more of it is better."""

    unit: str


class RewardsView(View):
    """Steps of all indicators, each from a day on, and what they can be set for."""

    today: dt.date
    may_write: bool
    """Set steps and amounts, and see amounts."""
    tiers: list[RewardTierView]
    shipped: list[ShippedTierView]
    paid: list[str]
    """Indicators for which somebody has a base amount today."""
    indicators: list[RewardIndicatorView]
    positions: list[NameView]


class RewardBaseView(RewardPayeeView):
    """A base amount from a day on; 0 ends it."""

    indicator: Id
    starts: dt.date


class RewardBaseRowView(View):
    """A base amount in the list."""

    indicator: str
    kind: Literal["person", "position"]
    unit: NameView
    starts: dt.date
    base_minor: int | None
    """None for who may not see amounts."""
    holds: bool
    """Whether it is the one of today."""


class RewardBasesView(View):
    """Base amounts of posts, and of people in scope."""

    total: int
    rows: list[RewardBaseRowView]
