"""The company's CRM in the shape of HubSpot: deals and contacts, found by searches."""

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from muster.business.rows import Fields, Rows
from muster.business.trade import Trade
from shared.clock import to_ms

MOST = 100
"""Results of one search at most, as long as nothing follows."""
_STAGES = {"won": ("true", "true"), "lost": ("true", "false"), "open": ("false", "false")}
"""Closed, and closed as won."""


class HubSpot:
    """One account; ``people`` are its owners by their number."""

    def __init__(self, key: str, people: Mapping[str, int], trade: Trade) -> None:
        self._key, self._people = key, people
        owners = {row["customer_key"]: row["employee_key"] for row in trade.owners}
        asking = sorted({str(row["customer_key"]) for row in trade.deals})
        since = min((str(row["created_on"]) for row in trade.deals), default="")
        self._objects: dict[str, Rows] = {
            "deals": [self._deal(number, row) for number, row in enumerate(trade.deals, start=501)],
            "contacts": [self._contact(customer, owners[customer], since) for customer in asking],
        }

    async def answer(self, request: Request) -> Response:
        """The results of a search."""
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            return JSONResponse({"status": "error", "category": "INVALID_AUTHENTICATION"}, status_code=401)
        asked = await request.json()
        found = self._objects[request.path_params["kind"]]
        [group], [order] = asked["filterGroups"], asked["sorts"]
        found = [row for row in found if all(_holds(row, condition) for condition in group["filters"])]
        found.sort(key=lambda row: _number(row, order["propertyName"]))
        page = itertools.islice(found, min(asked["limit"], MOST))
        return JSONResponse({"total": len(found), "results": [_shown(row, asked["properties"]) for row in page]})

    def _deal(self, number: int, row: Fields) -> dict[str, str]:
        closed, won = _STAGES[row["stage"]]
        changed = row["closed_on"] or row["created_on"]
        return {
            "hs_object_id": str(number),
            "dealname": str(row["source_key"]),
            "amount": f"{row['amount_minor'] / 100:.2f}",
            "dealstage": f"closed{row['stage']}" if closed == "true" else "contractsent",
            "createdate": f"{row['created_on']}T04:00:00.000Z",
            "closedate": f"{row['closed_on'] or row['created_on']}T06:00:00.000Z",
            "hubspot_owner_id": str(self._people[row["employee_key"]]),
            "hs_is_closed": closed,
            "hs_is_closed_won": won,
            "deal_currency_code": str(row["currency"]),
            "hs_lastmodifieddate": f"{changed}T06:00:00.000Z",
        }

    def _contact(self, customer: str, owner: str, since: str) -> dict[str, str]:
        return {
            "hs_object_id": str(1 + int(customer.removeprefix("C"))),
            "hubspot_owner_id": str(self._people[owner]),
            "lastmodifieddate": f"{since}T04:00:00.000Z",
        }


def _shown(row: Fields, properties: list[str]) -> dict[str, Any]:
    return {"id": row["hs_object_id"], "properties": {name: row.get(name) for name in properties}}


def _holds(row: Fields, condition: Fields) -> bool:
    value, wanted = _number(row, condition["propertyName"]), int(condition["value"])
    return value >= wanted if condition["operator"] == "GTE" else value > wanted


def _number(row: Fields, name: str) -> int:
    """Ids, and moments as milliseconds."""
    text = str(row[name])
    return int(text) if text.isdigit() else to_ms(datetime.fromisoformat(text))
