"""The company's ERP in the shape of Odoo: orders with lines, credit notes and customers, asked over JSON-RPC."""

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from muster.business.rows import Fields, Rows
from muster.business.trade import Trade
from shared.errors import DataError

DATABASE, LOGIN, USER = "odoo", "muster", 2
STREAMS = ("sales_order", "sales_order_line", "refund", "customer", "customer_owner")
"""What the company uses it for: invoices are in its books, parcels at its carrier, deals in its CRM."""
OWN_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "sales_order": {
        "paid_at": {"path": "x_studio_paid_at", "as": "datetime"},
        "cost_minor": {"path": "x_studio_cost", "as": "money_minor"},
        "last_touch_post_key": "x_studio_post",
        "last_touch_at": {"path": "x_studio_post_at", "as": "datetime"},
    },
    "sales_order_line": {
        "category": "x_studio_category",
        "cost_minor": {"path": "x_studio_cost", "as": "money_minor"},
    },
    "refund": {
        "cost_returned_minor": {"path": "x_studio_cost", "as": "money_minor"},
        "full": {"path": "x_studio_full", "as": "bool"},
    },
}
"""What the company keeps in fields of its own: the lines that the preset has behind a ``#``."""
_CURRENCY = [7, "CNY"]
_PARTNERS = 10_000
"""Before the numbers of customers: users and companies are partners too."""
_COMPARES: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
}


class Odoo:
    """One database of it; ``people`` are its users by their number."""

    def __init__(self, key: str, people: Mapping[str, int], trade: Trade, faulty: Sequence[Fields]) -> None:
        self._key, self._people = key, people
        self._numbers = itertools.count(1)
        paid = {str(row["order_no"]): str(row["paid_at"]) for row in trade.orders}
        self._models: dict[str, Rows] = {
            "sale.order": [self._order(row) for row in (*trade.orders, *faulty)],
            "sale.order.line": [self._line(row, paid[row["order_key"]]) for row in trade.lines],
            "account.move": [self._credit_note(row) for row in trade.refunds],
            "res.partner": [self._partner(row) for row in trade.owners],
        }

    def add(self, order: Fields) -> None:
        """One more order."""
        self._models["sale.order"].append(self._order(order))

    async def answer(self, request: Request) -> Response:
        """What it says to a call; like Odoo with HTTP 200, also to one that it refuses."""
        asked = await request.json()
        service, args = asked["params"]["service"], asked["params"]["args"]
        try:
            said = self._log_in(*args) if service == "common" else self._execute(*args)
        except DataError as error:
            told = {"code": 200, "message": "Odoo Server Error", "data": {"name": error.code, "message": str(error)}}
            return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "error": told})
        return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], "result": said})

    def _log_in(self, database: str, login: str, key: str) -> Any:
        return USER if (database, login, key) == (DATABASE, LOGIN, self._key) else False

    def _execute(self, *asked: Any) -> Rows:
        """``execute_kw``: who asks, then a method of a model with what it is given."""
        database, user, key, model, method, args, named = asked
        if (database, user, key) != (DATABASE, USER, self._key):
            raise DataError("Access Denied", "odoo.exceptions.AccessDenied")
        if method != "search_read" or model not in self._models or named["order"] != "id asc":
            raise DataError(f"{model}.{method} by {named['order']}", "builtins.KeyError")
        [domain] = args
        found = (row for row in self._models[model] if all(_holds(row, *condition) for condition in domain))
        return [_shown(row, ("id", *named["fields"])) for row in itertools.islice(found, named["limit"])]

    def _order(self, row: Fields) -> dict[str, Any]:
        gross, net, paid = row["amount_gross_minor"], row.get("amount_net_minor", 0), row.get("paid_at")
        good = isinstance(gross, int)
        return {
            "id": next(self._numbers),
            "name": row["order_no"],
            "state": "sale",
            # Some module wrote a word where an amount belongs; that one waits for a person.
            "amount_total": gross / 100 if good else gross,
            "amount_untaxed": net / 100,
            "amount_tax": (gross - net) / 100 if good else 0.0,
            "currency_id": _CURRENCY,
            "user_id": self._user(row.get("employee_key")),
            "partner_id": _customer(row["customer_key"]) if "customer_key" in row else False,
            "date_order": _naive(paid),
            "commitment_date": False,
            "invoice_status": "invoiced" if paid else "no",
            "client_order_ref": False,
            "write_date": _naive(paid) or "2024-01-01 00:00:00",
            "x_studio_paid_at": _naive(paid),
            "x_studio_cost": row.get("cost_minor", 0) / 100,
            "x_studio_post": row.get("last_touch_post_key", False),
            "x_studio_post_at": _naive(row.get("last_touch_at")),
        }

    def _line(self, row: Fields, changed: str) -> dict[str, Any]:
        return {
            "id": next(self._numbers),
            "order_id": [0, row["order_key"]],
            "product_id": [0, row["sku"]],
            "display_type": False,
            "price_subtotal": row["amount_net_minor"] / 100,
            "currency_id": _CURRENCY,
            "write_date": _naive(changed),
            "x_studio_category": row["category"],
            "x_studio_cost": row["cost_minor"] / 100,
        }

    def _credit_note(self, row: Fields) -> dict[str, Any]:
        return {
            "id": next(self._numbers),
            "move_type": "out_refund",
            "state": "posted",
            "invoice_origin": row["order_key"],
            "invoice_date": row["refunded_on"],
            "amount_untaxed": row["amount_net_minor"] / 100,
            "currency_id": _CURRENCY,
            "write_date": f"{row['refunded_on']} 02:00:00",
            "x_studio_cost": row["cost_returned_minor"] / 100,
            "x_studio_full": row["full"],
        }

    def _partner(self, owner: Fields) -> dict[str, Any]:
        since = f"{owner['valid_from']} 04:00:00"
        return {
            "id": _customer(owner["customer_key"])[0],
            "customer_rank": 1,
            "user_id": self._user(owner["employee_key"]),
            "create_date": since,
            "write_date": since,
        }

    def _user(self, person: str | None) -> Any:
        return False if person is None else [self._people[person], person]


def _shown(row: Fields, names: Sequence[str]) -> dict[str, Any]:
    return {name: _field(row, name) for name in names}


def _holds(row: Fields, field: str, compare: str, wanted: Any) -> bool:
    return _COMPARES[compare](_field(row, field), wanted)


def _field(row: Fields, name: str) -> Any:
    if name not in row:
        raise DataError(f"Invalid field {name!r}", "builtins.ValueError")
    return row[name]


def _customer(key: str) -> list[Any]:
    return [_PARTNERS + int(key.removeprefix("C")), f"客户 {key}"]


def _naive(moment: str | None) -> Any:
    """UTC without saying so; false for nothing."""
    return False if moment is None else moment.replace("T", " ").removesuffix("Z")


def own_fields(fact: str) -> Iterator[str]:
    """Names of the fields that have to be asked for beside those of the preset."""
    for value in OWN_FIELDS.get(fact, {}).values():
        yield value if isinstance(value, str) else value["path"]
