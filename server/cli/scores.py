"""``muster score``: compute scores, explain one, verify them, set targets, check definitions."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.cli import schemes, trends
from server.cli.console import ACTOR, CONFIG, ConfigOption, JsonOption, err, errors, in_database, now_ms, out, show
from server.cli.files import bytes_of
from server.config import load_config
from server.scoring.target import Target
from server.scoring.target_file import HEADS, TargetLine, read_targets
from server.store.database import Database
from shared.errors import DataError

if TYPE_CHECKING:
    from server.services.verifying import Verified
    from server.store.lake_writing import Written

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Scores: compute, explain, set targets, try changes, check definitions.",
)

PeriodOption = Annotated[str, typer.Option("--period", help="Month, as 2026-11.", metavar="YYYY-MM")]
POINTS = ("employee", "name", "department", "status", "total", "grade", "coverage_pct")
PARTS = ("indicator", "name", "weight_pct", "value", "target", "points", "sample", "whose", "why_none")
DIFFERENCES = ("employee", "indicator", "live", "full")
LAKE = ("months", "rows", "removed", "files", "bytes")


@app.callback()
def _group() -> None:
    """Scores: compute, explain, set targets, try changes, check definitions."""


schemes.add_to(app)
trends.add_to(app)


@app.command("run")
def run(
    *,
    period: PeriodOption,
    department: Annotated[str | None, typer.Option(help="Only this department and those below it.")] = None,
    employee: Annotated[list[str] | None, typer.Option(help="Only this person; repeat it.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Compute the scores of a month again from everything that is stored, and print the totals, best first.

    muster score run --period 2026-11 --department logistics
    """
    with errors():
        rows = in_database(config, lambda db: _run(db, period, department, tuple(employee or ())))
        show(rows, json_, POINTS)


@app.command("explain")
def explain(
    employee: Annotated[str, typer.Argument(help="Id of the person.")],
    *,
    period: PeriodOption,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Print what a person's score was made of: value, target, points, and whose value it is.

    muster score explain e1001 --period 2026-11
    """
    show(in_database(config, lambda db: _explain(db, employee, period)), json_, PARTS)


@app.command("verify")
def verify(
    *,
    period: PeriodOption,
    lake: Annotated[bool, typer.Option(help="Count on the lake, where DuckDB is installed.")] = True,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Count everything of a month anew and compare it with the live scores, as the server does every night.

    Prints what differs; the exit code is then 1.

    muster score verify --period 2026-11
    """
    with errors():
        folder = load_config(config).data / "lake" if lake else None
        found = in_database(config, lambda db: _verify(db, period, folder))
    names = ("employee", "indicator", "live", "full")
    rows = [
        dict(zip(names, (one.employee, one.indicator, one.live, one.full), strict=True)) for one in found.differences
    ]
    if json_ or rows:
        show(rows, json_, DIFFERENCES)
    err.print(f"{found.cards} scorecards compared on the {found.by}, {len({row['employee'] for row in rows})} differ")
    if rows:
        raise typer.Exit(1)


@app.command("lake")
def lake(*, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Bring the lake up to what is committed: months of facts as Parquet files below the data folder.

    muster score lake
    """
    with errors():
        folder = load_config(config).data / "lake"
        done = in_database(config, lambda db: _lake(db, folder))
    show([dict(zip(LAKE, (done.months, done.rows, done.removed, done.files, done.size), strict=True))], json_, LAKE)


@app.command("targets")
def targets(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="CSV or XLSX with the heads indicator,unit,starts,target. Without it targets are listed.",
            metavar="[FILE]",
        ),
    ] = None,
    *,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """List the targets of people and departments, or set those of a file.

    ``unit`` is the id of a person or a department, empty for everybody; ``target`` is in the indicator's unit.

    muster score targets targets.csv
    """
    with errors():
        lines = () if file is None else read_targets(bytes_of(file))
        known = in_database(config, lambda db: _targets(db, lines))
        facts = [
            {"indicator": t.indicator, "unit": t.unit, "starts": t.starts.isoformat(), "target": t.target}
            for t in known
        ]
        show(facts, json_, HEADS)


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="TOML with [[indicator]] tables.")]) -> None:
    """Check definitions of indicators: every fault with the field and the reason. Nothing is changed.

    muster score check indicators.toml
    """
    from server.scoring.catalogue import read_indicators
    from server.scoring.family import check_parts
    from server.store.counted_facts import shapes

    with errors():
        found = read_indicators(bytes_of(file))
        for indicator in found:
            check_parts(indicator, shapes())
    out.print(f"{len(found)} indicators, no faults")


async def _targets(db: Database, lines: Sequence[TargetLine]) -> list[Target]:
    from server.access.scope import Scope
    from server.services.targets import set_lines
    from server.store import target_queries
    from server.store.log_queries import Entry

    if lines:
        entry = Entry(now_ms(), ACTOR, "scores.targets", "", detail={"targets": len(lines)})
        await set_lines(db, Scope.system(), lines, entry)
    async with db.reading() as connection:
        return await target_queries.target_rows(connection)


async def _run(
    db: Database, period: str, department: str | None, people: tuple[str, ...]
) -> list[dict[str, str | int | None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from server.access.scope import Scope
    from server.scoring.numbers import CENTI, decimal_text
    from server.scoring.scorecard import grade
    from server.scoring.window import days_of
    from server.services.scoring import score_touched
    from server.store import score_queries
    from server.store.scope_filter import ALL

    days_of(period)
    async with db.reading() as connection:
        posts = await score_queries.everybody(connection)
    wanted = {
        person
        for person, post in posts.items()
        if (department is None or department in post.departments) and (not people or person in people)
    }
    if not wanted:
        raise DataError("nobody: expected a department or person that is there", "nobody")
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [(person, period) for person in wanted])
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("", total=len(wanted))
        while done := await score_touched(db, now_ms()):
            progress.advance(bar, done)
    async with db.reading() as connection:
        ranked = await score_queries.ranking(connection, Scope.system(), period, ALL)
    return [
        {
            "employee": card.employee,
            "name": card.name,
            "department": card.department,
            "status": "insufficient_data" if card.total is None else "scored",
            "total": None if card.total is None else decimal_text(Fraction(card.total, CENTI)),
            "grade": None if card.total is None else grade(card.total),
            "coverage_pct": decimal_text(100 * Fraction(*card.coverage)),
        }
        for card in ranked
        if card.employee in wanted
    ]


async def _verify(db: Database, period: str, folder: Path | None) -> "Verified":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from server.services.verifying import verify as verified
    from shared.clock import system_clocks

    columns = (TextColumn("comparing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("", total=None)
        return await verified(
            db, period, system_clocks(), folder, lambda done, all_: progress.update(bar, completed=done, total=all_)
        )


async def _lake(db: Database, folder: Path) -> "Written":
    from rich.progress import MofNCompleteColumn, Progress, TextColumn

    from server.store.lake_writing import write_lake

    with Progress(TextColumn("{task.description}"), MofNCompleteColumn(), console=err, transient=True) as progress:
        bar = progress.add_task("", total=None)

        def told(fact: str, rows: int) -> None:
            progress.update(bar, description=fact, advance=rows)

        return await write_lake(db, folder, told)


async def _explain(db: Database, employee: str, period: str) -> list[dict[str, str | int | None]]:
    from server.access.scope import Scope
    from server.scoring.numbers import MICRO, decimal_text
    from server.services.scheme_rules import catalogue_in_force
    from server.store import score_queries

    async with db.reading() as connection:
        catalogue = await catalogue_in_force(connection)
        card = await score_queries.scorecard(connection, Scope.system(), employee, period)
    if card is None:
        raise DataError(
            f"{employee} has no score in {period}; `muster score run --period {period}` computes it", "no_score"
        )
    rows: list[dict[str, str | int | None]] = []
    for score in card.scores:
        definition = catalogue.version(score.indicator, score.lineage.rule_version)
        lineage, query = score.lineage, score.lineage.query
        places = definition.places if definition else 2
        rows.append(
            {
                "indicator": score.indicator,
                "name": definition.name_zh if definition else None,
                "weight_pct": decimal_text(100 * Fraction(*lineage.weight), 4),
                "value": None if lineage.value is None else decimal_text(Fraction(lineage.value), places),
                "numerator": lineage.numerator,
                "denominator": lineage.denominator,
                "target": lineage.target,
                "points": None if score.points is None else decimal_text(Fraction(score.points, MICRO)),
                "sample": score.sample,
                "whose": query.level if query.level in ("person", "company") else f"{query.level} {query.unit}",
                "why_none": score.no_score,
                "rule_version": lineage.rule_version,
                "input_hash": lineage.input_hash,
            }
        )
    return rows
