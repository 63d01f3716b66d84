"""A reply as a whole: is it one, does it say that the call went well, which rows are in it, where is the next page."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from server.connectors.dialects import DIALECTS
from server.connectors.errors import ReplyError
from server.connectors.paths import look
from server.connectors.source_file import Paging, Source, Stream, Success
from server.connectors.tables import is_table, numbered_rows
from shared.errors import DataError

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Raw rows and what a reply says about the next page."""

    rows: list[Any]
    next: str | int | bool | None = None
    last: bool | None = None
    """Whether the reply says that nothing follows; None when it says nothing about that."""
    total: int | None = None
    lines: list[int] | None = None
    """Of a file that is a table: the line that each row is on."""


def read_reply(source: Source, stream: Stream, body: bytes) -> Page:
    """The rows of a reply; ReplyError when it is none, or says that the call failed."""
    if len(body) > source.limits.max_page_bytes:
        raise ReplyError(f"{len(body)} bytes, at most {source.limits.max_page_bytes}", "too_large", retry=False)
    if source.kind == "file" and is_table(body):
        numbered = list(numbered_rows(body))
        return Page([row for _, row in numbered], lines=[line for line, _ in numbered])
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReplyError(f"no whole JSON: {str(error)[:SHOWN]}", "bad_body", retry=True) from error
    value = DIALECTS[source.dialect](value)
    if not all(_has_rows(ok, value) for ok in source.ok):
        return Page([])
    try:
        return Page(_rows(stream, value), _next(source, stream, value), _last(stream, value), _total(stream, value))
    except DataError as error:
        if isinstance(error, ReplyError):
            raise
        raise ReplyError(f"rows are not where they were: {error}", "schema_changed", retry=False) from error


def same_host(source: Source, link: str) -> bool:
    """Whether a link leads to the source itself, or to a host that its file allows."""
    wanted = urlsplit(link)
    if not wanted.netloc:
        return not wanted.scheme
    own = urlsplit(source.base_url or "")
    if wanted.username or wanted.password:
        return False
    return (wanted.netloc == own.netloc and wanted.scheme == own.scheme) or wanted.hostname in source.allow_hosts


def _has_rows(ok: Success, value: Any) -> bool:
    """Whether a reply may have rows; ReplyError when it says that the call failed."""
    try:
        said = look(value, ok.path)
    except DataError:
        said = None
    if ok.absent:
        if said in (None, [], "", {}):
            return True
    elif said == ok.equals or (said is None and ok.equals in (0, None) and _is_data(value)):
        return True
    if said in ok.nothing:
        return False
    retry = said in ok.busy or str(said) in {str(item) for item in ok.busy}
    if said in ok.signed_out:
        raise ReplyError(f"signed out: {_short(said)}", "signed_out", retry=True)
    raise ReplyError(f"the reply says {_short(said)}", "refused", retry=retry)


def _is_data(value: Any) -> bool:
    """Several systems name a code only when there is one."""
    return isinstance(value, list | dict) and bool(value)


def _rows(stream: Stream, value: Any) -> list[Any]:
    found = look(value, stream.rows)
    if stream.keyed is not None and isinstance(found, dict):
        return [row for key, item in found.items() for row in _keyed(stream.keyed, key, item)]
    if found is None or (stream.keyed is not None and found == []):
        return []
    return found if isinstance(found, list) else [found]


def _keyed(field: str, key: str, item: Any) -> list[dict[str, Any]]:
    items = item if isinstance(item, list) else [item]
    return [{**one, field: key} if isinstance(one, dict) else {"value": one, field: key} for one in items]


def _next(source: Source, stream: Stream, value: Any) -> str | int | bool | None:
    paging = _innermost(stream.page)
    if paging.next is None:
        return None
    said = look(value, paging.next)
    if paging.type == "next_link" and isinstance(said, str) and not same_host(source, said):
        raise ReplyError(
            f"the next page is on {urlsplit(said).hostname}: list it in allow_hosts if that is right",
            "foreign_host",
            retry=False,
        )
    return said if isinstance(said, str | int | bool) else None


def _innermost(paging: Paging) -> Paging:
    """That of the pages within a window or batch."""
    return paging if paging.within is None else _innermost(paging.within)


def _last(stream: Stream, value: Any) -> bool | None:
    paging = _innermost(stream.page)
    if paging.end is not None:
        return look(value, paging.end) is True
    return None if paging.more is None else not look(value, paging.more)


def _total(stream: Stream, value: Any) -> int | None:
    paging = _innermost(stream.page)
    said = None if paging.total is None else look(value, paging.total)
    return int(said) if isinstance(said, int) or (isinstance(said, str) and said.isdigit()) else None


def _short(value: Any) -> str:
    """A code, never a whole answer: that may hold what is nobody's business."""
    return str(value)[:40] if isinstance(value, str | int | float | bool) else type(value).__name__
