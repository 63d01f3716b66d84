"""The emulated BioStar 2 server behaves as the protocol page says; the client here knows nothing of ours."""

from datetime import datetime, timedelta

import httpx

from emulators.suprema import BioStarServer

AT = datetime(2026, 11, 23, 0, 59, 1)
QUERY = {
    "Query": {
        "limit": 2,
        "offset": 0,
        "conditions": [
            {"column": "datetime", "operator": 3, "values": ["2026-11-22T16:00:00.000Z", "2026-11-23T16:00:00.000Z"]}
        ],
        "orders": [{"column": "datetime", "descending": False}],
    }
}


async def test_a_session_is_a_header_and_expires() -> None:
    server = BioStarServer(token_uses=1)
    server.punch("1000", AT, tna=1)
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            refused = await client.post("/api/login", json={"User": {"login_id": "admin", "password": "no"}})
            without = await client.post("/api/events/search", json=QUERY)
            login = {"User": {"login_id": "admin", "password": "Muster-1234"}}
            token = (await client.post("/api/login", json=login)).headers["bs-session-id"]
            first = await client.post("/api/events/search", json=QUERY, headers={"bs-session-id": token})
            second = await client.post("/api/events/search", json=QUERY, headers={"bs-session-id": token})
    finally:
        await server.stop()
    assert [answer.status_code for answer in (refused, without, first, second)] == [401, 401, 200, 401]
    (row,) = first.json()["EventCollection"]["rows"]
    assert row["datetime"] == "2026-11-23T00:59:01.00Z"
    assert (row["user_id"]["user_id"], row["event_type_id"]["code"], row["tna_key"]) == ("1000", "4867", "1")


async def test_pages_are_cut_by_limit_and_offset_and_times_may_carry_an_offset() -> None:
    server = BioStarServer(offset=timedelta(hours=8))
    for n in range(3):
        server.punch(str(n), AT)
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
            login = {"User": {"login_id": "admin", "password": "Muster-1234"}}
            client.headers["bs-session-id"] = (await client.post("/api/login", json=login)).headers["bs-session-id"]
            pages = []
            for offset in (0, 2):
                query = {"Query": {**QUERY["Query"], "offset": offset}}
                pages.append((await client.post("/api/events/search", json=query)).json()["EventCollection"]["rows"])
    finally:
        await server.stop()
    assert [[row["user_id"]["user_id"] for row in page] for page in pages] == [["0", "1"], ["2"]]
    assert pages[0][0]["datetime"] == "2026-11-23T08:59:01+08:00"
