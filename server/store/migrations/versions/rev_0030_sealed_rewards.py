"""Amounts of rewards are pay: what is there is encrypted, and columns with plain amounts go away."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import sqlalchemy as sa
from alembic import op

from server.store.database import masters_with
from server.store.key_queries import DataKeyRow
from server.store.reward_pay import packed, pay_place
from server.store.sealer import Sealer, sealer_from
from shared.errors import ConfigError

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

NO_KEYS = (
    "amounts of rewards are kept encrypted from this version on, and there is no key yet: run "
    "`muster server keys init`, keep a copy of the file that it writes (docs/howto/keys.md), and run this again"
)
SMALL_GROUPS = ("hr_pay_structure_rationality", "hr_employee_satisfaction")
Found: TypeAlias = Iterator[tuple[tuple[Any, ...], list[int], dict[str, Any]]]
"""Primary key of a row, its amounts, and the rest of what they stood in."""
Read: TypeAlias = Callable[[sa.Connection, sa.Table], Found]


def upgrade() -> None:
    """ConfigError where there are amounts and no key; nothing is changed then."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.execute("PRAGMA secure_delete=ON")  # else freed pages of the file keep the amounts
    for table, (plain, read) in AMOUNTS.items():
        op.add_column(table, sa.Column("sealed", sa.LargeBinary(), nullable=True))
        _seal(connection, sa.Table(table, sa.MetaData(), autoload_with=connection), plain, read)
        op.drop_column(table, plain)
    _score_small_groups_again()


def downgrade() -> None:
    """There is no way back."""
    raise NotImplementedError("migrations are forward only; restore a backup")


def _seal(connection: sa.Connection, table: sa.Table, plain: str, read: Read) -> None:
    found = list(read(connection, table))
    sealer = _sealer(connection) if any(any(amounts) for _, amounts, _ in found) else None
    for row, amounts, rest in found:
        values = rest | {plain: 0}
        if sealer is not None and any(amounts):
            values["sealed"] = sealer.seal(packed(amounts), pay_place(table, row))
        same = (column == one for column, one in zip(table.primary_key.columns, row, strict=True))
        connection.execute(table.update().where(*same).values(values))
    if sealer is not None:
        keys = sa.table("data_keys", sa.column("id"), sa.column("uses"))
        more = keys.update().where(keys.c.id == sealer.newest.number).values(uses=keys.c.uses + sealer.used)
        connection.execute(more)


def _sealer(connection: sa.Connection) -> Sealer:
    names = list(DataKeyRow.__slots__)
    keys = sa.table("data_keys", *map(sa.column, names))
    rows = [DataKeyRow(*row) for row in connection.execute(sa.select(*keys.c).order_by(keys.c.id))]
    sealer = sealer_from(rows, masters_with(connection))
    if sealer is None:
        raise ConfigError(NO_KEYS)
    return sealer


def _bases(connection: sa.Connection, table: sa.Table) -> Found:
    for row in connection.execute(sa.select(*table.primary_key.columns, table.c.base_minor)).all():
        yield tuple(row[:-1]), [row.base_minor], {}


def _cards(connection: sa.Connection, table: sa.Table) -> Found:
    """What the rewards of a card come to, then base and amount of each."""
    columns = (*table.primary_key.columns, table.c.reward_minor, table.c.rewards)
    for row in connection.execute(sa.select(*columns)).all():
        each = [amount for one in row.rewards for amount in (one["base_minor"], one["minor"])]
        bare = [_without(one, "base_minor", "minor") for one in row.rewards]
        yield tuple(row[:-2]), [row.reward_minor, *each], {"rewards": bare}


def _adjustments(connection: sa.Connection, table: sa.Table) -> Found:
    """The difference, before, after."""
    columns = (*table.primary_key.columns, table.c.money_minor, table.c.before, table.c.after)
    for row in connection.execute(sa.select(*columns)).all():
        amounts = [row.money_minor, row.before["money_minor"], row.after["money_minor"]]
        sides = {side: _without(getattr(row, side), "money_minor") for side in ("before", "after")}
        yield tuple(row[:-3]), amounts, sides


def _without(one: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in names}


def _score_small_groups_again() -> None:
    """Open cards may hold figures of groups that are not told of any more."""
    names = ", ".join(f"'{name}'" for name in SMALL_GROUPS)
    op.execute(
        "INSERT INTO touched_scores (employee, period, mark) "  # noqa: S608 - names of ours
        "SELECT DISTINCT s.employee, s.period, 30 FROM scores s "
        f"WHERE s.indicator IN ({names}) "
        "AND NOT EXISTS (SELECT 1 FROM closed_cards c "
        "WHERE c.employee = s.employee AND c.period = s.period AND c.newest) "
        "AND NOT EXISTS (SELECT 1 FROM touched_scores t WHERE t.employee = s.employee AND t.period = s.period)"
    )


AMOUNTS: Mapping[str, tuple[str, Read]] = {
    "reward_bases": ("base_minor", _bases),
    "closed_cards": ("reward_minor", _cards),
    "score_adjustments": ("money_minor", _adjustments),
}
"""By table the column that goes away, and what reads its amounts."""
