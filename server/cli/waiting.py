"""``muster connectors quarantine`` and ``people``: rows that wait, and ids that are nobody's yet."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings of the server.", metavar="FILE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SETTINGS = Path("server.toml")
commands = typer.Typer(no_args_is_help=True, help="Rows of business systems that wait for a person.")

RowsArgument = Annotated[list[int], typer.Argument(metavar="ROW...", help="Ids from `quarantine list`.")]
NoteOption = Annotated[str, typer.Option(help="Why; kept with the rows and in the operation log.")]
SourceOption = Annotated[str | None, typer.Option(help="Only of this source.", show_default=False)]
FactOption = Annotated[str | None, typer.Option(help="Only of this fact.", show_default=False)]
CodeOption = Annotated[str | None, typer.Option(help="Only with this reason.", show_default=False)]
StateOption = Annotated[str, typer.Option(help="open, fixed, accepted, rejected, superseded or all.")]


@commands.command("list")
def list_waiting(
    *,
    source: SourceOption = None,
    fact: FactOption = None,
    code: CodeOption = None,
    state: StateOption = "open",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows, newest first.")] = 50,
    config: ConfigOption = SETTINGS,
    json_: JsonOption = False,
) -> None:
    """List rows that wait, with the reasons.

    muster connectors quarantine list --source erp --code unknown_value
    """
    from server.cli import reviewing

    reviewing.listed(reviewing.wanted(source, fact, code, state), limit, config, json_=json_)


@commands.command("show")
def show_waiting(
    row: Annotated[int, typer.Argument(help="Id from `quarantine list`.")],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Try a value.")] = None,
    config: ConfigOption = SETTINGS,
) -> None:
    """Show a row as it came beside what it becomes, as JSON; nothing is stored. Pay is not shown.

    muster connectors quarantine show 17 --set status=open
    """
    from server.cli import reviewing

    reviewing.shown(row, set_ or (), config)


@commands.command()
def fix(
    rows: RowsArgument,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A right value; FIELD= takes the field out. Repeat it."),
    ] = None,
    note: NoteOption = "",
    config: ConfigOption = SETTINGS,
) -> None:
    """Send rows through the pipeline again with right values for fields of the fact; all of them or none.

    muster connectors quarantine fix 17 18 --set status=open --note "new state of the shop"
    """
    from server.cli import reviewing

    reviewing.decide("fix", rows, set_ or (), note, config)


@commands.command()
def accept(rows: RowsArgument, note: NoteOption, config: ConfigOption = SETTINGS) -> None:
    """Take rows as they are though a number is out of range or a time lies ahead; for nothing else.

    muster connectors quarantine accept 17 --note "a year's order, asked back"
    """
    from server.cli import reviewing

    reviewing.decide("accept", rows, (), note, config)


@commands.command()
def reject(rows: RowsArgument, note: NoteOption, config: ConfigOption = SETTINGS) -> None:
    """Say that rows are none: they are kept with the note, and wait no longer.

    muster connectors quarantine reject 17 --note "test data"
    """
    from server.cli import reviewing

    reviewing.decide("refuse", rows, (), note, config)


@commands.command()
def export(
    *,
    to: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file to write.")],
    source: SourceOption = None,
    fact: FactOption = None,
    code: CodeOption = None,
    state: StateOption = "open",
    language: Annotated[str, typer.Option(help="zh-CN or en.")] = "zh-CN",
    config: ConfigOption = SETTINGS,
) -> None:
    """Write rows that wait into a table for a spreadsheet; pay is masked.

    muster connectors quarantine export waiting.csv --source erp
    """
    from server.cli import reviewing

    reviewing.exported(to, reviewing.wanted(source, fact, code, state), language, config)


def people(
    source: SourceOption = None,
    link: Annotated[str | None, typer.Option(metavar="ID=EMPLOYEE", help="Say whose this id is.")] = None,
    valid_from: Annotated[str | None, typer.Option("--from", metavar="DATE", help="From this day on.")] = None,
    config: ConfigOption = SETTINGS,
    json_: JsonOption = False,
) -> None:
    """List ids of people that are nobody's yet, those of most rows first; or say whose one is.

    muster connectors people --source erp

    muster connectors people --source erp --link w.fang=e1 --from 2026-01-01
    """
    from server.cli import reviewing

    if link is None:
        reviewing.unmatched(source, config, json_=json_)
    else:
        reviewing.linked(source, link, valid_from, config)
