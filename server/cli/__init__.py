"""Commands of the server: set it up, run it, look after the fleet. Exit codes: 0 done, 1 failed, 2 bad input."""

import typer

from server.cli import (
    broker,
    clients,
    company,
    directory,
    gateways,
    init,
    keys,
    months,
    people,
    process,
    quarantine,
    sites,
    stations,
    terminals,
    users,
)

app = typer.Typer(no_args_is_help=True, help="The server: what gateways send becomes results on pages.")
for command in (init.init, process.run, process.migrate, process.openapi):
    app.command()(command)
for name, group in (
    ("gateways", gateways.commands),
    ("terminals", terminals.commands),
    ("stations", stations.commands),
    ("sites", sites.commands),
    ("users", users.commands),
    ("clients", clients.commands),
    ("company", company.company),
    ("people", people.commands),
    ("directory", directory.commands),
    ("broker", broker.commands),
    ("keys", keys.commands),
    ("quarantine", quarantine.commands),
    ("attendance", months.attendance),
):
    app.add_typer(group, name=name)
