"""Labour contracts, their pay on asking, and the indicators of posts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from server.api.answers import contracts as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import ContractReader, ContractWriter
from server.api.paging import PageDep
from server.api.views.base import Id
from server.api.views.contracts import (
    AcceptBody,
    ContractBody,
    ContractDetailView,
    ContractKeyView,
    ContractListView,
    DutiesBody,
    PayBody,
    PayView,
    PostDutiesListView,
    RemindersView,
    SuggestionsView,
)
from server.people.contract_standing import Reminders
from server.scoring.duties import suggest
from server.services import contract_duties, contracts
from server.services.act import Act
from server.services.contracts import ContractEdit

router = APIRouter(prefix="/api", tags=["contracts"])
Asked = Literal["coming", "active", "expiring", "expired", "ended", "probation"]
PAY = ("pay_minor", "pay_min_minor", "pay_max_minor")


@router.get("/contracts")
async def contract_list(
    *,
    viewer: ContractReader,
    context: ContextDep,
    q: Annotated[str, Query(max_length=100)] = "",
    standing: Asked | None = None,
    department: Id | None = None,
    page: PageDep,
) -> ContractListView:
    """Contracts in scope, what is most urgent first; pay is not in it."""
    return await answers.listed(context, viewer, q.strip(), standing, department, page=page)


@router.get("/contracts/one")
async def contract_detail(viewer: ContractReader, context: ContextDep, source: Id, key: Id) -> ContractDetailView:
    """One contract with its log; pay is not in it."""
    return await answers.detail(context, viewer, source, key)


@router.post("/contracts/pay")
async def contract_pay(body: PayBody, viewer: ContractReader, context: ContextDep, caller: CallerDep) -> PayView:
    """Pay of one contract; who asks and why goes to the operation log."""
    pay = await contracts.read_pay(context.db, Act(viewer, caller), body.source, body.key, body.reason.strip())
    return PayView(**{name: pay.get(name) for name in PAY})


@router.post("/contracts", status_code=201)
async def put_contract_by_hand(
    body: ContractBody, viewer: ContractWriter, context: ContextDep, caller: CallerDep
) -> ContractKeyView:
    """Add a contract by hand, or change the one of that person and first day."""
    facts = body.model_dump()
    pay = {name: facts.pop(name) for name in PAY}
    edit = ContractEdit(**facts, pay=pay)
    return ContractKeyView(key=await contracts.put(context.db, Act(viewer, caller), edit, context.config.zone))


@router.post("/contracts/remove", status_code=204)
async def remove_contract_by_hand(
    body: ContractKeyView, viewer: ContractWriter, context: ContextDep, caller: CallerDep
) -> None:
    """Take back a contract that was entered by hand."""
    await contracts.remove(context.db, Act(viewer, caller), body.key)


@router.put("/contracts/reminders", status_code=204)
async def put_contract_reminders(
    body: RemindersView, viewer: ContractWriter, context: ContextDep, caller: CallerDep
) -> None:
    """How many days ahead ends are spoken of."""
    wanted = Reminders(body.expiry_days, body.probation_days)
    await contracts.put_reminders(context.db, Act(viewer, caller), wanted)


@router.get("/post-indicators")
async def post_indicators(viewer: ContractReader, context: ContextDep) -> PostDutiesListView:
    """Posts with what their contracts say of duties, what that suggests and what was accepted."""
    return await answers.posts(context, viewer)


@router.post("/post-indicators/suggest")
async def suggest_indicators(body: DutiesBody, _viewer: ContractReader) -> SuggestionsView:
    """What these duties suggest; nothing is stored."""
    return SuggestionsView(rows=[answers.suggestion(one) for one in suggest(body.duties)])


@router.put("/post-indicators", status_code=204)
async def accept_indicators(body: AcceptBody, viewer: ContractWriter, context: ContextDep, caller: CallerDep) -> None:
    """These are the indicators of a post."""
    await contract_duties.accept(context.db, Act(viewer, caller), body.post, body.indicators)
