"""``muster gateway clock show | set``."""

import getpass
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.asking import AnywayOption, NameArgument, ask
from gateway.cli.console import CONFIG, FAILED, ConfigOption, JsonOption, print_json
from gateway.config import GatewayConfig
from gateway.device import Ability, Device, DeviceClock
from gateway.driver import Terminal
from gateway.profile import device_zone
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError, DataError

OPERATIONS = "operations.jsonl"
"""What people did to terminals from here, one JSON object a line, in the folder of the buffer."""
commands = typer.Typer(no_args_is_help=True, help="Read and set the clock of a terminal.")


@dataclass(frozen=True, slots=True)
class Clocks:
    """The terminal's clock and what it should show."""

    device: DeviceClock | None
    """None when it shows an impossible time."""
    right: datetime
    """Naive, in the terminal's zone."""
    zone: str

    @property
    def drift_s(self) -> float | None:
        """Terminal minus gateway."""
        return None if self.device is None else round(self.device.drift_ms / 1000, 1)


async def read_clocks(device: Device, terminal: Terminal) -> Clocks:
    """Both clocks."""
    zone = device_zone(terminal.profile, terminal.config.zone, terminal.site_zone)
    try:
        found = await device.clock()
    except DataError:
        found = None
    right = from_ms(system_clocks().wall_ms()).astimezone(zone).replace(tzinfo=None, microsecond=0)
    return Clocks(found, right, str(zone))


@commands.command()
def show(
    name: NameArgument, config: ConfigOption = CONFIG, *, json_: JsonOption = False, anyway: AnywayOption = False
) -> None:
    """Show the clock of a terminal beside that of the gateway.

    muster gateway clock show front-door
    """

    async def work(device: Device, terminal: Terminal, _settings: GatewayConfig) -> Clocks:
        return await read_clocks(device, terminal)

    clocks = ask(config, name, Ability.CLOCK, work, anyway=anyway)
    if json_:
        wall = clocks.device.wall.isoformat(timespec="seconds") if clocks.device else None
        right = clocks.right.isoformat(timespec="seconds")
        print_json({"name": name, "terminal": wall, "gateway": right, "zone": clocks.zone, "drift_s": clocks.drift_s})
        return
    _tell(name, clocks)


@commands.command("set")
def set_clock(
    name: NameArgument,
    config: ConfigOption = CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_: JsonOption = False,
    anyway: AnywayOption = False,
) -> None:
    """Set the clock of a terminal to that of the gateway, after a question that shows both.

    muster gateway clock set front-door
    """

    async def work(device: Device, terminal: Terminal, settings: GatewayConfig) -> tuple[Clocks, Clocks] | None:
        before = await read_clocks(device, terminal)
        if not json_:
            _tell(name, before)
        if not yes and not typer.confirm("Set the clock of the terminal to that of the gateway?", err=True):
            return None
        now = await read_clocks(device, terminal)  # the question took its time
        await device.set_clock(now.right)
        after = await read_clocks(device, terminal)
        note(settings.data, terminal, "set_clock", before, after)
        return before, after

    done = ask(config, name, Ability.SET_CLOCK, work, anyway=anyway)
    if done is None:
        typer.echo("nothing was changed", err=True)
        raise typer.Exit(FAILED)
    before, after = done
    if json_:
        print_json({"name": name, "before_drift_s": before.drift_s, "after_drift_s": after.drift_s})
    else:
        typer.echo(f"set; it is now {_drift(after)}")


def note(folder: Path, terminal: Terminal, action: str, before: Clocks, after: Clocks) -> None:
    """Keep who did what to a terminal."""
    line = {
        "at": from_ms(system_clocks().wall_ms()).isoformat(timespec="seconds"),
        "by": getpass.getuser(),
        "terminal": terminal.config.name,
        "action": action,
        "old": before.device.wall.isoformat() if before.device else None,
        "new": after.device.wall.isoformat() if after.device else None,
        "drift_s_before": before.drift_s,
        "drift_s_after": after.drift_s,
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / OPERATIONS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
    except OSError as error:
        raise ConfigError(
            f"the clock is set, but {folder / OPERATIONS} can not be written ({error.strerror})"
        ) from error


def _tell(name: str, clocks: Clocks) -> None:
    wall = clocks.device.wall.isoformat(" ", "seconds") if clocks.device else "an impossible time"
    typer.echo(f"{name} shows  {wall}  ({_drift(clocks)})")
    typer.echo(f"it should be  {clocks.right.isoformat(' ', 'seconds')}  ({clocks.zone})")


def _drift(clocks: Clocks) -> str:
    if clocks.drift_s is None:
        return "wrong"
    if abs(clocks.drift_s) < 2:
        return "right"
    return f"{abs(clocks.drift_s):.0f} s {'fast' if clocks.drift_s > 0 else 'slow'}"
