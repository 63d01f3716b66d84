"""How a source is told who asks; tokens are fetched when they are needed."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4

import msgspec

from server.connectors.errors import ReplyError
from server.connectors.fetch.client import Client, Request
from server.connectors.fetch.secrets import Secrets
from server.connectors.paths import look
from server.connectors.source_file import Source
from shared.clock import Clocks, system_clocks
from shared.errors import DataError

EARLY_S = 300
"""A token is renewed so long before it ends."""
LASTS_S = 7_200
"""Where the source does not say how long."""


@dataclass(slots=True)
class Token:
    """What a sign-in gave, and until when by the monotonic clock it holds, in seconds."""

    value: str
    until: float


class SignIn:
    """Signs the requests of one source."""

    def __init__(self, source: Source, client: Client, secrets: Secrets, clocks: Clocks | None = None) -> None:
        self._source, self._client, self._secrets = source, client, secrets
        self._clocks = clocks or system_clocks()
        self.token: Token | None = None
        """The one that was used last, where there are tokens."""
        self._refused: ReplyError | None = None
        self._one = asyncio.Lock()

    async def signed(self, request: Request) -> Request:
        """The request as the source lets it in."""
        auth = self._source.auth
        match auth.type:
            case "none":
                made = request
            case "hmac_md5_param":
                made = self._with_sign(request)
            case "md5_digest_param":
                made = self._with_digest(request)
            case "odoo_login":
                made = self._as_odoo_user(request, await self._current(self._log_in_to_odoo))
            case "limesurvey_session":
                made = self._with_key(request, await self._current(self._log_in_to_limesurvey))
            case "query_token":
                made = self._with_param(request, self._secret("token"))
            case "token_exchange" if auth.prefix is None:
                made = self._with_param(request, await self._current(self._exchange))
            case _:
                name = "Authorization" if auth.name is None else auth.name
                made = replace(request, headers={**request.headers, name: await self._header()})
        return made

    async def _header(self) -> str:
        """What the header that signs holds."""
        auth = self._source.auth
        match auth.type:
            case "basic" if auth.api_key is not None:
                # The key is the login; the password is anything.
                pair = f"{self._secret('api_key')}:X".encode()
                return f"Basic {base64.b64encode(pair).decode()}"
            case "basic":
                login = self._secrets.fill(auth.login or "", secret=False)
                pair = f"{login}:{self._secret('password')}".encode()
                return f"Basic {base64.b64encode(pair).decode()}"
            case "token_exchange":
                return f"{auth.prefix}{await self._current(self._exchange)}"
            case "tryton_session":
                return f"Session {await self._current(self._log_in_to_tryton)}"
            case "bearer":
                return f"Bearer {self._secret('token')}"
            case _:
                return f"{auth.prefix or ''}{self._secret('token')}"

    def forget(self, used: "Token | None") -> bool:
        """Let go of a token that ended, so that a new one is fetched; False where there is none to renew.

        Another call may have renewed it already.
        """
        if used is not None and self.token is used:
            self.token = None
        return used is not None

    def _secret(self, name: str) -> str:
        value = getattr(self._source.auth, name)
        return "" if value is None else self._secrets.fill(value)

    def _with_sign(self, request: Request) -> Request:
        """Kuaidi100: ``sign`` is the upper-case MD5 of param, key and customer."""
        form = dict(request.form or {})
        param = form.get("param", "")
        text = param if isinstance(param, str) else msgspec.json.encode(param).decode()
        customer = self._secrets.fill(self._source.auth.app_id or "", secret=False)
        sign = hashlib.md5(f"{text}{self._secret('api_key')}{customer}".encode(), usedforsecurity=False).hexdigest()
        return replace(request, form={**form, "param": text, "customer": customer, "sign": sign.upper()})

    def _with_digest(self, request: Request) -> Request:
        """SF Express: ``msgDigest`` is the base64 MD5 of msgData, timestamp and check word as Java encodes them."""
        form = dict(request.form or {})
        data = form.get("msgData", "")
        text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
        partner = self._secrets.fill(self._source.auth.app_id or "", secret=False)
        at = str(self._clocks.wall_ms())
        encoded = quote_plus(f"{text}{at}{self._secret('app_secret')}", safe="*-._").replace("~", "%7E")
        digest = base64.b64encode(hashlib.md5(encoded.encode(), usedforsecurity=False).digest()).decode()
        own = {"msgData": text, "partnerID": partner, "requestID": str(uuid4()), "timestamp": at, "msgDigest": digest}
        return replace(request, form={**form, **own})

    def _with_key(self, request: Request, key: str) -> Request:
        """LimeSurvey: the session's key is the first argument of every call."""
        body = dict(request.json)
        return replace(request, json={**body, "params": [key, *body["params"]]})

    def _as_odoo_user(self, request: Request, uid: str) -> Request:
        """Number and key of the user go before the model, in every call."""
        database, *rest = request.json["params"]["args"]
        args = [database, int(uid), self._secret("api_key"), *rest]
        return replace(request, json={**request.json, "params": {**request.json["params"], "args": args}})

    def _with_param(self, request: Request, token: str) -> Request:
        """In the body where that is a form: addresses end up in logs."""
        named = {self._source.auth.name or "access_token": token}
        if request.form is not None:
            return replace(request, form={**request.form, **named})
        return replace(request, params={**request.params, **named})

    async def _current(self, fetch: Callable[[], Awaitable[Token]]) -> str:
        async with self._one:  # of several calls at once one signs in; a login that is refused is not tried again
            if self._refused is not None:
                raise self._refused
            if self.token is None or self.token.until - EARLY_S <= time.monotonic():
                try:
                    self.token = await fetch()
                except ReplyError as error:
                    self._refused = error if error.code in ("auth_failed", "signed_out") else None
                    raise
            return self.token.value

    async def _exchange(self) -> Token:
        auth = self._source.auth
        body = self._filled(auth.body or {})
        if auth.method == "GET":
            request = Request(auth.url or "", params=body)
        else:
            request = Request(auth.url or "", "POST", **{"form" if auth.form else "json": body})
        answer = await self._client.send(request)
        try:
            value = msgspec.json.decode(answer.body)
            token = look(value, auth.token_path or ("access_token",))
            lasts = look(value, auth.lasts_path or ("expires_in",))
        except (msgspec.DecodeError, DataError) as error:
            raise ReplyError("the answer to the sign-in holds no token", "auth_failed", retry=False) from error
        if not isinstance(token, str) or not token:
            raise ReplyError("the answer to the sign-in holds no token", "auth_failed", retry=False)
        return Token(token, time.monotonic() + (lasts if isinstance(lasts, int) else LASTS_S))

    async def _log_in_to_tryton(self) -> Token:
        auth = self._source.auth
        login = self._secrets.fill(auth.login or "", secret=False)
        params = [login, {"password": self._secret("password")}]
        path = self._source.streams[0].call.path
        body = {"id": 0, "method": "common.db.login", "params": params}
        answer = await self._client.send(Request(path, "POST", json=body))
        try:
            value = msgspec.json.decode(answer.body)
        except msgspec.DecodeError as error:
            raise ReplyError("the answer to the login is no JSON", "auth_failed", retry=False) from error
        found = value.get("result") if isinstance(value, dict) else value
        if not isinstance(found, list) or len(found) < 2:
            raise ReplyError("login or password is wrong", "auth_failed", retry=False)
        whole = base64.b64encode(f"{login}:{found[0]}:{found[1]}".encode()).decode()
        return Token(whole, time.monotonic() + LASTS_S)

    async def _log_in_to_odoo(self) -> Token:
        auth, call = self._source.auth, self._source.streams[0].call
        login = self._secrets.fill(auth.login or "", secret=False)
        params = {"service": "common", "method": "login", "args": [call.database, login, self._secret("api_key")]}
        body = {"jsonrpc": "2.0", "method": "call", "id": 0, "params": params}
        answer = await self._client.send(Request(call.path, "POST", json=body))
        try:
            uid = look(msgspec.json.decode(answer.body), ("result",))
        except (msgspec.DecodeError, DataError) as error:
            raise ReplyError("the answer to the login is no JSON", "auth_failed", retry=False) from error
        if isinstance(uid, bool) or not isinstance(uid, int):
            raise ReplyError("login or key is wrong", "auth_failed", retry=False)
        return Token(str(uid), time.monotonic() + LASTS_S)

    async def _log_in_to_limesurvey(self) -> Token:
        auth = self._source.auth
        params = [self._secrets.fill(auth.login or "", secret=False), self._secret("password")]
        body = {"jsonrpc": "2.0", "id": 0, "method": "get_session_key", "params": params}
        answer = await self._client.send(Request(self._source.streams[0].call.path, "POST", json=body))
        try:
            key = look(msgspec.json.decode(answer.body), ("result",))
        except (msgspec.DecodeError, DataError) as error:
            raise ReplyError("the answer to the login is no JSON", "auth_failed", retry=False) from error
        if not isinstance(key, str) or not key:
            raise ReplyError("login or password is wrong", "auth_failed", retry=False)
        return Token(key, time.monotonic() + LASTS_S)

    def _filled(self, value: Any) -> Any:
        """With references looked up, at any depth."""
        if isinstance(value, str):
            return self._secrets.fill(value)
        if isinstance(value, Mapping):
            return {key: self._filled(item) for key, item in value.items()}
        return [self._filled(item) for item in value] if isinstance(value, list) else value
