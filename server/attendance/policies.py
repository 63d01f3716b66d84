"""Which policy holds for whom on which date: the company's, then the attendance group's, then the contract's system."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from server.attendance.policy import DEFAULT, Policy, WorkSystem
from server.attendance.policy_settings import policy_from

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WindowSizes:
    """Minutes that windows reach before and after shifts under any policy there is."""

    before: frozenset[int]
    after: frozenset[int]

    @property
    def widest(self) -> Policy:
        """A policy whose windows hold those of all others: what it touches is enough for every one of them."""
        return Policy(window_before_min=max(self.before), window_after_min=max(self.after))


@dataclass(frozen=True, slots=True)
class Version:
    """Settings that hold from a date on, until the next version begins."""

    from_on: date
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Term:
    """Membership of an attendance group, or a contract's work system; ``to_on`` is inclusive, None is open."""

    from_on: date
    to_on: date | None
    value: str


@dataclass(frozen=True, slots=True)
class Policies:
    """Policy of one person; each run holds from its date until the next one's."""

    runs: tuple[tuple[date, Policy], ...]

    def on(self, day: date) -> Policy:
        """Policy on a date; before the first run that of the first."""
        return self.runs[max(bisect_right(self.runs, day, key=lambda run: run[0]) - 1, 0)][1]

    def split(self, dates: Collection[date]) -> list[tuple[Policy, set[date]]]:
        """Dates by the policy that holds on them, in order of time."""
        if len(self.runs) == 1:
            return [(self.runs[0][1], set(dates))]
        return [(policy, set(days)) for policy, days in groupby(sorted(dates), self.on)]


@dataclass(slots=True)
class PolicyBook:
    """All versions: the company's and each attendance group's, in order of ``from_on``."""

    company: Sequence[Version] = ()
    groups: Mapping[str, Sequence[Version]] = field(default_factory=dict)
    _made: dict[tuple[object, ...], Policy] = field(default_factory=dict, init=False)
    _runs: dict[tuple[object, ...], Policies] = field(default_factory=dict, init=False)

    def policies(self, memberships: Sequence[Term], contracts: Sequence[Term], first: date, last: date) -> Policies:
        """What holds between two dates, both inclusive, for somebody with these memberships and contracts."""
        key = (*(_known(term) for term in memberships), None, *(_known(term) for term in contracts), first, last)
        if key not in self._runs:  # most people share everything
            self._runs[key] = Policies(tuple(self._each(memberships, contracts, first, last)))
        return self._runs[key]

    def _each(
        self, memberships: Sequence[Term], contracts: Sequence[Term], first: date, last: date
    ) -> Iterable[tuple[date, Policy]]:
        groups = {term.value for term in memberships}
        versions = (*self.company, *(version for group in groups for version in self.groups.get(group, ())))
        changes = {version.from_on for version in versions}
        for term in (*memberships, *contracts):
            changes |= {term.from_on} if term.to_on is None else {term.from_on, term.to_on + _DAY}
        before: Policy | None = None
        for day in (first, *sorted(change for change in changes if first < change <= last)):
            policy = self._on(day, _in_force(memberships, day), _in_force(contracts, day))
            if policy != before:
                yield day, policy
            before = policy

    def _on(self, day: date, group: str | None, system: str | None) -> Policy:
        company = _newest(self.company, day)
        own = _newest(self.groups.get(group, ()), day) if group is not None else None
        key = (company and company.from_on, group, own and own.from_on, system)
        if key not in self._made:
            policy = DEFAULT
            for version in (company, own):
                policy = policy_from(version.settings, policy) if version is not None else policy
            self._made[key] = replace(policy, system=_system(system)) if system is not None else policy
        return self._made[key]


def _newest(versions: Sequence[Version], day: date) -> Version | None:
    begun = [version for version in versions if version.from_on <= day]
    return max(begun, key=lambda version: version.from_on) if begun else None


def _in_force(terms: Iterable[Term], day: date) -> str | None:
    """Of several the one that began last."""
    holding = [term for term in terms if term.from_on <= day and (term.to_on is None or day <= term.to_on)]
    return max(holding, key=lambda term: (term.from_on, term.value)).value if holding else None


def _system(text: str) -> WorkSystem:
    system: WorkSystem = policy_from({"system": text}).system
    return system


def _known(term: Term) -> tuple[date, date | None, str]:
    return term.from_on, term.to_on, term.value
