"""``muster server company``."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.console import ACTOR, CONFIG, ConfigOption, JsonOption, errors, in_database, now_ms, out, show
from server.cli.files import bytes_of

company = typer.Typer(no_args_is_help=True, help="People, rosters, numbers on terminals, parcels, accounts.")

EXAMPLE = """\b
{
  "departments": [{"id": "ops", "name_zh": "运营部", "name_en": "Operations"}],
  "sites": [{"id": "d3", "name_zh": "三号站", "name_en": "Depot 3", "zone": "Asia/Shanghai"}],
  "shifts": [{"id": "day", "name_zh": "白班", "name_en": "Day", "start": "09:00", "end": "18:00",
              "breaks": [["12:00", "13:00"]]}],
  "employees": [{"id": "e7", "name": "王芳", "department": "ops", "site": "d3",
                 "position": "courier", "joined_on": "2026-01-05"}],
  "contracts": [{"employee": "e7", "from_on": "2026-01-05", "to_on": "2028-12-31", "kind": "fixed_term"}],
  "roster": [{"employee": "e7", "date": "2026-03-02", "shift": "day"}],
  "terminal_users": [{"user_group": "d3", "user_code": "1007", "employee": "e7"}],
  "shipments": [{"tracking_no": "SF1", "site": "d3", "courier": "e7", "promised_on": "2026-03-02"}],
  "users": [{"login": "wang.fang", "name": "王芳", "role": "employee", "employee": "e7", "password": "..."}]
}"""

LOAD_HELP = f"""Add and change what a JSON file says: all of it, or nothing when a row does not fit.

Every section and most fields may be left out; what is left out stays as it is. Loading a file twice changes nothing.
Days and scores that follow from a change are computed again by the running server.

{EXAMPLE}

\b
employees   another department, site or position than before is a change of post as of today; also worked_since, email
contracts   kinds fixed_term, open_ended, project, part_time, dispatch, internship; work_system standard,
            comprehensive (with hours_period month, quarter or year), untimed
roster      the rows of a person and date replace what was planned; "shift": null is a day off
shifts      an end at or before the start is on the next day
numbers     past punches of a number that was nobody's follow; those of a number that changes hands stay
shipments   promised_on lasts until the end of that local day; promised_at and new_promise_at (which replaces
            the promise) are RFC 3339 times with an offset; also picked_up_at, cancelled_at, force_majeure
users       roles administrator, hr, manager, employee, it, facilities; a manager has "departments"

muster server company load company.json --dry-run
"""


@company.command("load", help=LOAD_HELP)
def load(
    file: Annotated[Path, typer.Argument(help="JSON file.", metavar="FILE")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count only; store nothing.")] = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Read the file, load it, say what became of each section."""
    from server.services.company import load_company, read_company

    with errors():
        content = read_company(bytes_of(file))
    loaded = in_database(config, lambda db: load_company(db, ACTOR, content, now_ms(), dry_run=dry_run))
    columns = ("section", "added", "changed", "same")
    rows: list[dict[str, str | int | None]] = [
        dict(zip(columns, (name, r.added, r.changed, r.same), strict=True)) for name, r in loaded.sections.items()
    ]
    show(rows, json_, columns)
    if not json_:
        would = "would be" if dry_run else "are"
        out.print(f"{loaded.punches} waiting punches found their employee, {loaded.days} days {would} computed again")


@company.command("show")
def show_company(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Show how many departments, people, planned days and parcels there are.

    muster server company show
    """
    from server.store import company_queries
    from server.store.database import Database

    async def count(db: Database) -> list[dict[str, str | int | None]]:
        async with db.reading() as connection:
            counts = await company_queries.counts(connection)
            span = await company_queries.roster_span(connection)
        planned = None if span is None else f"{span[0]} to {span[1]}"
        return [{"section": k, "rows": n, "dates": planned if k == "roster" else None} for k, n in counts.items()]

    show(in_database(config, count), json_, ("section", "rows", "dates"))
