"""Which role may do what: a table, looked up."""

from typing import Literal, TypeAlias, get_args

Role: TypeAlias = Literal["administrator", "hr", "manager", "employee", "it", "facilities"]
Permission: TypeAlias = Literal[
    "today.read",  # the attendance of others
    "me.read",  # one's own day and score
    "scores.read",  # the scores of others
    "devices.read",
    "people.read",
    "people.map",  # say whose number on a terminal it is
    "quarantine.read",
    "admin",
]

ROLES: tuple[Role, ...] = get_args(Role)
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_OWN: frozenset[Permission] = frozenset({"me.read"})
_OF_ROLE: dict[Role, frozenset[Permission]] = {
    "administrator": frozenset(PERMISSIONS),
    "hr": _OWN | {"today.read", "scores.read", "people.read", "people.map"},
    "manager": _OWN | {"today.read", "scores.read", "people.read"},
    "employee": _OWN,
    "it": _OWN | {"devices.read", "quarantine.read"},
    "facilities": _OWN | {"devices.read"},
}


def permissions_of(role: Role) -> frozenset[Permission]:
    """Everything the role may do; whose rows it may do it to is the scope's question."""
    return _OF_ROLE[role]


def sees_everyone(role: Role) -> bool:
    """Whether the role's work is about all people; a manager's about departments, anybody else's about themselves."""
    return role in ("administrator", "hr")
