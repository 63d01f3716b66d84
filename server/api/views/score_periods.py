"""Closing periods of scores, and what follows from a score."""

import datetime as dt
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View

Points = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,2})?$")]
"""Exact decimal, at most two places."""
LongText = Annotated[str, Field(max_length=2_000)]
PeriodCode = Literal[
    "period_not_over", "computing", "calibrations", "vetoes",
    "provisional", "sources_away", "unscored", "previous_open",
]  # fmt: skip
VetoName = Literal["fraud", "tax_penalty", "safety_accident", "data_leak"]


def centi_of(points: str) -> int:
    """Hundredths of points."""
    return int(Fraction(points) * 100)


class PeriodItemView(View):
    """One line of the checklist."""

    code: PeriodCode
    blocking: bool
    """Whether it must be 0; an advisory one can be accepted."""
    count: int


class PeriodClosingView(View):
    """One closing of a period."""

    department: str
    """With those below it; empty for everybody."""
    closed_ms: int
    closed_by: str
    appeal_until_ms: int
    people: int
    accepted: list[str]
    provisional: list[str]
    """Indicators that were published before they were final."""


class PeriodView(View):
    """A period in the list."""

    period: str
    """YYYY-MM or YYYY-Qn."""
    closed: int
    """People in scope whose card is published."""


class PeriodsView(View):
    """Periods with scores in scope, newest first."""

    periods: list[PeriodView]
    current: str
    """The month that it is now."""


class NotFinalView(View):
    """An indicator whose figures can still change by rows that are expected."""

    indicator: str
    name_zh: str
    name_en: str
    final_on: dt.date


class PeriodDetailView(View):
    """A period and its way to being closed, for the people in scope."""

    period: str
    items: list[PeriodItemView]
    not_final: list[NotFinalView]
    away: dict[str, str]
    """Facts that nothing can be scored by at the moment: source_missing | source_late."""
    ready: bool
    """No blocking item is left; for who sees everyone."""
    people: int
    """With an open scorecard."""
    closed: int
    closings: list[PeriodClosingView]
    grades: dict[str, int]
    """How many have each grade as it is or would be published, and ``none``."""
    appeals_open: int
    may_close: bool
    may_judge: bool
    departments: list[NameView]
    version: int


class ClosePeriodBody(View):
    """Close a period."""

    department: Id | None = None
    """With those below it; without one everybody."""
    accepted: tuple[PeriodCode, ...] = ()
    """Advisory items that may stay as they are."""


class CalibrationView(View):
    """Points that somebody proposed."""

    id: int
    employee: str
    name: str
    period: str
    points: str
    reason: str
    state: Literal["waiting", "approved", "refused", "withdrawn", "replaced"]
    appeal: int | None
    proposed_by: str
    proposed_ms: int
    decided_by: str | None
    decided_ms: int | None
    note: str
    own: bool
    """Proposed under the account that asks: another person decides."""


class VetoView(View):
    """A grave event."""

    id: int
    employee: str
    name: str
    period: str
    kind: VetoName
    evidence: str
    cap: str
    state: Literal["waiting", "confirmed", "refused", "withdrawn", "lifted"]
    reported_by: str
    reported_ms: int
    decided_by: str | None
    decided_ms: int | None
    note: str
    own: bool


class AppealView(View):
    """What somebody says against the own card."""

    id: int
    employee: str
    name: str
    period: str
    version: int
    indicator: str | None
    text: str
    filed_ms: int
    state: Literal["open", "changing", "upheld", "changed", "refused", "withdrawn"]
    decided_by: str | None
    decided_ms: int | None
    note: str


class PeriodCardView(View):
    """A person's score of a period: what was computed, and what people made of it."""

    employee: str
    name: str
    department: str
    position: str
    position_name: NameView
    closed: bool
    version: int
    """0 while it is open."""
    computed: str | None
    coverage_pct: str
    adjustment: str
    veto_cap: str | None
    final: str | None
    grade: Literal["S", "A", "B", "C", "D"] | None
    provisional: list[str]
    calibration: CalibrationView | None
    """The one that waits."""


class PeriodCardsView(View):
    """A page of them, by name."""

    total: int
    rows: list[PeriodCardView]


class RewardView(View):
    """A reward in steps of a closed card."""

    indicator: str
    name_zh: str
    name_en: str
    base_minor: int
    steps: int
    multiplier: str
    minor: int
    gates: list[str]


class PeriodAdjustmentView(View):
    """What a closed card would say now of one indicator; shown beside, never mixed in."""

    employee: str
    name: str
    department: str
    period: str
    posted_to: str
    indicator: str
    name_zh: str
    name_en: str
    cause: str
    """fact/source/key of the newest row that came late, else the facts that are counted."""
    value_from: str | None
    value_to: str | None
    points_from: str | None
    points_to: str | None
    total_from: str | None
    total_to: str | None
    total: str | None
    """Difference."""
    money_minor: int | None
    """Difference; None for who may not see money."""
    computed_ms: int


class PeriodAdjustmentsView(View):
    """A page of them by person."""

    total: int
    rows: list[PeriodAdjustmentView]


class CardVersionView(View):
    """One version of a published card."""

    version: int
    cause: str
    """closing | appeal/<id> | veto/<id>"""
    computed: str | None
    adjustment: str
    reason: str
    """Of the calibration."""
    veto_cap: str | None
    final: str | None
    grade: Literal["S", "A", "B", "C", "D"] | None
    published_ms: int


class PublishedCardView(View):
    """What was published of a person's period and what came of it; ``versions`` are empty while it is open."""

    employee: str
    period: str
    versions: list[CardVersionView]
    """Newest first."""
    provisional: list[str]
    appeal_until_ms: int | None
    may_appeal: bool
    vetoes: list[VetoView]
    """Confirmed or lifted, with the evidence."""
    appeals: list[AppealView]
    rewards: list[RewardView]
    reward_minor: int | None
    """None for who may not see money."""
    adjustments: list[PeriodAdjustmentView]
    """Of this period, and those of earlier ones that were posted to it."""


class CalibrationBody(View):
    """Points to be added to an open card, or taken from it."""

    employee: Id
    points: Points
    reason: LongText


class SecondBody(View):
    """A second person's word."""

    approve: bool
    note: LongText = ""


class VetoBody(View):
    """A grave event to be confirmed by another person."""

    employee: Id
    kind: VetoName
    evidence: LongText
    cap: Points | None = None
    """None: that of the settings."""


class VetoesView(View):
    """Those of a period in scope, newest first."""

    rows: list[VetoView]


class CalibrationsView(View):
    """Those of a period in scope, newest first."""

    rows: list[CalibrationView]


class AppealsView(View):
    """Those in scope, open ones first."""

    total: int
    rows: list[AppealView]


class AppealBody(View):
    """Against the own card."""

    indicator: Id | None = None
    text: LongText


class AppealAnswerBody(View):
    """What becomes of an appeal."""

    answer: Literal["upheld", "changed", "refused"]
    note: LongText
    points: Points | None = None
    """For ``changed``: in place of the former adjustment, once a second person approves."""


class MadeView(View):
    """What was made, by its number."""

    id: int | None


class PayrollScoreView(View):
    """One person's closed period."""

    employee: str
    name: str
    department: str
    position: str
    position_name: NameView
    version: int
    computed: str | None
    adjustment: str
    veto_cap: str | None
    final: str | None
    grade: str | None
    provisional: bool
    reward_minor: int
    adjustments_minor: int
    """Of earlier periods, posted to this one."""
    payable_minor: int


class PayrollScoresView(View):
    """Some people of a closed period, by id."""

    period: str
    total: int
    rows: list[PayrollScoreView]
