"""Commands of the gateway: set it up, check it, run it, look at it. Exit codes: 0 done, 1 failed, 2 bad input."""

import typer

from gateway.cli import add, checks, clock, discover, outbox, probe, process, terminal, users

app = typer.Typer(no_args_is_help=True, help="The gateway: keeps every punch and scan of a depot and sends it on.")
for command in (
    *(process.run, process.init, checks.check, process.status),
    *(discover.discover, add.add, probe.probe, terminal.info, terminal.watch, terminal.pull),
):
    app.command()(command)
app.add_typer(clock.commands, name="clock")
app.add_typer(users.commands, name="users")
# Its own words, --help included, are parsed there.
app.command(
    "outbox",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
    help="List, export and count what the buffer holds.",
)(outbox.outbox)
