"""One page of a stream over HTTP: the call made from the file, signed, sent and read."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from server.connectors.errors import ReplyError
from server.connectors.fetch.auth import SignIn, Token
from server.connectors.fetch.client import Client, Request, SignedOutError
from server.connectors.fetch.paging import Values
from server.connectors.fetch.template import as_form, fill
from server.connectors.reply import Page, read_reply
from server.connectors.source_file import Paging, Source, Stream, TimeForm


class Asker:
    """Asks a source for pages; a token that ended is renewed once."""

    def __init__(self, source: Source, client: Client, sign_in: SignIn) -> None:
        self._source, self._client, self._sign_in = source, client, sign_in

    async def ask(self, stream: Stream, values: Values) -> Page:
        """The page; ReplyError ``auth_failed`` when we are not let in, any other when it can not be had."""
        request = make_request(self._source, stream, values)
        used: Token | None = None
        try:
            signed = await self._sign_in.signed(request)
            used = self._sign_in.token
            return await self._read(stream, signed)
        except ReplyError as error:
            if not _signed_out(error):
                raise
            failed = ReplyError("login or key is refused", "auth_failed", retry=False)
            if not self._sign_in.forget(used):
                raise failed from error
        try:
            return await self._read(stream, await self._sign_in.signed(request))
        except ReplyError as error:
            if not _signed_out(error):
                raise
            raise failed from error

    async def _read(self, stream: Stream, request: Request) -> Page:
        answer = await self._client.send(request)
        page = read_reply(self._source, stream, answer.body)
        if stream.page.type != "next_link":
            return page
        link = answer.link if stream.page.header else page.next
        return replace(page, next=urljoin(answer.url, link) if isinstance(link, str) and link else None)


def _signed_out(error: ReplyError) -> bool:
    return isinstance(error, SignedOutError) or error.code == "signed_out"


def make_request(source: Source, stream: Stream, values: Values) -> Request:
    """The call of a stream with these values; names that have none leave their parameter out."""
    form: TimeForm = "iso" if stream.cursor is None else stream.cursor.as_
    told = {
        name: as_form(value, form, source.zone) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
    if source.kind == "jsonrpc":
        return _procedure(source, stream, told)
    call = stream.call
    after = told.get("after")
    if isinstance(after, str) and stream.page.type == "next_link":
        return Request(after, call.method or "GET", headers=call.headers)  # a link holds all parameters
    given = _parameters(stream, told)
    params, body = fill(call.params, told), fill(call.body, told)
    if body is not None or call.form or call.method == "POST":
        body = {**(body or {}), **given} if isinstance(body, dict | None) else body
        params = params if isinstance(params, dict) else {}
        if call.form:
            return Request(call.path, "POST", params, form=body, headers=call.headers)
        return Request(call.path, call.method or "POST", params, json=body, headers=call.headers)
    return Request(call.path, call.method or "GET", {**dict(params), **given}, headers=call.headers)


def _parameters(stream: Stream, values: Values) -> dict[str, Any]:
    """What the file names as parameters of paging and of the cursor."""
    cursor = stream.cursor
    follows = cursor is not None and cursor.once and values.get("after") is not None
    found = {} if cursor is None or follows else {cursor.param: values.get("since")}
    paging: Paging | None = stream.page
    while paging is not None:
        moving = {"page_number": "page", "offset": "offset", "has_more": "offset"}.get(paging.type, "after")
        found |= {
            paging.param: values.get(moving),
            paging.size_param: paging.size,
            paging.from_param: values.get("from"),
            paging.to_param: values.get("to"),
            paging.ids_param: values.get("ids"),
        }
        paging = paging.within
    return {name: value for name, value in found.items() if name is not None and value is not None}


def _procedure(source: Source, stream: Stream, values: Values) -> Request:
    call = stream.call
    method = call.method
    match source.dialect:
        case "tryton":
            params: Any = _tryton_search(stream, values)
        case "odoo":
            method, params = "call", _odoo_search(stream, values)
        case _:
            params = fill(call.params, values)
    body = {"id": 1, "method": method, "params": params}
    if source.dialect != "tryton":  # it puts the result in an envelope only for exactly these three
        body = {"jsonrpc": "2.0", **body}
    return Request(call.path, "POST", json=body, headers=call.headers)


def _odoo_search(stream: Stream, values: Values) -> dict[str, Any]:
    """``execute_kw``, as far as it goes without the user, who is put in when the call is signed."""
    call = stream.call
    domain: list[Any] = [*call.domain]
    if stream.cursor is not None and values.get("since") is not None:
        domain.append([stream.cursor.field[0], ">=", str(values["since"]).replace("T", " ").removesuffix("Z")])
    if values.get("after") is not None:
        domain.append([stream.page.field or "id", ">", values["after"]])
    named = {"fields": list(call.fields), "limit": stream.page.size, "order": f"{stream.page.field or 'id'} asc"}
    args = [call.database, call.model, call.method, [domain], {**named, "context": call.context}]
    return {"service": "object", "method": "execute_kw", "args": args}


def _tryton_search(stream: Stream, values: Values) -> list[Any]:
    """Domain, offset, limit, order, fields, context of ``search_read``."""
    domain: list[Any] = [*stream.call.domain]
    if stream.cursor is not None and values.get("since") is not None:
        since = _tryton_time(values["since"])
        domain.append(["OR", *([field, ">=", since] for field in stream.cursor.field)])  # one of them may be empty
    if values.get("after") is not None:
        domain.append([stream.page.field or "id", ">", values["after"]])
    order = [[stream.page.field or "id", "ASC"]]
    return [domain, 0, stream.page.size, order, list(stream.call.fields), stream.call.context]


def _tryton_time(text: Any) -> dict[str, Any]:
    """A UTC moment as Tryton's JSON has it."""
    date, _, clock = str(text).rstrip("Z").partition("T")
    year, month, day = (int(part) for part in date.split("-"))
    hour, minute, second = (int(part) for part in clock.split(":"))
    told = {"year": year, "month": month, "day": day, "hour": hour, "minute": minute, "second": second}
    return {"__class__": "datetime", **told, "microsecond": 0}
