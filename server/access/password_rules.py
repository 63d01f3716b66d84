"""What a new password must be: long enough and not one that everybody tries. No rules of composition."""

from importlib.resources import files

from shared.errors import DataError

SHORTEST, LONGEST = 8, 128

# The heads of public lists of leaked passwords that are at least eight characters long, and what Chinese users choose:
# pinyin phrases, keyboard walks, lucky numbers.
_COMMON = frozenset(files("server.access").joinpath("common_passwords.txt").read_text(encoding="ascii").split())


def check_new_password(password: str, login: str) -> None:
    """DataError when it is too short, too long, in the list, or the login."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise DataError(
            f"password: expected {SHORTEST} to {LONGEST} characters, got {len(password)}", "password_length"
        )
    plain = password.casefold()
    if plain in _COMMON or len(set(plain)) < 3 or plain == login:
        raise DataError("password: among the first that are tried; choose another", "password_common")
