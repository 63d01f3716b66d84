"""``muster gateway outbox``: the words go on to the commands of the buffer, loaded only when called."""

import typer


def outbox(context: typer.Context) -> None:
    """Hand the words over to the outbox's own commands."""
    from gateway.buffer.commands import app as commands

    typer.main.get_command(commands)(args=context.args, prog_name="muster gateway outbox")
