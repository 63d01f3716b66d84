"""Chains of approval always end, skip nobody in silence and keep to who may decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.requests.approvers import Account, Approvers, Concerned, Delegation
from server.requests.chain import (
    DEFAULT_CHAINS,
    FINAL,
    KINDS,
    LAST_RESORT,
    Decision,
    Progress,
    Step,
    begun,
    check_steps,
    decided,
    laid_out,
    timed_out,
)
from shared.errors import DataError

steps = st.builds(
    Step,
    role=st.sampled_from(["manager", "hr"]),
    hours=st.integers(1, 720),
    then=st.sampled_from(["escalate", "approve", "refuse"]),
    from_min=st.sampled_from([0, 480, 1440]),
)
"""HR that hands over is refused when a chain is saved; one that came in otherwise ends all the same."""
chains = st.lists(steps, max_size=6).map(tuple)
events = st.lists(st.sampled_from(["approved", "refused", "escalated", "asked_back", "time"]), max_size=30)


def run(progress: Progress, event: str) -> tuple[Decision, Progress] | None:
    """The decision that an event makes, or None for one that is refused."""
    try:
        if event == "time":
            return timed_out(progress)
        return event, decided(progress, event)  # type: ignore[return-value,arg-type]
    except DataError:
        return None


@given(chains, st.integers(0, 3000), st.frozensets(st.sampled_from(["manager", "hr"])), events)
def test_a_request_passes_each_step_by_a_recorded_approval_or_handover(
    chain: tuple[Step, ...], minutes: int, there: frozenset[str], happened: list[str]
) -> None:
    progress = begun(laid_out(chain, minutes, lambda role: role in there))
    passed: list[tuple[int, str]] = []
    for event in happened:
        before = progress
        outcome = run(progress, event)
        if outcome is None:
            continue
        decision, progress = outcome
        if progress.step != before.step or progress.state == "approved":
            passed.append((before.step, decision))
            assert progress.step in (before.step, before.step + 1)
    if progress.state == "approved":
        assert [step for step, _ in passed] == list(range(len(progress.chain)))
        assert all(decision in ("approved", "escalated") for _, decision in passed)
        assert not passed or passed[-1][1] == "approved"


@given(chains, st.integers(0, 3000), st.frozensets(st.sampled_from(["manager", "hr"])), events)
def test_time_alone_ends_every_request(
    chain: tuple[Step, ...], minutes: int, there: frozenset[str], happened: list[str]
) -> None:
    progress = begun(laid_out(chain, minutes, lambda role: role in there))
    for event in happened:
        outcome = run(progress, event)
        progress = outcome[1] if outcome else progress
    for _ in range(len(progress.chain) + 1):
        if progress.waiting is None:
            break
        progress = timed_out(progress)[1]
    assert progress.state in FINAL | {"approved"}


@pytest.mark.parametrize("state", ["approved", "refused", "withdrawn", "cancelled"])
@pytest.mark.parametrize("decision", ["approved", "refused", "escalated", "asked_back", "withdrawn"])
def test_nothing_is_decided_after_the_end(state: str, decision: Decision) -> None:
    with pytest.raises(DataError) as refused:
        decided(Progress((LAST_RESORT,), 0, state), decision)  # type: ignore[arg-type]
    assert refused.value.code == "not_pending"


def test_only_what_was_approved_is_cancelled() -> None:
    assert decided(Progress((), 0, "approved"), "cancelled").state == "cancelled"
    with pytest.raises(DataError, match="only an approved one"):
        decided(Progress((LAST_RESORT,)), "cancelled")


def test_long_leave_asks_hr_too_and_short_leave_does_not() -> None:
    def roles(minutes: int) -> list[str]:
        return [step.role for step in laid_out(DEFAULT_CHAINS["leave"], minutes, lambda _: True)]

    assert roles(1439) == ["manager"]
    assert roles(1440) == ["manager", "hr"]


def test_without_a_manager_hr_decides_once() -> None:
    assert laid_out(DEFAULT_CHAINS["leave"], 4800, lambda role: role == "hr") == (LAST_RESORT,)


@pytest.mark.parametrize("kind", KINDS)
def test_the_chains_of_a_fresh_installation_hold(kind: str) -> None:
    check_steps(kind, DEFAULT_CHAINS[kind])  # type: ignore[index,arg-type]


@pytest.mark.parametrize(
    ("kind", "chain"),
    [
        ("leave", [Step("hr", 24, "escalate")]),
        ("leave", [Step("other", 24, "refuse")]),
        ("leave", [Step("manager", 0, "refuse")]),
        ("leave", [Step("manager", 721, "refuse")]),
        ("leave", [Step("manager", 24, "refuse", from_min=-1)]),
        ("leave", [Step("manager", 24, "refuse")] * 7),
        ("swap", [Step("manager", 24, "refuse")]),
        ("swap", [Step("other", 24, "approve")]),
        ("swap", []),
    ],
)
def test_a_chain_that_might_not_end_or_skips_consent_is_refused(kind: str, chain: list[Step]) -> None:
    with pytest.raises(DataError) as refused:
        check_steps(kind, chain)  # type: ignore[arg-type]
    assert refused.value.code == "bad_chain"


# --- who ------------------------------------------------------------------------------------------------------------

PARENTS = {"hq": None, "ops": "hq", "north": "ops", "fin": "hq"}
ACCOUNTS = (
    Account(1, "root", "Root", "administrator"),
    Account(2, "hr", "HR", "hr", "e-hr"),
    Account(3, "chief", "Chief", "manager", "e-chief", frozenset({"hq"})),
    Account(4, "boss", "Boss", "manager", "e-boss", frozenset({"ops"})),
    Account(5, "north", "North", "manager", "e-north", frozenset({"north"})),
    Account(6, "li", "Li", "employee", "e-li"),
    Account(7, "wu", "Wu", "employee", "e-wu"),
)
OFFICE = Approvers(ACCOUNTS, PARENTS)


def logins(accounts: tuple[Account, ...]) -> list[str]:
    return [account.login for account in accounts]


def test_the_nearest_manager_is_asked_and_those_above_may_decide() -> None:
    about = Concerned("e-li", "north")
    assert logins(OFFICE.asked("manager", about)) == ["north"]
    assert logins(OFFICE.allowed("manager", about)) == ["north", "boss", "chief"]
    assert logins(OFFICE.asked("manager", Concerned("e-li", "fin"))) == ["chief"]


def test_a_manager_is_decided_upon_by_the_one_above() -> None:
    assert logins(OFFICE.asked("manager", Concerned("e-north", "north"))) == ["boss"]
    assert logins(OFFICE.asked("manager", Concerned("e-chief", "hq"))) == []


def test_hr_requests_go_to_the_administrator_where_hr_is_one_person() -> None:
    assert logins(OFFICE.asked("hr", Concerned("e-li", "north"))) == ["hr"]
    assert logins(OFFICE.asked("hr", Concerned("e-hr", "hq"))) == ["root"]


def test_the_other_of_a_swap_consents_and_decides_nothing_else() -> None:
    about = Concerned("e-li", "north", other="e-north")
    assert OFFICE.acting_for(5, "other", about, 0) == 5
    assert OFFICE.acting_for(5, "manager", about, 0) is None
    assert logins(OFFICE.asked("manager", about)) == ["boss"]


def test_a_delegate_acts_for_another_within_the_time_and_not_for_themselves() -> None:
    given_ = (Delegation(5, 4, 100, 200), Delegation(4, 2, 100, 200), Delegation(2, 6, 100, 200))
    office = Approvers(ACCOUNTS, PARENTS, given_)
    about = Concerned("e-wu", "north")
    assert office.acting_for(5, "manager", about, 150) == 5
    assert office.acting_for(4, "manager", about, 150) == 4, "a right of one's own comes first"
    assert [office.acting_for(2, "manager", about, at) for at in (99, 100, 199, 200)] == [None, 4, 4, None]
    assert office.acting_for(6, "manager", about, 150) is None, "what one was given does not pass on"
    assert office.acting_for(6, "hr", Concerned("e-li", "north"), 150) is None, "nobody decides for themselves"
    assert office.waits_for(2, "manager", Concerned("e-wu", "ops"), 150)
    assert not office.waits_for(2, "manager", about, 150), "it is not the turn of the one who gave it"


@given(
    st.sampled_from(["manager", "hr"]),
    st.sampled_from(ACCOUNTS),
    st.sampled_from(sorted(PARENTS)),
    st.lists(st.builds(Delegation, st.integers(1, 7), st.integers(1, 7), st.just(0), st.just(9)), max_size=8),
)
def test_nobody_ever_decides_their_own_request(
    role: str, account: Account, department: str, delegations: list[Delegation]
) -> None:
    office = Approvers(ACCOUNTS, PARENTS, delegations)
    if account.employee is not None:
        about = Concerned(account.employee, department)
        assert office.acting_for(account.user, role, about, 5) is None  # type: ignore[arg-type]
        assert account not in office.allowed(role, about)  # type: ignore[arg-type]
