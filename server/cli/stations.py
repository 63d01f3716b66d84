"""``muster server stations``."""

from datetime import datetime
from typing import Annotated, Literal

import typer
from rich.markup import escape

from server.cli.console import ACTOR, CONFIG, ConfigOption, JsonOption, in_database, now_ms, out, reading, show
from server.config import load_config
from server.services import stations
from server.store import damage_queries, station_queries
from server.store.log_queries import Entry
from server.store.station_queries import Responsibility, Role, Station
from shared.clock import from_ms

commands = typer.Typer(no_args_is_help=True, help="Scanning stations: where they stand, and the damage they find.")
MOST = 500


@commands.command("set")
def set_station(
    serial: Annotated[str, typer.Argument(help="Serial number or name of the scanner.")],
    *,
    role: Annotated[Role, typer.Option(help="Where it stands: damage found there is dated by it.")] = "sorting",
    responsibility: Annotated[Responsibility, typer.Option(help="Whose fault damage is taken to be.")] = "logistics",
    review: Annotated[bool, typer.Option(help="A person confirms damage before it counts.")] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Say what a scanner is for.

    muster server stations set SN-1902-RETURNS --role returns --review
    """
    entry = Entry(now_ms(), ACTOR, "stations.set", serial, detail={"role": role, "review": review})
    station = Station(role, responsibility, review)
    in_database(config, lambda db: stations.set_station(db, serial, station, entry))
    out.print(f"{escape(serial)}: {role}, {responsibility}" + (", reviewed" if review else ""))


@commands.command("list")
def list_stations(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List the stations that are set up; all others sort, and their damage is by logistics.

    muster server stations list
    """
    found = in_database(config, reading(station_queries.stations))
    facts: list[dict[str, str | int | None]] = [
        {"serial": s, "role": one.role, "responsibility": one.responsibility, "review": "yes" if one.review else "no"}
        for s, one in found.items()
    ]
    show(facts, json_, ("serial", "role", "responsibility", "review"))


@commands.command("damage")
def damage(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List damage that waits for a person, oldest first.

    muster server stations damage
    """
    rows = in_database(config, reading(lambda connection: damage_queries.unconfirmed(connection, MOST)))
    columns = ("key", "tracking_no", "occurred_on", "point", "responsibility", "station")
    facts = [{name: str(getattr(row, name)) for name in columns} for row in rows]
    show(facts, json_, columns)


@commands.command("decide")
def decide(
    key: Annotated[str, typer.Argument(help="Key of the report, as `damage` lists it.")],
    *,
    responsibility: Annotated[Responsibility, typer.Option(help="Whose fault it is.")],
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Confirmed on; without: today.")
    ] = None,
    verdict: Annotated[Literal["confirm", "refuse"], typer.Option(help="refuse: it never counts.")] = "confirm",
    config: ConfigOption = CONFIG,
) -> None:
    """Decide about damage; scores follow.

    muster server stations decide "YT123|2026-11-20|returns" --responsibility logistics
    """
    day = None if verdict == "refuse" else (on or from_ms(now_ms()).astimezone(load_config(config).zone)).date()
    entry = Entry(
        now_ms(), ACTOR, "stations.damage", key, detail={"responsibility": responsibility, "verdict": verdict}
    )
    in_database(config, lambda db: stations.decide_damage(db, key, responsibility, day, entry))
    out.print(f"{escape(key)}: {'refused' if day is None else f'confirmed on {day}'}")
