"""``muster server users``."""

import json
import sys
from typing import Annotated

import typer
from rich.markup import escape

from server.access.roles import ROLES, Role
from server.cli.console import (
    ACTOR,
    CONFIG,
    ConfigOption,
    JsonOption,
    errors,
    in_database,
    iso_time,
    now_ms,
    out,
    reading,
    show,
)
from server.services import accounts
from server.services.accounts import NewUser
from server.services.passwords import Passwords
from server.store import user_queries
from shared.errors import ConfigError

commands = typer.Typer(no_args_is_help=True, help="People who may sign in.")

StdinOption = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input, one line.")]
GenerateOption = Annotated[bool, typer.Option("--generate", help="Make a random password and print it, once.")]
ROLE_NAMES = ", ".join(ROLES)


@commands.command("add")
def add_user(
    login: Annotated[str, typer.Argument(help="What they type to sign in, such as wang.fang.")],
    *,
    role: Annotated[str, typer.Option(help=f"One of {ROLE_NAMES}.")],
    name: Annotated[str | None, typer.Option(help="Name shown on pages; default: the login.")] = None,
    employee: Annotated[str | None, typer.Option(help="Id of the employee they are: their own day and score.")] = None,
    department: Annotated[
        list[str] | None, typer.Option(help="A department a manager looks after, with all below it; repeat it.")
    ] = None,
    stdin: StdinOption = False,
    generate: GenerateOption = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Add somebody who may sign in. The password is asked for, never an argument: others could read it.

    An administrator, password made and shown once:  muster server users add chen --role administrator --generate

    A manager of two departments:  muster server users add li --role manager --department ops --department it
    """
    with errors():
        new = NewUser(login, name or login, _role(role), employee, tuple(department or ()))
        password = _password(stdin, generate)
    in_database(config, lambda db: accounts.add_user(db, Passwords(), ACTOR, new, password, now_ms=now_ms()))
    _tell(login, password if generate else None, json_)


@commands.command("list")
def list_users(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List who may sign in.

    muster server users list --json
    """
    rows = in_database(config, reading(user_queries.user_rows))
    facts = [
        {
            "login": row.login,
            "name": row.name,
            "role": row.role,
            "employee": row.employee,
            "departments": ", ".join(row.departments) or None,
            "disabled": "yes" if row.disabled else None,
            "since": iso_time(row.created_ms),
        }
        for row in rows
    ]
    show(facts, json_, ("login", "name", "role", "employee", "departments", "disabled", "since"))


@commands.command("disable")
def disable_user(login: str, config: ConfigOption = CONFIG) -> None:
    """Close an account; its sessions end at once and its history stays.

    muster server users disable wang.fang
    """
    in_database(config, lambda db: accounts.set_disabled(db, ACTOR, login, True, now_ms=now_ms()))
    out.print(f"{escape(login)} can not sign in any more")


@commands.command("enable")
def enable_user(login: str, config: ConfigOption = CONFIG) -> None:
    """Open a closed account again, with the password it had.

    muster server users enable wang.fang
    """
    in_database(config, lambda db: accounts.set_disabled(db, ACTOR, login, False, now_ms=now_ms()))
    out.print(f"{escape(login)} can sign in")


@commands.command("password")
def change_password(
    login: str,
    *,
    stdin: StdinOption = False,
    generate: GenerateOption = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Give somebody a new password; all their sessions end.

    muster server users password wang.fang --generate
    """
    with errors():
        password = _password(stdin, generate)
    in_database(config, lambda db: accounts.set_password(db, Passwords(), ACTOR, login, password, now_ms=now_ms()))
    _tell(login, password if generate else None, json_)


@commands.command("sessions")
def user_sessions(
    login: str,
    *,
    kill: Annotated[bool, typer.Option("--kill", help="End all of them.")] = False,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """List where somebody is signed in, or end it.

    muster server users sessions wang.fang --kill
    """
    if kill:
        ended = in_database(config, lambda db: accounts.end_sessions(db, ACTOR, login, now_ms=now_ms()))
        out.print(f"ended {ended}")
        return
    rows = in_database(config, lambda db: accounts.sessions(db, login, now_ms()))
    facts = [{"since": iso_time(row.created_ms), "last_used": iso_time(row.seen_ms), "ip": row.ip} for row in rows]
    show(facts, json_, ("since", "last_used", "ip"))


def _role(text: str) -> Role:
    for role in ROLES:
        if text == role:
            return role
    raise ConfigError(f"role {text!r}: expected one of {ROLE_NAMES}")


def _password(stdin: bool, generate: bool) -> str:
    if generate:
        return accounts.new_password()
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ConfigError("no terminal to ask for a password on; use --stdin or --generate")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _tell(login: str, generated: str | None, json_: bool) -> None:
    if json_:
        sys.stdout.write(json.dumps({"login": accounts.normal_login(login), "password": generated}) + "\n")
    elif generated is None:
        out.print(f"{escape(login)} can sign in")
    else:
        out.print(f"login     {escape(login)}\npassword  {generated}\nShown once.", highlight=False)
