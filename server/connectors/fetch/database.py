"""Rows of a database: the query of the file, page by page, in transactions that are read only and never long."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from server.connectors.convert import SIMPLE
from server.connectors.errors import ReplyError
from server.connectors.fetch.client import LaterError
from server.connectors.fetch.paging import Values
from server.connectors.fetch.secrets import Secrets
from server.connectors.fetch.template import as_form
from server.connectors.reply import Page
from server.connectors.source_file import Source, Stream
from shared.errors import ConfigError

GRACE_S = 2.0
"""How much longer than the database itself we wait for it to give up."""
_STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""


class DatabaseAsker:
    """Asks one database; its driver works in a thread."""

    def __init__(self, source: Source, secrets: Secrets) -> None:
        self._source, self._secrets = source, secrets
        self._engine = _engine(source, secrets)

    async def close(self) -> None:
        """Close its connections."""
        await asyncio.to_thread(self._engine.dispose)

    async def ask(self, stream: Stream, values: Values) -> Page:
        """Rows of one page, as dictionaries; LaterError ``timeout`` where they take longer than ``timeout_s``."""
        limit_s = self._source.limits.timeout_s
        asked = asyncio.to_thread(self._rows, stream, _bound(self._source, stream, values))
        try:
            # The database stops first, where its driver can be told to; else only we stop waiting.
            async with asyncio.timeout(limit_s + GRACE_S):
                return await asked
        except TimeoutError as error:
            raise LaterError(
                f"no rows within {limit_s} s: add an index, or ask for fewer with size", "timeout"
            ) from error

    def _rows(self, stream: Stream, values: Mapping[str, Any]) -> Page:
        statement = text(stream.call.sql or "")
        named = {name: values.get(name) for name in statement.compile().params}
        try:
            with self._engine.connect() as connection:
                found = connection.execute(statement, named)
                columns = list(found.keys())
                rows = [dict(zip(columns, row, strict=True)) for row in found]
                connection.rollback()
        except DBAPIError as error:
            told = self._secrets.mask(str(error.orig))[:300]
            if _is_timeout(error.orig):
                raise LaterError(f"no rows within {self._source.limits.timeout_s} s: {told}", "timeout") from error
            if error.connection_invalidated or type(error.orig).__name__ in ("OperationalError", "InterfaceError"):
                raise LaterError(f"the database can not be asked: {told}", "unreachable") from error
            raise ReplyError(f"the query is refused: {told}", "refused", retry=False) from error
        except SQLAlchemyError as error:
            raise ReplyError(
                f"the query is refused: {self._secrets.mask(str(error))[:300]}", "refused", retry=False
            ) from error
        return Page([_plain(row) for row in rows])


def _engine(source: Source, secrets: Secrets) -> Engine:
    try:
        url = make_url(secrets.fill(source.base_url or "", secret=False))
        if source.auth.login is not None:
            url = url.set(username=secrets.fill(source.auth.login, secret=False))
        if source.auth.password is not None:
            url = url.set(password=secrets.fill(source.auth.password))
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        told = getattr(error, "name", None) or "such as mysql+pymysql://host/name"
        raise ConfigError(f"{source.source}: no driver for base_url ({told}); install it beside the server") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
        event.listen(engine, "checkout", lambda connection, *_: _stop_after(connection, source.limits.timeout_s))
    else:
        if engine.dialect.name in _LIMITS:
            limit = _LIMITS[engine.dialect.name].format(round(source.limits.timeout_s * 1000))
            event.listen(engine, "connect", lambda connection, _: _say(connection, limit))
        engine = engine.execution_options(postgresql_readonly=True)
    return engine


_LIMITS = {
    "postgresql": "SET statement_timeout = {}",
    "mysql": "SET SESSION max_execution_time = {}",
}
"""How a database is told to give a query up, in milliseconds."""


def _say(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
    connection.commit()


def _stop_after(connection: Any, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)


def _is_timeout(error: BaseException | None) -> bool:
    told = str(error).lower()
    return told == "interrupted" or "statement timeout" in told or "maximum statement execution time" in told


def _bound(source: Source, stream: Stream, values: Values) -> dict[str, Any]:
    """Values as the query wants them; before the first pass everything is new."""
    told = dict(values)
    if stream.cursor is not None:
        since = told.get("since")
        told["since"] = _first(stream) if since is None else as_form(since, stream.cursor.as_, source.zone)
    if told.get("after") is None:
        told["after"] = 0
    return told


def _first(stream: Stream) -> str | int:
    assert stream.cursor is not None  # noqa: S101  (the only caller has looked)
    return 0 if stream.cursor.as_ in ("epoch_s", "epoch_ms") else "1970-01-01"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Decimals as text, times as ISO 8601: what a row says in JSON."""
    return row if SIMPLE.issuperset(map(type, row.values())) else msgspec.to_builtins(row, str_keys=True)
