"""The past month of ``seed_closing``, whose delivery people are scored by punctuality; c5 has an account.

c5 came on time on every workday, c4 was late once, c3 never came once.
"""

from pathlib import Path

from sqlalchemy import update

from server.store import tables
from tests.web.company import _connect
from tests.web.seed_closing import PastMonth, make_past_month


def make_scored_month(folder: Path) -> PastMonth:
    """The manager is that of delivery, the employee is c5."""
    month = make_past_month(folder)
    with _connect(month.database).begin() as connection:
        users = update(tables.users)
        connection.execute(users.where(tables.users.c.login == "manager").values(departments=["delivery"]))
        connection.execute(users.where(tables.users.c.login == "employee").values(employee="c5"))
    return month
