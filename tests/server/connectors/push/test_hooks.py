"""How vendors sign: the examples of connectors.md section 6, and what is refused."""

import base64
import contextlib
import os
from dataclasses import replace
from urllib.parse import urlencode

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from server.connectors.push.errors import BodyError, PushError, SignatureError
from server.connectors.push.hooks import (
    ANSWERS,
    HookCall,
    HookSecrets,
    Vendor,
    cainiao_digest,
    kuaidi100_sign,
    take,
    wecom_echo,
    wecom_signature,
)

HUSH = "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY="
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
WECOM = HookSecrets("tok", AES_KEY, "corp-1")
MESSAGE = "<xml><FromUserName><![CDATA[zhang]]></FromUserName><CreateTime>1764000000</CreateTime></xml>"


def call(vendor: Vendor, body: bytes, headers: dict[str, str] | None = None, **query: str) -> HookCall:
    return HookCall(vendor, body, headers or {}, query, 1_764_000_000)


def test_shopify() -> None:
    headers = {"x-shopify-hmac-sha256": HUSH, "x-shopify-webhook-id": "w-1"}
    taken = take(call("shopify", b'{"id":1}', headers), HookSecrets("hush"))
    assert (taken.payload, taken.delivery) == (b'{"id":1}', "w-1")


def test_woocommerce_signs_in_the_same_way() -> None:
    headers = {"x-wc-webhook-signature": HUSH, "x-wc-webhook-delivery-id": "d-1"}
    taken = take(call("woocommerce", b'{"id":1}', headers), HookSecrets("hush"))
    assert (taken.payload, taken.delivery) == (b'{"id":1}', "d-1")


@given(place=st.integers(0, 7), bit=st.integers(0, 7))
def test_a_changed_byte_is_refused(place: int, bit: int) -> None:
    body = bytearray(b'{"id":1}')
    body[place] ^= 1 << bit
    with pytest.raises(SignatureError):
        take(call("shopify", bytes(body), {"x-shopify-hmac-sha256": HUSH}), HookSecrets("hush"))


def test_kuaidi100() -> None:
    param = '{"status":"polling"}'
    assert kuaidi100_sign(param, "salt1") == "AC38506FEB4B8F0AB868A0E803D9F123"
    form = {"sign": "AC38506FEB4B8F0AB868A0E803D9F123", "param": param}
    assert take(call("kuaidi100", urlencode(form).encode()), HookSecrets("salt1")).payload == param.encode()
    with pytest.raises(SignatureError):
        take(call("kuaidi100", urlencode(form).encode()), HookSecrets("salt2"))
    with pytest.raises(BodyError):
        take(call("kuaidi100", b"sign=x"), HookSecrets("salt1"))
    assert msgspec.json.decode(ANSWERS["kuaidi100"].body) == {"result": True, "returnCode": "200", "message": "成功"}


def test_cainiao() -> None:
    """The example of its documentation."""
    assert cainiao_digest("hello1234", "key123") == "ufYU7rvXhHY3IDyZgyt6SA=="
    form = {"msg_type": "T", "logistics_interface": "hello1234", "data_digest": "ufYU7rvXhHY3IDyZgyt6SA=="}
    taken = take(call("cainiao", urlencode(form).encode()), HookSecrets("key123"))
    assert (taken.payload, len(taken.delivery or "")) == (b"hello1234", 64)
    with pytest.raises(SignatureError):
        take(call("cainiao", urlencode(form).encode()), HookSecrets("key124"))
    with pytest.raises(SignatureError):
        take(call("cainiao", urlencode(form | {"logistics_interface": "hello1235"}).encode()), HookSecrets("key123"))
    with pytest.raises(BodyError):
        take(call("cainiao", b"logistics_interface=x"), HookSecrets("key123"))
    assert msgspec.json.decode(ANSWERS["cainiao"].body) == {"success": True}


@given(content=st.text('{}:,"0123456789abc中', min_size=1, max_size=80), secret=st.text("abc123", min_size=1))
def test_a_digest_of_cainiao_may_come_with_blanks_for_its_plus_signs(content: str, secret: str) -> None:
    digest = cainiao_digest(content, secret)
    body = f"{urlencode({'logistics_interface': content})}&data_digest={digest.rstrip('=')}%3D%3D"
    assert take(call("cainiao", body.encode()), HookSecrets(secret)).payload == content.encode()


def test_the_signature_of_wecom() -> None:
    assert wecom_signature("tok", "1764000000", "n1", "ENC") == "652f6d510a279a4844ac41fe839a6d285d00d5cc"


def encrypted(text: str, receiver: str = "corp-1") -> str:
    """As WeCom encrypts: written from the vendor's side, with its padding to 32 bytes."""
    key = base64.b64decode(AES_KEY + "=")
    plain = os.urandom(16) + len(text.encode()).to_bytes(4, "big") + text.encode() + receiver.encode()
    padding = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()


def signed(cipher: str, body: bytes = b"", **more: str) -> HookCall:
    signature = wecom_signature("tok", "1764000000", "n1", cipher)
    return call("wecom", body, None, timestamp="1764000000", nonce="n1", msg_signature=signature, **more)


def envelope(cipher: str) -> bytes:
    return f"<xml><ToUserName>corp-1</ToUserName><Encrypt><![CDATA[{cipher}]]></Encrypt></xml>".encode()


def test_a_message_of_wecom_becomes_json() -> None:
    cipher = encrypted(MESSAGE)
    taken = take(signed(cipher, envelope(cipher)), WECOM)
    assert msgspec.json.decode(taken.payload) == {"FromUserName": "zhang", "CreateTime": "1764000000"}


def test_wecom_asks_whether_the_address_is_ours() -> None:
    cipher = encrypted("4021")
    assert wecom_echo(signed(cipher, echostr=cipher), WECOM) == b"4021"


@pytest.mark.parametrize("off_s", [-301, 301])
def test_an_old_call_of_wecom_is_refused(off_s: int) -> None:
    cipher = encrypted(MESSAGE)
    for good in (signed(cipher, envelope(cipher)), signed(cipher, echostr=cipher)):
        read = wecom_echo if "echostr" in good.query else take
        assert read(replace(good, now_s=good.now_s + off_s // 2), WECOM)
        with pytest.raises(SignatureError, match="old"):
            read(replace(good, now_s=good.now_s + off_s), WECOM)


def test_a_message_of_wecom_for_somebody_else_or_with_a_document_type_is_refused() -> None:
    other = encrypted(MESSAGE, "corp-2")
    with pytest.raises(SignatureError, match="somebody else"):
        take(signed(other, envelope(other)), WECOM)
    bomb = encrypted('<!DOCTYPE x [<!ENTITY a "aaaa">]><xml><A>&a;</A></xml>')
    with pytest.raises(BodyError):
        take(signed(bomb, envelope(bomb)), WECOM)
    good = encrypted(MESSAGE)
    with pytest.raises(SignatureError, match="wrong"):
        take(signed(good, envelope(encrypted(MESSAGE))), WECOM)


@given(body=st.binary(max_size=200), vendor=st.sampled_from(list(ANSWERS)), text=st.text(max_size=60))
def test_any_call_without_a_signature_is_refused(body: bytes, vendor: Vendor, text: str) -> None:
    with pytest.raises(PushError):
        take(call(vendor, body, {"x-shopify-hmac-sha256": text}, msg_signature=text), WECOM)


@given(text=st.text(max_size=200))
def test_whatever_a_vendor_encrypts_is_read_or_refused(text: str) -> None:
    cipher = encrypted(text)
    with contextlib.suppress(BodyError):
        assert isinstance(msgspec.json.decode(take(signed(cipher, envelope(cipher)), WECOM).payload), dict)
