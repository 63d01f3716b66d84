"""Refusals: who asks is not known, may not, or has to wait. The answer is a code that tells nothing to guess by."""

from shared.errors import MusterError


class AccessError(MusterError):
    """The viewer does not get what was asked for."""

    code = "forbidden"


class SignInError(AccessError):
    """No live session belongs to the request."""

    code = "sign_in"


class CredentialsError(AccessError):
    """Login or password is wrong, or the account is disabled: not said which."""

    code = "wrong_credentials"


class ForbiddenError(AccessError):
    """The role lacks the permission, or the request came from another site."""


class NotFoundError(AccessError):
    """There is no such thing, or none in the viewer's scope: not said which."""

    code = "not_found"


class TooManyTriesError(AccessError):
    """The next try is looked at after ``wait_s`` seconds."""

    code = "too_many_tries"

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many failed tries; wait {wait_s} s")
        self.wait_s = wait_s
