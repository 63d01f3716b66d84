"""Contact details and whereabouts: nobody is scored by them, so they are not kept (PIPL: as little as needed)."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from server.connectors.convert import SIMPLE
from server.connectors.paths import OUTER, Path
from server.connectors.source_file import Stream, Value

CONTACTS = frozenset(
    (
        "address",
        "address1",
        "address2",
        "address_line1",
        "address_line2",
        "billing_address",
        "buyer_email",
        "buyer_phone",
        "contact_email",
        "contact_phone",
        "customer_email",
        "customer_phone",
        "default_address",
        "email",
        "email_recipients",
        "fax",
        "id_card",
        "id_number",
        "mobile",
        "mobile_phone",
        "phone",
        "phone_number",
        "receiver",
        "receiver_address",
        "receiver_mobile",
        "receiver_name",
        "receiver_phone",
        "recipient",
        "requestor",
        "shipping_address",
        "street",
        "tel",
        "telephone",
        "wechat",
        "submitter_email",
        "地址",
        "手机",
        "手机号",
        "收件人",
        "收货人",
        "收货地址",
        "电话",
        "联系电话",
        "身份证号",
        "邮箱",
    )
)
"""Names of fields that are dropped on arrival, in any case, at any depth, unless the map of a stream reads them."""
PLACES = frozenset(
    (
        "baseaddress",
        "baselatitude",
        "baselongitude",
        "bssid",
        "lat",
        "latitude",
        "lng",
        "location_detail",
        "location_name",
        "location_title",
        "longitude",
        "mediaids",
        "photo_urls",
        "ssid",
        "useraddress",
        "userlatitude",
        "userlongitude",
        "usermacaddr",
        "userssid",
        "wifimac",
        "wifiname",
    )
)
"""Names of fields by which attendance systems tell where somebody was, beside which network, with what picture."""


def without_contacts(rows: Sequence[Any], *streams: Stream) -> list[Any]:
    """The raw rows of these streams as they may be kept."""
    names = (CONTACTS | PLACES).difference(*(_read_by(stream) for stream in streams))
    is_dropped = cache(lambda key: str(key).lower() in names)  # rows of a page have the same few keys
    return [_without(row, is_dropped) for row in rows]


def only_mapped(stream: Stream, rows: Sequence[Any], except_: Sequence[str]) -> list[Any]:
    """Of the raw rows only what the stream's map reads, but not for the fields ``except_``."""
    left = stream.model_copy(update={"map": {name: spec for name, spec in stream.map.items() if name not in except_}})
    names = _read_by(left)
    if stream.columns is None:
        return [_only(row, names) for row in rows]
    return [
        [value if name.lower() in names else None for name, value in zip(stream.columns, row, strict=False)]
        if isinstance(row, list)
        else _only(row, names)
        for row in rows
    ]


def _only(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _only(item, names) for key, item in value.items() if str(key).lower() in names}
    return [_only(item, names) for item in value] if isinstance(value, list) else value


def _without(value: Any, is_dropped: Callable[[Any], bool]) -> Any:
    if isinstance(value, dict):
        if SIMPLE.issuperset(map(type, value.values())) and not any(map(is_dropped, value)):
            return value  # nearly every row of a database
        return {
            key: _without(item, is_dropped) if isinstance(item, (dict, list)) else item
            for key, item in value.items()
            if not is_dropped(key)
        }
    return [_without(item, is_dropped) for item in value] if isinstance(value, list) else value


def _read_by(stream: Stream) -> set[str]:
    """Names on the paths of the stream's map."""
    values = [stream.key, *stream.map.values()]
    paths = [path for value in values for path in _paths(value)]
    paths += [drop.path for drop in stream.drop] + [stream.each or ()]
    names = {step.lower() for path in paths for step in path if isinstance(step, str) and step != OUTER}
    return names | {name.lower() for name in stream.unpivot or ()}


def _paths(value: Value) -> Iterator[Path]:
    if value.path is not None:
        yield value.path
    if value.when is not None:
        yield value.when.path
    if value.pick is not None:
        yield from (value.pick.path, value.pick.of)
        yield from (among.path for among in (*value.pick.where, *value.pick.unless))
    for part in (*(value.first_of or ()), *(value.join or ())):
        yield from _paths(part)
