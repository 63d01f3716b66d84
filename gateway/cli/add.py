"""``muster gateway add``: one more ``[[terminal]]`` at the end of the settings; comments and order stay."""

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.checks import terminal_problems
from gateway.cli.console import BAD_INPUT, CONFIG, ConfigOption, errors, write_file
from gateway.config import GatewayConfig, load_config
from gateway.profile import load_profile
from shared.errors import ConfigError


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the terminal, unique at this gateway.")],
    *,
    profile: Annotated[str, typer.Option(help="<brand>/<model> of docs/reference/terminals.md.")],
    host: Annotated[str, typer.Option(help="Address of a terminal that is asked.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port, where it is not that of the profile.")] = 0,
    device: Annotated[str, typer.Option(help="Serial device, such as /dev/serial/by-id/...")] = "",
    serial: Annotated[str, typer.Option(help="Serial number; needed for a terminal that pushes.")] = "",
    zone: Annotated[str, typer.Option(help="Zone of its clock, where it is not that of the site.")] = "",
    kind: Annotated[str, typer.Option(help="What a scan there means, such as out_for_delivery.")] = "",
    key_file: Annotated[str, typer.Option(help="File with its key, or with user:password.")] = "",
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Read the key here and write that file.")] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Add a terminal to the settings; they are loaded before they replace the old ones.

    muster gateway add front-door --profile zkteco/k40 --host 192.0.2.10
    """
    with errors():
        load_config(config)
        load_profile(profile)
        if key_stdin:
            key_file = key_file or f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)}.key"
        values: dict[str, str | int] = {
            "name": name,
            "profile": profile,
            "host": host,
            "port": port,
            "device": device,
            "serial": serial,
            "zone": zone,
            "kind": kind,
            "key_file": key_file,
        }
        table = "".join(f"{key} = {_toml(value)}\n" for key, value in values.items() if value)
        old = config.read_text(encoding="utf-8")
        settings = replace_settings(config, f"{old.rstrip()}\n\n[[terminal]]\n{table}", old)
        if key_stdin:
            _write_key(config.parent / key_file)
    typer.echo(f"added {name} to {config}")
    problems = [problem for problem in terminal_problems(settings) if name in problem]
    for problem in problems:
        typer.echo(f"problem  {problem}")
    if problems:
        raise typer.Exit(BAD_INPUT)
    typer.echo(f"next: muster gateway probe {name}; the running gateway takes it at its next start")


def replace_settings(path: Path, text: str, old: str) -> GatewayConfig:
    """Load the new text as settings and put it in place of the old; nothing is changed when it does not load."""
    path = path.resolve()  # a link stays a link
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ConfigError(f"{path.parent}: can not be written ({error.strerror})") from error
    place = Path(temporary)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            settings = load_config(place)
        except ConfigError as error:
            raise ConfigError(str(error).replace(str(place), f"{path} with the new terminal")) from error
        before = path.stat()
        place.chmod(before.st_mode & 0o777)
        if (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
            os.chown(place, before.st_uid, before.st_gid)
        if path.read_text(encoding="utf-8") != old:
            raise ConfigError(f"{path} was changed by somebody else meanwhile; try again")
        place.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: can not be written ({error.strerror})") from error
    finally:
        place.unlink(missing_ok=True)
    return settings


def _write_key(path: Path) -> None:
    if path.exists():
        raise ConfigError(f"{path} is there already; name it with --key-file and leave --key-stdin out")
    key = typer.prompt("Key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    if not key:
        raise ConfigError("the key is empty")
    write_file(path, key + "\n", 0o600)


def _toml(value: str | int) -> str:
    """A TOML value; the JSON form of text is one."""
    import json

    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
