"""``muster history``: files of old systems, from a look at them to a signed import."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from server.cli.console import (
    ACTOR,
    CONFIG,
    ConfigOption,
    JsonOption,
    err,
    errors,
    in_database,
    iso_time,
    now_ms,
    out,
    show,
)
from server.cli.files import bytes_of, text_of
from server.facts.codes import WORDS
from server.store.database import Database
from server.store.file_import_queries import FileImport
from server.store.log_queries import Entry
from shared.clock import system_clocks
from shared.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="History out of files: look, dry run, import, compare, sign, undo.",
)

NumberArgument = Annotated[
    int, typer.Argument(metavar="NUMBER", help="Of the file, as `muster history list` shows it.")
]
_LISTED = ("number", "name", "fact", "source", "state", "rows", "waiting", "differing")


@app.command("import")
def import_(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX or JSON lines.")],
    fact: Annotated[str | None, typer.Option(help="What a row is; needed with a map of several.")] = None,
    preset: Annotated[str | None, typer.Option(help="A preset for files; see `muster connectors presets`.")] = None,
    map_file: Annotated[Path | None, typer.Option("--map", help="A source file of kind file.")] = None,
    stream: Annotated[str | None, typer.Option(help="Stream of the map, where it has several of the fact.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Import without asking after the dry run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the dry run; nothing is stored.")] = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Bring a file, check it without storing anything, and import it when you say so.

    It can be broken off: `muster history resume` goes on after the last thousand rows. What is imported can be undone
    until it is signed.

    muster history import orders-2023.csv --map old-shop.yaml
    """
    from server.connectors.presets import preset_text
    from server.connectors.source_file import read_source
    from server.services import file_imports

    if (preset is None) == (map_file is None):
        raise ConfigError("name either --preset NAME or --map FILE")
    text = preset_text(preset) if preset is not None else text_of(map_file or Path())
    name = str(map_file or f"{preset}.yaml")
    with errors():
        streams = read_source(text, name).streams
    facts = {one.fact for one in streams if stream in (None, one.id)}
    if fact is None and len(facts) != 1:
        raise ConfigError(f"the map has {', '.join(sorted(facts))}: say which with --fact")
    brought = file_imports.Brought(path.name, bytes_of(path), fact or facts.pop())

    async def bring(db: Database) -> FileImport:
        with _bar("reading") as progress:
            file = await file_imports.upload(db, brought, _entry(), progress)
        await file_imports.put_map(db, file.id, text, stream, _entry())
        return await _do(db, file.id, "check", "checking")

    file = in_database(config, bring)
    if not json_:
        _tell_report(file)
    if dry_run or not (yes or typer.confirm(f"import {_fitting(file)} rows?", err=True)):
        _tell(file, json_)
        return
    _tell(in_database(config, lambda db: _do(db, file.id, "import", "importing")), json_)


@app.command("profile")
def profile(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, XLSX or JSON lines.")], json_: JsonOption = False
) -> None:
    """Show what the columns of a file hold. Needs no server and stores nothing.

    muster history profile orders-2023.csv
    """
    from server.services.file_imports import profile_of

    with errors(), _bar("reading") as progress:
        rows, columns = profile_of(bytes_of(path), progress)
    told = [
        {
            "column": one.name,
            "kind": one.kind,
            "empty": f"{one.empty / rows:.0%}",
            "different": f"{one.distinct - one.many}{'+' if one.many else ''}",
            "samples": ", ".join(one.samples),
        }
        for one in columns
    ]
    show(told, json_, ("column", "kind", "empty", "different", "samples"))


@app.command("list")
def list_(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List files, newest first, with how far each is."""
    from server.store import file_import_queries

    async def work(db: Database) -> list[FileImport]:
        async with db.reading() as connection:
            return (await file_import_queries.page(connection, limit=1_000, offset=0))[1]

    found = in_database(config, work)
    show([_row(file) for file in found], json_, _LISTED)
    if not found and not json_:
        err.print("no files yet: `muster history import FILE --map MAP` brings one")


@app.command("show")
def show_(number: NumberArgument, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Show the report of the dry run, and of the comparison with what is stored."""
    from server.services import file_imports

    file = in_database(config, lambda db: file_imports.find(db, number))
    if not json_:
        _tell_report(file)
    _tell(file, json_)


@app.command("resume")
def resume(number: NumberArgument, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Go on with work that was broken off, or import a file that was only checked."""
    from server.services import file_imports

    async def work(db: Database) -> FileImport:
        file = await file_imports.find(db, number)
        works: dict[str, tuple[Any, str]] = {
            "checking": ("check", "checking"),
            "reconciling": ("reconcile", "comparing"),
            "undoing": ("undo", "taking back"),
        }
        return await _do(db, number, *works.get(file.state, ("import", "importing")))

    _tell(in_database(config, work), json_)


@app.command("reconcile")
def reconcile(number: NumberArgument, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Compare the file with what is stored once more, after rows that waited were decided about."""
    _tell(in_database(config, lambda db: _do(db, number, "reconcile", "comparing")), json_)


@app.command("sign")
def sign(
    number: NumberArgument,
    note: Annotated[str, typer.Option(help="Why open ends are right; needed while there are any.")] = "",
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Say that what is stored is right. It can not be undone afterwards, and the file's rows are let go.

    More than 500 rows, or pay, are signed by a second person on the page.
    """
    from server.services import file_imports

    async def work(db: Database) -> FileImport:
        file = await file_imports.find(db, number)
        if file_imports.needs_second(file):  # nobody can tell here who types
            raise ConfigError(f"file {number} has many rows, or pay: a second person signs it on the page")
        return await file_imports.sign(db, number, note, _entry())

    _tell(in_database(config, work), json_)


@app.command("undo")
def undo(number: NumberArgument, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Take an import back: its rows go as if they had never come."""
    _tell(in_database(config, lambda db: _do(db, number, "undo", "taking back")), json_)


async def _do(db: Database, number: int, work: Any, told: str) -> FileImport:
    from server.services import file_imports, file_work

    file = await file_imports.begin(db, number, work, _entry())
    with _bar(told, file.rows) as progress:
        return await file_work.work(db, number, system_clocks(), progress)


@contextmanager
def _bar(told: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task(told, total=total)
        yield lambda rows: progress.update(bar, completed=rows)


def _fitting(file: FileImport) -> int:
    report = file.report or {}
    return int(report.get("clean", 0)) + int(report.get("changed", 0))


def _tell_report(file: FileImport) -> None:
    report: Mapping[str, Any] = file.report or {}
    if not report:
        return
    names = ("rows", "clean", "changed", "unchanged", "duplicates", "waiting")
    out.print("  ".join(f"{name} [bold]{report[name]}[/bold]" for name in names))
    for one in report["reasons"]:
        said = (
            f"{one['rows']} wait: {one['field']}: {WORDS[one['code']][1]}, first on line {one['line']}: {one['value']}"
        )
        out.print(said, markup=False, highlight=False, soft_wrap=True)
    for one in report["changes"]:
        said = f"{one['rows']} read from another form: {one['field']}: {one['was']} → {one['became']}"
        out.print(said, markup=False, highlight=False, soft_wrap=True)


def _tell(file: FileImport, json_: bool) -> None:
    show([_row(file)], json_, _LISTED)
    found = file.reconciled
    if found is None or json_:
        return
    out.print(f"{found['rows_source']} rows of the file, {found['rows_stored']} of them stored", highlight=False)
    for one in found["by_group"]:
        if any(both["source"] != both["stored"] for both in (one["rows"], *one["amounts"].values())):
            where = " ".join(part for part in (one["month"], one["department"], one["currency"]) if part)
            figures = {"rows": one["rows"], **one["amounts"]}
            told = ", ".join(f"{name} {both['source']} → {both['stored']}" for name, both in figures.items())
            err.print(f"differs: {where or '-'}: {told}", highlight=False)


def _row(file: FileImport) -> dict[str, str | int | None]:
    reconciled = file.reconciled or {}
    return {
        "number": file.id,
        "name": file.name,
        "fact": file.fact,
        "source": file.source,
        "state": f"{file.state}: {file.error}" if file.error else file.state,
        "rows": file.rows,
        "done": file.done_rows,
        "waiting": reconciled.get("waiting_open"),
        "differing": reconciled.get("differing"),
        "by": file.signed_by or file.imported_by or file.actor,
        "changed": iso_time(file.changed_ms),
    }


def _entry() -> Entry:
    return Entry(now_ms(), ACTOR, "", "")
