"""``muster replay``: recorded data through emulated devices, a gateway and real MQTT into a server."""

import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from muster.replay.problems import Problem, refuse
from shared.errors import ConfigError

if TYPE_CHECKING:
    from muster.replay.run import Make, Target
    from muster.stage.drain import Progress

app = typer.Typer(no_args_is_help=True, help="Feed recorded attendance or orders through emulated devices.")

Folder = Annotated[Path, typer.Argument(help="Folder with the CSV files.", exists=True, file_okay=False)]
Zone = Annotated[str, typer.Option(help="IANA zone of the times in the files, such as Asia/Kolkata.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings of a server that runs already.", metavar="FILE", show_default=False),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Run a server of our own and keep it in this folder, empty or new.", show_default=False),
]
Skip = Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out rows that make no sense instead of stopping.")]
Json = Annotated[bool, typer.Option("--json", help="Print the count as one JSON object.")]


@app.command()
def attendance(
    folder: Folder,
    *,
    zone: Zone,
    config: Config = None,
    data: Data = None,
    skip_bad_rows: Skip = False,
    json_: Json = False,
) -> None:
    """Feed in_time.csv and out_time.csv through one emulated terminal, as if it had kept a year in its log.

    Into a server of its own that stays for a look:  muster replay attendance DIR --zone Asia/Kolkata --data year

    Into a server that runs:  muster replay attendance DIR --zone Asia/Kolkata --config server.toml
    """
    from muster.replay.attendance import read_attendance
    from muster.replay.feed import attendance_replay

    read = read_attendance(folder)
    _judge(read.problems, skip=skip_bad_rows)
    _run(lambda devices: attendance_replay(read, zone, devices), _target(zone, config, data), json_=json_)


@app.command()
def orders(
    folder: Folder,
    *,
    zone: Zone,
    config: Config = None,
    data: Data = None,
    skip_bad_rows: Skip = False,
    json_: Json = False,
) -> None:
    """Feed Olist's orders: hand-over and delivery through two emulated batch scanners, promises as business data.

    The promise is a date: on time until the end of that local day; a parcel that never arrives is late after it.

    muster replay orders DIR --zone America/Sao_Paulo --data orders
    """
    from muster.replay.feed import orders_replay
    from muster.replay.orders import read_orders

    read = read_orders(folder)
    _judge(read.problems, skip=skip_bad_rows)
    with tempfile.TemporaryDirectory(prefix="muster-lines-") as lines:
        _run(lambda devices: orders_replay(read, zone, Path(lines), devices), _target(zone, config, data), json_=json_)


def _judge(problems: tuple[Problem, ...], *, skip: bool) -> None:
    if problems and not skip:
        raise refuse(list(problems))
    for problem in problems:
        typer.echo(f"left out: {problem.file}, line {problem.line}: {problem.reason}", err=True)


def _target(zone: str, config: Path | None, data: Path | None) -> "Target":
    from muster.replay.run import Target

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"--zone {zone!r} is unknown; use an IANA name such as Asia/Shanghai") from error
    if config is not None and data is not None:
        raise ConfigError("--config names a server that runs already, --data starts one of our own: pass one of them")
    return Target(zone, config, data)


def _run(make: "Make", target: "Target", *, json_: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from muster.replay.run import run_replay

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        stored, computed = bars.add_task("stored", total=None), bars.add_task("computed", total=None)
        most = 1

        def tell(now: "Progress") -> None:
            nonlocal most
            most = max(most, now.results_waiting)
            tally = now.tally
            bars.update(stored, total=tally.emitted, completed=tally.stored + tally.repeats + tally.quarantined)
            bars.update(computed, total=most, completed=most - now.results_waiting)

        done = asyncio.run(run_replay(make, target, tell))
    if json_:
        sys.stdout.write(json.dumps(asdict(done.tally)) + "\n")
    else:
        for name, number in asdict(done.tally).items():
            typer.echo(f"{name:<12}{number:>10,}")
        if target.folder is not None:
            typer.echo(
                f"kept: {target.folder}; look at it with: muster server run --config {target.folder / 'server.toml'}"
            )
    if not done.done or not done.tally.good:
        raise typer.Exit(1)
