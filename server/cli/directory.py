"""``muster server directory``: people at terminals."""

from collections.abc import Sequence
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from server.access.scope import Scope
from server.cli.console import (
    ACTOR,
    CONFIG,
    ConfigOption,
    JsonOption,
    errors,
    in_database,
    iso_time,
    now_ms,
    out,
    reading,
    show,
)
from server.config import load_config
from server.services import directory
from server.services.directory import Compared
from server.store import command_queries
from server.store.command_queries import CommandRow
from server.store.database import Database
from server.store.fleet_queries import TerminalRow

commands = typer.Typer(
    no_args_is_help=True,
    help="People at terminals: number, name, card. Never templates, photos or passwords; nobody is deleted.",
)
TerminalOption = Annotated[str | None, typer.Option(help="Serial number or name of one terminal.")]
GroupOption = Annotated[str | None, typer.Option(help="All terminals of a group, which share user numbers.")]
WaitOption = Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for terminals to answer.")]
WAIT_S = 20.0
COLUMNS = ("terminal", "what", "number", "name", "was")
Facts = dict[str, str | int | None]


@commands.command("list")
def list_people(
    terminal: Annotated[str, typer.Argument(help="Serial number or name.")],
    wait: WaitOption = WAIT_S,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Ask a terminal who is enrolled and list them; what it said last while it is away.

    muster server directory list CKUH201260021
    """

    async def ask(db: Database) -> tuple[TerminalRow, Sequence[CommandRow], Sequence[Facts] | None, int | None]:
        (row, *_) = await directory.chosen(db, terminal=terminal, group=None)
        ids = await directory.ask_lists(db, ACTOR, [row], now_ms())
        told = await directory.answers(db, ids, wait)
        found = await directory.enrolled(db, Scope.system(), row.serial)
        if found is None:
            return row, list(told.values()), None, None
        people: list[Facts] = [
            {"number": user.number, "name": user.name, "card": user.card, "enabled": "yes" if user.enabled else "no"}
            for user in found[1]
        ]
        return row, list(told.values()), people, found[0]

    row, told, people, at_ms = in_database(config, ask)
    if not json_:
        _say_late([row], told)
        if at_ms is not None:
            out.print(f"as of {iso_time(at_ms)}")
    if people is None:
        raise typer.Exit(1)
    show(people, json_, ("number", "name", "card", "enabled"))


@commands.command("diff")
def show_difference(
    terminal: TerminalOption = None,
    group: GroupOption = None,
    wait: WaitOption = WAIT_S,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Ask terminals who is enrolled and show whom to add, rename or disable there.

    muster server directory diff --group d3
    """
    compared, told = _compare(config, terminal, group, wait)
    show(_facts(compared), json_, COLUMNS)
    if not json_:
        _say_late([one.terminal for one in compared], told)
        _say_notes(compared)


@commands.command("apply")
def apply_difference(
    terminal: TerminalOption = None,
    group: GroupOption = None,
    *,
    wait: WaitOption = WAIT_S,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Show the difference, ask, and have it written; a terminal that is away gets it when it comes back in 14 days.

    muster server directory apply --group d3
    """
    compared, told = _compare(config, terminal, group, wait)
    facts = _facts(compared)
    if not json_:
        show(facts, False, COLUMNS)
        _say_late([one.terminal for one in compared], told)
        _say_notes(compared)
    if facts and not yes:
        if json_:
            raise typer.BadParameter("--json can not ask: add --yes", param_hint="--yes")
        terminals = len({fact["terminal"] for fact in facts})
        typer.confirm(f"Write {len(facts)} people at {terminals} terminals?", abort=True)

    async def write(db: Database) -> list[CommandRow]:
        ids = await directory.apply(db, ACTOR, compared, now_ms())
        return list((await directory.answers(db, ids, wait)).values())

    _show_commands(in_database(config, write) if facts else [], json_)


@commands.command("status")
def show_status(
    terminal: Annotated[str | None, typer.Option(help="Serial number of one terminal only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Commands, newest first.")] = 50,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Show what became of it at each terminal.

    muster server directory status
    """
    _show_commands(in_database(config, reading(lambda c: command_queries.command_rows(c, terminal, limit))), json_)


def _compare(
    config: ConfigOption, terminal: str | None, group: str | None, wait: float
) -> tuple[list[Compared], list[CommandRow]]:
    with errors():
        zone = ZoneInfo(load_config(config).site.zone)

    async def compare(db: Database) -> tuple[list[Compared], list[CommandRow]]:
        terminals = await directory.chosen(db, terminal=terminal, group=group)
        ids = await directory.ask_lists(db, ACTOR, terminals, now_ms())
        told = await directory.answers(db, ids, wait)
        return await directory.differences(db, Scope.system(), terminals, zone, now_ms()), list(told.values())

    return in_database(config, compare)


def _facts(compared: Sequence[Compared]) -> list[Facts]:
    return [
        {
            "terminal": one.terminal.serial,
            "what": step.kind,
            "number": step.change.user.number,
            "name": step.change.user.name,
            "was": step.change.before.name if step.change.before else None,
        }
        for one in compared
        for step in (one.difference.steps if one.difference else ())
    ]


def _say_late(terminals: Sequence[TerminalRow], told: Sequence[CommandRow]) -> None:
    """Which terminals did not answer, and why."""
    for row in terminals:
        if row.gateway is None:
            out.print(f"{escape(row.serial)}: belongs to no gateway; `muster server terminals assign`")
    for command in told:
        if command.outcome != "done":
            out.print(f"{escape(command.terminal)}: {escape(directory.in_words(command))}")


def _say_notes(compared: Sequence[Compared]) -> None:
    for one in compared:
        name = escape(one.terminal.serial)
        if one.difference is None or one.listed_ms is None:
            out.print(f"{name}: nobody knows yet who is enrolled; try again when it is online")
            continue
        notes = [f"as of {iso_time(one.listed_ms)}", f"{len(one.difference.steps)} to write"]
        if one.difference.strangers:
            notes.append(f"{len(one.difference.strangers)} numbers there are nobody's here and stay as they are")
        if one.difference.disabled:
            notes.append(f"{len(one.difference.disabled)} people are disabled there and stay so")
        out.print(f"{name}: {', '.join(notes)}")


def _show_commands(rows: Sequence[CommandRow], json_: bool) -> None:
    facts: list[Facts] = [
        {
            "terminal": row.terminal,
            "asked": iso_time(row.created_ms),
            "by": row.actor,
            "people": len(row.changes),
            "outcome": row.outcome,
            "result": directory.in_words(row),
        }
        for row in rows
    ]
    show(facts, json_, ("terminal", "asked", "by", "people", "result"))
