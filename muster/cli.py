"""The command ``muster``: names its parts and loads only the one that was called, so that help stays under 0.3 s."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer

from shared.errors import ConfigError, DataError, MusterError

FAILED, BAD_INPUT = 1, 2
OURS = {"muster", "shared", "gateway", "server", "emulators"}


@dataclass(frozen=True, slots=True)
class Part:
    """One word after ``muster``; ``module`` has a typer app named ``app`` and needs that extra."""

    name: str
    module: str
    extra: str
    help: str


PARTS = (
    Part("demo", "muster.demo", "demo", "Run it all here, with emulated terminals and a sample company."),
    Part("replay", "muster.replay", "demo", "Feed recorded attendance or orders through emulated terminals."),
    Part("gateway", "gateway.cli", "gateway", "The process at a depot: reads terminals, keeps, sends on."),
    Part("device", "gateway.cli.device", "gateway", "What terminals say: decode captures, record them."),
    Part("driver", "gateway.cli.driver", "gateway", "Write a driver for a family that is not here yet."),
    Part("server", "server.cli", "server", "The centre: stores once, works out results, serves pages."),
    Part(
        "connectors",
        "server.cli.connectors",
        "server",
        "Business systems: source files, mappings.",
    ),
    Part("history", "server.cli.history", "server", "History out of files: dry run, import, compare, sign, undo."),
    Part("score", "server.cli.periods", "server", "Scores: compute, explain, set targets, check definitions."),
    Part("attendance", "server.cli.attendance", "server", "The attendance rules, tried on a file of cases."),
)

# A part parses its own words, --help included.
AS_IT_IS = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich's help loads a Markdown parser and a highlighter: half a second
    help="Punches and parcel scans from any terminal, each counted once.",
)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 usage or bad input."""
    try:
        typer.main.get_command(app)(args=words, prog_name="muster")
    except MusterError as error:
        print(f"muster: {error}", file=sys.stderr)  # noqa: T201  (plain text: rich would read brackets as markup)
        sys.exit(BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # 20 ms that nothing else needs

        typer.echo(f"muster {version('muster')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Exit codes: 0 done, 1 failed, 2 usage or bad input."""


def _load(part: Part) -> typer.Typer:
    """The app of that part; ConfigError when its libraries are not installed."""
    try:
        loaded = import_module(part.module).app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        what = f"muster {part.name} needs {error.name}, which is not installed"
        raise ConfigError(f"{what}: pip install 'muster[{part.extra}]'") from error
    if not isinstance(loaded, typer.Typer):
        raise TypeError(f"{part.module}.app is {type(loaded).__name__}, expected a typer app")
    return loaded


def _forward(part: Part) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        typer.main.get_command(_load(part))(args=context.args, prog_name=f"muster {part.name}")

    return run


for _part in PARTS:
    app.command(_part.name, help=_part.help, context_settings=AS_IT_IS, add_help_option=False)(_forward(_part))
