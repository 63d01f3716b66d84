"""``muster device``: what terminals say, without a gateway. Exit codes: 0 done, 1 problems, 2 bad input."""

import typer

from gateway.cli.decode import decode
from gateway.cli.record import record
from gateway.cli.schema import schema

app = typer.Typer(no_args_is_help=True, help="Captures of terminals: decode them, record them; the schema of profiles.")
for command in (decode, record, schema):
    app.command()(command)
