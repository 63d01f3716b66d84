"""Who has to agree to a request, one after the other: a state machine without clock and database."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from shared.errors import DataError

Kind: TypeAlias = Literal["leave", "correction", "overtime", "trip", "field", "swap", "leave_end"]
ApproverRole: TypeAlias = Literal["manager", "hr", "other"]
Then: TypeAlias = Literal["escalate", "approve", "refuse"]
State: TypeAlias = Literal["pending", "approved", "refused", "withdrawn", "cancelled"]
Decision: TypeAlias = Literal["approved", "refused", "escalated", "asked_back", "withdrawn", "cancelled"]

KINDS: tuple[Kind, ...] = get_args(Kind)
FINAL: frozenset[State] = frozenset({"refused", "withdrawn", "cancelled"})
MOST_STEPS = 6
MOST_HOURS = 720
"""A step waits at most thirty days."""


@dataclass(frozen=True, slots=True)
class Step:
    """One role that decides; ``other`` is the second employee of a swap."""

    role: ApproverRole
    hours: int
    """After so many hours without a decision ..."""
    then: Then
    """... this happens."""
    from_min: int = 0
    """Asked only for requests of at least so many minutes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request has come; ``step`` is the place in the chain that waits."""

    chain: tuple[Step, ...]
    step: int = 0
    state: State = "pending"

    @property
    def waiting(self) -> Step | None:
        """The step that has to decide; None when nobody has to any more."""
        return self.chain[self.step] if self.state == "pending" else None


LAST_RESORT = Step("hr", 168, "refuse")
"""Where a request goes that outgrew its chain; it ends after a week at the latest."""

_DAY_MIN = 8 * 60
DEFAULT_CHAINS: dict[Kind, tuple[Step, ...]] = {
    "leave": (Step("manager", 48, "escalate"), Step("hr", 168, "refuse", from_min=3 * _DAY_MIN)),
    "correction": (Step("manager", 72, "escalate"),),
    "overtime": (Step("manager", 48, "escalate"),),
    "trip": (Step("manager", 48, "escalate"),),
    "field": (Step("manager", 48, "escalate"),),
    "swap": (Step("other", 48, "refuse"), Step("manager", 48, "escalate")),
    "leave_end": (Step("manager", 72, "escalate"),),
}
"""What a fresh installation starts with."""


def check_steps(kind: Kind, steps: Sequence[Step]) -> None:
    """DataError ``bad_chain`` for a chain that might never end or that asks somebody who is not there."""
    if len(steps) > MOST_STEPS:
        raise DataError(f"{len(steps)} steps: at most {MOST_STEPS}; leave some out", "bad_chain")
    for number, step in enumerate(steps, 1):
        where = f"step {number} ({step.role})"
        if not 1 <= step.hours <= MOST_HOURS:
            raise DataError(f"{where}: {step.hours} hours; expected 1 to {MOST_HOURS}", "bad_chain")
        if step.from_min < 0:
            raise DataError(f"{where}: {step.from_min} minutes; expected 0 or more", "bad_chain")
        if step.role == "hr" and step.then == "escalate":
            raise DataError(f"{where}: nobody is above it; let it approve or refuse in the end", "bad_chain")
        if step.role == "other" and (kind != "swap" or step.then != "refuse" or step.from_min):
            raise DataError(f"{where}: only of a swap, always asked, and silence is no consent", "bad_chain")
    if kind == "swap" and (not steps or steps[0].role != "other" or sum(s.role == "other" for s in steps) > 1):
        raise DataError("a swap asks the other employee first and once", "bad_chain")


def laid_out(steps: Iterable[Step], minutes: int, is_there: Callable[[ApproverRole], bool]) -> tuple[Step, ...]:
    """The steps that a request of so many minutes takes.

    Where nobody of a role could decide, HR does; who would be asked twice in a row is asked once.
    """
    chain: list[Step] = []
    for step in steps:
        if minutes < step.from_min:
            continue
        taken = step if is_there(step.role) else LAST_RESORT
        if not chain or chain[-1].role != taken.role:
            chain.append(replace(taken, from_min=0))
    return tuple(chain)


def begun(chain: tuple[Step, ...]) -> Progress:
    """A request as it starts; without any step it is approved at once."""
    return Progress(chain, 0, "pending" if chain else "approved")


def decided(progress: Progress, decision: Decision) -> Progress:
    """The state after a decision; DataError ``not_pending`` or ``not_approved`` when it comes too late or too early."""
    if decision == "cancelled":
        if progress.state != "approved":
            raise DataError(f"the request is {progress.state}: only an approved one can be cancelled", "not_approved")
        return replace(progress, state="cancelled")
    step = progress.waiting
    if step is None:
        raise DataError(f"the request is {progress.state} already: look at it again", "not_pending")
    match decision:
        case "approved":
            last = progress.step + 1 == len(progress.chain)
            return replace(progress, state="approved") if last else replace(progress, step=progress.step + 1)
        case "refused" | "withdrawn":
            return replace(progress, state=decision)
        case "escalated":
            return _escalated(progress, step)
        case "asked_back":
            return progress


def timed_out(progress: Progress) -> tuple[Decision, Progress]:
    """What the waiting step's time-out decides, and the state after it."""
    step = progress.waiting
    if step is None:
        raise DataError(f"the request is {progress.state}: nothing waits", "not_pending")
    decision: Decision = "refused"
    if step.then == "approve":
        decision = "approved"
    elif step.then == "escalate" and step.role != "hr":
        decision = "escalated"
    return decision, decided(progress, decision)


def _escalated(progress: Progress, step: Step) -> Progress:
    """Hand over to the next step, or to HR after the last one."""
    if step.role == "hr":
        raise DataError("HR decides in the end: approve or refuse", "nowhere_to_escalate")
    if step.role == "other":
        raise DataError("the other employee has to agree: ask them or withdraw the swap", "nowhere_to_escalate")
    chain = progress.chain
    if progress.step + 1 == len(chain):
        chain = (*chain, LAST_RESORT)
    return Progress(chain, progress.step + 1, "pending")
