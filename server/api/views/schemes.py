"""Schemes of weights: what is in force, drafts, versions, previews."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View

SchemeWeights = Annotated[dict[str, Annotated[int, Field(ge=0, le=100)]], Field(max_length=60)]
"""Whole per cent by indicator."""
SchemeName = Annotated[str, Field(min_length=1, max_length=100)]
SchemeTitle = Annotated[str, Field(min_length=1, max_length=200)]
SchemeKind = Literal["set", "season", "own", "indicator"]


class SchemeSetView(View):
    """Weights of a department or of a post in it: they add up to 100 and replace the whole set."""

    kind: Literal["set"] = "set"
    id: str = ""
    """Empty for one that is new."""
    name_zh: SchemeName
    name_en: SchemeName
    department: Id | None
    position: Id | None
    weights: SchemeWeights
    starts: date
    ends: date | None = None


class SchemeSeasonView(View):
    """A season or project: named indicators take these weights, the others share the rest in proportion."""

    kind: Literal["season"] = "season"
    id: str = ""
    name_zh: SchemeName
    name_en: SchemeName
    department: Id
    weights: SchemeWeights
    first: date
    last: date


class SchemeOwnView(View):
    """Such a change for one person."""

    kind: Literal["own"] = "own"
    id: str = ""
    name_zh: SchemeName
    name_en: SchemeName
    employee: Id
    department: Id
    weights: SchemeWeights
    first: date
    last: date
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class SchemeIndicatorView(View):
    """A version of an indicator, in the fields of a definition file."""

    kind: Literal["indicator"] = "indicator"
    definition: dict[str, Any]


class SchemeTakenBackView(View):
    """Takes back what was published under a kind and key."""

    kind: Literal["taken_back"] = "taken_back"
    of: SchemeKind
    key: Annotated[str, Field(max_length=700)]


SchemeItem = Annotated[
    SchemeSetView | SchemeSeasonView | SchemeOwnView | SchemeIndicatorView, Field(discriminator="kind")
]
SchemeChange = Annotated[
    SchemeSetView | SchemeSeasonView | SchemeOwnView | SchemeIndicatorView | SchemeTakenBackView,
    Field(discriminator="kind"),
]
SchemeChanges = Annotated[list[SchemeChange], Field(min_length=1, max_length=200)]


class SchemeEntryView(View):
    """Something that is in force or was published."""

    key: str
    ships: bool
    """Whether it is part of the product and nobody has published it."""
    item: SchemeItem


class SchemeIndicatorNameView(View):
    """An indicator to choose from."""

    id: str
    name_zh: str
    name_en: str
    unit: str
    better: Literal["up", "down", "zone"]
    department: str | None
    """Whose library it belongs to."""
    source_missing: bool
    """No source has ever told of what it counts: it can have no weight."""


class SchemeTemplateView(View):
    """A set or season to start from."""

    id: str
    kind: Literal["set", "season"]
    name_zh: str
    name_en: str
    department: str
    position: str | None
    weights: SchemeWeights


class SchemesView(View):
    """What scores go by, as far as the viewer sees."""

    version: int
    """Newest version that was published; 0 for what ships."""
    today: date
    may_write: bool
    may_define: bool
    """Whether the viewer writes definitions of indicators."""
    sets: list[SchemeEntryView]
    seasons: list[SchemeEntryView]
    own: list[SchemeEntryView]
    templates: list[SchemeTemplateView]
    indicators: list[SchemeIndicatorNameView]
    departments: list[NameView]
    positions: list[NameView]
    people: list[NameView]
    """For changes of one person; empty for who does not write."""
    periods: list[str]
    """Months with scorecards in scope, newest first: previews use their observations."""


class SchemeDiffView(View):
    """One line of a draft or version."""

    kind: SchemeKind
    key: str
    before: SchemeItem | None
    """What was published under the key."""
    after: SchemeItem | None
    """None where it is taken back."""
    weights_before: dict[str, str]
    """Of a set or season: weights of its place before, exact to four places."""
    weights_after: dict[str, str]


class SchemeDraftView(View):
    """A draft, or the version that it became."""

    id: int
    title: str
    state: Literal["draft", "submitted", "published", "rejected", "withdrawn"]
    revision: int
    based_on: int
    version: int | None
    first_on: date | None
    written_by: str
    written_ms: int
    submitted_ms: int | None
    decided_by: str | None
    decided_ms: int | None
    note: str
    own: bool
    """Whether the viewer wrote on it, and may not decide."""
    outdated: bool
    """Whether another version came into force since it was saved."""


class SchemeDraftDetailView(View):
    """A draft or version with its lines in the viewer's scope."""

    draft: SchemeDraftView
    changes: list[SchemeDiffView]


class SchemeDraftsView(View):
    """Drafts or versions, the newest first."""

    rows: list[SchemeDraftView]


class SchemeDraftBody(View):
    """A draft to keep; ``revision`` of the one that it replaces."""

    title: SchemeTitle
    changes: SchemeChanges
    revision: int = 0


class SchemeSavedView(View):
    """Under which number a draft is kept."""

    id: int


class SchemeStepBody(View):
    """The revision that was looked at, and why."""

    revision: int
    note: Annotated[str, Field(max_length=500)] = ""


class SchemePublishedView(View):
    """The version, and how many scorecards are computed again."""

    version: int
    scorecards: int


class SchemeRollBackBody(View):
    """Let everything be as in a version (0: as it ships), from a day on."""

    version: Annotated[int, Field(ge=0)]
    day: date
    title: SchemeTitle


class SchemePreviewBody(View):
    """Lines to try; the period whose observations are used, and the day whose weights are."""

    changes: SchemeChanges
    period: Annotated[str | None, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")] = None
    day: date | None = None


class SchemeMovedView(View):
    """A person whose score would be another."""

    employee: str
    name: str
    department: str
    position: str
    position_name: NameView
    before: str | None
    after: str | None
    change: str
    """With its sign."""
    rank_before: int | None
    rank_after: int | None
    grade_before: str | None
    grade_after: str | None
    paid_before_minor: int | None
    """Reward of the period; None for who may not see money."""
    paid_after_minor: int | None


class SchemePreviewView(View):
    """What scores would be."""

    simulated: Literal[True]
    period: str
    day: date
    people: int
    moved: int
    """How many are scored in another way."""
    winners: int
    losers: int
    rows: list[SchemeMovedView]
    """The biggest winners first, the biggest losers last; of many those at both ends."""
    grades_before: dict[str, int]
    grades_after: dict[str, int]
    paid_before_minor: int | None
    """Rewards of those who are scored in another way, together; None for who may not see money."""
    paid_after_minor: int | None


class SchemeSideView(View):
    """Means of people on one side."""

    value: str | None
    points: str | None
    sample: int


class SchemeEffectRowView(View):
    """An indicator, or the total, before and after."""

    indicator: str | None
    """None for the total."""
    name_zh: str | None
    name_en: str | None
    unit: str | None
    people: int
    before: SchemeSideView
    after: SchemeSideView
    change: str | None
    """Of the mean points, with its sign."""


class SchemeEffectView(View):
    """Scores before and after; they moved with the change, which is not to say by it."""

    before_first: date
    before_last: date
    after_first: date
    after_last: date
    complete: bool
    people: int
    rows: list[SchemeEffectRowView]


class SchemeDefinitionView(View):
    """A definition as it is written down, and the fields that it may count."""

    definition: dict[str, Any]
    starts: list[date]
    """First days of all its versions."""


class SchemeFileFaultView(View):
    """What is wrong with a definition of a file."""

    code: str
    field: str
    """A path in the definition; empty for the whole."""
    line: int
    """From 1."""
    reason: str


class SchemeFileRowView(View):
    """A definition of a file."""

    id: str
    line: int
    unchanged: bool
    """Whether it is in force already as the file says."""
    definition: dict[str, Any] | None
    """The fields of a definition file; None for one with a fault."""
    fault: SchemeFileFaultView | None


class SchemeFileView(View):
    """Definitions in the order of the file."""

    rows: list[SchemeFileRowView]


class SchemeTrialBody(View):
    """A definition to try on a period."""

    definition: dict[str, Any]
    period: Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


class SchemeTriedView(View):
    """One person's value by it."""

    employee: str
    name: str
    numerator: int
    denominator: int
    sample: int
    value: str | None
    points: str | None
    no_score: str | None
    level: Literal["person", "site", "department", "company"]


class SchemeTrialView(View):
    """What it would observe."""

    simulated: Literal[True] = True
    period: str
    people: int
    scored: int
    own: int
    rows: int
    reasons: dict[str, int]
    samples: list[SchemeTriedView]
