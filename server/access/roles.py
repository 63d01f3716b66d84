"""Which role may do what: a table, looked up."""

from typing import Literal, TypeAlias, get_args

Role: TypeAlias = Literal["administrator", "hr", "manager", "employee", "it", "facilities"]
Permission: TypeAlias = Literal[
    "today.read",  # the attendance of others
    "me.read",  # one's own day and score
    "me.request",  # ask for leave, corrections, overtime; confirm one's month
    "scores.read",  # the scores of others
    "scores.judge",  # calibrations, grave events and appeals of people in scope: two persons each
    "scores.close",  # close periods, set rewards, see their money
    "schemes.read",  # weights of departments, posts and seasons in scope
    "schemes.write",  # write drafts of them, and decide about those of others
    "devices.read",
    "people.read",
    "people.map",  # say whose number on a terminal it is
    "people.write",  # employees, departments, posts, contracts, imports
    "rosters.read",
    "rosters.write",  # plan the people in scope
    "shifts.write",  # shift library, patterns, groups, policies
    "calendar.write",
    "requests.read",  # the requests of others
    "requests.decide",
    "requests.settings",  # leave types, grants, approval chains
    "exceptions.decide",  # say what pending minutes are
    "months.read",
    "months.close",  # close, ask to open again, open what another asked for
    "reports.read",
    "notices.write",  # channels and schedules
    "clients.write",  # programs that fetch figures
    "shadow",  # compare with another system
    "quarantine.read",
    "sources.read",  # business systems, their runs and faults
    "sources.write",  # add and change them, run them, bring files of old systems in
    "facts.review",  # rows of business systems that wait
    "contracts.read",  # labour contracts; what is encrypted only on asking, and that is logged
    "contracts.write",
    "admin",
]

ROLES: tuple[Role, ...] = get_args(Role)
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_OWN: frozenset[Permission] = frozenset({"me.read", "me.request"})
_OF_TEAM: frozenset[Permission] = _OWN | {
    "scores.judge",
    "today.read",
    "scores.read",
    "schemes.read",
    "people.read",
    "rosters.read",
    "rosters.write",
    "requests.read",
    "requests.decide",
    "exceptions.decide",
    "months.read",
    "reports.read",
    "facts.review",
}
_OF_ROLE: dict[Role, frozenset[Permission]] = {
    "administrator": frozenset(PERMISSIONS),
    "hr": _OF_TEAM
    | {
        "schemes.write",
        "people.map",
        "people.write",
        "shifts.write",
        "calendar.write",
        "requests.settings",
        "months.close",
        "scores.close",
        "notices.write",
        "clients.write",
        "shadow",
        "contracts.read",
        "contracts.write",
    },
    "manager": _OF_TEAM,
    "employee": _OWN,
    "it": _OWN | {"devices.read", "quarantine.read", "sources.read", "sources.write"},
    "facilities": _OWN | {"devices.read"},
}


def permissions_of(role: Role) -> frozenset[Permission]:
    """Everything the role may do; whose rows it may do it to is the scope's question."""
    return _OF_ROLE[role]


def sees_everyone(role: Role) -> bool:
    """Whether the role's work is about all people; a manager's about departments, anybody else's about themselves."""
    return role in ("administrator", "hr")
