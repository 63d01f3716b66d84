"""Which accounts may decide a step, and who acts for whom."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from server.requests.chain import ApproverRole
from shared.clock import WallMs

UserId: TypeAlias = int


@dataclass(frozen=True, slots=True)
class Account:
    """An enabled account, as far as approvals are concerned."""

    user: UserId
    login: str
    name: str
    role: str
    employee: str | None = None
    departments: frozenset[str] = frozenset()
    """What a manager manages, those below not named."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a request is about; they decide no step but the consent of ``other``."""

    employee: str
    department: str
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """``delegate`` may act for ``user`` from ``from_ms`` up to, without, ``to_ms``."""

    user: UserId
    delegate: UserId
    from_ms: WallMs
    to_ms: WallMs


@dataclass(frozen=True, slots=True)
class Approvers:
    """Accounts of a company, its departments and its delegations that are in force."""

    accounts: Collection[Account]
    parents: Mapping[str, str | None]
    """Each department and the one above it."""
    delegations: Collection[Delegation] = ()
    by_id: Mapping[UserId, Account] = field(init=False)
    _managing: Mapping[str, tuple[Account, ...]] = field(init=False, repr=False)
    """Managers by department that they are named for."""
    _of_role: Mapping[str, tuple[Account, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        managing: dict[str, tuple[Account, ...]] = {}
        of_role: dict[str, tuple[Account, ...]] = {}
        for account in sorted(self.accounts, key=lambda account: account.login):
            of_role[account.role] = (*of_role.get(account.role, ()), account)
            for department in account.departments if account.role == "manager" else ():
                managing[department] = (*managing.get(department, ()), account)
        object.__setattr__(self, "by_id", {account.user: account for account in self.accounts})
        object.__setattr__(self, "_managing", managing)
        object.__setattr__(self, "_of_role", of_role)

    def asked(self, role: ApproverRole, about: Concerned) -> tuple[Account, ...]:
        """Whose turn it is: the nearest managers, HR (administrators where there is none), or the other employee."""
        return next((level for level in self._levels(role, about) if level), ())

    def allowed(self, role: ApproverRole, about: Concerned) -> tuple[Account, ...]:
        """Who may decide: those asked, and those above them."""
        return tuple(account for level in self._levels(role, about) for account in level)

    def acting_for(self, user: UserId, role: ApproverRole, about: Concerned, now_ms: WallMs) -> UserId | None:
        """In whose right the user may decide now: their own first, else that of one whose delegate they are; or None.

        A delegate's right does not pass on, nor does the consent of the other employee of a swap.
        """
        account = self.by_id.get(user)
        if account is None or (role != "other" and self._is_concerned(account, about)):
            return None
        entitled = [one.user for one in self.allowed(role, about)]
        if user in entitled:
            return user
        if role == "other":
            return None
        givers = {one.user for one in self.delegations if one.delegate == user and one.from_ms <= now_ms < one.to_ms}
        return next((giver for giver in entitled if giver in givers), None)

    def waits_for(self, user: UserId, role: ApproverRole, about: Concerned, now_ms: WallMs) -> bool:
        """Whether it is the user's turn, by themselves or as a delegate."""
        entitled = self.acting_for(user, role, about, now_ms)
        return entitled is not None and any(one.user == entitled for one in self.asked(role, about))

    def _levels(self, role: ApproverRole, about: Concerned) -> Iterable[tuple[Account, ...]]:
        if role == "other":
            yield tuple(one for one in self.accounts if about.other is not None and one.employee == about.other)
        elif role == "hr":
            for name in ("hr", "administrator"):
                yield self._others(about, self._of_role.get(name, ()))
        else:
            for department in self._upwards(about.department):
                yield self._others(about, self._managing.get(department, ()))

    def _upwards(self, department: str) -> list[str]:
        found = [department]
        while (above := self.parents.get(found[-1])) is not None and above not in found:
            found.append(above)
        return found

    def _others(self, about: Concerned, accounts: Iterable[Account]) -> tuple[Account, ...]:
        return tuple(account for account in accounts if not self._is_concerned(account, about))

    @staticmethod
    def _is_concerned(account: Account, about: Concerned) -> bool:
        return account.employee is not None and account.employee in {about.employee, about.other}
