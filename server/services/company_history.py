"""Posts and contracts of a company file: the file says what is in force today, the history is kept."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from server.people.company_file import Company, CompanyError, Problem, SignedContract, contract_of
from server.people.person import Person, Post, changed_spans, with_contract, with_first_day, with_post
from server.services.people_changes import Followed, follow, local_today, refuse_closed_spans
from server.store import post_queries
from server.store.closing_queries import closed_months
from server.store.company_queries import Stored
from shared.clock import WallMs
from shared.errors import DataError


async def put_history(
    connection: AsyncConnection, company: Company, before: Stored, now_ms: WallMs
) -> dict[str, Person]:
    """Posts that agree with what the file says of today; everybody in it as they are from now on."""
    told = {person.id: person for person in company.employees}
    sites = await post_queries.site_rows(connection)
    named = set(told) | {row.employee for row in company.contracts}
    # Who has no posts on record is read as having had the post of today for ever, so what was there before is needed.
    known = await post_queries.people_by_id(connection, named)
    recorded = await post_queries.people_with_posts(connection)
    changed: dict[str, Sequence[Post]] = {}
    for employee, row in told.items():
        person = known[employee]
        old = before.get((employee,))
        if employee not in recorded and old is not None:
            post = Post(old["joined_on"], old["department"], old["site"], old["position"])
            person = replace(person, posts=(post,))
        if old is not None and old["joined_on"] != row.joined_on:
            person = with_first_day(replace(person, joined_on=old["joined_on"]), row.joined_on)
        today = local_today(now_ms, sites[row.site].zone)
        if person.post_on(today).place != (row.department, row.site, row.position):
            begin = max(today, person.posts[0].from_on)
            person = with_post(person, Post(begin, row.department, row.site, row.position))
        if employee not in recorded or person.posts != known[employee].posts:
            changed[employee] = person.posts
        known[employee] = person
    await post_queries.put_posts(connection, changed)
    return known


async def put_contracts(
    connection: AsyncConnection, rows: Sequence[SignedContract], people: dict[str, Person]
) -> tuple[tuple[int, int, int], Followed]:
    """Contracts by person and first day: how many are new, changed and the same. CompanyError when two overlap."""
    added = changed = same = 0
    before = dict(people)
    for number, row in sorted(enumerate(rows), key=lambda pair: pair[1].from_on):
        person, contract = people[row.employee], contract_of(row)
        old = next((one for one in person.contracts if one.from_on == row.from_on), None)
        try:
            people[row.employee] = with_contract(person, contract, None if old is None else old.from_on)
        except DataError as error:
            raise CompanyError([Problem("contracts", number, "from_on", str(error))]) from error
        added, changed, same = added + (old is None), changed + (old not in (None, contract)), same + (old == contract)
    spans = {name: found for name, one in before.items() if (found := changed_spans(one, people[name]))}
    for name, found in spans.items():
        refuse_closed_spans(name, found, await closed_months(connection))
    for name in sorted({row.employee for row in rows}):
        await post_queries.put_contracts(connection, people[name])
    return (added, changed, same), await follow(connection, moved=(), rated=(), spans=spans)
