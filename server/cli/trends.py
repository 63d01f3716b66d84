"""``muster score trends``, ``forecast`` and ``correlate``: how indicators go, and what moves with what. To look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from server.cli.console import CONFIG, ConfigOption, JsonOption, err, errors, in_database, now_ms, show
from server.store.database import Database
from shared.errors import ConfigError

if TYPE_CHECKING:
    from server.analytics.correlation import Lagged
    from server.services.trend_basis import Wanted

Row = dict[str, str | int | None]
POINTS = ("indicator", "first", "last", "value", "sample", "final", "why_none")
AHEAD = ("indicator", "first", "last", "value", "low", "high", "n", "why_none")
PAIRS = ("one", "other", "lag", "r", "n", "p", "state")

DepartmentOption = Annotated[str | None, typer.Option("--department", help="Its people's rows, those below it too.")]
PersonOption = Annotated[str | None, typer.Option("--employee", help="One person's own rows.")]
SiteOption = Annotated[str | None, typer.Option("--site", help="A site's rows; without any of the three all.")]
IndicatorOption = Annotated[
    list[str] | None, typer.Option("--indicator", help="Repeat it; without it the heaviest of the department.")
]
GrainOption = Annotated[Literal["day", "week", "month"], typer.Option("--grain", help="Length of a step.")]
StepsOption = Annotated[int, typer.Option("--steps", min=1, help="Whole steps before today.")]
ToOption = Annotated[
    str | None,
    typer.Option("--to", help="No step ends after this day (YYYY-MM-DD); without it yesterday."),
]


def trends(
    *,
    department: DepartmentOption = None,
    employee: PersonOption = None,
    site: SiteOption = None,
    indicator: IndicatorOption = None,
    grain: GrainOption = "week",
    steps: StepsOption = 26,
    to: ToOption = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Print indicators step by step, with the rows behind each value.

    muster score trends --department logistics --grain week
    """
    with errors():
        wanted = _wanted(department, employee, site, grain=grain, steps=steps, to=to, indicators=indicator)
        show(in_database(config, lambda db: _trends(db, wanted)), json_, POINTS)


def forecast(
    *,
    department: DepartmentOption = None,
    employee: PersonOption = None,
    site: SiteOption = None,
    indicator: IndicatorOption = None,
    grain: GrainOption = "week",
    steps: StepsOption = 26,
    to: ToOption = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Print where indicators go if they go on like this, with the interval of 95 %. It never feeds pay.

    muster score forecast --department logistics --indicator log_damage_rate
    """
    with errors():
        wanted = _wanted(department, employee, site, grain=grain, steps=steps, to=to, indicators=indicator)
        show(in_database(config, lambda db: _forecast(db, wanted)), json_, AHEAD)


def correlate(
    *,
    department: DepartmentOption = None,
    employee: PersonOption = None,
    site: SiteOption = None,
    indicator: IndicatorOption = None,
    grain: GrainOption = "week",
    steps: StepsOption = 26,
    to: ToOption = None,
    plain: Annotated[bool, typer.Option("--plain", help="Compare values as they are, not their changes.")] = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Print which indicators move together, and how many steps the other comes later. Moving with is not causing.

    p is corrected for everything that was tested. The last lines are indicators without weight that move with the
    heaviest.

    muster score correlate --department logistics --grain week --steps 52
    """
    with errors():
        wanted = _wanted(department, employee, site, grain=grain, steps=steps, to=to, indicators=indicator)
        show(in_database(config, lambda db: _correlate(db, wanted, plain)), json_, PAIRS)


def add_to(app: typer.Typer) -> None:
    """Put the commands beside those of scores."""
    app.command("trends")(trends)
    app.command("forecast")(forecast)
    app.command("correlate")(correlate)


def _wanted(
    department: str | None,
    employee: str | None,
    site: str | None,
    *,
    grain: Literal["day", "week", "month"],
    steps: int,
    to: str | None,
    indicators: list[str] | None,
) -> "Wanted":
    from server.scoring.indicator import Level
    from server.services.trend_basis import Wanted
    from server.store.counted_pass import COMPANY

    named: dict[Level, str | None] = {"department": department, "person": employee, "site": site}
    units = [(level, unit) for level, unit in named.items() if unit is not None]
    if len(units) > 1:
        raise ConfigError("name one of --department, --employee and --site")
    level, unit = units[0] if units else ("company", COMPANY)
    return Wanted(level, unit, grain, steps, _day(to), tuple(indicators or ()))


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--to {text}: expected a day such as 2026-01-31") from None


async def _trends(db: Database, wanted: "Wanted") -> list[Row]:
    from server.access.scope import Scope
    from server.scoring.numbers import decimal_text
    from server.services.trends import series_of

    async with db.reading() as connection:
        with _waiting("counting"):
            found = await series_of(connection, Scope.system(), wanted, now_ms())
    return [
        {
            "indicator": one.indicator.id,
            "first": point.span.first.isoformat(),
            "last": point.span.last.isoformat(),
            "value": None if point.value is None else decimal_text(point.value, one.indicator.places),
            "sample": point.sample,
            "final": "yes" if point.final else "no",
            "why_none": point.reason,
        }
        for one in found.series
        for point in one.points
    ]


async def _forecast(db: Database, wanted: "Wanted") -> list[Row]:
    from server.access.scope import Scope
    from server.scoring.numbers import decimal_text
    from server.services.trend_forecasts import forecasts
    from server.services.trends import series_of

    async with db.reading() as connection:
        with _waiting("counting"):
            found = await series_of(connection, Scope.system(), wanted, now_ms())
    with _waiting("forecasting"):
        told = await forecasts(found.series, wanted.grain)
    rows: list[Row] = []
    for one in found.series:
        own, places = told[one.indicator.id], one.indicator.places
        head: Row = {"indicator": one.indicator.id, "n": own.n, "why_none": own.reason}
        if not own.ahead:
            rows.append(head | dict.fromkeys(("first", "last", "value", "low", "high")))
        for span, ahead in own.ahead:
            if ahead is not None:
                days = {"first": span.first.isoformat(), "last": span.last.isoformat()}
                value, low, high = (decimal_text(Fraction(x), places) for x in (ahead.value, ahead.low, ahead.high))
                rows.append(head | days | {"value": value, "low": low, "high": high})
    return rows


async def _correlate(db: Database, wanted: "Wanted", plain: bool) -> list[Row]:
    from server.access.scope import Scope
    from server.services.trend_correlations import correlations

    async with db.reading() as connection:
        with _waiting("comparing"):
            found = await correlations(connection, Scope.system(), wanted, now_ms(), plain=plain)
    pairs = (*found.pairs, *(one.pair for one in found.suggestions))
    return [{"one": pair.one, "other": pair.other, **_lagged(pair.best)} for pair in pairs]


def _lagged(one: "Lagged") -> Row:
    from server.scoring.numbers import decimal_text

    r = None if one.r is None else decimal_text(Fraction(one.r))
    p = None if one.corrected is None else f"{one.corrected:.3g}"
    return {"lag": one.lag, "r": r, "n": one.n, "p": p, "state": one.state}


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    with err.status(what):
        yield
