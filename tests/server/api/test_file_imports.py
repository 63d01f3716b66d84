"""History out of files over HTTP: brought, mapped, checked, imported by the process that runs sources, signed."""

from typing import Any

import httpx

from server.services import file_work
from server.store.database import Database
from tests.server.api.company import World

ORDERS = (
    "Order ID,Date,State,Total,Shop\n"
    "A1,2024-03-01,done,100.50,north\nA2,2024/3/2,done,7,north\nA3,2024-13-01,done,1,x\n"
)
COLUMNS = {
    "source": "old_shop",
    "timezone": "Asia/Shanghai",
    "key": ["Order ID"],
    "columns": {
        "order_no": "Order ID",
        "order_date": "Date",
        "status": "State",
        "amount_gross_minor": "Total",
        "org_key": "Shop",
    },
    "constants": {"currency": "CNY"},
    "values": {"status": {"done": "fulfilled"}},
}


async def bring(world: World, body: str = ORDERS, role: str | None = "it", fact: str = "sales_order") -> httpx.Response:
    async with world.client(role) as client:
        return await client.post(f"/api/file-imports?fact={fact}&name=orders.csv", content=body.encode())


async def told(world: World, path: str, body: Any = None) -> dict[str, Any]:
    answer = await (world.get("it", path) if body is None else world.post("it", path, body))
    assert answer.status_code in (200, 202), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def worked(db: Database, world: World, number: int) -> None:
    """What the process that runs sources does at one look."""
    await file_work.work(db, number, world.time.clocks)


async def test_a_file_becomes_facts_step_by_step(world: World) -> None:
    brought = (await bring(world)).json()
    number = brought["file"]["id"]
    assert (brought["file"]["rows"], brought["file"]["state"]) == (3, "uploaded")
    assert brought["suggested"] == {
        "order_no": "Order ID",
        "order_date": "Date",
        "amount_gross_minor": "Total",
        "org_key": "Shop",
        "status": "State",
    }
    wrong = await told(world, f"/api/file-imports/{number}/map", {"text": "source: x\nkind: file\nstreams: []\n"})
    assert (wrong["file"]["state"], [one["line"] for one in wrong["problems"]]) == ("uploaded", [3])
    mapped = await told(world, f"/api/file-imports/{number}/map", {"columns": COLUMNS})
    assert (mapped["file"]["state"], mapped["problems"]) == ("mapped", [])
    assert "amount_gross_minor:" in mapped["map"]
    begun = await told(world, f"/api/file-imports/{number}/work", {"work": "check"})
    assert (begun["file"]["state"], begun["report"]) == ("checking", None)
    await worked(world.db, world, number)
    checked = await told(world, f"/api/file-imports/{number}")
    assert (checked["report"]["clean"], checked["report"]["changed"], checked["report"]["waiting"]) == (1, 1, 1)
    await told(world, f"/api/file-imports/{number}/work", {"work": "import"})
    await worked(world.db, world, number)
    ended = await told(world, f"/api/file-imports/{number}")
    assert (ended["file"]["state"], ended["second_person"]) == ("imported", False)
    [group] = ended["reconciled"]["by_group"]
    assert group["amounts"]["amount_gross_minor"] == {"source": 10750, "stored": 10750}
    refused = await world.post("it", f"/api/file-imports/{number}/sign", {})
    assert (refused.status_code, refused.json()["code"]) == (422, "note_needed")
    signed = await told(world, f"/api/file-imports/{number}/sign", {"note": "A3 has no date"})
    assert (signed["file"]["state"], signed["file"]["signed_by"]) == ("signed", "it")
    [row] = (await told(world, "/api/file-imports"))["rows"]
    assert (row["name"], row["note"]) == ("orders.csv", "A3 has no date")


async def test_only_who_sets_up_sources_brings_files(world: World) -> None:
    for role in (None, "employee", "manager", "hr"):
        assert (await bring(world, role=role)).status_code in (401, 403), role
        assert (await world.get(role, "/api/file-imports")).status_code in (401, 403), role


async def test_what_is_wrong_is_said_by_a_code(world: World) -> None:
    assert (await bring(world, fact="nothing")).json()["code"] == "no_fact"
    assert (await bring(world, "a,b\n")).json()["code"] == "no_rows"
    number = (await bring(world)).json()["file"]["id"]
    path = f"/api/file-imports/{number}"
    early = await world.post("it", f"{path}/work", {"work": "import"})
    assert (early.status_code, early.json()["code"]) == (422, "import_state")
    assert (await world.post("it", f"{path}/map", {"preset": "none"})).json()["code"] == "no_preset"
    assert (await world.post("it", f"{path}/map", {})).status_code == 422
    assert (await world.get("it", "/api/file-imports/99")).status_code == 404


async def test_every_field_of_a_fact_is_told_with_its_kind(world: World) -> None:
    kinds = {kind["id"]: kind for kind in (await told(world, "/api/fact-kinds"))["rows"]}
    fields = {field["name"]: field for field in kinds["sales_order"]["fields"]}
    assert (fields["amount_gross_minor"]["kind"], fields["amount_gross_minor"]["required"]) == ("minor", True)
    assert fields["status"]["choices"] == ["draft", "open", "fulfilled", "cancelled", "refunded"]
    assert "source_key" not in fields
