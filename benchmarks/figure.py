"""One measured figure beside the limit or peer of the same run, and the target for it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Figure:
    """``ratio`` is value / limit; ``limit`` is None where nothing was measured beside it."""

    name: str
    value: float
    unit: str
    limit_name: str
    limit: float | None
    ratio: float | None
    target: str
    met: bool

    def as_dict(self) -> dict[str, str | float | bool | None]:
        """The fields by name, for a JSON line."""
        return asdict(self)


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    better: Better,
    target: float | None = None,
    limit_name: str = "",
    limit: float | None = None,
    ratio_target: float | None = None,
) -> Figure:
    """A figure judged by its targets: on the value (in ``unit``), on the ratio to the limit, or on both.

    >>> figure("decode", 300.0, "rows/s", better="higher", limit_name="peer", limit=10.0, ratio_target=20).met
    True
    """
    ratio = None if limit is None else value / limit
    sign = ">=" if better == "higher" else "<="
    wanted = [f"{sign} {target:,g} {unit}"] if target is not None else []
    met = target is None or _holds(value, target, better)
    if ratio_target is not None:
        wanted.append(f"{sign} {ratio_target:g} x {limit_name}")
        met = met and ratio is not None and _holds(ratio, ratio_target, better)
    return Figure(name, value, unit, limit_name, limit, ratio, " and ".join(wanted), met)


def _holds(value: float, target: float, better: Better) -> bool:
    return value >= target if better == "higher" else value <= target


Run = Callable[[], list[Figure]]
"""What each ``bench_*.py`` has under the name ``run``."""
