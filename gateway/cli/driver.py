"""``muster driver new``: a package of one's own with a driver that works, and its test."""

import re
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console import errors
from gateway.cli.scaffold import FILES
from shared.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Drivers of one's own: docs/howto/write-a-driver.md.")
RESERVED = frozenset({"test", "tests", "driver", "codec", "gateway", "shared", "server", "muster"})


@app.callback()
def _group() -> None:
    """Keep ``new`` a word of its own."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Family name: lower case, such as acme or acme_push.")],
    folder: Annotated[Path | None, typer.Option(help="Where to write it; default: muster-NAME here.")] = None,
) -> None:
    """Write an installable package with a driver, a profile and a passing test.

    muster driver new acme
    """
    with errors():
        if not re.fullmatch(r"[a-z][a-z0-9_]{1,30}", name) or name in RESERVED:
            raise ConfigError(f"{name!r} can not be a family: expected 2 to 31 of a-z, 0-9 and _, such as acme_push")
        place = folder or Path(f"muster-{name.replace('_', '-')}")
        if place.exists() and any(place.iterdir()):
            raise ConfigError(f"{place} is there already and not empty; name another with --folder")
        try:
            for path, text in FILES.items():
                file = place / _filled(path, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(_filled(text, name), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{place}: can not be written ({error.strerror})") from error
    typer.echo(f"wrote {place}; next: pip install -e {place} && pytest {place}")


def _filled(text: str, name: str) -> str:
    dashed = name.replace("_", "-")
    title = name.replace("_", " ").title()
    plain = title.replace(" ", "")
    for word, value in (("NAME_DASHED", dashed), ("NAME_TITLE", title), ("NAME_CLASS", plain), ("NAME", name)):
        text = text.replace(f"@{word}@", value)
    return text
