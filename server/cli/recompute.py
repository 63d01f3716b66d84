"""``muster server attendance``."""

from datetime import datetime
from typing import Annotated

import typer

from server.cli.console import ACTOR, CONFIG, ConfigOption, JsonOption, err, in_database, now_ms, show
from server.services.recompute import Asked, Range
from server.store.database import Database

commands = typer.Typer(no_args_is_help=True, help="Attendance results.")


@commands.callback()
def _group() -> None:
    """Attendance results."""


@commands.command("recompute")
def recompute(
    *,
    from_: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="First date.")],
    to: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Last date.")],
    department: Annotated[str | None, typer.Option(help="Only this department and those below it.")] = None,
    employee: Annotated[list[str] | None, typer.Option(help="Only this person; repeat it.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Compute results again from everything that is stored, at most 366 days.

    Records of closed months stay as they are; where they would say something else now, that becomes an adjustment. It
    can be broken off: what still waits is computed by the running server, or when the command is given again.

    muster server attendance recompute --from 2026-03-01 --to 2026-03-31
    """

    async def work(db: Database) -> tuple[Asked, int]:
        return await _recompute(db, Range(from_.date(), to.date(), department, tuple(employee or ())))

    asked, changed = in_database(config, work)
    facts = {"people": asked.people, "days": asked.days, "changed": changed}
    show([facts], json_, ("people", "days", "changed"))


async def _recompute(db: Database, wanted: Range) -> tuple[Asked, int]:
    """Touch, then compute until nothing waits; how many days say something else."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from server.access.scope import Scope
    from server.services.attendance import compute_touched
    from server.services.recompute import ask_again
    from server.store import attendance_queries, result_queries
    from server.store.log_queries import Entry

    started_ms = now_ms()
    detail = {"department": wanted.department, "employees": list(wanted.people)}
    entry = Entry(started_ms, ACTOR, "attendance.recompute", f"{wanted.first}..{wanted.last}", detail=detail)
    asked = await ask_again(db, Scope.system(), wanted, entry)
    columns = (TextColumn("computing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("", total=asked.days)
        while await compute_touched(db, now_ms()):
            async with db.reading() as connection:
                waiting = await attendance_queries.waiting_days(connection)
            progress.update(bar, completed=max(asked.days - waiting, 0))
    async with db.reading() as connection:
        return asked, await result_queries.days_changed_since(connection, wanted.first, wanted.last, started_ms)
