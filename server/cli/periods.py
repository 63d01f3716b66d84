"""``muster score close``, ``export``, ``calibrate``, ``adjustments``, ``reward-tier`` and ``reward-base``."""

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from server.cli.console import (
    CONFIG,
    ConfigOption,
    JsonOption,
    errors,
    in_database,
    iso_time,
    now_ms,
    operator,
    out,
    show,
)
from server.cli.scores import app as commands
from server.config import load_config
from server.store.database import Database
from shared.errors import DataError

if TYPE_CHECKING:
    from server.services.report_files import Setting
    from server.store.scope_filter import Narrow

FAILED = 1
app = commands
"""The group, these commands included."""
PeriodArgument = Annotated[str, typer.Argument(help="Month or quarter, as 2026-01 or 2026-Q1.", metavar="PERIOD")]
DepartmentOption = Annotated[str | None, typer.Option(help="Only this department and those below it.")]
CHECK = ("item", "count", "kind")
CARDS = ("employee", "name", "computed", "adjustment", "veto_cap", "final", "grade", "provisional", "payable")
ADJUSTMENTS = ("employee", "period", "posted_to", "indicator", "from", "to", "total", "money", "cause")


@app.command("close")
def close(
    period: PeriodArgument,
    *,
    department: DepartmentOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only print the checklist; exit 1 when it is not ready.")
    ] = False,
    accept: Annotated[list[str] | None, typer.Option(help="A notice that may stay; repeat it.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Publish the scores of a period, or only look at its checklist. What is published stays as it is.

    muster score close 2026-01 --check
    """
    from server.access.scope import Scope
    from server.attendance.checklist import Item
    from server.services import score_periods
    from server.services.score_periods import Code

    async def work(db: Database) -> list[Item[Code]]:
        async with db.reading() as connection:
            before = await score_periods.check(connection, Scope.system(), period, now_ms(), department)
        if not check:
            await score_periods.close_period(db, operator(), period, department, accepted=tuple(accept or ()))
        return before.items

    items = in_database(config, work)
    facts = [
        {"item": item.code, "count": item.count, "kind": "blocking" if item.blocking else "notice"} for item in items
    ]
    show(facts, json_, CHECK)
    if check and any(item.blocking and item.count for item in items):
        raise typer.Exit(FAILED)


@app.command("export")
def export(
    period: PeriodArgument,
    *,
    department: DepartmentOption = None,
    file: Annotated[Path | None, typer.Option("--out", help="File to write: .xlsx or .csv.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Print the published cards of a period with what they come to, or write them into a file for payroll.

    muster score export 2026-01 --out january.xlsx
    """
    from server.services.report_files import Setting

    settings = load_config(config)
    setting = Setting(now_ms(), settings.zone, company=settings.company)
    if file is None:
        show(in_database(config, lambda db: _cards(db, period, department)), json_, CARDS)
        return
    with errors():
        if file.suffix not in (".xlsx", ".csv"):
            raise DataError(f"{file}: expected a name that ends in .xlsx or .csv", "export_file")
    in_database(config, lambda db: _written(db, period, department, file, setting))
    out.print(f"{file}")


@app.command("calibrate")
def calibrate(
    employee: Annotated[str, typer.Argument(help="Id of the person.")],
    period: PeriodArgument,
    points: Annotated[str, typer.Argument(help="-10 to +10, as 2.5; after `--` where it begins with a minus.")],
    *,
    reason: Annotated[str, typer.Option(help="Why the total is changed.")],
    config: ConfigOption = CONFIG,
) -> None:
    """Propose points for an open card; another person approves on the page.

    muster score calibrate e1001 2026-01 2.5 --reason "stood in for two weeks"
    """
    from fractions import Fraction

    from server.services.score_judging import propose

    with errors():
        try:
            hundredths = Fraction(points) * 100
        except ValueError as error:
            raise DataError(f"points {points!r}: expected a number such as 2.5", "calibration") from error
        if hundredths.denominator != 1:
            raise DataError(f"points {points!r}: expected two decimals at most", "calibration")
    number = in_database(
        config, lambda db: propose(db, operator(), employee, period, points=int(hundredths), reason=reason)
    )
    out.print(f"proposal {number}, to be approved by another person")


@app.command("adjustments")
def adjustments(period: PeriodArgument, *, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Print what late facts of closed periods change, posted to this one.

    muster score adjustments 2026-03
    """
    show(in_database(config, lambda db: _adjustments(db, period)), json_, ADJUSTMENTS)


EmployeeOption: TypeAlias = Annotated[str | None, typer.Option(help="Base amount of this person.")]
PositionOption: TypeAlias = Annotated[str | None, typer.Option(help="Base amount of everybody in this position.")]


@app.command("reward-tier")
def reward_tier(
    indicator: Annotated[str, typer.Argument(help="Id of the indicator; more of it has to be better.")],
    *,
    starts: Annotated[str, typer.Option("--from", help="First day, as 2026-01-01.")],
    step: Annotated[str, typer.Option(help="Part of the target for one step.")] = "0.1",
    gain: Annotated[str, typer.Option(help="Part of the base for one step.")] = "0.02",
    max_steps: Annotated[int, typer.Option(help="At most so many.")] = 5,
    gate: Annotated[list[str] | None, typer.Option(help="Indicator that has to reach its target; repeat it.")] = None,
    base: Annotated[int | None, typer.Option(help="Base amount in minor units (fen); while nobody has one.")] = None,
    employee: EmployeeOption = None,
    position: PositionOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Set the steps of an indicator's reward from a day on; with a base amount, where it pays nobody yet.

    muster score reward-tier biz_sales_amount --from 2026-01-01 --gate biz_gross_margin_rate
    muster score reward-tier nm_reads --from 2026-01-01 --base 300000 --position video_editor
    """
    from server.services.score_rewards import put_tier
    from server.store.reward_queries import BaseRow, TierRow

    with errors():
        row = TierRow(indicator, _day(starts), step, gain, max_steps, dict.fromkeys(gate or ()))
        own = None if base is None else BaseRow(indicator, *_payee(employee, position), row.starts, base)
    in_database(config, lambda db: put_tier(db, operator(), row, own))
    out.print(f"{indicator}: steps from {starts}")


@app.command("reward-base")
def reward_base(
    indicator: Annotated[str, typer.Argument(help="Id of the indicator.")],
    minor: Annotated[int, typer.Argument(help="Amount in minor units (fen); 0 ends it.")],
    *,
    starts: Annotated[str, typer.Option("--from", help="First day, as 2026-01-01.")],
    employee: EmployeeOption = None,
    position: PositionOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Set the base amount of a reward, of a person or a position, from a day on.

    muster score reward-base biz_sales_amount 500000 --position sales_rep --from 2026-01-01
    """
    from server.services.score_rewards import put_base
    from server.store.reward_queries import BaseRow

    with errors():
        row = BaseRow(indicator, *_payee(employee, position), _day(starts), minor)
    in_database(config, lambda db: put_base(db, operator(), row))
    out.print(f"{indicator}: base of {row.unit} from {starts}")


def _payee(employee: str | None, position: str | None) -> tuple[str, str]:
    """Kind and id of whom a base amount is for."""
    if employee is not None and position is None:
        return "person", employee
    if position is not None and employee is None:
        return "position", position
    raise DataError("expected one of --employee and --position", "reward")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"day {text!r}: expected one such as 2026-01-31", "day") from error


def _centi(value: int | None) -> str | None:
    from fractions import Fraction

    from server.scoring.numbers import CENTI, decimal_text

    return None if value is None else decimal_text(Fraction(value, CENTI))


async def _cards(db: Database, period: str, department: str | None) -> list[dict[str, str | int | None]]:
    from server.access.scope import Scope
    from server.services.score_export import pay_rows
    from server.store import log_queries, post_queries

    async with db.reading() as connection:
        rows = await pay_rows(connection, Scope.system(), period, await _narrow(db, department))
        called = await post_queries.position_names(connection)
    async with db.writing() as connection:
        entry = operator().entry("scores.export", period, format="text", department=department, money=True)
        await log_queries.append(connection, entry)
    return [
        {
            "employee": row.card.employee,
            "name": row.card.name,
            "department": row.card.department,
            "position": row.card.position,
            "position_zh": called[row.card.position][0],
            "position_en": called[row.card.position][1],
            "version": row.card.version,
            "computed": _centi(row.card.computed),
            "adjustment": _centi(row.card.adjustment),
            "veto_cap": _centi(row.card.veto_cap),
            "final": _centi(row.card.final),
            "grade": row.card.grade,
            "provisional": ", ".join(row.card.provisional) or None,
            "reward": _centi(row.card.reward_minor),
            "carried": _centi(row.carried_minor),
            "payable": _centi(row.payable_minor),
            "published": iso_time(row.card.published_ms),
        }
        for row in rows
    ]


async def _narrow(db: Database, department: str | None) -> "Narrow":
    from server.access.departments import with_those_below
    from server.store import user_queries
    from server.store.scope_filter import ALL, Narrow

    if department is None:
        return ALL
    async with db.reading() as connection:
        return Narrow(with_those_below({department}, await user_queries.department_parents(connection)))


async def _written(db: Database, period: str, department: str | None, file: Path, setting: "Setting") -> None:
    from server.access.scope import Scope
    from server.services.score_export import score_file
    from server.store import log_queries

    narrow = await _narrow(db, department)
    kind: Literal["csv", "xlsx"] = "csv" if file.suffix == ".csv" else "xlsx"
    made = await score_file(db, Scope.system(), period, narrow, setting, kind=kind, money=True)
    with made, file.open("wb") as target:
        shutil.copyfileobj(made, target)
    async with db.writing() as connection:
        entry = operator().entry("scores.export", period, format=kind, department=department, money=True)
        await log_queries.append(connection, entry)


async def _adjustments(db: Database, period: str) -> list[dict[str, str | int | None]]:
    from server.access.scope import Scope
    from server.services.pay_reads import note_read
    from server.store import period_queries

    async with db.reading() as connection:
        rows = await period_queries.adjustments(connection, Scope.system(), posted_to=period)
    await note_read(db, operator(), "scores.read_adjustments", period, (row.employee for row in rows))
    return [
        {
            "employee": row.employee,
            "period": row.period,
            "posted_to": row.posted_to,
            "indicator": row.indicator,
            "from": row.before.value,
            "to": row.after.value,
            "total": _centi(row.total),
            "money": _centi(row.money_minor),
            "cause": row.cause,
        }
        for row in rows
    ]
