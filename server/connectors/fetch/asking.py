"""One page of a stream over HTTP: the call made from the file, signed, sent, tried again, and read."""

from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

import structlog

from server.connectors.errors import ReplyError
from server.connectors.fetch.auth import SignIn
from server.connectors.fetch.client import Answer, Client, LaterError, Request, SignedOutError, Sleep
from server.connectors.fetch.paging import Values
from server.connectors.fetch.retry import delay_s
from server.connectors.fetch.template import as_form, fill
from server.connectors.reply import Page, read_reply
from server.connectors.source_file import Paging, Source, Stream, TimeForm

log = structlog.get_logger("server.connectors")


class Asker:
    """Asks for pages of one stream; a page that fails is tried again, a token that ended is renewed once."""

    def __init__(
        self, source: Source, stream: Stream, *, client: Client, sign_in: SignIn, sleep: Sleep, random: Random
    ) -> None:
        self._source, self._stream, self._client, self._sign_in = source, stream, client, sign_in
        self._sleep, self._random = sleep, random

    async def ask(self, values: Values) -> Page:
        """The page; ReplyError ``auth_failed`` when we are not let in, any other when it can not be had."""
        request = make_request(self._source, self._stream, values)
        failures, renewed = 0, False
        while True:
            try:
                answer = await self._client.send(await self._sign_in.signed(request))
                return self._read(answer)
            except ReplyError as error:
                if isinstance(error, SignedOutError) or error.code == "signed_out":
                    if renewed or not self._sign_in.forget():
                        raise ReplyError("login or key is refused", "auth_failed", retry=False) from error
                    renewed = True
                    continue
                if not error.retry:
                    raise
                failures += 1
                asked_s = error.retry_after_s if isinstance(error, LaterError) else None
                wait_s = delay_s(failures, self._random, asked_s)
                if wait_s is None:
                    raise
                log.info(
                    "asked_again", source=self._source.source, stream=self._stream.id, code=error.code, in_s=wait_s
                )
                await self._sleep(wait_s)

    def _read(self, answer: Answer) -> Page:
        page = read_reply(self._source, self._stream, answer.body)
        return replace(page, next=answer.link) if self._stream.page.header else page


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
    found = {} if stream.cursor is None else {stream.cursor.param: values.get("since")}
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
    if source.dialect == "tryton":
        params: Any = _tryton_search(stream, values)
    else:
        params = fill(call.params, values)
    body = {"jsonrpc": "2.0", "id": 1, "method": call.method, "params": params}
    return Request(call.path, "POST", json=body, headers=call.headers)


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
