"""The signature of our own ingest API: what is signed, by which key, how old it may be."""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from server.connectors.push.errors import SignatureError

WINDOW_S = 300
"""A call may be so old, or so far ahead: clocks differ."""
_NONCE = re.compile(r"[A-Za-z0-9-]{8,64}")
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"v1": hashes.SHA256, "v2": hashes.SM3}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a signed call says beside its body."""

    timestamp: str
    """Seconds since 1970."""
    nonce: str
    signature: str
    """``v1=<hex>`` is HMAC-SHA256, ``v2=<hex>`` HMAC-SM3."""


def sign(secret: str, timestamp: str, nonce: str, body: bytes, version: str = "v1") -> str:
    """The signature of a body as sent, packed or not."""
    code = HMAC(secret.encode(), _HASHES[version]())
    code.update(f"{timestamp}.{nonce}.".encode() + body)
    return f"{version}={code.finalize().hex()}"


def check(stamp: Stamp, body: bytes, secrets: Sequence[str], now_s: float) -> None:
    """SignatureError unless one of the secrets made the signature, over exactly these bytes, just now.

    That the nonce is new is for whoever keeps them.
    """
    version, equals, _ = stamp.signature.partition("=")
    if not equals or version not in _HASHES or _NONCE.fullmatch(stamp.nonce) is None:
        raise SignatureError("no signature, or of no known form")
    # Every secret is tried, so that the time it takes tells nothing.
    good = [same(stamp.signature, sign(one, stamp.timestamp, stamp.nonce, body, version)) for one in secrets]
    if not any(good):
        raise SignatureError("the signature is not ours")
    check_time(stamp.timestamp, now_s)


def check_time(timestamp: str, now_s: float) -> None:
    """SignatureError unless it is seconds since 1970, of just now."""
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise SignatureError("no time")
    if abs(now_s - int(timestamp)) > WINDOW_S:
        raise SignatureError("the call is old")


def same(given: str, expected: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())
