"""Algorithms in two suites behind one interface; every stored value says by which it was made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from shared.errors import ConfigError, DataError

Suite: TypeAlias = Literal["intl", "sm"]
NONCE_BYTES = 12
TAG_BYTES = 16


class Aead(Protocol):
    """Encryption that notices every change."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Cipher text and tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The plain text; InvalidTag when anything of it is not as it was."""
        ...


class _Sm4Gcm:
    """SM4-GCM with the interface of AESGCM, which has no counterpart for it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        encryptor = Cipher(algorithms.SM4(self._key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data or b"")
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        body, tag = data[:-TAG_BYTES], data[-TAG_BYTES:]
        decryptor = Cipher(algorithms.SM4(self._key), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated_data or b"")
        return decryptor.update(body) + decryptor.finalize()


@dataclass(frozen=True, slots=True)
class CryptoProvider:
    """One suite: what encrypts, what hashes."""

    name: Suite
    number: int
    """In stored values."""
    key_bytes: int
    aead: Callable[[bytes], Aead]
    digest: Callable[[], hashes.HashAlgorithm]

    def seal(self, key: bytes, nonce: bytes, plain: bytes, about: bytes) -> bytes:
        """Cipher text and tag, bound to what it is about."""
        return self.aead(key).encrypt(nonce, plain, about)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, about: bytes) -> bytes:
        """The plain text; DataError ``sealed_changed`` when key, text or place is another one."""
        try:
            return self.aead(key).decrypt(nonce, sealed, about)
        except (InvalidTag, ValueError) as error:
            raise DataError("an encrypted value was changed, or belongs elsewhere", "sealed_changed") from error

    def hash(self, data: bytes) -> bytes:
        """SHA-256 or SM3."""
        made = hashes.Hash(self.digest())
        made.update(data)
        return made.finalize()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC over the suite's hash, 32 bytes."""
        made = HMAC(key, self.digest())
        made.update(data)
        return made.finalize()


PROVIDERS: Mapping[Suite, CryptoProvider] = {
    "intl": CryptoProvider("intl", 1, 32, AESGCM, hashes.SHA256),
    "sm": CryptoProvider("sm", 2, 16, _Sm4Gcm, hashes.SM3),
}
BY_NUMBER: Mapping[int, CryptoProvider] = {one.number: one for one in PROVIDERS.values()}


@dataclass(frozen=True, slots=True)
class _Vector:
    """A published example."""

    key: str
    nonce: str
    about: str
    plain: str
    sealed: str
    hash_of_abc: str


_VECTORS: Mapping[Suite, _Vector] = {
    "intl": _Vector(  # GCM test case 16 of McGrew and Viega; FIPS 180-4 for the hash
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    "sm": _Vector(  # RFC 8998 A.1; GB/T 32905 for the hash
        "0123456789abcdeffedcba9876543210",
        "00001234567800000000abcd",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
        "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec",
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
    ),
}


@cache
def checked(suite: Suite) -> CryptoProvider:
    """The suite, after its published examples came out right; ConfigError where this machine can not do it."""
    provider, vector = PROVIDERS[suite], _VECTORS[suite]
    key, nonce, about, plain, sealed, hashed = (
        bytes.fromhex(text)
        for text in (vector.key, vector.nonce, vector.about, vector.plain, vector.sealed, vector.hash_of_abc)
    )
    try:
        good = provider.seal(key, nonce, plain, about) == sealed and provider.hash(b"abc") == hashed
    except Exception as error:
        raise ConfigError(
            f"suite {suite} can not be used here ({type(error).__name__}): install cryptography 50"
        ) from error
    if not good:
        raise ConfigError(f"suite {suite} gives wrong results here: install cryptography 50 anew, and keep nothing")
    return provider
