"""``muster score what-if``, ``compare`` and ``indicators``: changes of weights and definitions before and after."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from server.cli.console import (
    ACTOR,
    CONFIG,
    ConfigOption,
    JsonOption,
    err,
    errors,
    in_database,
    now_ms,
    operator,
    out,
    show,
)
from server.cli.files import bytes_of
from server.scoring.rules import Change
from server.store.database import Database
from shared.errors import DataError

MOVED = ("employee", "name", "before", "after", "change", "rank_before", "rank_after", "grade_before", "grade_after")
POINTS = ("points_before", "points_after", "rows_before", "rows_after")
COMPARED = ("indicator", "people", "before", "after", "change", *POINTS)
TRIED = ("indicator", "employee", "name", "numerator", "denominator", "value", "points", "level", "why_none")
FILES = "TOML with [[set]], [[season]], [[own]] or [[indicator]] tables"

MonthOption = Annotated[str | None, typer.Option("--period", help="Month, as 2026-11.", metavar="YYYY-MM")]


def what_if(
    what: Annotated[str, typer.Argument(help=f"{FILES}, or the number of a draft.", metavar="FILE|DRAFT")],
    *,
    period: MonthOption = None,
    day: Annotated[str | None, typer.Option(help="The day whose weights are used: the first of the change.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Print what scores would be by a draft, biggest winners first. Nothing of it is stored.

    muster score what-if draft.toml --period 2026-11
    """
    with errors():
        changes = None if what.isdecimal() else _read(Path(what))
        since = None if day is None else _day(day)
        rows = in_database(config, lambda db: _what_if(db, what, changes, period, since))
        show(rows, json_, MOVED)


def compare(
    before: Annotated[str, typer.Argument(help="Month, as 2026-10; with --version no month is named.")] = "",
    after: Annotated[str, typer.Argument(help="A later month.")] = "",
    *,
    version: Annotated[int | None, typer.Option(help="A published version: four weeks before and after it.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Print scores of two months side by side, of those who have both, or the effect of a published version.

    muster score compare 2026-10 2026-11
    """
    with errors():
        if version is None and not (before and after):
            raise DataError("name two months, or a version with --version", "compare_what")
        show(in_database(config, lambda db: _compare(db, before, after, version)), json_, COMPARED)


def indicators(
    file: Annotated[Path, typer.Argument(help="TOML with [[indicator]] tables, each version with a day it starts on.")],
    *,
    period: MonthOption = None,
    submit: Annotated[bool, typer.Option("--submit", help="Hand the definitions in for a second person.")] = False,
    title: Annotated[str, typer.Option(help="Title of the draft.")] = "",
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Try definitions of indicators on stored rows; with --submit hand them in, to be published on a page.

    muster score indicators indicators.toml --period 2026-11
    """
    with errors():
        changes = _read(file)
        rows, number = in_database(config, lambda db: _indicators(db, changes, period, submit, title or file.name))
        show(rows, json_, TRIED)
        if number is not None and not json_:
            out.print(f"draft {number} waits for a second person, who publishes it on the page of weights")


def add_to(app: typer.Typer) -> None:
    """Put the commands beside those of scores."""
    app.command("what-if")(what_if)
    app.command("compare")(compare)
    app.command("indicators")(indicators)


def _read(path: Path) -> list[Change]:
    from server.scoring.draft_file import read_draft

    return read_draft(bytes_of(path))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"day {text!r}: expected 2026-01-31", "day") from error


async def _what_if(
    db: Database, what: str, changes: Sequence[Change] | None, period: str | None, day: date | None
) -> list[dict[str, str | int | None]]:
    from fractions import Fraction

    from server.access.scope import Scope
    from server.scoring.numbers import CENTI, decimal_text
    from server.scoring.rules import first_day, rules_of
    from server.scoring.scorecard import grade
    from server.services import schemes, simulating
    from server.services.pay_reads import note_preview
    from server.store import scheme_queries, score_queries

    async with db.reading() as connection:
        book = await scheme_queries.book_at(connection)
        if changes is None:
            draft = await schemes.find_draft(connection, int(what))
            book, changes = draft.before, draft.changes
        after = await schemes.check_changes(connection, book, changes, now_ms())
        months = await score_queries.months_with_scores(connection, Scope.system())
        if not months:
            raise DataError("nobody has a score yet; `muster score run` computes some", "no_scores")
        since = day or first_day(changes, book) or date.max
        found = await simulating.preview(
            connection, Scope.system(), rules_of(book), after, period or months[0], since, now_ms()
        )
    if found.pays:
        await note_preview(db, operator(), found.period, (one.card.employee for one in found.moved))
    grades = " · ".join(f"{letter} {found.before[letter]}→{found.after[letter]}" for letter in found.before)
    whom = f"{len(found.moved)} of {found.people} people"
    paid = [decimal_text(Fraction(minor, CENTI)) for minor in (found.paid_before, found.paid_after)]
    rewards = f"rewards {paid[0]}→{paid[1]}"
    err.print(f"simulated: {found.period} by the weights of {found.day}; {whom}; {grades}; {rewards}", soft_wrap=True)
    return [
        {
            "employee": one.card.employee,
            "name": one.card.name,
            "department": one.card.department,
            "before": None if one.before is None else decimal_text(Fraction(one.before, CENTI)),
            "after": None if one.after is None else decimal_text(Fraction(one.after, CENTI)),
            "change": decimal_text(Fraction(one.change, CENTI)),
            "rank_before": one.rank_before,
            "rank_after": one.rank_after,
            "grade_before": None if one.before is None else grade(one.before),
            "grade_after": None if one.after is None else grade(one.after),
            "paid_before": decimal_text(Fraction(one.paid_before, CENTI)),
            "paid_after": decimal_text(Fraction(one.paid_after, CENTI)),
            "simulated": "yes",
        }
        for one in found.moved
    ]


async def _compare(db: Database, before: str, after: str, version: int | None) -> list[dict[str, str | int | None]]:
    from server.access.scope import Scope
    from server.scoring.numbers import decimal_text
    from server.services import comparing

    async with db.reading() as connection:
        if version is None:
            found = await comparing.compare_periods(connection, Scope.system(), before, after, now_ms())
        else:
            found = await comparing.effect_of(connection, Scope.system(), version, now_ms())
    spans = " and ".join(f"{days.first} to {days.last}" for days in (found.before, found.after))
    err.print(f"{spans}, {found.people} people{'' if found.complete else '; the later one is not over'}")
    rows: list[dict[str, str | int | None]] = []
    for one in found.rows:
        places = 2 if one.indicator is None else one.indicator.places
        points = one.before.points, one.after.points
        change = None if points[0] is None or points[1] is None else decimal_text(points[1] - points[0])
        rows.append(
            {
                "indicator": "total" if one.indicator is None else one.indicator.id,
                "name": None if one.indicator is None else one.indicator.name_zh,
                "people": one.people,
                "before": None if one.before.value is None else decimal_text(one.before.value, places),
                "after": None if one.after.value is None else decimal_text(one.after.value, places),
                "points_before": None if points[0] is None else decimal_text(points[0]),
                "points_after": None if points[1] is None else decimal_text(points[1]),
                "change": change,
                "rows_before": one.before.sample,
                "rows_after": one.after.sample,
            }
        )
    return rows


async def _indicators(
    db: Database, changes: Sequence[Change], period: str | None, submit: bool, title: str
) -> tuple[list[dict[str, str | int | None]], int | None]:
    from server.access.scope import Scope
    from server.scoring.numbers import decimal_text
    from server.scoring.rules import IndicatorItem
    from server.services import schemes, trial
    from server.store import scheme_queries
    from server.store.log_queries import Entry
    from shared.clock import from_ms

    month = period or f"{from_ms(now_ms()):%Y-%m}"
    rows: list[dict[str, str | int | None]] = []
    async with db.reading() as connection:
        await schemes.check_changes(connection, await scheme_queries.book_at(connection), changes, now_ms())
        for change in changes:
            if not isinstance(change.item, IndicatorItem):
                raise DataError(f"{change.kind} {change.key}: expected [[indicator]] tables alone", "draft_file")
            one = change.item.indicator
            found = await trial.try_out(connection, Scope.system(), one, month, now_ms())
            why = ", ".join(f"{reason} {number}" for reason, number in sorted(found.reasons.items()))
            err.print(f"{one.id} in {month}: {found.scored} of {found.people} scored, {found.rows} rows {why}")
            rows += [
                {
                    "indicator": one.id,
                    "employee": person.employee,
                    "name": person.name,
                    "numerator": person.score.observed.numerator,
                    "denominator": person.score.observed.denominator,
                    "value": None if person.score.value is None else decimal_text(person.score.value, one.places),
                    "points": _points(person.score.points),
                    "level": person.level,
                    "why_none": person.score.no_score,
                }
                for person in found.samples
            ]
    if not submit:
        return rows, None
    author = schemes.Author(ACTOR, None, Entry(now_ms(), ACTOR, "", ""))
    number = await schemes.save(db, title, changes, author)
    await schemes.submit(db, number, 1, author)
    return rows, number


def _points(micro: int | None) -> str | None:
    from fractions import Fraction

    from server.scoring.numbers import MICRO, decimal_text

    return None if micro is None else decimal_text(Fraction(micro, MICRO))
