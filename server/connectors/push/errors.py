"""Why a call of a program or a vendor is not taken; the answer tells nothing to guess by."""

from shared.errors import MusterError


class PushError(MusterError):
    """A call that is not taken."""

    code = "refused"


class SignatureError(PushError):
    """Who calls is not known, or the call is old or a copy: not said which."""

    code = "signature"


class RepeatedKeyError(PushError):
    """The same ``Idempotency-Key`` came with another body."""

    code = "idempotency_key"


class TooLargeError(PushError):
    """More bytes or rows than one call may bring."""

    code = "too_large"


class UnsupportedError(PushError):
    """A body that is no JSON, or packed in a way we do not unpack."""

    code = "unsupported"


class BodyError(PushError):
    """JSON, but not of the form."""

    code = "body"
