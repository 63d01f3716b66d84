"""``muster connectors``: source files, what they make of replies, and running them on a server."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.cli import waiting
from server.cli.files import bytes_of, text_of
from shared.errors import ConfigError

if TYPE_CHECKING:
    from server.connectors.saved import Saved
    from server.connectors.source_file import Source

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Business systems: source files and mappings.")

FAILED = 1
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings of the server.", metavar="FILE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
StreamOption = Annotated[str | None, typer.Option(help="Only this stream.")]
NameArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="Its name, as in its file.")]
SETTINGS = Path("server.toml")


app.add_typer(waiting.commands, name="quarantine")
app.command()(waiting.people)


@app.callback()
def _group() -> None:
    """Business systems: source files and mappings."""


@app.command()
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Source files.")]) -> None:
    """Check source files without asking anybody: every fault with its line.

    muster connectors check sources/*.yaml
    """
    from server.connectors.errors import SourceFileError
    from server.connectors.source_file import read_source

    faults = 0
    for path in files:
        try:
            source = read_source(text_of(path), str(path))
        except SourceFileError as error:
            faults += 1
            typer.echo(str(error), err=True)
        else:
            streams = ", ".join(f"{stream.id} ({len(stream.map)} fields)" for stream in source.streams)
            typer.echo(f"{path}: good: {streams}")
    if faults:
        raise typer.Exit(FAILED)


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="Print this one, to be copied and changed.")] = None,
) -> None:
    """List the presets, or print one.

    muster connectors presets erp_tryton > sources/erp.yaml
    """
    from server.connectors.presets import load_preset, preset_names, preset_text

    if name is not None:
        typer.echo(preset_text(name), nl=False)
        return
    for known in preset_names():
        source = load_preset(known)
        facts = ", ".join(dict.fromkeys(stream.fact for stream in source.streams))
        typer.echo(f"{known:24} {source.title.en if source.title else '':28} {facts}")


@app.command("map")
def map_(
    payloads: Annotated[
        list[str], typer.Argument(metavar="PAYLOAD...", help="Saved replies: FILE, or STREAM=FILE, or - for stdin.")
    ],
    preset: Annotated[str | None, typer.Option(help="A preset by name; see `muster connectors presets`.")] = None,
    source_file: Annotated[Path | None, typer.Option("--source", help="A source file of one's own.")] = None,
    show_pay: Annotated[bool, typer.Option("--show-pay", help="Print pay, which is masked otherwise.")] = False,
) -> None:
    """Map saved replies and print JSON: rows, quarantine, errors. Asks nobody and stores nothing.

    A reply that is no success gives no rows: "errors" says whether to try again, and that the cursor stays.
    Exit code 1 when something was refused, 2 for a file that can not be read.

    muster connectors map --preset erp_tryton orders.json
    """
    from server.connectors.saved import map_saved
    from server.facts.catalogue import SEALED

    hidden = {} if show_pay else SEALED
    outcome = map_saved(_source(preset, source_file), [_saved(word) for word in payloads], hidden)
    typer.echo(json.dumps(outcome.as_json(), ensure_ascii=False, indent=2))
    if outcome.errors:
        raise typer.Exit(FAILED)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A source file.")],
    config: ConfigOption = SETTINGS,
    json_: JsonOption = False,
) -> None:
    """Add the source of a file to a server, or change it. The running server reads it within seconds.

    muster connectors presets erp_tryton > erp.yaml    (then write your own address into it)

    muster connectors add erp.yaml --config server.toml
    """
    from server.cli import sources

    sources.add(text_of(path), str(path), config, json_=json_)


@app.command()
def run(
    *,
    name: NameArgument,
    stream: StreamOption = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything, and mark what is gone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="More than a fifth of the rows may be gone.")] = False,
    config: ConfigOption = SETTINGS,
    json_: JsonOption = False,
) -> None:
    """Read what is new in a source now. It can be broken off: the next run goes on after the last page.

    Exit code 1 when a stream did not end well; the table and the line below it say why.

    muster connectors run erp_tryton --config server.toml
    """
    from server.cli import sources

    sources.run(name, stream, config, whole=full, confirmed=yes, json_=json_)


@app.command()
def status(config: ConfigOption = SETTINGS, json_: JsonOption = False) -> None:
    """Every stream: how fresh it is, when it was read whole, when it is due, what went wrong last.

    muster connectors status --config server.toml
    """
    from server.cli import sources

    sources.status(config, json_=json_)


@app.command()
def replay(
    name: NameArgument, stream: StreamOption = None, config: ConfigOption = SETTINGS, json_: JsonOption = False
) -> None:
    """Map the raw pages of the last 30 days again, after the map of a source was changed. The source is not asked.

    muster connectors replay erp_tryton --stream sales_order --config server.toml
    """
    from server.cli import sources

    sources.replay_(name, stream, config, json_=json_)


def _source(preset: str | None, path: Path | None) -> "Source":
    from server.connectors.presets import load_preset
    from server.connectors.source_file import read_source

    if (preset is None) == (path is None):
        raise ConfigError("name either --preset NAME or --source FILE")
    return read_source(text_of(path), str(path)) if path is not None else load_preset(preset or "")


def _saved(word: str) -> "Saved":
    from server.connectors.saved import Saved

    stream, equals, rest = word.partition("=")
    name = rest if equals and not Path(word).exists() else word
    body = typer.get_binary_stream("stdin").read() if name == "-" else bytes_of(Path(name))
    return Saved(name, body, stream if name != word else None)
