"""``muster gateway users list``: who is enrolled at a terminal; number, name and card, nothing more."""

from dataclasses import asdict

import typer

from gateway.cli.asking import AnywayOption, NameArgument, ask
from gateway.cli.console import CONFIG, ConfigOption, JsonOption, print_json, print_table
from gateway.config import GatewayConfig
from gateway.device import Ability, Device, DeviceUser
from gateway.driver import Terminal

commands = typer.Typer(no_args_is_help=True, help="The people enrolled at a terminal.")


@commands.callback()
def _group() -> None:
    """Keep ``list`` a word of its own."""


@commands.command("list")
def list_users(
    name: NameArgument, config: ConfigOption = CONFIG, *, json_: JsonOption = False, anyway: AnywayOption = False
) -> None:
    """List the users of a terminal; templates, pictures and passwords stay there.

    muster gateway users list front-door
    """

    async def work(device: Device, _terminal: Terminal, _config: GatewayConfig) -> list[DeviceUser]:
        return await device.users()

    found = ask(config, name, Ability.USERS, work, anyway=anyway)
    if json_:
        print_json([asdict(user) for user in found])
        return
    rows = [
        {"number": user.number, "name": user.name, "card": user.card, "may_punch": "yes" if user.enabled else "no"}
        for user in found
    ]
    print_table(rows, ["number", "name", "card", "may_punch"])
    typer.echo(f"{len(found)} users")
