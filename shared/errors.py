"""The error tree, branched by what the caller does next.

MusterError
├── RetryableError   the same call may work later: back off and try again
├── ConfigError      a person has to change a setting: show it to IT, do not retry
└── DataError        this record is unusable, the next may be fine: quarantine it

A message states the fact, what was expected and what to do next.
"""

from collections.abc import Mapping


class MusterError(Exception):
    """Root of every error that Muster raises on purpose."""


class RetryableError(MusterError):
    """The same call may work later."""


class ConfigError(MusterError):
    """A person has to change a setting."""


class DataError(MusterError):
    """This record is unusable; the next may be fine.

    ``code`` is the stable reason code under which the raw bytes are quarantined; ``parameters`` are what a page needs
    to say it in words.
    """

    def __init__(self, message: str, code: str = "invalid", parameters: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.parameters = dict(parameters or {})
