"""A source as a YAML file: how a system is asked and what its rows mean; checked whole, with line numbers."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from server.connectors.convert import As
from server.connectors.errors import Problem, SourceFileError
from server.connectors.paths import Path, parse_path
from server.connectors.yaml_lines import Place, load, where
from server.facts.catalogue import FACTS
from shared.errors import MusterError

Span: TypeAlias = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[smhd]$")]
"""Such as 5m or 7d."""
Reference: TypeAlias = Annotated[str, Field(pattern=r"^\$\{(env|secret):[A-Za-z_][A-Za-z0-9_.-]*\}$")]
"""A secret is never in the file: ``${env:NAME}`` or ``${secret:name}``."""
Where: TypeAlias = Annotated[
    Path, BeforeValidator(lambda value: parse_path(value) if isinstance(value, str) else value)
]
"""A place in a reply, written as text."""
TimeForm: TypeAlias = Literal["iso", "local", "date", "epoch_s", "epoch_s_text", "epoch_ms"]
"""How a source writes moments: UTC as ISO 8601, its own wall time, its own date, seconds or milliseconds since 1970;
``epoch_s_text`` where JSON has to have the seconds as text."""
SECRET_FIELDS = ("password", "token", "secret", "app_secret", "api_key")


class Spec(BaseModel):
    """A part of the file: what is not named is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Among(Spec):
    """A place, and what it may say."""

    path: Where
    among: tuple[str | int | bool | None, ...] = Field(min_length=1)

    def holds(self, value: Any) -> bool:
        """Whether it is one of them, and of the same type: ``true`` is not 1."""
        return value in self.among and type(value) in {type(item) for item in self.among}


class Pick(Spec):
    """One of the elements of a list, in the order in which they come, or how many there are."""

    path: Where
    """The list."""
    skip: int = Field(0, ge=0, le=1_000)
    """So many of the first ones do not count, whatever they say."""
    where: tuple[Among, ...] = ()
    """Only elements that say all of these,"""
    unless: tuple[Among, ...] = ()
    """and none of those."""
    take: Literal["first", "last", "count"]
    of: Where = ()
    """The place in the element."""

    @model_validator(mode="after")
    def _of_an_element(self) -> "Pick":
        if (self.take == "count") == bool(self.of):
            raise ValueError("first and last need of, a place in the element; count has none")
        return self


class Value(Spec):
    """Where a field comes from: exactly one of path, const, first_of, join, pick; then maybe ``values`` or ``as``."""

    path: Where | None = None
    const: str | int | bool | None = None
    first_of: tuple["Value", ...] | None = Field(None, min_length=2)
    join: tuple["Value", ...] | None = Field(None, min_length=1)
    """Parts of a key, put together with ``|``; a part that is empty makes the whole empty."""
    pick: Pick | None = None
    values: dict[str, str | int | bool | None] | None = Field(None, min_length=1)
    """By what the source says, as text; null: that is as good as nothing."""
    as_: As | None = Field(None, alias="as")
    when: Among | None = None
    """Only then; else it says nothing."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """A bare text is a path."""
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> "Value":
        named = [name for name in ("path", "const", "first_of", "join", "pick") if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(
                f"expected exactly one of path, const, first_of, join, pick; got {', '.join(named) or 'none'}"
            )
        if self.values is not None and self.as_ is not None:
            raise ValueError("values and as exclude each other")
        return self


class Success(Spec):
    """Whether HTTP 200 is a success, by what a place in the reply says: many systems put errors inside."""

    path: Where
    equals: str | int | bool | None = None
    absent: bool = False
    """Good when nothing is there."""
    busy: tuple[str | int, ...] = ()
    """Values that mean: later."""
    signed_out: tuple[str | int, ...] = ()
    """Values that mean: the token is old."""
    nothing: tuple[str | int, ...] = ()
    """Values that mean: there are no rows."""


class Paging(Spec):
    """How the next page is asked for."""

    type: Literal[
        "none",
        "page_number",
        "offset",
        "keyset",
        "next_link",
        "cursor_token",
        "has_more",
        "date_window",
        "id_batches",
    ]
    size: int | None = Field(None, ge=1, le=100_000)
    field: str | None = None
    """keyset: the field that pages are ordered by."""
    param: str | None = None
    """Parameter of page number, offset or token."""
    size_param: str | None = None
    first: int = 1
    """page_number: number of the first page."""
    start: str | int | None = None
    """keyset: before the first key, for sources that can not be asked without one."""
    next: Where | None = None
    """Where a reply has the next link, the token, or the flag that there is more."""
    more: Where | None = None
    """cursor_token: where a reply says that there is more, beside the token."""
    end: Where | None = None
    """cursor_token: where a reply says that this is the end, beside the token."""
    header: bool = False
    """next_link: it is in the Link header (RFC 8288)."""
    total: Where | None = None
    days: int | None = Field(None, ge=1, le=366)
    """date_window: its length."""
    ends: Literal["today", "yesterday"] = "today"
    """date_window: the last day that may be asked for."""
    as_: TimeForm = Field("date", alias="as")
    """date_window: how its first and last day are written."""
    from_param: str | None = None
    to_param: str | None = None
    whole_days: bool = False
    """date_window: it ends with the last second of its last day, for sources that compare moments."""
    ids_param: str | None = None
    of: Literal["people", "open_parcels"] = "people"
    """id_batches: ids of linked people, or numbers of parcels that are on their way."""
    carriers: tuple[str, ...] = ()
    """open_parcels: only those of shipments with these carrier codes."""
    within: "Paging | None" = None
    """date_window, id_batches: how the pages of one window or batch are asked for."""

    @model_validator(mode="after")
    def _complete(self) -> "Paging":
        needed = {
            "page_number": ("param",),
            "offset": ("size",),
            "keyset": ("field", "size"),
            "cursor_token": ("param", "next"),
            "has_more": ("param", "next"),
            "date_window": ("days",),
            "id_batches": ("size",),
        }.get(self.type, ())
        missing = [name for name in needed if getattr(self, name) is None]
        if self.type == "next_link" and self.next is None and not self.header:
            missing.append("next")
        if missing:
            raise ValueError(f"{self.type} needs {', '.join(missing)}")
        return self


class Cursor(Spec):
    """What tells changed rows; of several fields the first that is set."""

    field: tuple[str, ...]
    param: str | None = None
    as_: TimeForm = Field("iso", alias="as")
    start: dt.date | None = None
    """Nothing that is older is asked for."""
    once: bool = False
    """Asked with the first page only: the token of the next ones holds it."""
    overlap: Span = "5m"
    order: str | None = None

    @field_validator("field", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Auth(Spec):
    """How the source is told who asks."""

    type: Literal[
        "none",
        "basic",
        "bearer",
        "header",
        "query_token",
        "token_exchange",
        "tryton_session",
        "odoo_login",
        "limesurvey_session",
        "hmac_md5_param",
        "md5_digest_param",
    ]
    login: str | None = None
    password: Reference | None = None
    token: Reference | None = None
    secret: Reference | None = None
    api_key: Reference | None = None
    app_id: str | None = None
    app_secret: Reference | None = None
    name: str | None = None
    """Of the header or parameter."""
    prefix: str | None = None
    """token_exchange: before the token in a header; without it the token is a parameter."""
    url: str | None = None
    """token_exchange: where tokens are given."""
    method: Literal["POST", "GET"] = "POST"
    """token_exchange: with GET the body becomes the query."""
    form: bool = False
    """token_exchange: the body is a form, not JSON."""
    body: dict[str, Any] | None = None
    token_path: Where | None = None
    lasts_path: Where | None = None


class Push(Spec):
    """What a program of one's own may send to ``/api/v1/ingest``."""

    secrets: tuple[Reference, ...] = Field(min_length=1, max_length=2)
    """The second is for the time in which one is replaced by the other."""
    facts: tuple[str, ...] = Field((), max_length=40)
    """Facts whose rows come under our own names, beside those of the streams."""

    @field_validator("facts")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(value) - set(FACTS)):
            raise ValueError(f"there is no fact {', '.join(unknown)}; there are {', '.join(sorted(FACTS))}")
        return value


class Hook(Spec):
    """A vendor that calls ``/api/v1/hooks``."""

    vendor: Literal["shopify", "woocommerce", "kuaidi100", "cainiao", "wecom"]
    secret: Reference
    """Key of its signature; the salt of Kuaidi100, the appSecret of Cainiao, the token of WeCom."""
    aes_key: Reference | None = None
    """wecom: EncodingAESKey"""
    receiver: str | None = None
    """wecom: corp id"""

    @model_validator(mode="after")
    def _complete(self) -> "Hook":
        if self.vendor == "wecom" and (self.aes_key is None or self.receiver is None):
            raise ValueError("wecom needs aes_key and receiver")
        return self


class Limits(Spec):
    """What the source bears; every vendor's limit is a setting."""

    requests_per_minute: int = Field(60, ge=1, le=60_000)
    concurrency: int = Field(1, ge=1, le=16)
    """date_window, id_batches: windows or batches that are asked for at the same time."""
    timeout_s: float = Field(30, gt=0, le=600)
    max_page_bytes: int = Field(20_000_000, ge=1_000, le=1_000_000_000)


class Expect(Spec):
    """When a page is refused whole."""

    max_reject_ratio: float = Field(0.05, ge=0, le=1)


class Call(Spec):
    """What is asked; texts may hold names in braces, see ``fetch/template.py``."""

    path: str = Field("", pattern=r"^(/|$)")
    """Below the address of the source."""
    method: str | None = None
    """GET or POST of http_json; the procedure of jsonrpc."""
    params: dict[str, Any] | list[Any] = {}
    """Of the query; arguments of a plain procedure."""
    body: dict[str, Any] | list[Any] | None = None
    form: bool = False
    """The body is a form, not JSON."""
    headers: dict[str, str] = {}
    model: str | None = None
    """odoo"""
    database: str | None = None
    """odoo"""
    domain: list[Any] = []
    """tryton, odoo: which rows, beside those that changed."""
    fields: tuple[str, ...] = ()
    context: dict[str, Any] = {}
    """tryton"""
    sql: str | None = None
    """A SELECT with ``:since``, ``:after`` and ``:size`` as it needs them."""
    files: str | None = None
    """A path, or a pattern such as ``exports/*.csv``, below the folder for files of the server."""
    sheet: str | None = None


class FieldError(MusterError, ValueError):
    """A fault further inside than what was checked."""

    def __init__(self, at: Place, why: str) -> None:
        self.at = at
        super().__init__(why)


class Same(Spec):
    """A place in a part of a row that says what one of a list of the row says."""

    path: Where
    of: Where
    """The list in the row."""
    at: Where = ()
    """The place in each of the list."""


class Detail(Spec):
    """One more call for each row, whose rows become a field of it: what a list leaves out."""

    path: str = Field(pattern=r"^/.*\{id\}")
    params: dict[str, Any] = {}
    id: Where
    """Place in the row of what ``{id}`` is."""
    rows: Where = ()
    into: str
    """Name of the field."""
    drop: tuple[Among, ...] = ()
    """Those of its rows that are not kept,"""
    drop_same: Same | None = None
    """nor these, such as what the customer did."""


class Register(Spec):
    """A table in the folder for files of the server, whose line with the row's key becomes a field of the row."""

    files: str = Field(min_length=1)
    """A path, or a pattern such as ``media/register*.csv``."""
    key: str
    """Heading of its keys."""
    id: Where
    """Place in the row of its key; with ``each`` in the element, ``^.`` for the row around."""
    into: str
    """Name of the field; it is not there where no line has the key."""


class Stream(Spec):
    """One kind of rows of a source."""

    name: str | None = None
    """Of several streams of one fact."""
    fact: str
    call: Call = Call()
    rows: Where = ()
    """Where a reply has its rows; without it the reply is the list, or the one row."""
    columns: tuple[str, ...] | None = None
    """Rows come as lists in this order."""
    keyed: str | None = None
    """Rows are an object by key, which becomes this field."""
    detail: Detail | None = None
    register_: Register | None = Field(None, alias="register")
    each: Where | None = None
    """One row for each element there; ``^.`` in a path is the row around it."""
    unpivot: tuple[str, ...] | None = Field(None, min_length=1)
    """One row for each of these fields that says something: ``name``, ``value``, and ``^.`` for the row around."""
    drop: tuple[Among, ...] = ()
    """Rows that are none."""
    empty: tuple[str | int | bool, ...] = ()
    """Values by which this source says nothing."""
    page: Paging = Paging(type="none")
    cursor: Cursor | None = None
    every: Span = "1h"
    lookback: Span | None = None
    stale_after: Span = "2d"
    full_compare: Literal["never", "daily", "weekly"] = "never"
    key: Value
    map: dict[str, Value]
    expect: Expect = Expect()

    @property
    def id(self) -> str:
        """Its name, or that of its fact."""
        return self.name or self.fact

    @model_validator(mode="after")
    def _fits_fact(self) -> "Stream":
        kind = FACTS.get(self.fact)
        if kind is None:
            raise ValueError(f"fact {self.fact!r} is unknown, there are {', '.join(sorted(FACTS))}")
        unknown = sorted(set(self.map) - set(kind.row.model_fields) | ({"source_key"} & set(self.map)))
        if unknown:
            raise FieldError(("map", unknown[0]), f"{self.fact} has no field {', '.join(unknown)}")
        missing = sorted(kind.required - set(self.map) - {"source_key"})
        if missing:
            raise ValueError(f"map: {self.fact} needs {', '.join(missing)}")
        return self


def own_names(fact: str) -> Stream:
    """A stream whose rows come under the names of the fact itself, instants as ISO 8601."""
    fields = [name for name in FACTS[fact].row.model_fields if name != "source_key"]
    return Stream.model_validate({"fact": fact, "key": "source_key", "map": {name: name for name in fields}})


class Title(Spec):
    """Name in both languages."""

    zh: str
    en: str


class Source(Spec):
    """A system that is asked, sends files, or calls."""

    source: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")]
    title: Title | None = None
    kind: Literal["http_json", "jsonrpc", "sql", "file", "webhook"]
    dialect: Literal["plain", "tryton", "odoo", "limesurvey", "json_text"] = "plain"
    """How values are wrapped."""
    base_url: str | None = None
    timezone: str = "Asia/Shanghai"
    auth: Auth = Auth(type="none")
    limits: Limits = Limits()
    ok: Annotated[
        tuple[Success, ...], BeforeValidator(lambda value: [value] if isinstance(value, dict) else value)
    ] = ()
    """What a good reply says; of several every one."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts beside its own that a next page may be on."""
    lan_hosts: tuple[str, ...] = ()
    """Names that may lead to addresses of the company's own network; an address written as numbers may anyway."""
    push: Push | None = None
    hook: Hook | None = None
    streams: tuple[Stream, ...] = Field((), validate_default=True)

    @property
    def zone(self) -> ZoneInfo:
        """Of times without offset, and of its days."""
        return ZoneInfo(self.timezone)

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA zone such as Asia/Shanghai")
        return value

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"^(https?://|\$\{env:|[a-z+]+:///?)", value):
            raise ValueError("expected an address such as https://erp.example.com")
        if value is not None and re.match(r"^\w+://[^/@]*:[^/@]*@", value):
            raise ValueError("holds a password; use auth with ${secret:name}")
        return value

    @field_validator("streams")
    @classmethod
    def _with_pushed(cls, value: tuple[Stream, ...], info: ValidationInfo) -> tuple[Stream, ...]:
        """With those of facts that come under our own names."""
        push = info.data.get("push")
        named = {stream.fact for stream in value}
        further = () if push is None else tuple(own_names(fact) for fact in push.facts if fact not in named)
        if not value and not further:
            raise ValueError("expected at least one stream, or push with facts")
        return (*value, *further)

    @model_validator(mode="after")
    def _sends(self) -> "Source":
        if self.kind != "webhook" and (self.push is not None or self.hook is not None):
            raise ValueError("push and hook are for kind webhook: give what is sent a source of its own")
        if self.kind == "webhook" and self.push is None and self.hook is None:
            raise ValueError("a webhook needs push (a program of your own) or hook (a vendor)")
        return self

    @model_validator(mode="after")
    def _can_ask_for_details(self) -> "Source":
        if self.kind != "http_json" and any(stream.detail is not None for stream in self.streams):
            raise ValueError("detail is for kind http_json")
        if self.kind == "file" and any(stream.register_ is not None for stream in self.streams):
            raise ValueError("register is for what is asked: put the columns into the file")
        return self

    @model_validator(mode="after")
    def _distinct(self) -> "Source":
        ids = [stream.id for stream in self.streams]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"two streams named {', '.join(twice)}: give them different names")
        compared = [stream.fact for stream in self.streams if stream.full_compare != "never"]
        facts = [stream.fact for stream in self.streams]
        if shared := sorted({fact for fact in compared if facts.count(fact) > 1}):
            raise ValueError(
                f"full_compare of {', '.join(shared)}: the rows of its other stream would be taken for gone"
            )
        return self


def read_source(text: str, name: str) -> Source:
    """The source in a YAML document; SourceFileError lists every fault with its line."""
    document, lines = load(text, name)
    try:
        return Source.model_validate(document)
    except ValidationError as error:
        kinds = [found for found in error.errors(include_url=False) if found["type"] != "too_short"] or error.errors()
        problems = [_problem(found, lines) for found in kinds]
        raise SourceFileError(name, sorted(problems, key=lambda problem: problem.line)) from error


def missing_for_asking(source: Source) -> list[str]:
    """What a file that is good for mapping lacks to ask its system by itself; empty when nothing."""
    wanted = {"http_json": "path", "jsonrpc": "method", "sql": "sql", "file": "files"}.get(source.kind)
    missing = ["base_url"] if source.kind in ("http_json", "jsonrpc", "sql") and source.base_url is None else []
    if wanted is not None:
        missing += [f"call.{wanted} of stream {one.id}" for one in source.streams if not getattr(one.call, wanted)]
    return missing


def _problem(found: Mapping[str, Any], lines: Mapping[Place, int]) -> Problem:
    error = found.get("ctx", {}).get("error")
    place: Place = (*found["loc"], *(error.at if isinstance(error, FieldError) else ()))
    while place and place not in lines:
        place = place[:-1]
    text = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        text = f"unknown, maybe misspelt: {found['loc'][-1]}"
    elif found["type"] == "missing":
        text = f"{found['loc'][-1]} is missing"
    elif any(field in found["loc"] for field in SECRET_FIELDS) and found["type"] == "string_pattern_mismatch":
        text = "a secret is never in the file: write ${env:NAME} or ${secret:name}"
    return Problem(lines.get(place, 1), where(place), text)
