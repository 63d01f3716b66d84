"""Password hashes are the ones Mosquitto writes and reads."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fleet.passwords import hash_password, new_password, verify_password


@given(st.text(min_size=1, max_size=40), st.binary(min_size=1, max_size=32))
@settings(max_examples=50)
def test_a_hash_verifies_its_own_password_only(password: str, salt: bytes) -> None:
    stored = hash_password(password, salt)
    assert verify_password(password, stored)
    assert not verify_password(password + "x", stored)


@given(st.text(max_size=60))
def test_any_other_text_is_a_refusal_and_no_error(stored: str) -> None:
    assert not verify_password("secret", stored)


@pytest.mark.parametrize(
    "stored", ["$7$101$YWJj$", "$7$0$YWJj$YWJj", "$6$YWJj$YWJj", "$7$9999999$YWJj$YWJj", "$7$101$*$*"]
)
def test_a_damaged_hash_is_a_refusal(stored: str) -> None:
    assert not verify_password("secret", stored)


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is not installed")
def test_a_hash_written_by_mosquitto_passwd_verifies(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", file, "gw-0123456789", "s3cret"], check=True)
    user, stored = file.read_text().strip().split(":", 1)
    assert user == "gw-0123456789"
    assert verify_password("s3cret", stored)
    assert not verify_password("s3creT", stored)


def test_a_new_password_has_160_bits_in_plain_letters() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) == 32 and set(password) <= set("abcdefghijklmnopqrstuvwxyz234567") for password in made)
