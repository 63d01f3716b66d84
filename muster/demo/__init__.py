"""``muster demo``: everything in one terminal, real protocols and real MQTT, nothing mocked."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import ConfigError

app = typer.Typer(help="Run it all here, with emulated terminals and a sample company.")

HEADLESS_S = 60.0


@app.command()
def demo(
    *,
    headless: Annotated[bool, typer.Option(help="No logins and bars: run for --seconds, count, stop.")] = False,
    seconds: Annotated[float | None, typer.Option(min=5, help="Stop after this long; without it, on Ctrl-C.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the count as one JSON object.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 8400,
    folder: Annotated[
        Path | None, typer.Option(help="Keep everything in this folder; it must be empty or new.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number, another company.")] = 1,
    all_families: Annotated[
        bool, typer.Option("--all-families", help="Instead: a device of every family, from its protocol to the server.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="FAMILY", help="Of these families; may be given often.", show_default=False),
    ] = None,
) -> None:
    """Start broker, server, three gateways, two terminals that are read, two that push and two scanners.

    A company of 60 people in 8 departments and 5 depots lives through its last finished working day, with a whole month
    behind it that HR can close, and a year of scores before that, out of its business systems. Exit code 1 when
    anything is lost or stored twice.

    Look around:      muster demo

    For a machine:    muster demo --headless --seconds 60 --json

    Every protocol:   muster demo --all-families
    """
    if all_families or only:
        _show_families(only or [], folder, json_=json_)
        return
    from rich.console import Console

    from muster.demo.run import Options, run_demo
    from muster.demo.screen import Screen

    if headless and seconds is None:
        seconds = HEADLESS_S
    day_s = 30.0 if seconds is None else min(30.0, seconds / 2)
    screen = Screen(Console(stderr=json_, quiet=headless and json_))
    done = asyncio.run(run_demo(Options(seconds, 0 if headless else port, folder, seed, day_s), screen))
    if json_:
        sys.stdout.write(json.dumps(asdict(done.tally)) + "\n")
    else:
        screen.total(done.tally)
    if not done.tally.good:
        raise typer.Exit(1)


def _show_families(only: list[str], folder: Path | None, *, json_: bool) -> None:
    """Exit code 1 when a family was not reached, or something of it is lost or stored twice."""
    from rich.console import Console

    from muster.demo.families import FAMILIES
    from muster.demo.family_run import run_families
    from muster.demo.family_screen import lines, progress, summary, table

    if unknown := sorted(set(only) - set(FAMILIES)):
        raise ConfigError(f"no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    console = Console(stderr=json_)
    with progress(console) as tell:
        wanted = {family: makers for family, makers in FAMILIES.items() if not only or family in only}
        result = asyncio.run(run_families(wanted, folder, tell))
    if json_:
        sys.stdout.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines(result))
    else:
        console.print(table(result.shown, result.skipped))
        console.print(summary(result), highlight=False, markup=False)
    if not result.good:
        console.print(f"kept: {result.folder}", highlight=False, markup=False)
        raise typer.Exit(1)
