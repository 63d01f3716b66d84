"""``muster server attendance months`` and ``close``."""

from typing import Annotated

import typer

from server.attendance.months import month_span
from server.cli.console import ACTOR, CONFIG, ConfigOption, JsonOption, in_database, iso_time, now_ms, show
from server.cli.recompute import commands
from server.config import load_config
from server.store.database import Database

FAILED = 1

attendance = commands
"""The group, these commands included."""


@commands.command("months")
def months(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Months with records and whether each is closed, newest first.

    muster server attendance months
    """
    from server.access.scope import Scope
    from server.services.closing import month_states

    async def work(db: Database) -> list[dict[str, str | int | None]]:
        async with db.reading() as connection:
            states = await month_states(connection, Scope.system())
        return [
            {
                "month": state.month,
                "state": "open" if held is None else "closed" if held.reopen_asked_by is None else "reopen_asked",
                "closed": iso_time(held.closed_ms) if held else None,
                "by": held.closed_by if held else None,
            }
            for state in states
            for held in (state.closing,)
        ]

    show(in_database(config, work), json_, ("month", "state", "closed", "by"))


@commands.command("close")
def close(
    month: Annotated[str, typer.Argument(metavar="YYYY-MM", help="The month.")],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only print the checklist; exit 1 when it is not ready.")
    ] = False,
    accept: Annotated[list[str] | None, typer.Option(help="A notice that may stay; repeat it.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Close a month for the whole company, or only look at its checklist.

    What has to be 0 can not be accepted: decide about pending minutes on the page first. A closed month is opened again
    on the page only, by two people.

    muster server attendance close 2026-03 --check
    """
    from server.access.scope import Scope
    from server.access.viewer import Viewer
    from server.attendance.checklist import Code, Item
    from server.services import closing
    from server.services.accounts import Caller
    from server.services.act import Act
    from shared.errors import DataError

    zone = load_config(config).zone
    operator = Viewer(0, ACTOR, ACTOR, "administrator", None, frozenset(), b"")

    async def work(db: Database) -> list[Item[Code]]:
        try:
            month_span(month)
        except ValueError as error:
            raise DataError(f"month {month!r}: expected one such as 2026-03", "invalid") from error
        if not check:
            act = Act(operator, Caller("local", "cli", now_ms()))
            await closing.close_month(db, act, month, zone, accepted=tuple(accept or ()))
        async with db.reading() as connection:
            checked = await closing.checklist_of(connection, Scope.system(), month, zone, now_ms())
        return checked.items

    items = in_database(config, work)
    facts = [
        {"item": item.code, "count": item.count, "kind": "blocking" if item.blocking else "notice"} for item in items
    ]
    show(facts, json_, ("item", "count", "kind"))
    if check and any(item.blocking and item.count for item in items):
        raise typer.Exit(FAILED)
