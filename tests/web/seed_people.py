"""What the pages about people need beside the shared company: a number that a terminal calls by an employee's name."""

from datetime import datetime, time

from sqlalchemy import create_engine, insert

from muster.sample.days import DoorPunch
from muster.sample.people import DEPOTS
from server.store import tables
from tests.web.company import Company, add_punch

LISTED = "9077"
"""The number; nobody's until a test assigns it."""


def add_listed_number(company: Company, name: str) -> None:
    """One punch of a number that is nobody's, and a list of the first terminal that says whose it is."""
    engine = create_engine(f"sqlite:///{company.database}", connect_args={"timeout": 10})
    terminal = DEPOTS[0].terminal
    at = datetime.combine(company.day, time(9, 1))
    users = [{"number": LISTED, "name": name, "card": "", "enabled": True}]
    with engine.begin() as connection:
        add_punch(connection, DoorPunch(terminal, LISTED, at, 15, 0), None)
        times = {"created_ms": 1, "expires_ms": 2, "sent_ms": 1, "result_ms": 2}
        values = {
            "id": b"people-directory",
            "terminal": terminal,
            "changes": [],
            "actor": "it",
            "message": "",
            "results": [],
        }
        connection.execute(insert(tables.commands).values(**values, **times, outcome="done"))
        connection.execute(insert(tables.command_users).values(command=b"people-directory", part=1, users=users))
    engine.dispose()
