"""Schemes of weights as pages show them, each viewer what is about their people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.api.answers.names import PositionNames, position_names
from server.api.answers.scheme_items import (
    definition_of,
    diff,
    entry,
    read_changes,
    read_definition,
)
from server.api.context import Context
from server.api.views.base import NameView
from server.api.views.schemes import (
    SchemeChange,
    SchemeDefinitionView,
    SchemeDraftDetailView,
    SchemeDraftsView,
    SchemeDraftView,
    SchemeEffectRowView,
    SchemeEffectView,
    SchemeFileFaultView,
    SchemeFileRowView,
    SchemeFileView,
    SchemeIndicatorNameView,
    SchemeMovedView,
    SchemePreviewView,
    SchemeSideView,
    SchemesView,
    SchemeTemplateView,
    SchemeTrialBody,
    SchemeTrialView,
    SchemeTriedView,
)
from server.scoring.family import facts_needed
from server.scoring.indicator import Indicator, in_force
from server.scoring.numbers import CENTI, MICRO, decimal_text
from server.scoring.rules import Book, Change, IndicatorItem, Item, OwnItem, SeasonItem, SetItem, first_day, rules_of
from server.scoring.scorecard import grade
from server.scoring.season import default_seasons
from server.scoring.templates import default_templates
from server.services import comparing, definition_files, schemes, simulating, trial
from server.services.act import Act
from server.services.comparing import Compared, Comparison, Side
from server.services.definition_files import Judged
from server.services.pay_reads import note_preview
from server.services.schemes import Draft
from server.services.simulating import Moved, Preview
from server.services.sources import unusable_facts
from server.store import people_queries, post_queries, scheme_queries, score_queries
from server.store.scheme_queries import DraftRow, State
from server.store.score_queries import upwards
from shared.clock import from_ms
from shared.errors import DataError

ENDS = 100
"""People of a preview that are listed at each end."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a viewer sees of schemes."""

    everything: bool
    departments: frozenset[str]
    """Their own with those below, and all above them, whose weights hold for their people too."""
    people: frozenset[str]

    def sees(self, item: Item | None) -> bool:
        """Whether an item is about their people."""
        if self.everything or item is None:
            return self.everything
        match item:
            case SetItem(set=one):
                return one.department is None or one.department in self.departments
            case SeasonItem(delta=delta):
                return delta.department in self.departments
            case OwnItem(employee=employee):
                return employee in self.people
            case IndicatorItem():
                return True


async def overview(context: Context, viewer: Viewer) -> SchemesView:
    """Everything in force that the viewer sees, and what drafts can be made of."""
    now_ms, scope = context.clocks.wall_ms(), viewer.scope
    today = from_ms(now_ms).astimezone(context.config.zone).date()
    writes = viewer.may("schemes.write")
    async with context.db.reading() as connection:
        sight = await _sight(connection, scope)
        book = await scheme_queries.book_at(connection)
        rules = rules_of(book)
        unusable = await unusable_facts(connection, now_ms)
        departments = await post_queries.department_rows(connection)
        positions = await post_queries.position_rows(connection)
        people = await people_queries.names_of_people(connection, scope) if writes else {}
        version = await scheme_queries.newest_version(connection)
        periods = await score_queries.months_with_scores(connection, scope)
    missing = {fact for fact, reason in unusable.items() if reason == "source_missing"}
    current = (in_force(rules.catalogue.indicators, name, date.max) for name in _ids(rules.catalogue.indicators))
    used = {one.department for one in rules.catalogue.sets if one.department is not None}
    names = {row.id: NameView(id=row.id, name_zh=row.name_zh, name_en=row.name_en) for row in departments.values()}
    return SchemesView(
        version=version,
        today=today,
        may_write=writes,
        may_define=viewer.may("admin"),
        sets=[
            entry(item, book)
            for one in rules.catalogue.sets
            if sight.sees(item := SetItem(set=one)) and (one.department is None or one.department in names)
        ],
        seasons=[entry(one, book) for one in book.values() if isinstance(one, SeasonItem) and sight.sees(one)],
        own=[entry(one, book) for one in book.values() if isinstance(one, OwnItem) and sight.sees(one)],
        templates=_templates() if writes else [],
        indicators=[
            SchemeIndicatorNameView(
                id=one.id,
                name_zh=one.name_zh,
                name_en=one.name_en,
                unit=one.unit,
                better=one.better,
                department=one.department,
                source_missing=bool(facts_needed(one) & missing),
            )
            for one in current
            if one is not None
        ],
        departments=[view for name, view in names.items() if sight.everything or name in sight.departments or not used],
        positions=[NameView(id=r.id, name_zh=r.name_zh, name_en=r.name_en) for r in positions.values()],
        people=[NameView(id=one, name_zh=name, name_en=name) for one, name in people.items()],
        periods=periods,
    )


async def drafts(context: Context, viewer: Viewer, states: Sequence[State]) -> SchemeDraftsView:
    """Drafts or versions, the newest first; versions without a line about the viewer's people are left out."""
    async with context.db.reading() as connection:
        sight = await _sight(connection, viewer.scope)
        newest = await scheme_queries.newest_version(connection)
        rows = await scheme_queries.draft_rows(connection, states)
        seen = [row for row in rows if sight.everything or await _seen(connection, row, sight)]
    return SchemeDraftsView(rows=[_draft(row, viewer, newest) for row in seen])


async def draft(context: Context, viewer: Viewer, number: int) -> SchemeDraftDetailView:
    """A draft with its lines."""
    async with context.db.reading() as connection:
        return await _detail(connection, viewer, await schemes.find_draft(connection, number))


async def version(context: Context, viewer: Viewer, number: int) -> SchemeDraftDetailView:
    """A version with its lines in the viewer's scope; NotFoundError when it has none."""
    async with context.db.reading() as connection:
        return await _detail(connection, viewer, await schemes.find_version(connection, number))


async def preview(
    context: Context,
    act: Act,
    bodies: Sequence[SchemeChange],
    period: str | None,
    day: date | None,
) -> SchemePreviewView:
    """What scores of the viewer's people would be by these lines."""
    return await _preview(context, act, read_changes(bodies), period, day)


async def preview_of(context: Context, act: Act, number: int, period: str | None) -> SchemePreviewView:
    """What scores of the viewer's people would be by a draft."""
    async with context.db.reading() as connection:
        found = await schemes.find_draft(connection, number)
    return await _preview(context, act, found.changes, period, None, found.before)


async def effect(context: Context, viewer: Viewer, number: int) -> SchemeEffectView:
    """Four weeks before and after a version came into force, of the viewer's people."""
    async with context.db.reading() as connection:
        found = await comparing.effect_of(connection, viewer.scope, number, context.clocks.wall_ms())
    return effect_view(found)


async def definition(context: Context, indicator: str) -> SchemeDefinitionView:
    """The newest definition of an indicator; NotFoundError for one that is not there."""
    async with context.db.reading() as connection:
        catalogue = rules_of(await scheme_queries.book_at(connection)).catalogue
    versions = sorted((one for one in catalogue.indicators if one.id == indicator), key=lambda one: one.starts)
    if not versions:
        raise NotFoundError(f"indicator {indicator}")
    return SchemeDefinitionView(definition=definition_of(versions[-1]), starts=[one.starts for one in versions])


async def try_definition(context: Context, viewer: Viewer, body: SchemeTrialBody) -> SchemeTrialView:
    """What a definition would observe in a period; nothing is written."""
    indicator = read_definition(body.definition)
    async with context.db.reading() as connection:
        now_ms = context.clocks.wall_ms()
        found = await trial.try_out(connection, viewer.scope, indicator, body.period, now_ms)
    return SchemeTrialView(
        period=found.period,
        people=found.people,
        scored=found.scored,
        own=found.own,
        rows=found.rows,
        reasons={str(reason): number for reason, number in found.reasons.items()},
        samples=[
            SchemeTriedView(
                employee=one.employee,
                name=one.name,
                numerator=one.score.observed.numerator,
                denominator=one.score.observed.denominator,
                sample=one.score.observed.sample,
                value=None if one.score.value is None else decimal_text(one.score.value, indicator.places),
                points=None if one.score.points is None else decimal_text(Fraction(one.score.points, MICRO)),
                no_score=one.score.no_score,
                level=one.level,
            )
            for one in found.samples
        ],
    )


async def read_file(context: Context, toml: bytes) -> SchemeFileView:
    """Definitions of a file with their faults; nothing is written."""
    async with context.db.reading() as connection:
        found = await definition_files.judge_file(connection, toml, context.clocks.wall_ms())
    return SchemeFileView(rows=[_file_row(one) for one in found])


def _file_row(judged: Judged) -> SchemeFileRowView:
    one, fault = judged.defined, judged.fault
    return SchemeFileRowView(
        id=one.id,
        line=one.line,
        unchanged=judged.unchanged,
        definition=None if one.indicator is None or fault is not None else definition_of(one.indicator),
        fault=None if fault is None else SchemeFileFaultView.model_validate(fault),
    )


def effect_view(found: Comparison) -> SchemeEffectView:
    """A comparison in text."""
    return SchemeEffectView(
        before_first=found.before.first,
        before_last=found.before.last,
        after_first=found.after.first,
        after_last=found.after.last,
        complete=found.complete,
        people=found.people,
        rows=[_effect_row(row) for row in found.rows],
    )


def moved_view(one: Moved, position: NameView, *, money: bool) -> SchemeMovedView:
    """A person of a preview in text."""
    return SchemeMovedView(
        employee=one.card.employee,
        name=one.card.name,
        department=one.card.department,
        position=one.card.position,
        position_name=position,
        before=None if one.before is None else decimal_text(Fraction(one.before, CENTI)),
        after=None if one.after is None else decimal_text(Fraction(one.after, CENTI)),
        change=_signed(Fraction(one.change, CENTI)),
        rank_before=one.rank_before,
        rank_after=one.rank_after,
        grade_before=None if one.before is None else grade(one.before),
        grade_after=None if one.after is None else grade(one.after),
        paid_before_minor=one.paid_before if money else None,
        paid_after_minor=one.paid_after if money else None,
    )


# --- parts ----------------------------------------------------------------------------------------------------------


def _ids(indicators: Sequence[Indicator]) -> list[str]:
    return sorted({one.id for one in indicators})


def _templates() -> list[SchemeTemplateView]:
    sets = [
        SchemeTemplateView(
            id=one.id,
            kind="set",
            name_zh=one.name_zh,
            name_en=one.name_en,
            department=one.department or "",
            position=one.position,
            weights=one.weights,
        )
        for one in default_templates()
    ]
    seasons = [
        SchemeTemplateView(
            id=one.id,
            kind="season",
            name_zh=one.name_zh,
            name_en=one.name_en,
            department=one.department,
            position=None,
            weights=one.weights,
        )
        for one in default_seasons()
    ]
    return [*sets, *seasons]


async def _sight(connection: AsyncConnection, scope: Scope) -> _Sight:
    if scope.everyone:
        return _Sight(True, frozenset(), frozenset())
    above = await score_queries.departments_above(connection)
    departments = {one for own in scope.departments for one in upwards(own, above)}
    people = await people_queries.names_of_people(connection, scope)
    return _Sight(False, frozenset(departments), frozenset(people))


async def _seen(connection: AsyncConnection, row: DraftRow, sight: _Sight) -> bool:
    found = await schemes.find_draft(connection, row.id)
    return bool(_lines(found.changes, found.before, sight))


def _lines(changes: Sequence[Change], before: Book, sight: _Sight) -> list[Change]:
    return [one for one in changes if sight.everything or sight.sees(one.item or before.get((one.kind, one.key)))]


async def _detail(connection: AsyncConnection, viewer: Viewer, found: Draft) -> SchemeDraftDetailView:
    sight = await _sight(connection, viewer.scope)
    lines = _lines(found.changes, found.before, sight)
    if not lines and not sight.everything:
        raise NotFoundError(f"draft {found.row.id}")
    parents = await score_queries.departments_above(connection)
    above = {name: tuple(upwards(name, parents)) for name in parents}
    newest = await scheme_queries.newest_version(connection)
    return SchemeDraftDetailView(draft=_draft(found.row, viewer, newest), changes=diff(found.before, lines, above))


def _draft(row: DraftRow, viewer: Viewer, newest: int) -> SchemeDraftView:
    names = {f"login:{viewer.login}", f"employee:{viewer.employee}"}
    return SchemeDraftView(
        id=row.id,
        title=row.title,
        state=row.state,
        revision=row.revision,
        based_on=row.based_on,
        version=row.version,
        first_on=row.first_on,
        written_by=row.written_by,
        written_ms=row.written_ms,
        submitted_ms=row.submitted_ms,
        decided_by=row.decided_by,
        decided_ms=row.decided_ms,
        note=row.note,
        own=bool(names & set(row.authors)),
        outdated=row.version is None and row.based_on != newest,
    )


async def _preview(  # noqa: PLR0917 - what to try, on which period and day
    context: Context,
    act: Act,
    changes: Sequence[Change],
    period: str | None,
    day: date | None,
    before: Book | None = None,
) -> SchemePreviewView:
    now_ms = context.clocks.wall_ms()
    async with context.db.reading() as connection:
        book = await scheme_queries.book_at(connection) if before is None else before
        after = await schemes.check_changes(connection, book, changes, now_ms)
        months = await score_queries.months_with_scores(connection, act.scope)
        wanted = period or (months[0] if months else None)
        if wanted is None:
            raise DataError("nobody has a score yet that could be computed again", "no_scores")
        since = day or first_day(changes, book) or from_ms(now_ms).astimezone(context.config.zone).date()
        found = await simulating.preview(connection, act.scope, rules_of(book), after, wanted, since, now_ms)
        position = await position_names(connection)
    shown = found.moved if len(found.moved) <= 2 * ENDS else (*found.moved[:ENDS], *found.moved[-ENDS:])
    money = act.viewer.may("scores.close")
    if money and found.pays:
        await note_preview(context.db, act, wanted, (one.card.employee for one in shown))
    return preview_view(found, shown, position, money=money)


def preview_view(found: Preview, shown: Sequence[Moved], position: PositionNames, *, money: bool) -> SchemePreviewView:
    """A preview in text; of many people those at both ends are shown."""
    return SchemePreviewView(
        simulated=True,
        period=found.period,
        day=found.day,
        people=found.people,
        moved=len(found.moved),
        winners=sum(one.change > 0 for one in found.moved),
        losers=sum(one.change < 0 for one in found.moved),
        rows=[moved_view(one, position(one.card.position), money=money) for one in shown],
        grades_before={str(letter): number for letter, number in found.before.items()},
        grades_after={str(letter): number for letter, number in found.after.items()},
        paid_before_minor=found.paid_before if money else None,
        paid_after_minor=found.paid_after if money else None,
    )


def _effect_row(row: Compared) -> SchemeEffectRowView:
    one = row.indicator
    places = 2 if one is None else one.places
    points = row.before.points, row.after.points
    change = None if points[0] is None or points[1] is None else _signed(points[1] - points[0])
    return SchemeEffectRowView(
        indicator=None if one is None else one.id,
        name_zh=None if one is None else one.name_zh,
        name_en=None if one is None else one.name_en,
        unit=None if one is None else one.unit,
        people=row.people,
        before=_side(row.before, places),
        after=_side(row.after, places),
        change=change,
    )


def _side(side: Side, places: int) -> SchemeSideView:
    return SchemeSideView(
        value=None if side.value is None else decimal_text(side.value, places),
        points=None if side.points is None else decimal_text(side.points),
        sample=side.sample,
    )


def _signed(number: Fraction) -> str:
    text = decimal_text(number)
    return f"+{text}" if number > 0 else text
