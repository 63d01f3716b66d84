"""Broker passwords in Mosquitto's ``$7$`` form, so that one column serves both brokers.

``$7$ITERATIONS$SALT$HASH``, salt and PBKDF2-HMAC-SHA512 output of 64 bytes in base64. The iterations are Mosquitto's
own default: our passwords are 160 random bits, which no number of iterations could improve.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

ITERATIONS = 101
SALT_BYTES = 12
HASH_BYTES = 64


def new_password() -> str:
    """160 random bits in 32 characters that survive being read aloud: a-z and 2-7."""
    return base64.b32encode(secrets.token_bytes(20)).decode().lower()


def hash_password(password: str, salt: bytes | None = None) -> str:
    """What Mosquitto's password file and the ``password_hash`` column hold."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, HASH_BYTES)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def verify_password(password: str, stored: str) -> bool:
    """True when ``stored`` was made from ``password``; False for any other text, never an error."""
    parts = stored.split("$")
    if len(parts) != 5 or parts[:2] != ["", "7"] or not parts[2].isdecimal() or not 0 < int(parts[2]) <= 1_000_000:
        return False
    try:
        salt, expected = (base64.b64decode(part, validate=True) for part in parts[3:])
    except (binascii.Error, ValueError):
        return False
    if not expected:
        return False
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, int(parts[2]), len(expected))
    return hmac.compare_digest(derived, expected)
