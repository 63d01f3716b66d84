"""The systems that are asked over HTTP, in their makers' shapes: Odoo, HubSpot, Zendesk, Matomo, Redmine, WeChat."""

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from muster.business.company import FAULTY, Business
from muster.business.hubspot import HubSpot
from muster.business.odoo import Odoo
from muster.business.rows import Fields
from muster.business.works import Work
from muster.business.zendesk import Zendesk

KEY = "demo"
"""What each of them wants to be shown; it opens nothing but these made-up figures on this machine."""
PAGE = 100
_SIGNED_OUT = {"errcode": 40001, "errmsg": "invalid credential"}


@dataclass(frozen=True, slots=True)
class Systems:
    """All of them under one address, and those in which something new happens."""

    app: FastAPI
    erp: Odoo
    desk: Zendesk


def make_systems(business: Business) -> Systems:
    """With what the company has until its last day."""
    people = {one.id: int(one.number) for one in business.span.people}
    erp = Odoo(KEY, people, business.trade, [FAULTY["sales_order"]])
    crm = HubSpot(KEY, people, business.trade)
    desk = Zendesk(KEY, people, [*business.tickets, FAULTY["ticket"]], business.delivery.complaints)
    app = _others(business.works, business.days, business.followers)
    app.add_route("/jsonrpc", erp.answer, methods=["POST"])
    app.add_route("/crm/v3/objects/{kind}/search", crm.answer, methods=["POST"])
    app.add_route("/api/v2/incremental/tickets/cursor.json", desk.answer, methods=["GET"])
    return Systems(app, erp, desk)


def _others(works: Sequence[Work], days: Sequence[Fields], followers: Mapping[str, int]) -> FastAPI:
    visits = _visits(days)

    async def matomo(request: Request) -> Response:
        form = {name: values[0] for name, values in urllib.parse.parse_qs((await request.body()).decode()).items()}
        if KEY not in (form.get("token_auth"), request.query_params.get("token_auth")):
            return JSONResponse({"result": "error", "message": "token_auth is wrong"})
        first, _, last = form["date"].partition(",")
        return JSONResponse({day: visits.get(day, []) for day in _between(first, last or first)})

    async def redmine(request: Request) -> Response:
        if request.headers.get("X-Redmine-API-Key") != KEY:
            return Response(status_code=401)
        since = request.query_params.get("updated_on", ">=").removeprefix(">=")
        found = [issue for issue in map(_issue, works) if str(issue["updated_on"]) >= since]
        offset = int(request.query_params.get("offset", 0))
        page = found[offset : offset + int(request.query_params.get("limit", PAGE))]
        return JSONResponse({"issues": page, "total_count": len(found), "offset": offset, "limit": PAGE})

    async def token(_request: Request) -> Response:
        return JSONResponse({"access_token": KEY, "expires_in": 7200})

    async def audience(request: Request) -> Response:
        if request.query_params.get("access_token") != KEY:
            return JSONResponse(_SIGNED_OUT)
        asked = await request.json()
        wanted = _between(asked["begin_date"], asked["end_date"])
        rows = [
            {"ref_date": day, "user_source": 0, "cumulate_user": followers[day]} for day in wanted if day in followers
        ]
        return JSONResponse({"list": rows})

    async def nothing(_request: Request) -> Response:
        return JSONResponse({"list": []})

    app = FastAPI(openapi_url=None)
    for path, answer, methods in (
        ("/index.php", matomo, ["POST"]),
        ("/issues.json", redmine, ["GET"]),
        ("/cgi-bin/stable_token", token, ["GET", "POST"]),
        ("/datacube/getusercumulate", audience, ["POST"]),
        ("/datacube/getusersummary", nothing, ["POST"]),
        ("/datacube/getarticletotal", nothing, ["POST"]),
    ):
        app.add_route(path, answer, methods=methods)
    return app


def _between(first: str, last: str) -> list[str]:
    start, days = date.fromisoformat(first), (date.fromisoformat(last) - date.fromisoformat(first)).days
    return [str(start + timedelta(days=number)) for number in range(days + 1)]


def _visits(days: Sequence[Fields]) -> dict[str, dict[str, int]]:
    """Of all channels together, by date."""
    found: dict[str, dict[str, int]] = {}
    for row in days:
        day = found.setdefault(row["stat_date"], {"nb_visits": 0, "nb_uniq_visitors": 0, "nb_actions": 0})
        day["nb_visits"] += row["visits"]
        day["nb_uniq_visitors"] += row["visitors"]
        day["nb_actions"] += row["views"]
    for day in found.values():
        day["sum_visit_length"] = day["nb_visits"] * 95
    return found


def _issue(work: Work) -> dict[str, Any]:
    def moment(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    fields = {
        "Brief accepted": moment(work.brief),
        "Submitted": moment(work.reviewed),
        "First review": moment(work.reviewed),
        "Passed at first review": None if work.reviewed is None else "1" if work.passed else "0",
        "Rounds": "1" if work.passed else "2",
        "Size": work.size,
        "Standard days": work.standard_days,
        "Page": work.page,
        "Page type": "product",
        "Live from": moment(work.decided),
    }
    return {
        "id": work.number,
        "status": {"id": 1, "name": "In Progress" if work.decided is None else "Closed"},
        "created_on": moment(work.created),
        "updated_on": moment(work.decided or work.created),
        "closed_on": moment(work.decided),
        "assigned_to": {"id": work.designer, "name": work.designer},
        "custom_fields": [{"id": n, "name": name, "value": value} for n, (name, value) in enumerate(fields.items())],
    }
