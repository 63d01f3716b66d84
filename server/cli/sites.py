"""``muster server sites``."""

from typing import Annotated

import typer
from rich.markup import escape

from server.cli.console import ACTOR, CONFIG, ConfigOption, errors, in_database, now_ms, out
from server.config import load_config
from server.fleet import sites

commands = typer.Typer(no_args_is_help=True, help="Depots.")


@commands.command("add")
def add_site(
    site: Annotated[str, typer.Argument(help="Short id, such as d3.")],
    name_zh: Annotated[str, typer.Option(help="Chinese name.")],
    name_en: Annotated[str, typer.Option(help="English name.")],
    zone: Annotated[str | None, typer.Option(help="IANA zone; default: site.zone of the settings.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Add a depot, or change its names and zone.

    muster server sites add d3 --name-zh 三号站 --name-en "Depot 3"
    """
    with errors():
        zone = zone or load_config(config).site.zone
    names = (name_zh, name_en)
    in_database(config, lambda db: sites.put_site(db, ACTOR, site, names, zone, now_ms=now_ms()))
    out.print(f"site {escape(site)} is known")
