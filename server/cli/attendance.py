"""``muster attendance``: the attendance rules on a file, without database or server."""

import json
from pathlib import Path
from typing import Annotated

import typer

from server.cli.files import bytes_of

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Attendance rules, tried on a file.")

FAILED = 1


@app.callback()
def _group() -> None:
    """Attendance rules, tried on a file."""


@app.command()
def compute(
    cases: Annotated[Path, typer.Option(help="JSON file of cases.", metavar="FILE")],
    check: Annotated[bool, typer.Option("--check", help="Compare with what each case expects.")] = False,
) -> None:
    """Compute the cases of a JSON file and print one JSON result a line.

    With --check the differences from each case's "expect" follow on stderr, and the exit code is 1 if there are any.
    A bad file exits with 2 and names case and field.

    muster attendance compute --cases rules.json --check
    """
    from server.attendance.case_result import compute_case, differences
    from server.attendance.cases import read_cases
    from shared.errors import DataError

    known = read_cases(bytes_of(cases))
    differing = 0
    for case in known:
        if check and case.expect is None:
            raise DataError(f"case {case.id}: expect: is missing, so there is nothing to check")
    for case in known:
        result = compute_case(case)
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
        found = differences(case.expect, result) if check and case.expect is not None else []
        differing += bool(found)
        for difference in found:
            told = (json.dumps(value, ensure_ascii=False) for value in (difference.expected, difference.found))
            typer.echo("{}: {}: expected {}, found {}".format(case.id, difference.where, *told), err=True)
    if check:
        typer.echo(f"{len(known)} cases, {differing} with differences", err=True)
    if differing:
        raise typer.Exit(FAILED)
