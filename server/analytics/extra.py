"""The libraries beneath: NumPy, SciPy and statsmodels, which come with the extra ``analytics``."""

from importlib.util import find_spec

from shared.errors import ConfigError

LIBRARIES = ("numpy", "scipy", "statsmodels")


class ExtraMissingError(ConfigError):
    """The extra is not installed."""

    code = "analytics_missing"


def require_extra() -> None:
    """ExtraMissingError with how to install it, where a library is missing."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        message = f"correlation and forecast need {', '.join(missing)}: pip install 'muster[analytics]'"
        raise ExtraMissingError(message)
