"""Calls of vendors: each signs in its own way, says its own id of the call, and wants its own answer."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import parse_qs
from xml.parsers import expat
from xml.sax.saxutils import unescape

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from server.connectors.push.errors import BodyError, SignatureError
from server.connectors.push.signature import check_time, same

Vendor: TypeAlias = Literal["shopify", "woocommerce", "kuaidi100", "cainiao", "wecom"]


@dataclass(frozen=True, slots=True)
class HookSecrets:
    """What a vendor and we know."""

    secret: str
    """Key of the signature; the token of WeCom."""
    aes_key: str = ""
    """WeCom's EncodingAESKey: 43 characters."""
    receiver: str = ""
    """WeCom's corp id."""


@dataclass(frozen=True, slots=True)
class HookCall:
    """A call as it came."""

    vendor: Vendor
    body: bytes
    headers: Mapping[str, str]
    """Names in lower case."""
    query: Mapping[str, str]
    now_s: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What is in a call, and the vendor's own id of it, where it has one."""

    payload: bytes
    delivery: str | None


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What the vendor takes for yes."""

    body: bytes
    media_type: str


OK_TEXT = HookAnswer(b"ok", "text/plain")
ANSWERS: Mapping[Vendor, HookAnswer] = {
    "shopify": OK_TEXT,
    "woocommerce": OK_TEXT,
    "kuaidi100": HookAnswer('{"result":true,"returnCode":"200","message":"成功"}'.encode(), "application/json"),
    "cainiao": HookAnswer(b'{"success":true}', "application/json"),
    "wecom": HookAnswer(b"success", "text/plain"),
}


def take(call: HookCall, secrets: HookSecrets) -> Taken:
    """What is in the call; SignatureError unless the vendor made it, BodyError where it is of another form."""
    return _TAKE[call.vendor](call, secrets)


def _shopify(call: HookCall, secrets: HookSecrets) -> Taken:
    _check_hmac(call, secrets, "x-shopify-hmac-sha256")
    return Taken(call.body, call.headers.get("x-shopify-webhook-id"))


def _woocommerce(call: HookCall, secrets: HookSecrets) -> Taken:
    _check_hmac(call, secrets, "x-wc-webhook-signature")
    return Taken(call.body, call.headers.get("x-wc-webhook-delivery-id"))


def _check_hmac(call: HookCall, secrets: HookSecrets, header: str) -> None:
    """Base64 of HMAC-SHA256 over the bytes as they came."""
    made = base64.b64encode(hmac.digest(secrets.secret.encode(), call.body, "sha256")).decode()
    if not same(call.headers.get(header, ""), made):
        raise SignatureError(f"{header} is missing or wrong")


def kuaidi100_sign(param: str, salt: str) -> str:
    """Upper-case MD5, which is theirs to choose."""
    return hashlib.md5((param + salt).encode(), usedforsecurity=False).hexdigest().upper()


def _kuaidi100(call: HookCall, secrets: HookSecrets) -> Taken:
    param, given = _form(call, "param", "sign")
    if not same(given, kuaidi100_sign(param, secrets.secret)):
        raise SignatureError("sign is wrong")
    return _by_content(param)


def cainiao_digest(content: str, secret: str) -> str:
    """Base64 of MD5, which is theirs to choose."""
    return base64.b64encode(hashlib.md5((content + secret).encode(), usedforsecurity=False).digest()).decode()


def _cainiao(call: HookCall, secrets: HookSecrets) -> Taken:
    content, given = _form(call, "logistics_interface", "data_digest")
    # A sender that does not encode the form turns the plus signs of the digest into blanks.
    if not same(given.replace(" ", "+"), cainiao_digest(content, secrets.secret)):
        raise SignatureError("data_digest is wrong")
    return _by_content(content)


def _form(call: HookCall, content: str, signature: str) -> tuple[str, str]:
    try:
        form = parse_qs(call.body.decode(), strict_parsing=True, max_num_fields=20)
        [said], [given] = form[content], form[signature]
    except (ValueError, KeyError) as error:
        raise BodyError(f"expected a form with {content} and {signature}") from error
    return said, given


def _by_content(content: str) -> Taken:
    """Neither of them numbers its calls: the same content is the same call."""
    return Taken(content.encode(), hashlib.sha256(content.encode()).hexdigest())


def wecom_signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """SHA-1 of the parts, sorted and joined, which is theirs to choose."""
    parts = "".join(sorted((token, timestamp, nonce, encrypted)))
    return hashlib.sha1(parts.encode(), usedforsecurity=False).hexdigest()


def wecom_echo(call: HookCall, secrets: HookSecrets) -> bytes:
    """The answer to WeCom's first call, by which it finds out that the address is ours."""
    return _wecom_text(call, secrets, call.query.get("echostr", ""))


def _wecom(call: HookCall, secrets: HookSecrets) -> Taken:
    text = call.body.decode(errors="replace")
    start, end = text.find("<Encrypt>"), text.find("</Encrypt>")
    if not 0 <= start < end:
        raise BodyError("expected XML with Encrypt")
    # No XML parser for a document of which one element is wanted, before anybody has proved who sends it.
    encrypted = unescape(text[start + len("<Encrypt>") : end])
    encrypted = encrypted.removeprefix("<![CDATA[").removesuffix("]]>")
    return Taken(_as_json(_wecom_text(call, secrets, encrypted)), call.query.get("nonce"))


def _as_json(text: bytes) -> bytes:
    """The elements below the root with their texts: WeCom's messages are flat."""
    found: dict[str, str] = {}
    path: list[str] = []
    parser = expat.ParserCreate()

    def refused(*_: object) -> None:
        raise BodyError("XML with a document type")

    def text_of(data: str) -> None:
        if len(path) > 1:
            found[path[1]] = found.get(path[1], "") + data

    parser.StartDoctypeDeclHandler = refused
    parser.StartElementHandler = lambda name, _attributes: path.append(name)
    parser.EndElementHandler = lambda _name: path.pop()
    parser.CharacterDataHandler = text_of
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise BodyError("the message is no XML") from error
    return msgspec.json.encode(found)


def _wecom_text(call: HookCall, secrets: HookSecrets, encrypted: str) -> bytes:
    made = wecom_signature(secrets.secret, call.query.get("timestamp", ""), call.query.get("nonce", ""), encrypted)
    if not same(call.query.get("msg_signature", ""), made):
        raise SignatureError("msg_signature is wrong")
    check_time(call.query.get("timestamp", ""), call.now_s)
    return wecom_decrypted(encrypted, secrets)


def wecom_decrypted(encrypted: str, secrets: HookSecrets) -> bytes:
    """AES-256-CBC, its vector the first half of the key; 16 random bytes, a length, the text, the receiver."""
    try:
        key = base64.b64decode(secrets.aes_key + "=", validate=True)
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = decryptor.update(base64.b64decode(encrypted, validate=True)) + decryptor.finalize()
    except ValueError as error:
        raise SignatureError("not encrypted for us") from error
    padded = plain[: len(plain) - plain[-1]] if plain else b""
    size = int.from_bytes(padded[16:20], "big")
    text, receiver = padded[20 : 20 + size], padded[20 + size :]
    if len(text) != size or not same(receiver.decode(errors="replace"), secrets.receiver):
        raise SignatureError("meant for somebody else")
    return text


_TAKE: Mapping[Vendor, Callable[[HookCall, HookSecrets], Taken]] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "kuaidi100": _kuaidi100,
    "cainiao": _cainiao,
    "wecom": _wecom,
}
