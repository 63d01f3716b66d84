"""The peers' own APIs, as those who work with them use them: how orders and tickets come in."""

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.peers.systems import System

ADMIN, ADMIN_PASSWORD = "admin", "admin-pass-1"
AGENT, AGENT_PASSWORD = "agent1", "agent-pass-1"
ROOT, ROOT_PASSWORD = "root", "password"
"""Request Tracker's own first user."""
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Tryton:
    """Tryton's JSON-RPC, signed in as the administrator, who works as employee 1."""

    url: str
    session: str

    @classmethod
    def sign_in(cls, system: System, password: str = ADMIN_PASSWORD) -> "Tryton":
        """AssertionError when it does not let us in."""
        url = f"{system.url}/erp/rpc/"
        told = cls(url, "").call("common.db.login", ADMIN, {"password": password})
        return cls(url, base64.b64encode(f"{ADMIN}:{told[0]}:{told[1]}".encode()).decode())

    def call(self, method: str, *params: Any) -> Any:
        """The result; AssertionError with what Tryton says otherwise."""
        headers = {"Authorization": f"Session {self.session}"} if self.session else {}
        body = {"id": 1, "method": method, "params": list(params)}
        reply = httpx.post(self.url, json=body, headers=headers, timeout=TIMEOUT_S)
        reply.raise_for_status()
        told = reply.json()
        assert "error" not in told, f"{method}: {told['error']}"
        return told["result"]

    def do(self, model: str, action: str, *params: Any) -> Any:
        """A method of a model, in the only company."""
        context = {"company": 1, "employee": 1, "employees": [1], "companies": [1]}
        return self.call(f"model.{model}.{action}", *params, context)

    def read(self, model: str, number: int, *fields: str) -> dict[str, Any]:
        """Some fields of a record."""
        [found] = self.do(model, "read", [number], list(fields))
        return dict(found)

    def orders(self, number: int, **values: Any) -> list[int]:
        """Copies of the draft that comes with the company: three vases and two lids, 57.50 CNY."""
        made = [self.do("sale.sale", "copy", [1], {})[0] for _ in range(number)]
        self.do("sale.sale", "write", made, values)
        return made

    def sell(self, orders: Sequence[int]) -> None:
        """Quote, confirm, process."""
        for step in ("quote", "confirm", "process"):
            self.do("sale.sale", step, list(orders))

    def pay(self, invoice: int, amount: str, day: dt.date) -> None:
        """Book a payment in cash."""
        [method] = self.do("account.invoice.payment.method", "search", [], 0, 1, None)
        context = {"company": 1, "active_model": "account.invoice", "active_id": invoice, "active_ids": [invoice]}
        session, _, _ = self.call("wizard.account.invoice.pay.create", context)
        shown = self.call("wizard.account.invoice.pay.execute", session, {}, "start", context)
        start = shown["view"]["defaults"] if "defaults" in shown["view"] else shown["view"]["value"]
        start = {name: value for name, value in start.items() if not name.endswith(".")}
        start |= {"amount": decimal(amount), "payment_method": method, "date": date(day)}
        self.call("wizard.account.invoice.pay.execute", session, {"start": start}, "choice", context)


def decimal(text: str) -> dict[str, str]:
    """As Tryton's JSON has it."""
    return {"__class__": "Decimal", "decimal": text}


def date(day: dt.date) -> dict[str, Any]:
    """As Tryton's JSON has it."""
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


def moment(at: dt.datetime) -> dict[str, Any]:
    """As Tryton's JSON has it, UTC."""
    clock = {"hour": at.hour, "minute": at.minute, "second": at.second, "microsecond": 0}
    return {"__class__": "datetime", "year": at.year, "month": at.month, "day": at.day, **clock}


class Rest:
    """A REST API with name and password."""

    def __init__(self, system: System, path: str, user: str, password: str) -> None:
        self._client = httpx.Client(base_url=f"{system.url}{path}", auth=(user, password), timeout=TIMEOUT_S)

    def __enter__(self) -> "Rest":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer as JSON, None where it is empty; httpx.HTTPStatusError when it says no."""
        reply = self._client.request(method, path, json=body)
        reply.raise_for_status()
        return reply.json() if reply.content else None
