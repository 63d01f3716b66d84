"""``muster server people``."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.console import ACTOR, CONFIG, ConfigOption, JsonOption, err, errors, in_database, now_ms, out, show
from server.cli.files import bytes_of
from shared.errors import ConfigError

commands = typer.Typer(no_args_is_help=True, help="Employees: list them, bring them from a spreadsheet.")


@commands.command("list")
def list_people(
    search: Annotated[str, typer.Option(help="Part of a name or id, or a number on a terminal.")] = "",
    department: Annotated[str | None, typer.Option(help="Id of a department; those below it come too.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """List employees by name.

    muster server people list --department ops
    """
    from server.access.departments import with_those_below
    from server.access.scope import Scope
    from server.store import people_queries, user_queries
    from server.store.database import Database
    from server.store.people_queries import EmployeeRow
    from server.store.scope_filter import Narrow

    async def work(db: Database) -> list[EmployeeRow]:
        async with db.reading() as connection:
            below = None
            if department is not None:
                below = with_those_below({department}, await user_queries.department_parents(connection))
            _, rows = await people_queries.employee_rows(
                connection, Scope.system(), search, Narrow(below), limit=30_000, offset=0
            )
        return rows

    columns = ("id", "name", "department", "position", "site", "joined_on", "left_on", "numbers")
    facts: list[dict[str, str | int | None]] = [
        {
            "id": row.id,
            "name": row.name,
            "department": row.department,
            "position": row.position,
            "site": row.site,
            "joined_on": row.joined_on.isoformat(),
            "left_on": row.left_on.isoformat() if row.left_on else None,
            "numbers": ", ".join(row.user_codes),
        }
        for row in in_database(config, work)
    ]
    show(facts, json_, columns)


@commands.command("import")
def import_people(
    file: Annotated[Path, typer.Argument(help="Excel or CSV.", metavar="FILE")],
    columns: Annotated[
        list[str] | None, typer.Option("--map", help="Field and heading, such as department=归属; may be repeated.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply/--check", help="Write it; else only say what it would do.")] = False,
    *,
    create_missing: Annotated[
        bool, typer.Option("--create-missing", help="Make departments and positions that do not exist.")
    ] = False,
    effective_on: Annotated[str, typer.Option(help="First day of changes of post, YYYY-MM-DD; else today.")] = "",
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Write the other rows.")] = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Bring employees from a spreadsheet; columns are known by their headings. Undo it on the page.

    muster server people import people.xlsx --apply
    """
    from server.access.scope import Scope
    from server.services import imports
    from server.services.import_kind import Checked, Option, Who
    from server.services.people_import import PEOPLE
    from server.store.database import Database

    pairs = [text.partition("=") for text in columns or ()]
    with errors():
        if bad := [name for name, mark, heading in pairs if not mark or not heading]:
            raise ConfigError(f"--map {bad[0]}: expected FIELD=HEADING")
        data = bytes_of(file)

    async def work(db: Database) -> Checked:
        who = Who(ACTOR, Scope.system(), now_ms())
        opened = await imports.upload(db, PEOPLE, who, file.name, data)
        mapping = {**opened.row.mapping, **{name: heading for name, _, heading in pairs}}
        options: dict[str, Option] = {"create_missing": create_missing, "effective_on": effective_on}
        options[imports.SKIP] = skip_bad_rows
        meaning = imports.Meaning(mapping, options)
        checked = await imports.check(db, PEOPLE, who, opened.row.id, meaning)
        if apply and (skip_bad_rows or not checked.problems):
            await imports.apply(db, PEOPLE, who, opened.row.id, meaning)
        return checked

    with out.status("reading, checking, writing" if apply else "reading, checking"):
        checked = in_database(config, work)
    rows: list[dict[str, str | int | None]] = [
        {
            "row": problem.row,
            "field": problem.field,
            "problem": problem.code,
            "about": ", ".join(f"{name} {value}" for name, value in problem.parameters.items()),
        }
        for problem in checked.problems
    ]
    show(rows, json_, ("row", "field", "problem", "about"))
    done = apply and (skip_bad_rows or not checked.problems)
    verb = "written" if done else "would be written"
    err.print(f"{checked.added} new, {checked.changed} changed, {checked.same} the same: {verb}")
    if apply and not done:
        err.print("nothing was written: mend these rows, or leave them out with --skip-bad-rows")
        raise typer.Exit(2)
